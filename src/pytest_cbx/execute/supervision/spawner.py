"""Starts instances from threads that carry a filter, and a Landlock domain: what a thread carries, its children inherit.

Nobody answers trapped calls while the engine waits for a start. So the thread, once it has its filter, makes no call that
may be trapped: output files are opened before, the garbage collector rests (a finalizer might delete a file), everything
is imported. Between the thread and the program there are only `dup2`, `setsid`, signal masks and `execve`. Where reads are
trapped, `execve` is, too: that one the engine answers itself while it waits.
"""

from __future__ import annotations

import _thread
import contextlib
import errno
import gc
import os
import resource
import select
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from pytest_cbx.errors import SpawnError
from pytest_cbx.execute.kernel.filter import FilterPolicy, Program, build
from pytest_cbx.execute.kernel.landlock import APART_ABI, NETWORK_ABI, SCOPE_ABI, Domain, abi, enter
from pytest_cbx.execute.kernel.posix_spawn import Launch
from pytest_cbx.execute.kernel.seccomp import Listener, Notification, install
from pytest_cbx.execute.kernel.syscalls import table
from pytest_cbx.execute.model import Guard, GuardKind

Limits = Sequence[tuple[int, tuple[int, int]]]
"""Resource limits to set just before the start, for all threads: (kind, (soft, hard))."""
_STACK = 256 * 1024
"""Bytes; a few Python frames. The usual 8 MiB would count against the instance's memory limit, which is ours at that time."""
_PATIENCE = 30.0
"""Seconds that a start may take. Then every call that waits for an answer is refused, and the start is given up."""


class Spawner:
    """Starts guarded instances for one engine. Used by one thread only; `close` it at the end."""

    def __init__(self) -> None:
        self._confinement: Confinement | None = None

    @property
    def safe_listener(self) -> Listener | None:
        """Where the trapped calls of all SAFE instances arrive; None before the first was started. Ours to close."""
        return self._confinement.listener if self._confinement is not None else None

    def start(self, launch: Launch, guard: Guard, limits: Limits) -> tuple[int, Listener | None]:
        """Start a program; returns the error number, and for a supervised one its listener, which is the caller's to close.

        Raises:
            SpawnError: the thread could not be confined, or the start came to a standstill. Nothing runs then.
        """
        try:
            if guard.kind is GuardKind.SUPERVISED:
                return _start_supervised(launch, guard, limits)
            if self._confinement is None or self._confinement.guard != guard:
                self._confine(guard)
            assert self._confinement is not None
            return self._confinement.start(launch, limits), None
        except OSError as error:
            raise SpawnError(
                f'it cannot be guarded: {error.strerror or error}; `isolation = "off"` starts it without a guard'
            ) from error

    def _confine(self, guard: Guard) -> None:
        if self._confinement is not None:
            raise SpawnError("all SAFE commands of one engine share one domain, and this one asks for another")
        self._confinement = Confinement(guard)

    def close(self) -> None:
        """End the thread of the SAFE instances, and close their listener."""
        if self._confinement is not None:
            self._confinement.close()
            self._confinement = None


def _start_supervised(launch: Launch, guard: Guard, limits: Limits) -> tuple[int, Listener | None]:
    start = _Start(launch, limits)
    start.every_call = bool(guard.calls)
    program = build(FilterPolicy(reads=guard.reads, calls=guard.calls))
    with _undisturbed():
        _begin_thread(_supervised, start, program, _domain(guard))
        if guard.reads or guard.calls:
            start.ready.acquire()
            if start.listener >= 0:
                _answer_first(start)
        _await(start)
    if start.failure is not None:
        raise start.failure
    if start.error:
        os.close(start.listener)
        return start.error, None
    return 0, Listener(start.listener, start.early)


class _Start:
    """One start, shared by two threads."""

    __slots__ = ("done", "early", "error", "every_call", "failure", "launch", "limits", "listener", "ready", "thread")

    def __init__(self, launch: Launch, limits: Limits) -> None:
        self.launch = launch
        self.limits = limits
        self.listener = -1
        self.early: list[Notification] = []
        """Calls of the program that came before the start was known to be over."""
        self.every_call = False
        """The thread itself may make trapped calls until the start is over."""
        self.thread = 0
        """The id of the thread that starts it."""
        self.error = 0
        self.failure: OSError | None = None
        self.ready = _taken()
        """Free when the filter is there, or has failed."""
        self.done = _taken()
        """Free when all is over."""


