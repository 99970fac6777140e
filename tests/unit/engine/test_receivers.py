"""A thread for each listener, and whose turn it is."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, cast

import pytest

from pytest_cbx.engine import receivers
from pytest_cbx.engine.receivers import NUDGE, Receiver, Turn, ends_by_itself
from pytest_cbx.engine.watched import Watched
from pytest_cbx.execute.kernel.seccomp import Listener, Notification
from pytest_cbx.execute.model import Guard, GuardKind, InstanceSpec
from pytest_cbx.execute.spawn import spawn
from pytest_cbx.execute.supervision.spawner import Spawner

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs seccomp")
WAYS = ["asleep in the call", "polls first"]


class Stage:
    """A supervised command and its receiver."""

    def __init__(self, folder: Path, script: str) -> None:
        self.spawner = Spawner()
        null = os.open(os.devnull, os.O_RDWR)
        spec = InstanceSpec(
            argv=(b"bash", b"-c", script.encode()),
            cwd=os.fsencode(folder),
            umask=0o022,
            environment=dict(os.environb),
            marker="test",
            descriptors=(null, null, null),
            guard=Guard(kind=GuardKind.SUPERVISED),
        )
        spawned = spawn(spec, self.spawner)
        os.close(null)
        assert spawned.listener is not None
        self.pid = spawned.pid
        self.watched = cast(Any, type("Fake", (), {"listener": spawned.listener, "ended": False, "lane": None})())
        self.turn = Turn()
        self.calls: list[int] = []
        self.errors: list[BaseException] = []
        self.reaped = False

    def serve(self, watched: Watched, call: Notification) -> None:
        self.calls.append(call.number)
        watched.listener.proceed(call.id)

    def receive(self, serve: Callable[[Watched, Notification], None] | None = None) -> Receiver:
        return Receiver(self.watched, self.turn, serve or self.serve, self.errors.append)

    def wait(self) -> int:
        self.turn.lock.release()
        _, status = os.waitpid(self.pid, 0)
        self.turn.lock.acquire()
        self.reaped = True
        return os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        if not self.reaped:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.spawner.close()
        self.turn.close()


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    def hear(number: int, frame: FrameType | None) -> None:
        pass

    before = signal.signal(NUDGE, hear)
    yield
    signal.signal(NUDGE, before)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == WAYS[1]:
        monkeypatch.setattr(receivers, "ends_by_itself", lambda release: False)
    elif not ends_by_itself(os.uname().release):
        pytest.skip("this kernel tells nobody that the last process has gone")
    return str(request.param)


@pytest.mark.usefixtures("way")
def test_calls_are_served_in_its_turn_and_the_thread_ends(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "echo a > a; echo b > b")
    receiver = stage.receive()
    time.sleep(0.05)
    assert not stage.calls, "the turn is the loop's until it waits"
    assert stage.wait() == 0
    assert len(stage.calls) >= 2
    stage.watched.ended = True
    stage.turn.lock.release()
    receiver.end()
    stage.turn.lock.acquire()
    stage.close()
    assert not stage.errors


@pytest.mark.usefixtures("way")
def test_a_thread_that_sleeps_is_nudged(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "sleep 60")
    receiver = stage.receive()
    stage.turn.lock.release()
    time.sleep(0.05)
    os.kill(stage.pid, signal.SIGKILL)
    os.waitpid(stage.pid, 0)
    stage.reaped = True
    stage.watched.ended = True
    receiver.end()
    assert all(not thread.name.startswith("Receiver") for thread in threading.enumerate())
    stage.turn.lock.acquire()
    stage.close()


@pytest.mark.usefixtures("way")
def test_an_error_reaches_the_loop(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "echo a > a")

    def broken(watched: Watched, call: Notification) -> None:
        raise ValueError("broken")

    receiver = stage.receive(broken)
    stage.turn.lock.release()
    deadline = time.monotonic() + 10
    while not stage.errors:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert isinstance(stage.errors[0], ValueError)
    os.kill(stage.pid, signal.SIGKILL)
    os.waitpid(stage.pid, 0)
    stage.reaped = True
    stage.watched.ended = True
    receiver.end()
    stage.turn.lock.acquire()
    stage.close()


def test_what_came_early_comes_first(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "echo a > a")
    listener: Listener = stage.watched.listener
    poll = select.poll()
    poll.register(listener.fileno(), select.POLLIN)
    assert poll.poll(10_000)
    first = listener.receive()
    assert first is not None
    stage.watched.listener = again = Listener(os.dup(listener.fileno()), [first])
    assert again.has_early
    receiver = stage.receive()
    assert stage.wait() == 0
    assert stage.calls[0] == first.number
    stage.watched.ended = True
    stage.turn.lock.release()
    receiver.end()
    stage.turn.lock.acquire()
    listener.close()
    stage.close()


def test_a_bell_rings_once_until_it_is_answered() -> None:
    turn = Turn()
    turn.ring()
    turn.ring()
    poll = select.poll()
    poll.register(turn.fileno(), select.POLLIN)
    assert poll.poll(0)
    turn.answer()
    assert not poll.poll(0)
    turn.answer()
    turn.close()


@pytest.mark.parametrize(
    ("release", "does"),
    [("6.11.0", True), ("6.18.5-x", True), ("7.0", True), ("6.10.9", False), ("5.19", False), ("?", False)],
)
def test_which_kernels_tell(release: str, does: bool) -> None:
    assert ends_by_itself(release) is does


class Clocked:
    """A listener that only says how it is to wake up."""

    def __init__(self) -> None:
        self.sync_wake_up = False
        self.asked: list[bool] = []

    def wake_up_synchronously(self, wanted: bool) -> bool:
        self.asked.append(wanted)
        self.sync_wake_up = wanted
        return wanted


def test_only_a_flood_of_one_thread_shares_a_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0
    monkeypatch.setattr(time, "monotonic_ns", lambda: now)
    listener = Clocked()
    pace = receivers.Pace(cast(Any, listener))

    def call(tid: int, after: int) -> bool:
        nonlocal now
        now += after
        pace.received(tid)
        pace.answered()
        return listener.sync_wake_up

    assert [call(7, 10_000) for _ in range(6)] == [False, False, False, False, True, True]
    assert not call(7, receivers.Pace.QUICK), "it had to think"
    assert [call(7, 10_000) for _ in range(4)] == [False, False, False, True]
    assert not call(8, 10_000), "two at once"
