"""Tells commands another time: their clocks ask the kernel (`kernel/vdso.py`), and the supervisor answers.

Sources: clock_gettime(2), gettimeofday(2), time(2), clock_nanosleep(2).
"""

from __future__ import annotations

import struct
import time
from dataclasses import dataclass

from pytest_cbx.execute.kernel import vdso
from pytest_cbx.execute.kernel.memory import read_bytes
from pytest_cbx.execute.kernel.seccomp import Notification

READING = ("clock_gettime", "gettimeofday", "time")
SLEEPING = "clock_nanosleep"
STARTING = ("brk", "arch_prctl", "set_tid_address", "mmap")
"""Calls that every program makes first, in whatever language it is written: its clocks are replaced then."""
_TIMER_ABSTIME = 1
WALL = frozenset({0, 5, 8, 11})
"""CLOCK_REALTIME, its coarse one, its alarm, CLOCK_TAI. Source: linux/time.h."""
MONOTONIC = frozenset({1, 4, 6, 7, 9})
"""CLOCK_MONOTONIC, raw, coarse, CLOCK_BOOTTIME, its alarm."""
_SECOND = 1_000_000_000
_TIME = struct.Struct("=qq")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sleep:
    """A sleep until a time of a shifted clock."""

    until: float
    """On `time.monotonic`."""


class Clocks:
    """The processes of one command whose clocks have been replaced."""

    def __init__(self) -> None:
        self._known: set[tuple[int, int]] = set()

    def replace(self, pid: int) -> bool:
        """See to it that a process, which waits in a call, asks the kernel for the time. False: it is gone, or has its clocks elsewhere."""
        try:
            base = vdso.base_of(pid)
            if not base:
                return False
            key = (pid, base)
            if key not in self._known:
                if not vdso.is_patched(pid, base):
                    vdso.patch(pid, base)
                self._known.add(key)
        except OSError:
            return False
        return True


def concerns(call: str, notification: Notification, *, monotonic: bool) -> bool:
    """Whether a call is about a clock that is shifted."""
    if call in ("gettimeofday", "time"):
        return True
    clock = notification.args[0] & 0xFFFFFFFF
    shifted = clock in WALL or (monotonic and clock in MONOTONIC)
    return shifted and (call != SLEEPING or bool(notification.args[1] & _TIMER_ABSTIME))


def tell(call: str, notification: Notification, shift: float) -> int | Sleep:
    """Answer a call with a shifted time; returns its value, or how long it sleeps.

    Raises:
        OSError: EFAULT where the answer cannot be put.
    """
    ahead = int(shift * _SECOND)
    pid, args = notification.pid, notification.args
    if call == "time":
        now = (time.time_ns() + ahead) // _SECOND
        if args[0]:
            vdso.write_memory(pid, args[0], struct.pack("=q", now))
        return now
    if call == "gettimeofday":
        seconds, nanoseconds = divmod(time.time_ns() + ahead, _SECOND)
        if args[0]:
            vdso.write_memory(pid, args[0], _TIME.pack(seconds, nanoseconds // 1000))
        if args[1]:
            vdso.write_memory(pid, args[1], struct.pack("=ii", 0, 0))
        return 0
    clock = args[0] & 0xFFFFFFFF
    if call == SLEEPING:
        wanted = _TIME.unpack(read_bytes(pid, args[2], _TIME.size))
        left = wanted[0] * _SECOND + wanted[1] - ahead - time.clock_gettime_ns(clock)
        return Sleep(until=time.monotonic() + max(0, left) / _SECOND)
    if args[1]:
        vdso.write_memory(pid, args[1], _TIME.pack(*divmod(time.clock_gettime_ns(clock) + ahead, _SECOND)))
    return 0
