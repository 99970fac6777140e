"""Which rung of the isolation ladder this machine carries. Found out by doing, on a small scale, what a run would do.

What the kernel says about itself is not enough: containers forbid single calls, hosts restrict `/proc`, and some let a
filter be installed but never tell of a trapped call. Everything sticks to threads and processes that end at once.
"""

from __future__ import annotations

import errno
import os
import queue
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

from pytest_cbx.execute.kernel import facts, landlock, syscalls
from pytest_cbx.execute.kernel.filter import FilterPolicy, build
from pytest_cbx.execute.kernel.landlock import Domain
from pytest_cbx.execute.kernel.memory import read_string
from pytest_cbx.execute.kernel.seccomp import Listener, install

_SECONDS = 5.0
"""How long the trapped call may take on a machine that is busy; a kernel that never tells of it is given up then."""
_SCRIPT = 'true > "$1" && exit 9; true > "$2"'
"""Two trapped calls: the first will be refused, the second will be let through. `true`, since a failed redirection of
`:` ends a shell."""
_SHELL = "/bin/sh"


class Unreached(Exception):
    """A rung cannot be had; the text is the reason, one phrase for people."""


class _Supervised(Unreached):
    """This process has a supervisor, so it cannot be one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """The highest rung that works here."""

    level: Literal["off", "guard"]
    reason: str
    """One phrase for people: what the rung stands on, or why there is none."""
    landlock_abi: int = 0
    """0: none."""
    sync_wake_up: bool = False
    """Whether an answer hands the processor straight to the caller; without it, a trapped call takes three times as long."""
    signal_scope: bool = False
    """Whether a Landlock domain keeps signals in."""
    supervised: bool = False
    """This process is supervised itself: that is why there is no rung."""


@cache
def probe() -> Reached:
    """Try everything that rung `guard` needs. Takes some milliseconds, once in a process."""
    try:
        return _probe()
    except Unreached as error:
        supervised = isinstance(error, _Supervised)
        return Reached(level="off", reason=str(error), landlock_abi=landlock.abi(), supervised=supervised)


def _probe() -> Reached:
    if sys.platform != "linux":
        raise Unreached(f"{sys.platform} has neither seccomp nor Landlock")
    if not syscalls.supported():
        raise Unreached(f"no table of system calls for {os.uname().machine}")
    abi = landlock.abi()
    if not abi:
        raise Unreached(f"no Landlock: {facts.ask_landlock().detail}")
    try:
        folder = os.fsencode(tempfile.mkdtemp(prefix="cbx-probe-"))
    except OSError as error:
        raise Unreached(f"no folder for temporary files: {error.strerror}") from error
    try:
        signals = _in_thread(lambda: _try_domain(folder, abi))
        synchronous = _try_trap(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    how = " with synchronous wake-up" if synchronous else ""
    return Reached(
        level="guard",
        reason=f"Landlock ABI {abi}, seccomp notification{how}",
        landlock_abi=abi,
        sync_wake_up=synchronous,
        signal_scope=signals,
    )


def _in_thread(deed: Callable[[], bool]) -> bool:
    """Do something in a thread of its own, and take over its answer or its error."""
    answers: queue.SimpleQueue[bool | Exception] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put(deed())
        except Exception as error:
            answers.put(error)

    thread = threading.Thread(target=run, name="cbx probe", daemon=True)
    thread.start()
    thread.join()
    answer = answers.get()
    if isinstance(answer, Exception):
        raise answer
    return answer


def _try_domain(folder: bytes, abi: int) -> bool:
    """Enter a domain, and see a write inside succeed and one outside fail. Whether signals are kept in."""
    inside, outside = os.path.join(folder, b"inside"), os.path.join(folder, b"outside")
    os.mkdir(inside)
    scoped = abi >= landlock.SCOPE_ABI
    try:
        landlock.enter(Domain(writable=(inside,), scope_signals=scoped))
    except OSError as error:
        raise Unreached(f"Landlock cannot be used: {_told(error)}") from error
    try:
        os.mkdir(os.path.join(inside, b"allowed"))
    except OSError as error:
        raise Unreached(f"Landlock denies what it should allow: {_told(error)}") from error
    try:
        os.mkdir(outside)
    except OSError as error:
        if error.errno != errno.EACCES:
            raise Unreached(f"Landlock denies a write with an unexpected error: {_told(error)}") from error
    else:
        raise Unreached("Landlock lets a write pass that it should deny")
    return scoped and not _reaches(os.getppid())


def _reaches(pid: int) -> bool:
    """Whether a signal would reach a process; a parent of another pid namespace (0) is asked nothing."""
    try:
        if pid:
            os.kill(pid, 0)
    except OSError:
        return False
    return bool(pid)


def _try_trap(folder: bytes) -> bool:
    """Supervise a real process for two calls. Whether answers wake the caller up synchronously."""
    refused, allowed = os.path.join(folder, b"refused"), os.path.join(folder, b"allowed")
    child = _Child((refused, allowed))
    child.start()
    listener = _listen(child)
    try:
        synchronous = listener.wake_up_synchronously(True)
        seen = _answer(listener, refused, child)
        code = child.code()
        if code is None:
            raise Unreached("a supervised process did not end")
    finally:
        listener.close()
        child.end()
    if not seen:
        raise Unreached("this kernel takes a seccomp filter, but never tells of a trapped call")
    if code != 0 or os.path.exists(refused) or not os.path.exists(allowed):
        raise Unreached("answers to trapped calls have no effect")
    return synchronous


def _listen(child: _Child) -> Listener:
    descriptor = child.listener()
    try:
        return Listener(descriptor)
    except OSError as error:
        os.close(descriptor)  # so that the child's calls fail at once
        child.end()
        raise Unreached(f"trapped calls cannot be received: {_told(error)}") from error


class _Child(threading.Thread):
    """The thread that carries the filter, and the shell that it starts."""

    def __init__(self, paths: tuple[bytes, bytes]) -> None:
        super().__init__(name="cbx probe", daemon=True)
        self._paths = paths
        # Opened here: under the filter, opening it for writing would be a trapped call of this process itself.
        self._null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        self._listener: queue.SimpleQueue[int | OSError] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[int | OSError] = queue.SimpleQueue()
        self._process: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        try:
            self._listener.put(install(build(FilterPolicy())))
        except OSError as error:
            self._listener.put(error)
            return
        try:
            command = [os.fsencode(_SHELL), b"-c", os.fsencode(_SCRIPT), b"sh", *self._paths]
            null = self._null
            self._process = subprocess.Popen(command, stdin=null, stdout=null, stderr=null)
            self._ended.put(self._process.wait())
        except OSError as error:
            self._ended.put(error)

    def listener(self) -> int:
        """The descriptor; `Unreached` where there is none."""
        found = self._listener.get()
        if isinstance(found, int):
            return found
        self.end()
        if found.errno == errno.EBUSY:
            raise _Supervised("this process is supervised already, and seccomp cannot nest supervisors (EBUSY)")
        raise Unreached(f"this kernel forbids seccomp notification: {_told(found)}") from found

    def code(self) -> int | None:
        """The shell's exit code, None when it does not end; `Unreached` when it could not be started."""
        try:
            ended = self._ended.get(timeout=_SECONDS)
        except queue.Empty:
            return None
        if isinstance(ended, OSError):
            raise Unreached(f"{_SHELL} does not start under a seccomp filter: {_told(ended)}") from ended
        return ended

    def end(self) -> None:
        """Leave nothing behind."""
        if self._process is not None:
            self._process.kill()  # does nothing once it was waited for
        self.join(_SECONDS)
        os.close(self._null)


