"""`cbx doctor`'s facts: what this machine offers to the commands of a work tree, and what they miss."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import psutil

from pytest_cbx import __version__
from pytest_cbx.client.isolation import reach
from pytest_cbx.config.model import Isolation
from pytest_cbx.config.units import show_size
from pytest_cbx.engine.fast_path import is_built
from pytest_cbx.errors import UsageError
from pytest_cbx.execute import machine
from pytest_cbx.execute.kernel.facts import Facility, facilities
from pytest_cbx.shell.plain import BUILTINS
from pytest_cbx.shell.second import bashlex_parse

_VERSION_SECONDS = 10.0
"""How long a program may take to tell its version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cores:
    """Processors."""

    usable: float
    """What commands may use in all."""
    online: int
    affinity: int
    """Those that this process may be scheduled on."""
    quota: float | None
    """What cgroups allow; None for no quota."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes."""

    usable: int
    total: int
    available: int
    """Free now, or free as soon as caches are dropped."""
    limit: int | None
    """What cgroups allow; None for no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """Bytes of the file system that holds the work tree."""

    free: int
    """For ordinary users."""
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptors:
    """How many files this process may have open."""

    soft: int
    hard: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeDirectory:
    """Where the engine's socket would lie."""

    path: str
    usable: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A program that commands start."""

    name: str
    path: str | None
    """None: not found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A program that cbx itself needs."""

    name: str
    version: str | None
    """None: not found, or it did not say."""
    path: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that `cbx doctor` knows; `msgspec.json.encode` takes it as it is."""

    version: str
    """Of pytest-cbx."""
    system: str
    workspace: str
    isolation: str
    isolation_reason: str
    fast_path: bool
    """Trapped calls are answered by compiled code, where they are usual ones."""
    kernel: tuple[Facility, ...]
    cores: Cores
    memory: Memory
    disk: Disk
    descriptors: Descriptors
    runtime: RuntimeDirectory
    versions: tuple[Version, ...]
    tools: tuple[Tool, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the tools that were not found."""
        return tuple(tool.name for tool in self.tools if tool.path is None)


def examine(workspace: Path, *, tools: Sequence[str] = (), runtime: Path | None = None) -> Report:
    """Look at the machine. `tools`: programs that the project's commands start; what bash does itself is left out.

    Raises:
        UsageError: there is no such workspace.
    """
    rung = reach(Isolation.AUTO)
    try:
        space = shutil.disk_usage(workspace)
    except OSError as error:
        raise UsageError(f"{workspace} cannot be examined: {error.strerror}") from error
    limits = machine.cgroup_limits()
    measured = machine.measure()
    memory = psutil.virtual_memory()
    soft, hard = machine.descriptor_limits()
    return Report(
        version=__version__,
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        workspace=str(workspace),
        isolation=rung.name,
        isolation_reason=rung.reason,
        fast_path=is_built(),
        kernel=facilities(),
        cores=Cores(usable=measured.cpus, online=os.cpu_count() or 1, affinity=machine.affinity(), quota=limits.cpus),
        memory=Memory(
            usable=measured.memory,
            total=int(memory.total),
            available=min(int(memory.available), measured.memory),
            limit=limits.memory,
        ),
        disk=Disk(free=space.free, total=space.total),
        descriptors=Descriptors(soft=soft, hard=hard),
        runtime=runtime_directory(runtime or default_runtime()),
        versions=(
            Version(name="python", version=platform.python_version(), path=sys.executable or None),
            program_version("bash"),
            program_version("git"),
            second_reader(),
        ),
        tools=tuple(
            Tool(name=name, path=find_tool(name, workspace)) for name in dict.fromkeys(tools) if name not in BUILTINS
        ),
    )


def default_runtime() -> Path:
    """The user's runtime directory, or the one for temporary files where the system gives none."""
    given = os.environ.get("XDG_RUNTIME_DIR", "")
    return Path(given) if os.path.isabs(given) and os.path.isdir(given) else Path(tempfile.gettempdir())


def runtime_directory(path: Path) -> RuntimeDirectory:
    """Whether a private directory could be made in `path`. Judged by its permissions; nothing is made."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return RuntimeDirectory(path=str(path), usable=False, detail=error.strerror or "cannot be read")
    if not stat.S_ISDIR(mode):
        return RuntimeDirectory(path=str(path), usable=False, detail="this is no folder")
    if not os.access(path, os.W_OK | os.X_OK):
        return RuntimeDirectory(path=str(path), usable=False, detail="not writable")
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        return RuntimeDirectory(
            path=str(path), usable=False, detail="anyone could replace what lies there: no sticky bit"
        )
    return RuntimeDirectory(path=str(path), usable=True, detail="writable")


def find_tool(name: str, workspace: Path) -> str | None:
    """The absolute path of a program as a command in the workspace would find it; None where it would not."""
    if "/" in name:
        path = os.path.normpath(os.path.join(workspace, os.path.expanduser(name)))
        return path if os.access(path, os.X_OK) and not os.path.isdir(path) else None
    found = shutil.which(name)
    return os.path.abspath(found) if found else None


def program_version(name: str) -> Version:
    """What `NAME --version` says in its first line."""
    path = shutil.which(name)
    if path is None:
        return Version(name=name, version=None, path=None)
    try:
        done = subprocess.run(
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_VERSION_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return Version(name=name, version=None, path=path)
    lines = done.stdout.splitlines()
    return Version(name=name, version=lines[0].strip() if done.returncode == 0 and lines else None, path=path)


def second_reader() -> Version:
    """bashlex, which reads each command too where it is installed and can be loaded."""
    if bashlex_parse() is None:
        return Version(name="second reader", version=None, path=None)
    spec = importlib.util.find_spec("bashlex")
    try:
        version = f"bashlex {metadata.version('bashlex')}"
    except metadata.PackageNotFoundError:
        version = "bashlex"
    return Version(name="second reader", version=version, path=spec.origin if spec else None)


def render(report: Report) -> str:
    """The report for a terminal, without a line end at the end."""
    cores, memory = report.cores, report.memory
    quota = "no quota" if cores.quota is None else f"quota {cores.quota:g}"
    limit = "no limit" if memory.limit is None else f"limit {_about(memory.limit)}"
    runtime = report.runtime
    rows = [
        ("pytest-cbx", f"{report.version} on {report.system}"),
        ("work tree", report.workspace),
        ("isolation", f"{report.isolation}: {report.isolation_reason}"),
        (
            "fast path",
            "built" if report.fast_path else "not built: there was no C compiler when pytest-cbx was installed",
        ),
        ("cores", f"{cores.usable:g} usable ({cores.online} online, {cores.affinity} in the affinity mask, {quota})"),
        ("memory", f"{_about(memory.usable)} usable, {_about(memory.available)} available ({limit})"),
        ("disk", f"{_about(report.disk.free)} free of {_about(report.disk.total)}"),
        ("descriptors", f"{report.descriptors.soft} (at most {report.descriptors.hard})"),
        ("runtime directory", f"{runtime.path} ({runtime.detail})"),
        *((each.name, _version_text(each)) for each in report.versions),
    ]
    kernel = [(f"  {each.name}", f"{'yes' if each.there else 'no'}: {each.detail}") for each in report.kernel]
    tools = [(f"  {tool.name}", tool.path or "not found") for tool in report.tools]
    lines = [*_columns(rows), "kernel", *_columns(kernel)]
    if tools:
        lines += ["tools of the commands", *_columns(tools)]
    if report.missing:
        lines.append(f"missing: {', '.join(report.missing)} - commands that need them may be skipped")
    return "\n".join(lines)


def _version_text(version: Version) -> str:
    if version.path is None:
        return "not found"
    return f"{version.version or 'version unknown'} ({version.path})"


def _columns(rows: Sequence[tuple[str, str]]) -> list[str]:
    width = max((len(name) for name, _ in rows), default=0)
    return [f"{name:<{width}}  {text}" for name, text in rows]


def _about(count: int) -> str:
    """Bytes to three digits: 25276514304 → "23.5GB"."""
    for unit, power in (("TB", 4), ("GB", 3), ("MB", 2)):
        if count >= 1024**power:
            return (
                f"{count / 1024**power:.3g}{unit}" if count < 1000 * 1024**power else f"{count / 1024**power:.0f}{unit}"
            )
    return show_size(count)
