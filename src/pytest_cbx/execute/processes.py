"""What `/proc` tells of other processes. Every answer may be out of date; nothing here raises for a process that is gone."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

MARKER = b"CBX_INSTANCE="
ENGINE = "CBX_ENGINE"
"""Set in the environment of every engine, so that one that was started inside a command is not taken for its leak."""
_FREEZE_ROUNDS = 20
_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    """Some fields of /proc/PID/stat. Source: proc(5)."""

    pid: int
    state: str
    parent: int
    group: int
    session: int
    start_ticks: int
    rss: int
    """Bytes."""

    @property
    def identity(self) -> tuple[int, int]:
        """What no other process ever has: numbers are used again, but not within one clock tick."""
        return self.pid, self.start_ticks


def visible() -> bool:
    """Whether this system shows processes in /proc."""
    return os.path.exists("/proc/self/stat")


def stat_of(pid: int) -> Stat | None:
    """The process's status, or None when there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except OSError:
        return None
    # The name stands in parentheses and may hold anything, parentheses too.
    fields = text[text.rfind(b")") + 2 :].split()
    if len(fields) < 22:
        return None
    return Stat(
        pid=pid,
        state=fields[0].decode(),
        parent=int(fields[1]),
        group=int(fields[2]),
        session=int(fields[3]),
        start_ticks=int(fields[19]),
        rss=int(fields[21]) * _PAGE,
    )


def start_ticks(pid: int) -> int:
    """When it started, in clock ticks since boot: with the pid, an identity that is never used twice. 0: unknown."""
    found = stat_of(pid)
    return found.start_ticks if found else 0


class StartTimes:
    """Tells when a process started that was started just now, without waiting for it.

    The kernel holds up whoever reads /proc/PID/stat until the process has finished its exec, half a millisecond and more.
    But a start is the boot clock at the fork, in whole ticks: when the tick was the same before and after, it is known.
    The first time the answer is compared with what the kernel says; a system where they differ is always asked.
    """

    def __init__(self) -> None:
        self._clock = getattr(time, "CLOCK_BOOTTIME", None)
        self._trusted: bool | None = None if self._clock is not None else False

    def tick(self) -> int:
        """The boot clock in ticks; -1 where it cannot be trusted."""
        if self._clock is None or self._trusted is False:
            return -1
        return time.clock_gettime_ns(self._clock) // _TICK_NS

    def of(self, pid: int, before: int) -> int:
        """Start of a process that was started after `tick` had given `before`; 0: unknown."""
        after = self.tick()
        if before < 0 or before != after:
            return start_ticks(pid)
        if self._trusted:
            return after
        read = start_ticks(pid)
        if read:
            self._trusted = read == after
        return read


def all_processes() -> Iterator[Stat]:
    """Every process that is not a zombie."""
    try:
        names = os.listdir("/proc")
    except OSError:
        return
    for name in names:
        if name.isdigit() and (found := stat_of(int(name))) is not None and found.state not in "ZX":
            yield found


def children_of_this_process() -> list[int]:
    """Direct children, adopted orphans among them; empty where the kernel does not list them."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def marker_of(pid: int) -> str:
    """The CBX_INSTANCE a process was started with; empty when it has none or cannot be read."""
    for variable in environment_of(pid):
        if variable.startswith(MARKER):
            return variable[len(MARKER) :].decode("ascii", "replace")
    return ""


def environment_of(pid: int) -> tuple[bytes, ...]:
    """The variables a process was started with, as NAME=value; empty when they cannot be read."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return tuple(file.read().split(b"\0"))
    except OSError:
        return ()


def marks_of(pid: int) -> tuple[str, ...]:
    """The marks of the instances a process belongs to, innermost first."""
    return tuple(mark for mark in marker_of(pid).split(":") if mark)


def is_filtered(pid: int) -> bool:
    """Whether a process carries a seccomp filter. Source: proc(5), `Seccomp` in /proc/PID/status."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            return any(line.split() == [b"Seccomp:", b"2"] for line in file)
    except OSError:
        return False


def describe(pid: int) -> str:
    """For people: "sleep 60 (pid 4711)"."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().rstrip(b"\0").split(b"\0")
    except OSError:
        words = []
    text = b" ".join(words).decode("utf-8", "replace")[:80].replace("\n", " ")
    return f"{text or 'a process'} (pid {pid})"


def send(pid: int, number: signal.Signals) -> None:
    """Signal one process; no error when it is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def send_group(group: int, number: signal.Signals) -> None:
    """Signal a process group; no error when it is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def group_exists(group: int) -> bool:
    """Whether any process is in the group, zombies included."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def ask_to_end(found: Iterable[Stat]) -> None:
    """SIGTERM; and SIGCONT, as a stopped process hears it only once it continues."""
    for stat in found:
        send(stat.pid, signal.SIGTERM)
        if stat.state in "Tt":
            send(stat.pid, signal.SIGCONT)


def freeze_and_kill(find: Callable[[], list[Stat]]) -> list[Stat]:
    """One round: SIGSTOP all that `find` finds until it finds nothing new, so that none can flee by starting another
    one, then SIGKILL it. Returns what was found; it may need a moment to die."""
    frozen: dict[tuple[int, int], Stat] = {}
    for _ in range(_FREEZE_ROUNDS):
        fresh = [stat for stat in find() if stat.identity not in frozen]
        if not fresh:
            break
        for stat in fresh:
            frozen[stat.identity] = stat
            send(stat.pid, signal.SIGSTOP)
    for stat in frozen.values():
        send(stat.pid, signal.SIGKILL)
    return list(frozen.values())


def kill_all(find: Callable[[], list[Stat]], patience: float, between: Callable[[], None] = lambda: None) -> list[Stat]:
    """Kill everything that `find` finds, round after round until it finds nothing; returns what could not be killed.

    `between` is called after each round, to reap children.
    """
    deadline = time.monotonic() + patience
    pause = 0.002
    while True:
        found = freeze_and_kill(find)
        between()
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(pause)
        pause = min(2 * pause, 0.1)
