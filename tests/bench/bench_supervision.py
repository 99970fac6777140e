"""What a guard costs at the start of an instance, and what it costs to understand a call: `python -m tests.bench.bench_supervision`.

Starts and ends `true` in turn without a guard, as SAFE, supervised, and with reads trapped, and prints medians; then decodes
calls of a child over and over; then lets a program make calls that are answered unseen, by a loop around `epoll` and by a thread that
sleeps in the call that takes them over: what any supervisor in Python costs at least.
"""

from __future__ import annotations

import ctypes
import dataclasses
import os
import select
import statistics
import sys
import tempfile
import time
from collections.abc import Callable

from pytest_cbx.engine.receivers import ends_by_itself
from pytest_cbx.execute.kernel.seccomp import Listener, Notification
from pytest_cbx.execute.kernel.syscalls import table
from pytest_cbx.execute.model import Guard, GuardKind, InstanceSpec
from pytest_cbx.execute.spawn import spawn
from pytest_cbx.execute.supervision.decode import Decoder
from pytest_cbx.execute.supervision.inflight import InFlight
from pytest_cbx.execute.supervision.spawner import Spawner

ROUNDS = 300


def starts(folder: bytes) -> None:
    """Print microseconds until the start has returned, and until the instance has ended."""
    null = os.open(os.devnull, os.O_RDWR)
    spec = InstanceSpec(
        argv=(b"true",),
        cwd=folder,
        umask=0o022,
        environment=dict(os.environb),
        marker="bench",
        descriptors=(null, null, null),
    )
    guards = {
        "off": None,
        "safe": Guard(kind=GuardKind.SAFE, writable=(folder,)),
        "supervised": Guard(kind=GuardKind.SUPERVISED),
        "serializable": Guard(kind=GuardKind.SUPERVISED, reads=True),
    }
    spawner = Spawner()
    begun: dict[str, list[float]] = {name: [] for name in guards}
    ended: dict[str, list[float]] = {name: [] for name in guards}
    for _ in range(ROUNDS):
        for name, guard in guards.items():
            before = time.perf_counter()
            spawned = spawn(dataclasses.replace(spec, guard=guard), spawner)
            begun[name].append(time.perf_counter() - before)
            if spawned.listener is not None:
                let_go_on(spawned.listener)
            os.waitpid(spawned.pid, 0)
            ended[name].append(time.perf_counter() - before)
    spawner.close()
    for name in guards:
        took, whole = (statistics.median(values[name]) * 1e6 for values in (begun, ended))
        bare = statistics.median(ended["off"]) * 1e6
        print(
            f"{name:12}  start {took:6.0f} µs   start to end {whole:6.0f} µs   {whole - bare:+6.0f} µs  x{whole / bare:.2f}"
        )


def let_go_on(listener: Listener) -> None:
    """Answer until nobody is left."""
    poll = select.poll()
    poll.register(listener.fileno(), select.POLLIN)
    while True:
        ((_, events),) = poll.poll()
        if not events & select.POLLIN:
            listener.close()
            return
        notification = listener.receive()
        if notification is not None:
            listener.proceed(notification.id)


