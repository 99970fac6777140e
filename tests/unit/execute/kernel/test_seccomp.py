"""Real processes under real filters: what is seen of their calls, and what the answers do."""

from __future__ import annotations

import errno
import os
import select
import signal
import sys
import threading
from pathlib import Path

import pytest

from pytest_cbx.execute.kernel.filter import FilterPolicy, build
from pytest_cbx.execute.kernel.memory import read_string
from pytest_cbx.execute.kernel.seccomp import Listener, Notification, install, notification_sizes
from pytest_cbx.execute.kernel.syscalls import table
from tests.unit.execute.kernel.supervised import SECONDS, in_thread, needs_guard, run, supervised

pytestmark = needs_guard


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-SBIc", code, *arguments]


def name(call: Notification) -> str:
    return table().names[call.number]


def strings(call: Notification) -> list[bytes]:
    """What the first two arguments point to, where they point to something."""
    found = []
    for address in call.args[:2]:
        try:
            found.append(read_string(call.pid, address))
        except OSError:
            found.append(b"")
    return found


def test_a_call_is_seen_before_it_runs(tmp_path: Path) -> None:
    target = tmp_path / "made"
    seen = []

    def answer(listener: Listener, call: Notification) -> None:
        if os.fsencode(target) in strings(call):
            seen.append((name(call), call.arch, target.exists(), listener.valid(call.id), len(call.args)))
        assert listener.proceed(call.id)

    done = run(python("import os, sys; os.mkdir(sys.argv[1])", str(target)), answer)
    assert (done.returncode, done.stderr) == (0, "")
    assert target.is_dir()
    assert seen == [(seen[0][0], table().architecture, False, True, 6)]
    assert seen[0][0] in ("mkdir", "mkdirat")


def test_a_refused_call_fails_with_that_error_and_does_not_run(tmp_path: Path) -> None:
    target = tmp_path / "made"

    def answer(listener: Listener, call: Notification) -> None:
        if os.fsencode(target) in strings(call):
            assert listener.refuse(call.id, errno.EMULTIHOP)
        else:
            assert listener.proceed(call.id)

    code = "import os, sys\ntry: os.mkdir(sys.argv[1])\nexcept OSError as error: print(error.errno)"
    done = run(python(code, str(target)), answer)
    assert done.stdout == f"{errno.EMULTIHOP}\n"
    assert not target.exists()


def test_a_call_can_be_answered_instead_of_run(tmp_path: Path) -> None:
    target = tmp_path / "made"

    def answer(listener: Listener, call: Notification) -> None:
        if os.fsencode(target) in strings(call):
            assert listener.answer(call.id, 0)
        else:
            assert listener.proceed(call.id)

    done = run(python("import os, sys; print(os.mkdir(sys.argv[1]))", str(target)), answer)
    assert done.stdout == "None\n"
    assert not target.exists()


def test_a_descriptor_can_be_given(tmp_path: Path) -> None:
    target, given = tmp_path / "asked", tmp_path / "given"
    given.write_text("from the supervisor")
    with given.open("rb") as ours:

        def answer(listener: Listener, call: Notification) -> None:
            if os.fsencode(target) in strings(call):
                assert listener.add_descriptor(call.id, ours.fileno())
            else:
                assert listener.proceed(call.id)

        done = run(python("import sys; print(open(sys.argv[1], 'r+').read())", str(target)), answer)
    assert done.stdout == "from the supervisor\n", done.stderr


READS = """
import os, socket, subprocess, threading, time
for _ in range(50):
    open('/etc/passwd').read(); os.stat('/'); os.listdir('/'); os.access('/', os.W_OK); os.path.realpath('/proc/self/exe')
threading.Thread(target=time.sleep, args=(0.001,)).start()
socket.socketpair()
os.write(1, b'read')
"""


def test_reading_is_not_trapped() -> None:
    seen = []

    def answer(listener: Listener, call: Notification) -> None:
        seen.append((name(call), strings(call)))
        listener.proceed(call.id)

    done = run(python(READS), answer)
    assert (done.stdout, done.stderr) == ("read", "")
    assert seen == []


def test_reading_is_trapped_where_it_is_asked_for() -> None:
    seen = set()

    def answer(listener: Listener, call: Notification) -> None:
        if b"/etc/passwd" in strings(call):
            seen.add(name(call))
        listener.proceed(call.id)

    code = "import os; open('/etc/passwd'); os.stat('/etc/passwd'); os.access('/etc/passwd', os.R_OK)"
    assert run(python(code), answer, FilterPolicy(reads=True)).returncode == 0
    assert seen & {"open", "openat"}
    assert seen & {"stat", "newfstatat", "statx"}
    assert seen & {"access", "faccessat", "faccessat2"}


