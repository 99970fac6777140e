"""Which answered calls may still be on their way through the file system.

Between our answer and the kernel's own look at the path there is a moment. Should another thread change in that moment
what the path leads to, the call would reach a file of which no pre-image was taken. So:

- a *structural* call (it makes, moves, replaces or removes a link, or moves a directory) goes on only when no other call
  is on its way, and no call is decoded until it has happened;
- a call that takes a name away or puts something else there does not meet another one on its path: `may_meet` is the rule.

For each trapped call: `arrived`; decode it (`may_decode` tells beforehand whether that is of use); when its `way` is free, take
the pre-image, `note` and proceed, all in one go. Whenever that has to stop, for a lock, a long copy, or because its way was not
free, decode it anew: what was decoded may no longer be true. That holds as well when the call that it may not meet turns out to have
happened by now: while this one was decoded, it perhaps had not.

Nothing tells that a call has happened. What proves it, for a thread: it made another trapped call; it is gone; it sleeps in
another call (or in the same with other arguments); it has used more processor time since than the way through a path can
take. A thread that is ready but has not been given a processor has not done it: its time stands still, so it is waited for.
The kernel brings that time up to date at a tick (4 ms, often) or a switch only: how far it lags behind when it is first read
nobody knows, so it counts from where it next moves.
Source: proc(5) on `syscall`, `stat` and `schedstat`; `update_curr` in kernel/sched/fair.c.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from enum import Enum, auto
from typing import TypeAlias

from pytest_cbx.execute.kernel.seccomp import Notification
from pytest_cbx.execute.supervision.deeds import Deed, Trap

DONE_NS = 1_000_000
"""Nanoseconds of processor time in which a thread that was answered has surely found its file: it takes 1,000 to 20,000."""
PATIENCE = 0.05
"""Seconds after which a call counts as done that sleeps until somebody comes (as `open` of a pipe does)."""
STARVED = 5.0
"""The same for a thread that is ready but gets no processor, or so little that it may not have come that far, and for one that
waits for the disk, or for its turn in a directory."""
_TURN = 0.02
"""Seconds for which a call that waits keeps the others behind it before it asks again."""
_MANY = 64
"""Entries from which on old ones are looked for."""
_NAMING = frozenset({Deed.CREATE, Deed.REMOVE, Deed.RENAME, Deed.EXCHANGE})
"""After these, something else is at the path."""


class Way(Enum):
    """Whether a call that was decoded may go on."""

    FREE = auto()
    AGAIN = auto()
    """Whatever it might have met has happened by now, but perhaps not before it was decoded: decode it anew, at once."""
    TAKEN = auto()
    """Decode it anew after a moment."""


def may_meet(one: Trap, other: Trap) -> bool:
    """Whether calls of two threads may be on their way at once, told in this order or the other: whichever happens first, and be it
    only one of them, what was kept before is right.

    Those that open a file, or change its mode or times, may meet each other anywhere. Those that make, move or take away a name
    meet no call on that name; a directory is not removed, nor its mode changed, while a call is on its way below it, nor the other way
    round.
    """
    if one.structural or other.structural:
        return False
    ones, others = _paths(one), _paths(other)
    if (one.deed in _NAMING or other.deed in _NAMING) and any(path in others for path in ones):
        return False
    return not (_bars(one, others) or _bars(other, ones))


def _bars(call: Trap, paths: tuple[bytes, ...]) -> bool:
    """Whether a call may bar the way to one of the paths: it removes the directory, or takes the right to pass from one above."""
    if not call.bars:
        return False
    below = call.path + b"/"
    return any(path.startswith(below) for path in paths)


class _Call:
    """An answered call of one thread."""

    __slots__ = ("at", "careful", "made", "moved", "paths", "since_ns", "structural", "trap")

    def __init__(self, trap: Trap, at: float) -> None:
        self.trap = trap
        self.paths = _paths(trap)
        self.structural = trap.structural
        self.careful = trap.bars or trap.deed in _NAMING
        self.at = at
        self.made = trap.notification
        self.since_ns = -1
        """Its thread's processor time when somebody first asked; from when it has `moved`, as it was then."""
        self.moved = False

    def has_used(self, used: int) -> bool:
        """Whether it must have happened, now that its thread has used this much processor time in all its life."""
        if self.since_ns < 0:
            self.since_ns = used
        elif not self.moved and used != self.since_ns:
            self.moved, self.since_ns = True, used
        return self.moved and used - self.since_ns >= DONE_NS

    def sleeps(self, where: bytes) -> bool:
        """Whether a sleeping thread (`where`: its `/proc/TID/syscall`) may still be in this very call."""
        if self.made is None:
            return True
        words = where.split()
        if int(words[0]) != self.made.number:
            return False
        return tuple(int(word, 16) for word in words[1:7]) == self.made.args