def _supervised(start: _Start, program: Program, domain: Domain) -> None:
    """A thread's whole life."""
    start.thread = _thread.get_native_id()
    try:
        enter(domain)
        start.listener = install(program)
    except OSError as error:
        start.failure = error
    else:
        start.ready.release()
        # After the listener: with these limits, its descriptor might be one too many.
        for kind, limit in start.limits:
            resource.setrlimit(kind, limit)
        start.error = start.launch.start()
        start.done.release()
        return
    start.ready.release()
    start.done.release()


def _answer_first(start: _Start) -> None:
    """Let the thread, and the new process until it has loaded its program, do what they have to: the engine knows what that is.

    What the program itself calls waits for the engine's loop.
    """
    listener = Listener(start.listener)
    loads = {number for name, number in table().numbers.items() if name in ("execve", "execveat")}
    loaded = False
    poll = select.poll()
    poll.register(listener.fileno(), select.POLLIN)
    while not start.done.acquire(blocking=False):
        if not poll.poll(1) or (notification := listener.receive()) is None:
            continue
        if notification.pid == start.thread or (notification.number in loads and not loaded):
            loaded |= notification.number in loads
            listener.proceed(notification.id)
            if not start.every_call:
                return
        else:
            start.early.append(notification)
    start.done.release()


def _await(start: _Start) -> None:
    if start.done.acquire(timeout=_PATIENCE):
        return
    if start.listener >= 0:
        _refuse_all(Listener(start.listener), start.done)
        os.close(start.listener)
    else:
        start.done.acquire()
    if start.failure is None and not start.error:
        with contextlib.suppress(OSError):
            os.kill(start.launch.pid, signal.SIGKILL)
    raise _standstill()


def _refuse_all(listener: Listener, done: _thread.LockType) -> None:
    """Refuse whatever is asked until a start is over. To close the listener would not do: the new process has a copy."""
    poll = select.poll()
    poll.register(listener.fileno(), select.POLLIN)
    while not done.acquire(timeout=0.001):
        if poll.poll(0):
            notification = listener.receive()
            if notification is not None:
                listener.refuse(notification.id, errno.EPERM)


def _standstill() -> SpawnError:
    return SpawnError(f"its start came to a standstill for {_PATIENCE:g} s: a call of its thread waited for an answer")


class Confinement:
    """A thread inside of a Landlock domain that starts all SAFE instances, and the listener that they share."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self._go = _taken()
        self._done = _taken()
        self._launch: Launch | None = None
        self._error = 0
        self._descriptor = -1
        self._failure: OSError | None = None
        with _undisturbed():
            _begin_thread(self._live, build(FilterPolicy()), _domain(guard))
            self._done.acquire()
        if self._failure is not None:
            raise self._failure
        self.listener = Listener(self._descriptor)

    def start(self, launch: Launch, limits: Limits) -> int:
        """Start a program; returns the error number.

        Raises:
            SpawnError: the start came to a standstill.
        """
        self._launch = launch
        for kind, limit in limits:
            resource.setrlimit(kind, limit)
        with _undisturbed():
            self._go.release()
            if not self._done.acquire(timeout=_PATIENCE):
                _refuse_all(self.listener, self._done)
                if not self._error:
                    with contextlib.suppress(OSError):
                        os.kill(launch.pid, signal.SIGKILL)
                raise _standstill()
        return self._error

    def close(self) -> None:
        """End the thread, and close the listener."""
        self._launch = None
        self._go.release()
        self.listener.close()

    def _live(self, program: Program, domain: Domain) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # they are the main thread's
        try:
            enter(domain)
            self._descriptor = install(program)
        except OSError as error:
            self._failure = error
            self._done.release()
            return
        while True:
            self._done.release()
            self._go.acquire()
            launch = self._launch
            if launch is None:
                return
            self._error = launch.start()


def _domain(guard: Guard) -> Domain:
    """What Landlock adds to the filter, as far as this kernel's version goes."""
    version = abi()
    return Domain(
        writable=guard.writable if guard.kind is GuardKind.SAFE else None,
        scope_signals=version >= SCOPE_ABI,
        bind_ports=guard.bind_ports if version >= NETWORK_ABI else None,
        # Through the memory of a process outside, everything could be done unseen.
        apart=version >= APART_ABI,
    )


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Without the garbage collector, which runs in whatever thread makes the next object."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _begin_thread(function: Callable[..., None], *arguments: object) -> None:
    """Not `threading.Thread`, whose start waits until the thread has run."""
    before = _thread.stack_size(_STACK)
    try:
        _thread.start_new_thread(function, arguments)
    finally:
        _thread.stack_size(before)


def _taken() -> _thread.LockType:
    lock = _thread.allocate_lock()
    lock.acquire()
    return lock
