"""Which kernel facilities are there. Asks only; changes nothing and starts nothing.

Sources: landlock_create_ruleset(2), seccomp(2) and `userspace-api/seccomp_filter.rst` (`actions_avail`), cgroups(7),
`accounting/psi.rst`, user_namespaces(7), pidfd_open(2).
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from pytest_cbx.execute.machine import ROOT, own_cgroups

_LANDLOCK_CREATE_RULESET = 444
_LANDLOCK_CREATE_RULESET_VERSION = 1
_OTHER_NUMBERS = frozenset({"alpha", "ia64"})
"""Architectures that number this system call otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facility:
    """One thing that a kernel may offer."""

    name: str
    there: bool
    detail: str
    """For people: what exactly is there, or why not."""


def facilities(root: Path = ROOT) -> tuple[Facility, ...]:
    """Everything that a higher rung of the isolation ladder could stand on. `root` stands in for `/` in tests."""
    return (
        ask_landlock(),
        seccomp_notification(root),
        cgroup_v2(root),
        pressure(root),
        user_namespaces(root, privileged=hasattr(os, "geteuid") and os.geteuid() == 0),
        pidfd(),
    )


def landlock(abi: int, error: int) -> Facility:
    """What the version query of Landlock answered: the ABI, or -1 and the error number."""
    if abi > 0:
        return Facility(name="Landlock", there=True, detail=f"ABI {abi}")
    reasons = {
        errno.ENOSYS: "not built into this kernel",
        errno.EOPNOTSUPP: "built in, but switched off at boot (lsm=)",
        errno.EPERM: "forbidden here, as by a container's seccomp filter",
    }
    return Facility(
        name="Landlock", there=False, detail=reasons.get(error, os.strerror(error) if error else "no answer")
    )


def ask_landlock() -> Facility:
    """What this kernel says about its Landlock."""
    return landlock(*_query_landlock())


def _query_landlock() -> tuple[int, int]:
    """The ABI version, or -1, with the error number."""
    if sys.platform != "linux" or platform.machine() in _OTHER_NUMBERS:
        return -1, errno.ENOSYS
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    syscall.restype = ctypes.c_long
    # A ruleset of NULL with size 0 and this flag is the version query: it opens no descriptor.
    abi = syscall(
        ctypes.c_long(_LANDLOCK_CREATE_RULESET),
        ctypes.c_void_p(None),
        ctypes.c_size_t(0),
        ctypes.c_uint32(_LANDLOCK_CREATE_RULESET_VERSION),
    )
    return int(abi), ctypes.get_errno()


def seccomp_notification(root: Path = ROOT) -> Facility:
    """Whether a supervisor may answer system calls of others (Linux 5.0; with continuing, 5.5)."""
    name = "seccomp user notification"
    actions = _read(root / "proc/sys/kernel/seccomp/actions_avail")
    if actions is None:
        return Facility(name=name, there=False, detail="no seccomp filters in this kernel")
    there = "user_notif" in actions.split()
    return Facility(
        name=name, there=there, detail="listed in actions_avail" if there else "not listed in actions_avail"
    )


def cgroup_v2(root: Path = ROOT) -> Facility:
    """Whether version 2 is mounted, and whether this process may make groups below its own."""
    name = "cgroup v2"
    for mount, folder in own_cgroups(root):
        if mount.version != 2:
            continue
        here = root / folder.relative_to("/")
        controllers = (_read(here / "cgroup.controllers") or "").split()
        ours = all(os.access(path, os.W_OK) for path in (here, here / "cgroup.procs", here / "cgroup.subtree_control"))
        what = f"mounted at {mount.point}, " + ("delegated to us" if ours else "not delegated to us")
        return Facility(name=name, there=ours, detail=f"{what}, controllers: {' '.join(controllers) or 'none'}")
    return Facility(name=name, there=False, detail="not mounted")


def pressure(root: Path = ROOT) -> Facility:
    """Pressure stall information: how long tasks waited for a resource."""
    # With psi=0 at boot the files are there, and reading them fails.
    found = [what for what in ("cpu", "memory", "io") if _read(root / "proc/pressure" / what)]
    detail = f"for {', '.join(found)}" if found else "not built in, or switched off (psi=0)"
    return Facility(name="pressure stall information", there=bool(found), detail=detail)


def user_namespaces(root: Path = ROOT, *, privileged: bool) -> Facility:
    """Whether the kernel's settings let this user make user namespaces. Judged by the settings, not tried."""
    name = "user namespaces"
    if not os.path.lexists(root / "proc/self/ns/user"):
        return Facility(name=name, there=False, detail="not built into this kernel")
    if (_read(root / "proc/sys/user/max_user_namespaces") or "").strip() == "0":
        return Facility(name=name, there=False, detail="user.max_user_namespaces is 0")
    if not privileged and (_read(root / "proc/sys/kernel/unprivileged_userns_clone") or "").strip() == "0":
        return Facility(name=name, there=False, detail="kernel.unprivileged_userns_clone is 0")
    if not privileged and (_read(root / "proc/sys/kernel/apparmor_restrict_unprivileged_userns") or "").strip() == "1":
        return Facility(name=name, there=False, detail="kernel.apparmor_restrict_unprivileged_userns is 1")
    return Facility(name=name, there=True, detail="allowed by the kernel's settings")


def pidfd() -> Facility:
    """Whether a process can be held by a descriptor, so that its number cannot be mistaken for another's."""
    opener = getattr(os, "pidfd_open", None)
    if opener is None:
        return Facility(name="pidfd", there=False, detail="not offered by this Python or kernel")
    try:
        os.close(opener(os.getpid()))
    except OSError as error:
        return Facility(name="pidfd", there=False, detail=os.strerror(error.errno or 0))
    return Facility(name="pidfd", there=True, detail="pidfd_open works")


def _read(path: Path) -> str | None:
    """The file's text; None where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