def calls(folder: bytes) -> None:
    """Print microseconds a call."""
    deep = folder + b"/a/b/c/d"
    os.makedirs(deep)
    os.chdir(deep)
    with open("name", "w"):
        pass
    texts = {
        key: ctypes.create_string_buffer(value)
        for key, value in {"name": b"name", "new": b"new", "absolute": deep + b"/name", "below": b"../d/name"}.items()
    }
    directory = os.open(deep, os.O_RDONLY | os.O_DIRECTORY)
    child = os.fork()
    if child == 0:
        time.sleep(600)
        os._exit(0)
    here, writing = 0xFFFFFF9C, os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    at = {key: ctypes.addressof(value) for key, value in texts.items()}
    shown: dict[str, tuple[str, tuple[int, ...]]] = {
        "open for writing": ("openat", (here, at["name"], writing)),
        "create": ("openat", (here, at["new"], writing)),
        "open, absolute": ("openat", (here, at["absolute"], writing)),
        "open, with dots": ("openat", (here, at["below"], writing)),
        "unlink": ("unlinkat", (directory, at["name"], 0)),
        "rename": ("renameat", (here, at["name"], here, at["new"])),
        "fchmod": ("fchmod", (directory, 0o755)),
    }
    decoder, numbers, machine = Decoder((folder,), reads=False), table().numbers, table().architecture
    listener = object.__new__(Listener)  # not asked for anything while the child lives
    for label, (name, arguments) in shown.items():
        padded = (*arguments, *[0] * (6 - len(arguments)))
        notification = Notification(1, child, machine, numbers[name], padded)
        print(f"{label:18}  {best(lambda n=notification: decoder.decode(listener, n)):5.1f} µs")  # type: ignore[misc]
    trap, inflight = decoder.decode(listener, notification), InFlight()
    assert trap is not None

    def answered() -> None:
        inflight.arrived(child)
        inflight.may_decode(child)
        inflight.way(trap)
        inflight.note(trap)

    print(f"{'calls in flight':18}  {best(answered):5.1f} µs")
    os.kill(child, 9)
    os.waitpid(child, 0)


def best(work: Callable[[], object]) -> float:
    """Microseconds, of the best of some hundred calls in a row."""
    found = []
    for _ in range(20):
        before = time.perf_counter()
        for _ in range(200):
            work()
        found.append((time.perf_counter() - before) / 200)
    return min(found) * 1e6


CALLS = 3000
_CALLER = f"""
import os, time
before = time.perf_counter()
for _ in range({CALLS}):
    os.utime("name")
print((time.perf_counter() - before) / {CALLS} * 1e6)
"""
"""`utime` is trapped, and does little itself."""


def answers(folder: bytes) -> None:
    """Print microseconds from a trapped call to its return: answered unseen, in two ways."""
    output = folder + b"/took"
    spec = InstanceSpec(
        argv=(os.fsencode(sys.executable), b"-c", _CALLER.encode()),
        cwd=folder,
        umask=0o022,
        environment=dict(os.environb),
        marker="bench",
        stdout=output,
        stderr=output,
    )
    with open(folder + b"/name", "w"):
        pass
    spawner = Spawner()
    guard = Guard(kind=GuardKind.SUPERVISED)
    ways = {"no filter": None, "by epoll": let_go_on_by_epoll, "asleep in the call": let_go_on_asleep}
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(5):
        for name, answer in ways.items():
            spawned = spawn(dataclasses.replace(spec, guard=guard if answer is not None else None), spawner)
            if answer is not None:
                assert spawned.listener is not None
                answer(spawned.listener)
            os.waitpid(spawned.pid, 0)
            with open(output, "rb") as file:
                took[name].append(float(file.read()))
            os.unlink(output)
    spawner.close()
    for name, values in took.items():
        print(f"{name:18}  {statistics.median(values):5.1f} µs a call")


def let_go_on_by_epoll(listener: Listener) -> None:
    """Answer until nobody is left; the loop sleeps in `epoll`."""
    epoll = select.epoll()
    epoll.register(listener.fileno(), select.EPOLLIN)
    while True:
        for _, events in epoll.poll():
            if not events & select.EPOLLIN:
                epoll.close()
                listener.close()
                return
            notification = listener.receive()
            if notification is not None:
                listener.proceed(notification.id)


def let_go_on_asleep(listener: Listener) -> None:
    """Answer until nobody is left; the thread sleeps in the call that takes a trapped call over, and is woken at the end (Linux 6.11)."""
    if not ends_by_itself(os.uname().release):
        return let_go_on_by_epoll(listener)
    poll = select.poll()
    poll.register(listener.fileno(), select.POLLIN)
    while True:
        notification = listener.receive()
        if notification is not None:
            listener.proceed(notification.id)
        elif any(events & select.POLLHUP for _, events in poll.poll(0)):
            listener.close()
            return None


def main() -> int:
    """Print everything."""
    with tempfile.TemporaryDirectory() as made:
        folder = os.path.realpath(os.fsencode(made))
        starts(folder)
        calls(folder)
        answers(folder)
        os.chdir("/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