def _answer(listener: Listener, refused: bytes, child: _Child) -> bool:
    """Answer calls until no process of the filter is left. Whether the path to refuse was among them."""
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    deadline = time.monotonic() + _SECONDS
    seen = False
    while (left := deadline - time.monotonic()) > 0 and child.is_alive():
        events = poll.poll(max(1, min(left * 1000, 50)))  # the thread's end is no event on old kernels: look again soon
        if not events:
            continue
        if not events[0][1] & select.POLLIN:
            return seen
        seen = _answer_one(listener, refused) or seen
    return seen


def _answer_one(listener: Listener, refused: bytes) -> bool:
    """Answer the call that waits. Whether it was the one to refuse."""
    try:
        call = listener.receive()
    except OSError as error:
        raise Unreached(f"trapped calls cannot be received: {_told(error)}") from error
    if call is None:
        return False
    if not call.pid:
        raise Unreached("trapped calls come without a process: it is hidden by a pid namespace")
    if refused not in _strings(call.pid, call.args[:2]):
        listener.proceed(call.id)
        return False
    try:
        os.readlink(f"/proc/{call.pid}/cwd")
    except OSError as error:
        raise Unreached(f"/proc does not tell where a process of ours is (hidepid?): {_told(error)}") from error
    listener.refuse(call.id, errno.EACCES)
    return True


def _strings(pid: int, addresses: tuple[int, ...]) -> list[bytes]:
    """What is at the addresses; `openat` has its path in its second argument, `open` in its first."""
    found, error = [], None
    for address in addresses:
        try:
            found.append(read_string(pid, address))
        except OSError as failed:
            error = failed
    if not found and error is not None and error.errno != errno.EFAULT:
        raise Unreached(f"the memory of a process of ours cannot be read: {_told(error)}") from error
    return found


def _told(error: OSError) -> str:
    name = errno.errorcode.get(error.errno or 0, "")
    return f"{name} ({error.strerror})" if name else str(error)
