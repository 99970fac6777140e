"""What `/proc` tells of other processes. Every answer may be out of date; nothing here raises for a process that is gone."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

MARKER = b"CBX_INSTANCE="
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
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            variables = file.read().split(b"\0")
    except OSError:
        return ""
    for variable in variables:
        if variable.startswith(MARKER):
            return variable[len(MARKER) :].decode("ascii", "replace")
    return ""


def carries(marker: str, wanted: str) -> bool:
    """Whether a chained CBX_INSTANCE (`inner:outer`) names this instance."""
    return wanted in marker.split(":")


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


def kill_all(find: Callable[[], list[Stat]], patience: float) -> list[Stat]:
    """Kill everything that `find` finds, again and again until it finds nothing; returns what could not be killed.

    Each round stops all of them before it kills, so that none can start another one in between.
    """
    deadline = time.monotonic() + patience
    while found := find():
        for stat in found:
            send(stat.pid, signal.SIGSTOP)
        for stat in found:
            if start_ticks(stat.pid) == stat.start_ticks:
                send(stat.pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            return found
        time.sleep(0.005)
    return []
