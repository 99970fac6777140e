"""Landlock: a thread gives up rights for itself and for all that it starts, without any privilege.

Sources: landlock(7), linux/landlock.h, `userspace-api/landlock.rst`.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from pytest_cbx.execute.kernel.libc import failure, libc, system_call

_VERSION_QUERY = 1
_PATH_BENEATH, _NET_PORT = 1, 2
_PR_SET_NO_NEW_PRIVS = 38

WRITE_FILE, REMOVE_DIR, REMOVE_FILE = 1 << 1, 1 << 4, 1 << 5
MAKE_ANY = sum(1 << bit for bit in range(6, 13))
"""Character device, folder, regular file, socket, pipe, block device, symbolic link."""
REFER = 1 << 13
"""ABI 2: link and rename from folder to folder. Earlier kernels refuse these inside of every domain."""
TRUNCATE = 1 << 14
"""ABI 3."""
BIND_TCP, CONNECT_TCP = 1 << 0, 1 << 1
"""ABI 4."""
SCOPE_ABSTRACT_UNIX, SCOPE_SIGNAL = 1 << 0, 1 << 1
"""ABI 6."""

APART_ABI, NETWORK_ABI, SCOPE_ABI = 2, 4, 6

DEVICES = (
    b"/dev/null",
    b"/dev/zero",
    b"/dev/full",
    b"/dev/random",
    b"/dev/urandom",
    b"/dev/tty",
    b"/dev/ptmx",
    b"/dev/pts",
    b"/dev/shm",
)
"""May be written in every domain: programs that only look write to these, too, and nothing that lasts is there. Shells
open the terminal for writing, terminal programs make terminals (`pts`), and `shm` holds the semaphores and shared
memory of libraries (Python's multiprocessing, for one). Disks, `/dev/kvm` and graphics cards are left out: what is done
through them cannot be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """What is left to those inside."""

    writable: tuple[bytes, ...] | None = None
    """Files, and folders with all below, that may be written, besides `DEVICES`; None: no limit. Reading is never limited.
    Permissions, owners, times and attributes are not covered: Landlock knows no right for them."""
    scope_signals: bool = False
    """Whether signals reach only processes inside (needs ABI 6)."""
    scope_abstract_unix: bool = False
    """Whether abstract unix sockets can be connected to only when they were made inside (needs ABI 6)."""
    bind_ports: tuple[int, ...] | None = None
    """TCP ports that a socket may be bound to; None: no limit (needs ABI 4)."""
    connect_ports: tuple[int, ...] | None = None
    """TCP ports that may be connected to; None: no limit (needs ABI 4)."""
    apart: bool = False
    """Whether those inside can reach into no process outside (ptrace, its memory, its descriptors), which every domain sees to,
    even where it limits nothing else (needs ABI 2)."""


@cache
def abi() -> int:
    """Landlock's version here; 0 where there is none."""
    try:
        return system_call("landlock_create_ruleset", None, 0, _VERSION_QUERY)
    except OSError:
        return 0


def file_rights(version: int) -> int:
    """The rights to write that a version knows."""
    rights = WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_ANY
    return rights | (REFER if version >= 2 else 0) | (TRUNCATE if version >= 3 else 0)


def enter(domain: Domain) -> None:
    """Put the calling thread into a domain, for good, with all that it starts from now on. A domain that limits nothing
    is not entered. The thread gets no_new_privs, too.

    Raises:
        OSError: what failed, and the thread is not inside: EOPNOTSUPP for a kernel without Landlock, or whose Landlock is
            too old for a limit of the domain; ENOENT for a writable path that is not there; E2BIG when the thread is in
            16 domains already.
    """
    version = abi()
    _check(domain, version)
    files = file_rights(version) if domain.writable is not None else 0
    ports = (BIND_TCP if domain.bind_ports is not None else 0) | (
        CONNECT_TCP if domain.connect_ports is not None else 0
    )
    scopes = (SCOPE_SIGNAL if domain.scope_signals else 0) | (SCOPE_ABSTRACT_UNIX if domain.scope_abstract_unix else 0)
    if not files | ports | scopes:
        if not domain.apart:
            return
        files = REFER  # allowed everywhere, so that nothing is limited
    # An old kernel accepts the longer structure of a newer one only as long as the rest is zero, which `_check` made sure.
    attributes = struct.pack("=QQQ", files, ports, scopes)
    ruleset = system_call(
        "landlock_create_ruleset", attributes, len(attributes), 0, what="a Landlock ruleset cannot be made"
    )
    try:
        if domain.writable is not None:
            _allow_files(ruleset, domain.writable, files)
        elif files:
            _allow(ruleset, b"/", files)
        for port, right in _ports(domain):
            rule = struct.pack("=QQ", right, port)
            what = f"a Landlock rule for port {port} cannot be added"
            system_call("landlock_add_rule", ruleset, _NET_PORT, rule, 0, what=what)
        if libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            raise failure("no_new_privs cannot be set")
        system_call("landlock_restrict_self", ruleset, 0, what="the Landlock domain cannot be entered")
    finally:
        os.close(ruleset)


def _check(domain: Domain, version: int) -> None:
    needs = [
        ("files", domain.writable is not None, 1),
        ("tracing alone", domain.apart, APART_ABI),
        ("ports", domain.bind_ports is not None or domain.connect_ports is not None, NETWORK_ABI),
        ("signals and abstract sockets", domain.scope_signals or domain.scope_abstract_unix, SCOPE_ABI),
    ]
    for what, wanted, least in needs:
        if wanted and version < least:
            has = f"this kernel has {version}" if version else "this kernel has no Landlock"
            raise OSError(errno.EOPNOTSUPP, f"limits on {what} need Landlock ABI {least}; {has}")


def _allow_files(ruleset: int, writable: tuple[bytes, ...], rights: int) -> None:
    for path in writable:
        _allow(ruleset, path, rights)
    for device in DEVICES:
        # A minimal container lacks some of them.
        if os.path.exists(device):
            _allow(ruleset, device, rights)


def _allow(ruleset: int, path: bytes, rights: int) -> None:
    what = f"a Landlock rule for {os.fsdecode(path)} cannot be added"
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        raise OSError(error.errno or 0, f"{what}: {error.strerror}", path) from error
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= WRITE_FILE | TRUNCATE  # the rest is about what is in a folder, and is refused for a file
        rule = struct.pack("=Qi", rights, descriptor)
        system_call("landlock_add_rule", ruleset, _PATH_BENEATH, rule, 0, what=what)
    finally:
        os.close(descriptor)


def _ports(domain: Domain) -> Iterator[tuple[int, int]]:
    for port in domain.bind_ports or ():
        yield port, BIND_TCP
    for port in domain.connect_ports or ():
        yield port, CONNECT_TCP
