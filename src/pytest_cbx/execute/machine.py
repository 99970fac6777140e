"""How much of this machine the process may use: cores, memory, descriptors, with cgroup limits counted.

Sources: cgroups(7), proc(5), and the kernel's `admin-guide/cgroup-v2.rst` (`cpu.max`, `memory.max`) and
`scheduler/sched-bwc.rst` (`cpu.cfs_quota_us`).
"""

from __future__ import annotations

import os
import re
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import psutil

ROOT = Path("/")
_DESCRIPTORS_UNLIMITED = 1 << 20
"""What an unlimited RLIMIT_NOFILE counts as: the kernel's own default ceiling, `fs.nr_open`."""
_MEMORY_UNLIMITED_V1 = 1 << 62
"""Version 1 has no word for "no limit": it shows the largest number of whole pages, close to 1 << 63."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What commands may use in all."""

    cpus: float
    """Cores: the smaller of the affinity mask and the cgroup quota; above 0, may be a fraction."""
    memory: int
    """Bytes: the smaller of the physical memory and the cgroup limit."""
    descriptors: int
    """Open files that this process may have (the soft limit)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One mounted cgroup hierarchy."""

    version: int
    """1 or 2."""
    controllers: frozenset[str]
    """Of a version 1 hierarchy, e.g. {"cpu", "cpuacct"}; empty for version 2."""
    root: str
    """The cgroup that the mount point shows, e.g. "/" or "/docker/4711"."""
    point: str
    """Absolute path of the mount point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CgroupLimits:
    """The tightest limits on the way from this process's cgroup to the root; None where nothing limits."""

    cpus: float | None
    memory: int | None


def measure(root: Path = ROOT) -> Machine:
    """The machine as this process may use it, now. `root` stands in for `/` in tests; raises nothing."""
    limits = cgroup_limits(root)
    cpus = float(affinity())
    if limits.cpus is not None:
        cpus = min(cpus, limits.cpus)
    memory = int(psutil.virtual_memory().total)
    if limits.memory is not None:
        memory = min(memory, limits.memory)
    return Machine(cpus=cpus, memory=memory, descriptors=descriptor_limits()[0])


def affinity() -> int:
    """Cores that this process may be scheduled on; cpusets are counted by the kernel."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def descriptor_limits() -> tuple[int, int]:
    """Soft and hard limit of open files; an unlimited one counts as 1,048,576."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft, hard = (_DESCRIPTORS_UNLIMITED if value == resource.RLIM_INFINITY else value for value in (soft, hard))
    return soft, hard


def cgroup_limits(root: Path = ROOT) -> CgroupLimits:
    """Quota of cores and limit of memory that cgroups, version 1 or 2, set for this process."""
    cpus: list[float] = []
    memory: list[int] = []
    for mount, folder in own_cgroups(root):
        for level in _upwards(folder, PurePosixPath(mount.point)):
            here = root / level.relative_to("/")
            if mount.version == 2:
                cpus += _quota(*_words(here / "cpu.max", 2))
                memory += _numbers(*_words(here / "memory.max", 1))
            else:
                if "cpu" in mount.controllers:
                    cpus += _quota(*_words(here / "cpu.cfs_quota_us", 1), *_words(here / "cpu.cfs_period_us", 1))
                if "memory" in mount.controllers:
                    found = _numbers(*_words(here / "memory.limit_in_bytes", 1))
                    memory += [limit for limit in found if limit < _MEMORY_UNLIMITED_V1]
    return CgroupLimits(cpus=min(cpus, default=None), memory=min(memory, default=None))


def own_cgroups(root: Path = ROOT) -> Iterator[tuple[Mount, PurePosixPath]]:
    """Each mounted hierarchy with the absolute path of this process's folder in it."""
    groups = _own_groups(_text(root / "proc/self/cgroup"))
    for mount in _mounts(_text(root / "proc/self/mountinfo")):
        for controllers, group in groups:
            if mount.controllers & controllers if mount.version == 1 else controllers == {""}:
                yield mount, _folder(mount, group)
                break


def _own_groups(text: str) -> list[tuple[frozenset[str], str]]:
    """`/proc/self/cgroup` as (controllers, path); version 2 has the one controller ""."""
    lines = (line.split(":", 2) for line in text.splitlines())
    return [(frozenset(parts[1].split(",")), parts[2]) for parts in lines if len(parts) == 3]


def _mounts(text: str) -> Iterator[Mount]:
    """The cgroup mounts of `/proc/self/mountinfo`."""
    for line in text.splitlines():
        left, dash, right = line.partition(" - ")
        fields, kind = left.split(" "), right.split(" ")
        if not dash or len(fields) < 5 or kind[0] not in ("cgroup", "cgroup2"):
            continue
        version = 2 if kind[0] == "cgroup2" else 1
        options = frozenset(kind[-1].split(",")) if version == 1 else frozenset[str]()
        yield Mount(version=version, controllers=options, root=_unescape(fields[3]), point=_unescape(fields[4]))


def _folder(mount: Mount, group: str) -> PurePosixPath:
    """Where `group` is seen below the mount point; the mount point itself when the group lies outside of what it shows."""
    path = PurePosixPath(group)
    if ".." in path.parts or not path.is_relative_to(mount.root):
        return PurePosixPath(mount.point)
    return PurePosixPath(mount.point) / path.relative_to(mount.root)


def _upwards(folder: PurePosixPath, top: PurePosixPath) -> Iterator[PurePosixPath]:
    yield folder
    while folder != top:
        folder = folder.parent
        yield folder


def _quota(quota: str = "max", period: str = "0") -> list[float]:
    """Cores that a quota of microseconds in each period amounts to; "max" and -1 mean no quota."""
    allowed, each = _numbers(quota), _numbers(period)
    return [allowed[0] / each[0]] if allowed and each and allowed[0] > 0 and each[0] > 0 else []


def _numbers(*words: str) -> list[int]:
    return [int(word) for word in words if word.isascii() and word.isdigit()]


def _words(path: Path, count: int) -> list[str]:
    return _text(path).split()[:count]


def _text(path: Path) -> str:
    """The file's text; empty where there is none, or none for us."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _unescape(field: str) -> str:
    """mountinfo writes blanks and backslashes as three octal digits."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)
