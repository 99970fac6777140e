"""The workloads of `bench_guard.py`: larger than those of the tests, so that what they cost stands out."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tests.workloads.model import file, lines

COUNT = 1000
PACKAGES, MODULES = 30, 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """A script whose time is taken, in a tree made by `setup`."""

    name: str
    script: str
    target: float
    """Times bare that it may take."""
    setup: str = ""
    tools: tuple[str, ...] = ()
    count: int = 0
    """So many commands of it, two at a time; 0: one."""


_REPOSITORY = lines("git init -q .", "seq 1000 > file", "git add -A", "git commit -qm first")
_SOURCES = lines(
    'for i in $(seq 60); do echo "#include <stdio.h>\nint f$i(int n) { printf(\\"%d\\", n); return n + $i; }" > f$i.c; done',
    "echo 'int f1(int); int main(void) { return f1(-1); }' > main.c",
    file("Makefile", "main: $(patsubst %.c,%.o,$(wildcard *.c))", "\t$(CC) -o $@ $^"),
)
_SMALL_FILES = "mkdir t; for d in $(seq 40); do mkdir t/$d; for i in $(seq 50); do echo $i > t/$d/$i; done; done"
_DEPENDENCIES = {f"p{n}": f"file:p{n}.tgz" for n in range(PACKAGES)}
_LOCK = {
    "name": "app",
    "version": "1.0.0",
    "lockfileVersion": 3,
    "requires": True,
    "packages": {
        "": {"name": "app", "version": "1.0.0", "dependencies": _DEPENDENCIES},
        **{f"node_modules/{name}": {"version": "1.0.0", "resolved": place} for name, place in _DEPENDENCIES.items()},
    },
}

WORKLOADS = (
    Timed(name="true", script="true", target=1.10, count=COUNT),
    Timed(name="venv", script="python -m venv made", target=1.15),
    Timed(
        name="pip-install",
        setup="python -m venv made",
        script='made/bin/python -m pip install -q --no-index --no-deps "$ASSETS"/large-1.0-py3-none-any.whl',
        target=1.15,
    ),
    Timed(
        name="npm-ci",
        setup=lines(
            'cp "$ASSETS"/p*.tgz .',
            file("package.json", json.dumps({"name": "app", "version": "1.0.0", "dependencies": _DEPENDENCIES})),
            file("package-lock.json", json.dumps(_LOCK)),
        ),
        script="npm ci --offline --no-audit --no-fund --silent",
        target=1.15,
        tools=("node", "npm"),
    ),
    Timed(name="make", setup=_SOURCES, script="make -s -j2", target=1.15, tools=("make", "cc")),
    Timed(
        name="git-50-commits",
        setup=_REPOSITORY,
        script="for i in $(seq 50); do echo $i >> file; git commit -qam $i; done",
        target=1.5,
        tools=("git",),
    ),
    Timed(name="creations-3000", script="for i in $(seq 3000); do echo x > f$i; done", target=3),
    Timed(name="rm-rf-2000", setup=_SMALL_FILES, script="rm -rf t", target=3),
    Timed(name="tar-x-2000", setup=f"{_SMALL_FILES}; tar cf t.tar t; rm -r t", script="tar xf t.tar", target=3),
    Timed(name="sed-i-2000", setup=_SMALL_FILES, script="find t -type f -exec sed -i s/1/one/ {} +", target=3),
)  # fmt: skip


def make_assets(folder: Path) -> None:
    """A wheel of many modules, and many npm packages of some files each."""
    files = {f"large/p{n % 20}/m{n}.py": f"VALUE = {n}\n" * 40 for n in range(20 * MODULES)}
    files |= {f"large/p{n}/__init__.py": "" for n in range(20)} | {"large/__init__.py": ""}
    files["large-1.0.dist-info/METADATA"] = "Metadata-Version: 2.1\nName: large\nVersion: 1.0\n"
    files["large-1.0.dist-info/WHEEL"] = (
        "Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    files["large-1.0.dist-info/RECORD"] = "".join(f"{name},,\n" for name in [*files, "large-1.0.dist-info/RECORD"])
    with zipfile.ZipFile(folder / "large-1.0-py3-none-any.whl", "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    for number in range(PACKAGES):
        package = {"package.json": json.dumps({"name": f"p{number}", "version": "1.0.0"})}
        package |= {f"lib/{n}.js": f"exports.value = {n};\n" * 20 for n in range(MODULES)}
        with tarfile.open(folder / f"p{number}.tgz", "w:gz") as packed:
            for name, text in package.items():
                entry = tarfile.TarInfo(f"package/{name}")
                entry.size = len(text)
                packed.addfile(entry, io.BytesIO(text.encode()))
