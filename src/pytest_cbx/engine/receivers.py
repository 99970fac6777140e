"""A thread for each listener, which sleeps in the very call that takes a trapped call over.

Why not one loop for all: the kernel wakes such a sleeper on the caller's processor, and the processor goes straight from one to the
other. Between a caller and an `epoll` there is an idle processor to be woken up, which takes three times as long: 65 instead of 18 µs for
a call, both ways, on an idle virtual machine. `python -m tests.bench.bench_supervision` prints both for this one.

State is still touched by one thread at a time: by who has the `Turn`. The engine's loop has it, except while it waits.
"""

from __future__ import annotations

import os
import re
import select
import signal
import threading
import time
from collections.abc import Callable

from pytest_cbx.engine.watched import Watched
from pytest_cbx.execute.kernel.seccomp import Listener, Notification

NUDGE = signal.SIGURG
"""Interrupts a thread that sleeps; by default it does nothing else."""
_NUDGE_EVERY = 0.01
"""Seconds; one that comes just before the thread falls asleep is lost."""

Serve = Callable[[Watched, Notification], None]


def ends_by_itself(release: str) -> bool:
    """Whether a thread that waits for calls is told when nobody is left to make one: from Linux 6.11 on."""
    found = re.match(r"(\d+)\.(\d+)", release)
    return found is not None and (int(found[1]), int(found[2])) >= (6, 11)


class Turn:
    """The right to touch the engine's state, and a bell for the loop."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.lock.acquire()  # the loop's, until it waits
        self._bell, self._rope = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._rings = False

    def fileno(self) -> int:
        """Readable when the bell has rung."""
        return self._bell

    def ring(self) -> None:
        """Have the loop look at what was done. To be called by who has the turn."""
        if not self._rings:
            self._rings = True
            os.write(self._rope, b"!")

    def answer(self) -> None:
        """The loop has heard it."""
        if self._rings:
            self._rings = False
            os.read(self._bell, 1)

    def close(self) -> None:
        """Give the descriptors back."""
        os.close(self._bell)
        os.close(self._rope)


class Pace:
    """Tells a flood, one thread's call after the other's, from calls now and then, and has the listener wake up accordingly."""

    QUICK = 300_000
    """Nanoseconds between an answer and the next call, at most."""
    FLOOD = 4
    """So many in a row."""

    __slots__ = ("_answered", "_listener", "_row", "_tid")

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._tid = 0
        self._answered = 0
        self._row = 0

    def received(self, tid: int) -> None:
        """A call has come."""
        quick = tid == self._tid and time.monotonic_ns() - self._answered < self.QUICK
        self._tid = tid
        self._row = self._row + 1 if quick else 0
        self._listener.wake_up_synchronously(self._row >= self.FLOOD)

    def answered(self) -> None:
        """It was answered, or put aside."""
        self._answered = time.monotonic_ns()


class Receiver:
    """Takes the calls of one attempt over, and has them served in its turn."""

    def __init__(self, watched: Watched, turn: Turn, serve: Serve, failed: Callable[[BaseException], None]) -> None:
        self._watched = watched
        self._turn = turn
        self._serve = serve
        self._failed = failed
        self._pace = Pace(watched.listener)
        self._sleeps_in_it = ends_by_itself(os.uname().release)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        watched, lock = self._watched, self._turn.lock
        try:
            while self._wait():
                call = self._next()
                if call is None:
                    if self._poll(0) & select.POLLHUP:
                        return
                    continue
                with lock:
                    if watched.ended:
                        return
                    self._serve(watched, call)
                self._pace.answered()
        except BaseException as error:
            with lock:
                self._failed(error)

    def _next(self) -> Notification | None:
        """The next call that Python is to see."""
        watched = self._watched
        if watched.lane is not None and not watched.listener.has_early:
            return watched.lane.next()  # it keeps its own pace
        call = watched.listener.receive()
        if call is not None and watched.lane is None:
            self._pace.received(call.pid)
        return call

    def _wait(self) -> bool:
        """On kernels before 6.11, wait for the next call in a way that ends. False: there will be none."""
        if self._watched.ended:
            return False
        return self._sleeps_in_it or self._watched.listener.has_early or bool(self._poll(None) & select.POLLIN)

    def _poll(self, timeout: float | None) -> int:
        poll = select.poll()
        poll.register(self._watched.listener.fileno(), select.POLLIN)
        found = poll.poll(timeout)
        return found[0][1] if found else 0

    def end(self) -> None:
        """Close the listener, once the thread is over. The attempt is marked as ended, and whoever calls this has not the turn."""
        self._thread.join(_NUDGE_EVERY)  # it ends with the last process
        while self._thread.is_alive():
            assert self._thread.ident is not None
            signal.pthread_kill(self._thread.ident, NUDGE)
            self._thread.join(_NUDGE_EVERY)
        self._watched.listener.close()
