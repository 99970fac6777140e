"""A control group of our own with a bound on memory: version 2 where it is there, else version 1.

Sources: cgroups(7), `admin-guide/cgroup-v2.rst` (memory.max, memory.high, memory.events, memory.oom.group),
`admin-guide/cgroup-v1/memory.rst` (memory.limit_in_bytes, memory.failcnt).
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pytest_cbx.execute.machine import ROOT, own_cgroups

PREFIX = "pytest-cbx-"
_EMPTYING = 2.0
"""Seconds that a group's last processes may take to go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hierarchy:
    """Where groups with a bound on memory can be made."""

    folder: Path
    version: int


class MemoryGroup:
    """One group. Its processes are not ours to end; `close` removes it once they are gone."""

    def __init__(self, hierarchy: Hierarchy, name: str, *, limit: int, throttle: bool = False) -> None:
        """`limit` in bytes: beyond it processes are killed, or with `throttle` slowed down.

        Raises:
            OSError: it cannot be made; EOPNOTSUPP for `throttle` under version 1.
        """
        self.path = hierarchy.folder / f"{PREFIX}{name}"
        self._version = hierarchy.version
        if throttle and self._version == 1:
            raise OSError(95, "cgroup version 1 cannot slow processes down: it has no memory.high")
        self.path.mkdir(exist_ok=True)
        try:
            self._set(limit, throttle)
        except OSError:
            self.close()
            raise

    def _set(self, limit: int, throttle: bool) -> None:
        if self._version == 1:
            _write(self.path / "memory.limit_in_bytes", limit)
            # Else what does not fit goes to swap. Not every kernel counts it.
            with contextlib.suppress(OSError):
                _write(self.path / "memory.memsw.limit_in_bytes", limit)
            return
        _write(self.path / ("memory.high" if throttle else "memory.max"), limit)
        for name, value in (("memory.swap.max", 0), ("memory.oom.group", 1)):
            with contextlib.suppress(FileNotFoundError):
                _write(self.path / name, value)

    def add(self, pid: int) -> None:
        """Move a process into it; what it starts from then on is in it, too.

        Raises:
            OSError: it cannot be moved; ESRCH when it is gone.
        """
        _write(self.path / "cgroup.procs", pid)

    @property
    def reached(self) -> int:
        """How often the limit was reached so far."""
        if self._version == 1:
            return _number((self.path / "memory.failcnt").read_text())
        events = dict(line.split() for line in (self.path / "memory.events").read_text().splitlines())
        return int(events.get("max", 0)) + int(events.get("high", 0))

    def close(self) -> None:
        """Remove it. Processes that are left go to the group above first."""
        remove(self.path)


def memory_hierarchy(root: Path = ROOT) -> Hierarchy | str:
    """Where groups can be made, tried out; or why nowhere."""
    reasons = []
    for version in (2, 1):
        for mount, folder in own_cgroups(root):
            if mount.version != version or (version == 1 and "memory" not in mount.controllers):
                continue
            for place in (root / folder.relative_to("/"), root / folder.parent.relative_to("/")):
                reason = _try(place, version)
                if not reason:
                    return Hierarchy(folder=place, version=version)
                reasons.append(f"{place}: {reason}")
    return "; ".join(dict.fromkeys(reasons)) or "no cgroup hierarchy with a memory controller is mounted"


@cache
def here() -> Hierarchy | str:
    """The same for this machine, tried once."""
    return memory_hierarchy()


def _try(place: Path, version: int) -> str:
    """Make a group and remove it; returns what fails."""
    wanted = "memory.max" if version == 2 else "memory.limit_in_bytes"
    tried = place / f"{PREFIX}probe-{os.getpid()}"
    try:
        if version == 2 and "memory" not in (place / "cgroup.subtree_control").read_text().split():
            (place / "cgroup.subtree_control").write_text("+memory")
        tried.mkdir()
        try:
            return "" if (tried / wanted).exists() else "its memory controller is not handed down"
        finally:
            tried.rmdir()
    except OSError as error:
        return error.strerror or str(error)


def sweep(alive: Callable[[int], bool]) -> None:
    """Remove the groups of dead engines. Their names begin with the engine's pid."""
    for group in _ours():
        owner = group.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdecimal() and not alive(int(owner)):
            with contextlib.suppress(OSError):
                remove(group)


def _ours(root: Path = ROOT) -> Iterator[Path]:
    for mount, folder in own_cgroups(root):
        if mount.version == 2 or "memory" in mount.controllers:
            for place in {root / folder.relative_to("/"), root / folder.parent.relative_to("/")}:
                with contextlib.suppress(OSError):
                    yield from place.glob(f"{PREFIX}*")


def remove(group: Path) -> None:
    """Remove a group; processes that are in it go to the one above.

    Raises:
        OSError: it cannot be emptied.
    """
    deadline = time.monotonic() + _EMPTYING
    while True:
        with contextlib.suppress(OSError):
            for pid in (group / "cgroup.procs").read_text().split():
                with contextlib.suppress(OSError):
                    _write(group.parent / "cgroup.procs", int(pid))
        try:
            group.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _write(path: Path, value: int) -> None:
    # Not `write_text`: the kernel judges the write, and a buffered one would be judged when it is closed.
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, b"%d" % value)
    finally:
        os.close(descriptor)


def _number(text: str) -> int:
    return int(text.strip() or 0)