def _paths(trap: Trap) -> tuple[bytes, ...]:
    return (trap.path, trap.other) if trap.other and trap.other != trap.path else (trap.path,)


Recent: TypeAlias = tuple[Deed, bytes, bytes, int, tuple[int, ...], float]
"""A call that was let go on: deed, path, other path; number and arguments; when."""


class InFlight:
    """The last answered call on a path, of each thread. See above for the order of calls."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._calls: dict[int, _Call] = {}
        """By thread, the oldest first."""
        self._at: dict[bytes, tuple[int, ...]] = {}
        """Whose calls are on their way to a path."""
        self._structural: set[int] = set()
        self._careful: set[int] = set()
        self._waiting = 0
        """Thread of a structural call that waits for the others."""
        self._waits_until = 0.0
        """When it has lost its turn, as it has not asked again."""
        self.recent: dict[int, Recent] = {}
        """By thread: calls that the fast path has let go on, none of them structural. They are `adopt`ed once somebody looks."""
        self._next: _Call | None = None
        """What waits for another call on its path; those that come later wait behind it."""
        self._next_tid = 0

    def __len__(self) -> int:
        return len(self._calls) + len(self.recent)

    def adopt(self) -> None:
        """Take over what the fast path has noted."""
        recent = list(self.recent.items())
        self.recent.clear()
        for tid, (deed, path, other, number, args, at) in recent:
            made = Notification(0, tid, 0, number, args)
            self._add(Trap(0, tid, "", deed, path, other, notification=made), at)

    def all_over(self, path: bytes) -> bool:
        """Whether all calls on a path have happened; then they are forgotten."""
        return self._all_done(list(self._at[path]), 0)

    def arrived(self, tid: int) -> None:
        """A thread makes another trapped call, so its last one is over."""
        if self.recent:
            self.recent.pop(tid, None)
        call = self._calls.pop(tid, None)
        if call is None:
            return
        self._structural.discard(tid)
        self._careful.discard(tid)
        at = self._at
        for path in call.paths:
            tids = at[path]
            if tids == (tid,):
                del at[path]
            else:
                at[path] = tuple(one for one in tids if one != tid)

    def note(self, trap: Trap) -> None:
        """A call is about to be let go on."""
        if not trap.path:
            return
        self.arrived(trap.pid)  # so that the order is that of time
        self._add(trap, self._clock())

    def _add(self, trap: Trap, at: float) -> None:
        tid = trap.pid
        call = self._calls[tid] = _Call(trap, at)
        for path in call.paths:
            self._at[path] = (*self._at.get(path, ()), tid)
        if call.structural:
            self._structural.add(tid)
        if call.careful:
            self._careful.add(tid)
        if len(self._calls) >= _MANY:
            self._forget_old(call.at)

    def may_decode(self, tid: int) -> bool:
        """Whether what a call of this thread would do can be told now: no structural call is on its way, or waits to be."""
        if self._structural and not self._all_done(self._structural, tid):
            return False
        return self._has_turn(tid)

    def _has_turn(self, tid: int) -> bool:
        return not self._waiting or self._waiting == tid or self._clock() > self._waits_until

    def way(self, trap: Trap) -> Way:
        """Whether a call that was just decoded may go on."""
        if self.recent:
            self.adopt()
        if self._structural and (len(self._structural) > 1 or trap.pid not in self._structural):
            return Way.AGAIN if self.may_decode(trap.pid) else Way.TAKEN
        if trap.structural:
            return self._way_of_structural(trap.pid)
        if not self._has_turn(trap.pid):
            return Way.TAKEN
        if self._next is not None and not self._is_its_turn(self._next, trap):
            return Way.TAKEN
        if not (self._careful or trap.bars or trap.deed in _NAMING):
            return Way.FREE
        near = self._near(trap)
        if not near:
            return Way.FREE
        if self._all_done(near, trap.pid):
            return Way.AGAIN
        if self._next is None:
            self._next = _Call(trap, self._clock())
            self._next_tid = trap.pid
        return Way.TAKEN

    def _near(self, trap: Trap) -> list[int]:
        """Whose call it may not meet; never its own thread's."""
        calls, at = self._calls, self._at
        found: set[int] = set()
        for path in _paths(trap):
            while path:
                if path in at:
                    found.update(at[path])
                path = path.rpartition(b"/")[0]  # noqa: PLW2901 - its directory, and so on
        if trap.bars:
            found.update(calls)
        return [tid for tid in found if tid != trap.pid and not may_meet(calls[tid].trap, trap)]

    def _is_its_turn(self, waits: _Call, trap: Trap) -> bool:
        if trap.pid == self._next_tid or self._clock() > waits.at + _TURN:
            self._next = None
            return True
        return not any(path in waits.paths for path in _paths(trap))

    def _way_of_structural(self, tid: int) -> Way:
        """Free when no call of another thread is on its way.

        If not, no further call is decoded for a moment: else somebody would always be on his way.
        """
        now = self._clock()
        if self._waiting not in (0, tid) and now <= self._waits_until:
            return Way.TAKEN
        others = len(self._calls) - (tid in self._calls)
        if self._all_done(self._calls, tid):
            self._waiting = 0
            return Way.AGAIN if others else Way.FREE
        self._waiting, self._waits_until = tid, now + _TURN
        return Way.TAKEN

    def _all_done(self, tids: dict[int, _Call] | set[int] | list[int], but: int) -> bool:
        for tid in list(tids):
            if tid != but and tid in self._calls:
                if not self._is_done(tid, self._calls[tid]):
                    return False
                self.arrived(tid)
        return True

    def _is_done(self, tid: int, call: _Call) -> bool:
        age = self._clock() - call.at
        if age > STARVED:
            return True
        where = _read(tid, b"syscall")
        if where is None and not os.path.exists(b"/proc/%d" % tid):
            return True
        running = where is not None and where.startswith(b"running")
        if where is not None and not running and not call.sleeps(where):
            return True
        if call.has_used(_used_ns(tid)):
            return True
        if age <= PATIENCE:
            return False
        may_starve = running and call.since_ns > 0
        return not may_starve and not _is_blocked(tid)

    def _forget_old(self, now: float) -> None:
        for tid, call in list(self._calls.items()):
            if now - call.at <= STARVED:
                break
            self.arrived(tid)


def _used_ns(tid: int) -> int:
    """Processor time of a thread as the kernel last counted it (at a tick or a switch); 0 where that is not told."""
    line = _read(tid, b"schedstat")
    return int(line.split()[0]) if line else 0


def _is_blocked(tid: int) -> bool:
    """Whether a thread sleeps where no signal wakes it: for the disk, or for who is at work in a directory."""
    line = _read(tid, b"stat")
    return line is not None and line.rpartition(b")")[2].split()[:1] == [b"D"]


def _read(tid: int, name: bytes) -> bytes | None:
    try:
        handle = os.open(b"/proc/%d/%s" % (tid, name), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(handle, 256)
    except OSError:
        return None
    finally:
        os.close(handle)
