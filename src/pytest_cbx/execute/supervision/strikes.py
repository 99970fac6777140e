"""What a fault does to a trapped call, and what a call is about: for runs with faults only.

Sources: brk(2) for how it fails, write(2), pwrite(2), pidfd_getfd(2).
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Callable, Mapping

from pytest_cbx.execute.kernel.libc import system_call
from pytest_cbx.execute.kernel.memory import read_bytes
from pytest_cbx.execute.kernel.seccomp import Listener, Notification
from pytest_cbx.execute.kernel.syscalls import Treatment, table

DESCRIPTOR_OF: Mapping[str, int] = {
    "write": 0, "pwrite64": 0, "writev": 0, "pwritev": 0, "pwritev2": 0, "fsync": 0, "fdatasync": 0, "ftruncate": 0,
    "fallocate": 0, "sync_file_range": 0, "read": 0, "pread64": 0, "readv": 0, "preadv": 0, "preadv2": 0,
    "copy_file_range": 2, "sendfile": 0, "fchmod": 0, "fchown": 0, "getdents64": 0,
}  # fmt: skip
"""Which argument of a call is the descriptor of the file that it is about."""
WRITES: Mapping[str, int] = {"write": -1, "pwrite64": 3, "writev": -1, "pwritev": 3, "pwritev2": 3}
"""Calls of which a part can be done on the caller's behalf: where their offset stands, -1 where it is the descriptor's."""
_VECTOR = struct.Struct("=QQ")
_VECTORS_MAX = 1024
"""Source: IOV_MAX of limits.h."""
_PART_MAX = 16 * 1024 * 1024
"""Bytes that a partial write writes at most."""


def only_for_faults(notification: Notification, *, reads: bool) -> bool:
    """Whether a call is trapped for the sake of faults alone, so that it may simply run where none strikes."""
    rule = table().rules.get(notification.number)
    if rule is None:
        return False
    treatment = rule.treat(notification.args)
    return treatment is Treatment.HARMLESS or (treatment is Treatment.READING and not reads)


def fail(listener: Listener, notification: Notification, error: int) -> bool:
    """Let a call fail, unrun. False: the caller is gone."""
    if table().names.get(notification.number) == "brk":
        return listener.answer(notification.id, _end_of_heap(notification.pid))  # it tells failure by an unmoved end
    return listener.refuse(notification.id, error)


def _end_of_heap(pid: int) -> int:
    with open(f"/proc/{pid}/maps", "rb") as lines:
        for line in lines:
            if line.rstrip().endswith(b"[heap]"):
                return int(line.split(b" ", 1)[0].partition(b"-")[2], 16)
    with open(f"/proc/{pid}/stat", "rb") as stat:  # none yet: it begins and ends at start_brk, field 47
        return int(stat.read().rpartition(b")")[2].split()[44])


def descriptor_path(pid: int, descriptor: int) -> bytes:
    """What a descriptor of the caller leads to; empty where that is no path."""
    if descriptor > 0x7FFFFFFF:
        return b""
    try:
        found = os.readlink(b"/proc/%d/fd/%d" % (pid, descriptor))
    except OSError:
        return b""
    return found if found.startswith(b"/") else b""


def write_part(listener: Listener, notification: Notification, share: float) -> int | None:
    """Write a part of what a call is to write, on its behalf; returns the bytes written.

    None: it is no call that this can be done for: it writes less than two bytes, or to something else than a regular file (to write to a
    full pipe would hold us up), its data or its descriptor cannot be had, or its caller is gone.
    """
    name = table().names.get(notification.number, "")
    if name not in WRITES:
        return None
    descriptor, address, size = notification.args[:3]
    try:
        pieces = _vectors(notification.pid, address, size) if "writev" in name else [(address, size)]
        total = sum(length for _, length in pieces)
        if total < 2:
            return None
        data = _gather(notification.pid, pieces, min(_PART_MAX, total - 1, max(1, int(total * share))))
        mine = copy_of_descriptor(notification.pid, descriptor)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(mine).st_mode) or not listener.valid(notification.id):
            return None
        at = WRITES[name]
        if name == "pwritev2":
            return os.pwritev(mine, [data], _signed(notification.args[at]), notification.args[5] & 0xFFFFFFFF)
        return os.write(mine, data) if at < 0 else os.pwrite(mine, data, notification.args[at])
    except OSError:
        return None
    finally:
        os.close(mine)


def _signed(register: int) -> int:
    return register - (1 << 64) if register >> 63 else register


def _vectors(pid: int, address: int, count: int) -> list[tuple[int, int]]:
    raw = read_bytes(pid, address, min(count, _VECTORS_MAX) * _VECTOR.size)
    return list(_VECTOR.iter_unpack(raw))


def _gather(pid: int, pieces: list[tuple[int, int]], wanted: int) -> bytes:
    parts: list[bytes] = []
    for address, length in pieces:
        take = min(length, wanted)
        if take:
            parts.append(read_bytes(pid, address, take))
            wanted -= take
    return b"".join(parts)


def copy_of_descriptor(pid: int, descriptor: int) -> int:
    """The caller's own open file: its position moves with ours."""
    leader = leader_of_thread(pid)
    handle = os.pidfd_open(leader)
    try:
        return system_call("pidfd_getfd", handle, descriptor, 0, what="a descriptor cannot be copied")
    finally:
        os.close(handle)


def leader_of_thread(pid: int) -> int:
    """The process that a thread belongs to."""
    with open(f"/proc/{pid}/status", "rb") as lines:
        for line in lines:
            if line.startswith(b"Tgid:"):
                return int(line.split()[1])
    return pid


def programs_of(pid: int, until: int, parent: Callable[[int], int]) -> tuple[str, ...]:
    """File names of a process's program and of those that it descends from, up to `until` (the leader of its command)."""
    names = []
    for _ in range(64):
        try:
            names.append(os.path.basename(os.readlink(f"/proc/{pid}/exe")))
        except OSError:
            break
        if pid == until or (pid := parent(pid)) <= 1:
            break
    return tuple(names)