def test_what_escapes_the_filter_is_denied(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    number = table().numbers["userfaultfd"]
    code = """
import ctypes, fcntl, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    return libc.syscall(number, *arguments), ctypes.get_errno()
how = ctypes.create_string_buffer(24)
print(call(437, -100, sys.argv[1].encode(), how, 24), call(425, 1, how), call(435, how, 64))
print(libc.syscall(int(sys.argv[2]), 0), ctypes.get_errno())
try: fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x40086602, b'0' * 8)
except OSError as error: print(error.errno)
"""
    done = run(python(code, str(tmp_path / "file"), str(number)), lambda listener, call: listener.proceed(call.id))
    nosys = (-1, errno.ENOSYS)
    assert done.stdout.splitlines() == [
        f"{nosys} {nosys} {nosys}",
        f"-1 {errno.EPERM}",
        str(errno.EOPNOTSUPP),
    ], done.stderr


SIGNALS = """
import os, signal, threading
got = threading.Event()
signal.signal(signal.SIGURG, lambda *_: None)
signal.pthread_kill(threading.main_thread().ident, signal.SIGURG)
child = os.fork()
if not child:
    signal.pause()
os.kill(child, signal.SIGTERM)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.parametrize("signals", [True, False])
def test_signals_are_trapped_where_nothing_else_keeps_them_in(signals: bool) -> None:
    seen = []

    def answer(listener: Listener, call: Notification) -> None:
        seen.append((name(call), call.args[1]))
        listener.proceed(call.id)

    done = run(python(SIGNALS), answer, FilterPolicy(signals=signals))
    assert done.stdout == f"{-signal.SIGTERM}\n", done.stderr
    assert seen == ([("kill", signal.SIGTERM)] if signals else [])


def test_a_caller_that_died_meanwhile(tmp_path: Path) -> None:
    """Its answer goes nowhere and says so; nothing hangs."""
    target = tmp_path / "made"
    command = python("import os, sys; os.mkdir(sys.argv[1])", str(target))
    with supervised(command) as (listener, done):
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        assert poll.poll(SECONDS * 1000)
        call = listener.receive()
        assert call is not None
        os.kill(call.pid, signal.SIGKILL)
        assert done.get(timeout=SECONDS).returncode == -signal.SIGKILL
        assert not listener.valid(call.id)
        assert not listener.proceed(call.id)
        assert not listener.refuse(call.id, errno.EPERM)
        assert not listener.add_descriptor(call.id, 1)
    assert not target.exists()


def test_a_caller_that_died_before_it_was_received() -> None:
    """The kernel takes its notification back; a later `receive` says None instead of waiting, where it returns at all."""
    script = "import os; pid = os.fork()\nif not pid: os.mkdir('/nowhere/x')\nelse: os.kill(pid, 9); os.waitpid(pid, 0)"
    with supervised(python(script), FilterPolicy(signals=False)) as (listener, done):
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        finished = None
        while finished is None:
            events = poll.poll(SECONDS * 1000)
            assert events
            if events[0][1] & select.POLLIN:
                call = listener.receive()
                if call is not None:
                    listener.refuse(call.id, errno.ENOENT)
            else:
                finished = done.get(timeout=SECONDS)
        assert finished.returncode == 0
        if events[0][1] & select.POLLHUP:
            assert not events[0][1] & select.POLLIN


def test_any_thread_may_answer(tmp_path: Path) -> None:
    """Callers that wait at the same time, each answered by a thread of its own, in another order than they came."""
    names = [str(tmp_path / f"{number}") for number in range(8)]
    code = """
import os, sys, threading
def make(path):
    try: os.mkdir(path)
    except OSError as error: assert error.errno == int(os.path.basename(path)) + 100
threads = [threading.Thread(target=make, args=(path,)) for path in sys.argv[1:]]
for each in threads: each.start()
for each in threads: each.join()
"""
    waiting: list[tuple[int, int]] = []
    threads = []

    def answer(listener: Listener, call: Notification) -> None:
        told = [each for each in strings(call) if os.fsdecode(each) in names]
        if not told:
            listener.proceed(call.id)
            return
        waiting.append((call.id, 100 + int(os.path.basename(told[0]))))
        if len(waiting) == len(names):
            for number, error in reversed(waiting):
                threads.append(threading.Thread(target=listener.refuse, args=(number, error)))
                threads[-1].start()

    done = run(python(code, *names), answer)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(waiting) == len(names)
    assert list(tmp_path.iterdir()) == []


def test_a_closed_listener_lets_calls_fail(tmp_path: Path) -> None:
    code = "import os, sys\ntry: os.mkdir(sys.argv[1])\nexcept OSError as error: print(error.errno)"
    with supervised(python(code, str(tmp_path / "made"))) as (listener, done):
        listener.close()
        listener.close()
        assert done.get(timeout=SECONDS).stdout == f"{errno.ENOSYS}\n"


def test_the_descriptor_is_not_inherited() -> None:
    def inheritable() -> bool:
        descriptor = install(build(FilterPolicy()))
        try:
            return os.get_inheritable(descriptor)
        finally:
            os.close(descriptor)

    assert not in_thread(inheritable)


def test_supervisors_do_not_nest() -> None:
    def twice() -> int:
        first = install(build(FilterPolicy()))
        try:
            install(build(FilterPolicy()))
        except OSError as error:
            return error.errno or 0
        finally:
            os.close(first)
        return 0

    assert in_thread(twice) == errno.EBUSY


def confinement() -> list[str]:
    """What the calling thread is subject to."""
    lines = Path("/proc/thread-self/status").read_text().splitlines()
    return [line for line in lines if line.startswith(("NoNewPrivs", "Seccomp"))]


def test_only_the_thread_is_filtered() -> None:
    def install_and_look() -> tuple[int, list[str]]:
        return install(build(FilterPolicy())), confinement()

    before = confinement()
    held, there = in_thread(install_and_look)
    os.close(held)
    assert "NoNewPrivs:\t1" in there
    assert "Seccomp:\t2" in there
    assert confinement() == before != there


def test_sizes() -> None:
    notification, response = notification_sizes()
    assert notification >= 80
    assert response == 24
