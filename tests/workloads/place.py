"""Where workloads run: one tree that always has the same path, so that what programs write about it is the same each time."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from tests.workloads.model import Workload

_PAST = "1704067200 +0000"
_GITCONFIG = """\
[user]
\tname = Ada Example
\temail = ada@example.org
[init]
\tdefaultBranch = main
[advice]
\tdetachedHead = false
[gc]
\tauto = 0
[maintenance]
\tauto = false
[pack]
\tthreads = 1
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a script ended."""

    exit_code: int
    """As a shell tells it: 128 + the number of the signal."""
    output: str


class Place:
    """Directories below `base`: `work` is the workspace, `work/tree` the tree; all else lies outside of it."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.workspace = base / "work"
        self.tree = self.workspace / "tree"
        self.state = base / "state"
        self._templates = base / "templates"
        self._assets = base / "assets"
        for folder in (self.workspace, self._templates, self._assets, base / "home", base / "tmp", base / "tools"):
            folder.mkdir(parents=True)
        (base / "home" / ".gitconfig").write_text(_GITCONFIG)
        with contextlib.suppress(SystemExit):  # its wheels are not installed: what the machine has will do
            _toolchain().make_shims(base / "tools" / "wheels")
        _make_assets(self._assets)

    def environment(self) -> dict[str, str]:
        """Nothing of the user's but the search path; no program may ask the network."""
        home = self.base / "home"
        path = (
            str(Path(sys.executable).parent),
            os.environ.get("PATH", os.defpath),
            str(self.base / "tools" / "wheels"),
        )
        return {
            "PATH": os.pathsep.join(path),
            "HOME": str(home),
            "ASSETS": str(self._assets),
            "TMPDIR": str(self.base / "tmp"),
            "XDG_STATE_HOME": str(self.state),
            "XDG_CACHE_HOME": str(self.base / "cache"),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "USER": "ada",
            "PYTHONDONTWRITEBYTECODE": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_DATE": _PAST,
            "GIT_COMMITTER_DATE": _PAST,
            "GOCACHE": str(self.base / "cache" / "go"),
            "GOPATH": str(self.base / "cache" / "gopath"),
            "GOPROXY": "off",
            "GOTOOLCHAIN": "local",
            "GOFLAGS": "-mod=mod -buildvcs=false",
            "GOTELEMETRY": "off",
            "CARGO_HOME": os.environ.get("CARGO_HOME", str(Path.home() / ".cargo")),
            "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(Path.home() / ".rustup")),
            "CARGO_NET_OFFLINE": "true",
            "CARGO_INCREMENTAL": "0",
            "PIP_NO_INDEX": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
            "npm_config_offline": "true",
            "npm_config_logs_max": "0",
            "npm_config_update_notifier": "false",
            "NODE_DISABLE_COMPILE_CACHE": "1",
        }

    def set_up(self, workload: Workload) -> None:
        """Make the tree as it is before the workload."""
        template = self._templates / hashlib.sha256(workload.setup.encode()).hexdigest()[:16]
        if not template.exists():
            self.clear()
            self.tree.mkdir()
            done = self._bash(workload.setup)
            assert done.exit_code == 0, f"{workload.name}: its set-up failed: {done.output}"
            subprocess.run(["cp", "-a", self.tree, template], check=True)
        self.clear()
        subprocess.run(["cp", "-a", template, self.tree], check=True)

    def clear(self) -> None:
        """Remove the tree."""
        if self.tree.exists():
            subprocess.run(["rm", "-rf", self.tree], check=True)

    def run_bare(self, workload: Workload) -> Ran:
        """Run its script as cbx would, without cbx."""
        return self._bash(workload.script)

    def probe(self, workload: Workload) -> str:
        """What its probe says of the tree."""
        return self._bash(workload.probe, options="-c").output if workload.probe else ""

    def _bash(self, script: str, options: str = "-eo pipefail -c") -> Ran:
        done = subprocess.run(
            ["bash", *options.split(), script],
            cwd=self.tree,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        code = done.returncode if done.returncode >= 0 else 128 - done.returncode
        return Ran(code, done.stdout.decode("utf-8", "backslashreplace"))


def _toolchain() -> ModuleType:
    """The demo's module; pytest has its folder on the path, other programs do not."""
    sys.path.append(str(Path(__file__).resolve().parents[2] / "fixtures"))
    try:
        return importlib.import_module("toolchain")
    finally:
        sys.path.pop()


def _make_assets(folder: Path) -> None:
    metadata = "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"
    wheel = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files = {f"demo/m{n}.py": f"x = {n}\n" for n in range(12)} | {"demo/__init__.py": ""}
    files |= {"demo-1.0.dist-info/METADATA": metadata, "demo-1.0.dist-info/WHEEL": wheel}
    files["demo-1.0.dist-info/RECORD"] = "".join(f"{name},,\n" for name in [*files, "demo-1.0.dist-info/RECORD"])
    with zipfile.ZipFile(folder / "demo-1.0-py3-none-any.whl", "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    package = {"package.json": '{"name":"left","version":"1.0.0","main":"i.js","bin":{"left":"cli.js"}}'}
    package |= {"cli.js": "#!/usr/bin/env node\n"} | {f"lib/{n}.js": f"exports.x = {n}\n" for n in range(12)}
    with tarfile.open(folder / "left-1.0.0.tgz", "w:gz") as archive:
        for name, text in package.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size, entry.mtime = len(text), 500_000_000
            archive.addfile(entry, io.BytesIO(text.encode()))


def available(workload: Workload) -> bool:
    """Whether the programs that nobody promised are there."""
    return all(shutil.which(tool) for tool in workload.unpromised)
