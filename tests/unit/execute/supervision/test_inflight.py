"""When an answered call counts as done, on made-up threads, and who has to wait for whom."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from pytest_cbx.execute.kernel.seccomp import Notification
from pytest_cbx.execute.supervision import inflight
from pytest_cbx.execute.supervision.deeds import Deed, Trap
from pytest_cbx.execute.supervision.inflight import DONE_NS, PATIENCE, STARVED, InFlight, Way

A, B, C = 1001, 1002, 1003
ARGUMENTS = (1, 2, 3, 0, 0, 0)
THE_CALL = b"257 0x1 0x2 0x3 0x0 0x0 0x0 0x7ffe 0x7fce\n"


@dataclass
class World:
    """Threads and a clock. A thread that is in neither table is gone."""

    states: dict[int, bytes]
    used: dict[int, int]
    now: float = 100.0
    blocked: frozenset[int] = frozenset()

    def read(self, tid: int, name: bytes) -> bytes | None:
        """What `/proc/TID/name` says."""
        if name == b"syscall":
            return self.states.get(tid)
        if name == b"stat":
            return b"%d (a) b) %s 1 1\n" % (tid, b"D" if tid in self.blocked else b"S")
        return b"%d 0 1\n" % self.used[tid] if tid in self.used else None


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(states={A: b"running\n", B: b"running\n"}, used={A: 5000, B: 5000})
    monkeypatch.setattr(inflight, "_read", made.read)
    exists = os.path.exists
    monkeypatch.setattr(
        os.path, "exists", lambda path: int(path[6:]) in made.used if path[:6] == b"/proc/" else exists(path)
    )
    return made


@pytest.fixture
def calls(world: World) -> InFlight:
    return InFlight(lambda: world.now)


def trap(
    tid: int, deed: Deed = Deed.WRITE, path: bytes = b"/w/f", other: bytes = b"", structural: bool = False
) -> Trap:
    """A trap with the arguments of `THE_CALL`."""
    made = Trap(1, tid, "openat", deed, path, other, structural=structural)
    made.bars = deed in (Deed.REMOVE, Deed.METADATA)  # as if of a directory
    made.notification = Notification(1, tid, 0, 257, ARGUMENTS)
    return made


def link(tid: int) -> Trap:
    """A structural one."""
    return trap(tid, Deed.CREATE, b"/w/link", structural=True)


def is_clear(calls: InFlight, tid: int) -> bool:
    """Whether nobody else is on his way."""
    way = calls.way(link(tid))
    assert way is not Way.AGAIN or calls.way(link(tid)) is Way.FREE
    return way is not Way.TAKEN


class TestProof:
    def test_one_that_runs_may_still_be_on_its_way(self, calls: InFlight) -> None:
        calls.note(trap(A))
        assert not is_clear(calls, B)

    def test_its_own_call_stands_in_nobodys_way(self, calls: InFlight) -> None:
        calls.note(trap(A))
        assert is_clear(calls, A)

    def test_another_trapped_call_proves_the_one_before(self, calls: InFlight) -> None:
        calls.note(trap(A))
        calls.arrived(A)
        assert is_clear(calls, B)

    def test_a_thread_that_is_gone_has_done_it(self, calls: InFlight, world: World) -> None:
        calls.note(trap(A))
        world.states.clear()
        world.used.clear()
        assert is_clear(calls, B)
        assert len(calls) == 0

    @pytest.mark.parametrize(
        ("state", "done"),
        [
            (b"202 0x1 0x2 0x3 0x0 0x0 0x0 0x7ffe 0x7fce\n", True),
            (b"257 0x1 0x9 0x3 0x0 0x0 0x0 0x7ffe 0x7fce\n", True),
            (b"-1 0x7ffe 0x7fce\n", True),
            (THE_CALL, False),
            (b"running\n", False),
        ],
        ids=["another call", "other arguments", "no call", "this very call", "running"],
    )
    def test_where_it_sleeps_tells(self, calls: InFlight, world: World, state: bytes, done: bool) -> None:
        calls.note(trap(A))
        world.states[A] = state
        assert is_clear(calls, B) is done

    def test_processor_time_tells(self, calls: InFlight, world: World) -> None:
        calls.note(trap(A))
        assert not is_clear(calls, B)
        world.used[A] += 1
        assert not is_clear(calls, B)
        world.used[A] += DONE_NS - 1
        assert not is_clear(calls, B)
        world.used[A] += 1
        assert is_clear(calls, B)

    def test_how_far_the_count_lagged_behind_tells_nothing(self, calls: InFlight, world: World) -> None:
        calls.note(trap(A))
        assert not is_clear(calls, B)
        world.used[A] += 10 * DONE_NS
        assert not is_clear(calls, B)

    def test_time_used_before_anybody_asked_tells_nothing(self, calls: InFlight, world: World) -> None:
        world.used[A] = 10 * DONE_NS
        calls.note(trap(A))
        assert not is_clear(calls, B)

    def test_one_that_sleeps_in_the_kernel_is_not_waited_for_longer(self, calls: InFlight, world: World) -> None:
        calls.note(trap(A))
        world.states[A] = THE_CALL
        world.now += PATIENCE - 0.001
        assert not is_clear(calls, B)
        world.now += 0.002
        assert is_clear(calls, B)

    def test_one_that_gets_no_processor_is_waited_for(self, calls: InFlight, world: World) -> None:
        calls.note(trap(A))
        assert not is_clear(calls, B)
        world.now += 2 * PATIENCE
        assert not is_clear(calls, B)
        world.used[A] += 1
        assert not is_clear(calls, B)
        world.used[A] += DONE_NS - 1
        assert not is_clear(calls, B)
        world.used[A] += 1
        assert is_clear(calls, B)

    def test_one_that_waits_for_the_disk_is_waited_for(self, calls: InFlight, world: World) -> None:
        calls.note(trap(A))
        world.states[A], world.blocked = THE_CALL, frozenset({A})
        world.now += 2 * PATIENCE
        assert not is_clear(calls, B)
        world.blocked = frozenset()
        assert is_clear(calls, B)

    def test_but_not_for_ever(self, calls: InFlight, world: World) -> None:
        calls.note(trap(A))
        assert not is_clear(calls, B)
        world.now += STARVED + 0.001
        assert is_clear(calls, B)

    def test_without_its_counters_patience_decides(self, calls: InFlight, world: World) -> None:
        calls.note(trap(A))
        world.states.clear()
        world.used[A] = 0
        assert not is_clear(calls, B)
        world.now += PATIENCE + 0.001
        assert is_clear(calls, B)


class TestWhoWaits:
    def test_nothing_is_decoded_while_a_structural_call_is_on_its_way(self, calls: InFlight, world: World) -> None:
        calls.note(link(A))
        assert not calls.may_decode(B)
        assert calls.may_decode(A)
        world.states[A] = b"-1 0 0\n"
        assert calls.may_decode(B)

    def test_what_was_decoded_before_it_happened_is_decoded_again(self, calls: InFlight, world: World) -> None:
        calls.note(link(A))
        world.states[A] = b"-1 0 0\n"
        assert calls.way(trap(B)) is Way.AGAIN
        assert calls.way(trap(B)) is Way.FREE

    @pytest.mark.parametrize("later", [link(B), trap(B, Deed.REMOVE)], ids=["structural", "on its path"])
    def test_whatever_it_was(self, calls: InFlight, world: World, later: Trap) -> None:
        calls.note(trap(A))
        world.states[A] = b"-1 0 0\n"
        assert calls.way(later) is Way.AGAIN
        assert calls.way(later) is Way.FREE

    def test_nor_does_its_own_on_the_same_path(self, calls: InFlight) -> None:
        calls.note(trap(A, Deed.REMOVE))
        assert calls.way(trap(A)) is Way.FREE

    def test_its_own_structural_call_does_not_hold_a_thread_up(self, calls: InFlight) -> None:
        calls.note(link(A))
        assert calls.way(trap(A)) is Way.FREE

    def test_nor_while_one_waits(self, calls: InFlight, world: World) -> None:
        calls.note(trap(A))
        assert calls.way(link(B)) is Way.TAKEN
        calls.arrived(A)
        assert not calls.may_decode(A)
        assert calls.way(trap(A)) is Way.TAKEN
        assert calls.may_decode(B)
        assert calls.way(link(B)) is Way.FREE
        calls.note(link(B))
        calls.arrived(B)
        assert calls.may_decode(A)

    def test_one_that_does_not_ask_again_loses_its_turn(self, calls: InFlight, world: World) -> None:
        calls.note(trap(A))
        assert calls.way(link(B)) is Way.TAKEN
        world.now += 0.021
        assert calls.may_decode(A)

    def test_the_first_structural_call_that_waits_is_the_first(self, calls: InFlight, world: World) -> None:
        calls.note(trap(A))
        assert calls.way(link(B)) is Way.TAKEN
        calls.arrived(A)
        assert calls.way(link(C)) is Way.TAKEN
        assert calls.way(link(B)) is Way.FREE
        assert calls.way(link(C)) is Way.FREE

    @pytest.mark.parametrize(
        ("first", "second", "free"),
        [
            (trap(A), trap(B), True),
            (trap(A), trap(B, Deed.METADATA), True),
            (trap(A), trap(B, Deed.REMOVE), False),
            (trap(A, Deed.REMOVE), trap(B), False),
            (trap(A, Deed.REMOVE), trap(B, path=b"/w/g"), True),
            (trap(A), trap(B, Deed.RENAME, b"/w/g", b"/w/f"), False),
            (trap(A, Deed.RENAME, b"/w/g", b"/w/f"), trap(B), False),
            (trap(A, Deed.RENAME, b"/w/g", b"/w/f"), trap(B, Deed.RENAME, b"/w/f", b"/w/h"), False),
            (trap(A, Deed.CREATE, b"/w/f", b"/w/g"), trap(B), False),
            (trap(A), trap(B, Deed.CREATE, b"/w/f", b"/w/g"), False),
            (trap(A, Deed.RENAME, b"/w/x", b"/w/y"), trap(B, Deed.RENAME, b"/w/f", b"/w/h"), True),
            (trap(A, Deed.CREATE), trap(B), False),
            (trap(A, Deed.CREATE), trap(B, path=b"/w/f/g"), True),
            (trap(A, Deed.REMOVE), trap(B, path=b"/w/f/g"), False),
            (trap(A, Deed.METADATA, b"/w/f/g"), trap(B, Deed.REMOVE), False),
            (trap(A, Deed.RENAME, b"/w/x", b"/w/f/g"), trap(B, Deed.REMOVE), False),
            (trap(A, Deed.METADATA), trap(B, path=b"/w/f/g/h"), False),
            (trap(A, path=b"/w/f/g/h"), trap(B, Deed.METADATA), False),
        ],
        ids=[
            "two writers", "write and chmod", "write, then unlink", "unlink, then write", "elsewhere",
            "replace what is opened", "open what is replaced", "a chain of renames", "open a new link",
            "link to what is opened", "renames elsewhere", "make a folder, open a file", "make a folder, open below",
            "open in a removed folder", "remove the folder of a file", "remove where something goes", "bar the way",
            "bar the way of others",
        ],
    )  # fmt: skip
    def test_on_one_path(self, calls: InFlight, first: Trap, second: Trap, free: bool) -> None:
        calls.note(first)
        assert calls.way(second) is (Way.FREE if free else Way.TAKEN)

    def test_those_on_one_path_take_turns(self, calls: InFlight, world: World) -> None:
        calls.note(trap(A))
        assert calls.way(trap(B, Deed.REMOVE)) is Way.TAKEN
        calls.arrived(A)
        assert calls.way(trap(A)) is Way.TAKEN
        assert calls.way(trap(A, path=b"/w/g")) is Way.FREE
        assert calls.way(trap(B, Deed.REMOVE)) is Way.FREE
        assert calls.way(trap(A)) is Way.FREE

    def test_and_lose_them_when_they_do_not_ask_again(self, calls: InFlight, world: World) -> None:
        calls.note(trap(A))
        assert calls.way(trap(B, Deed.REMOVE)) is Way.TAKEN
        calls.arrived(A)
        world.now += 0.021
        assert calls.way(trap(A)) is Way.FREE

    def test_what_has_no_path_is_not_remembered(self, calls: InFlight) -> None:
        calls.note(Trap(1, A, "kill", Deed.SIGNAL, target=5, number=9))
        assert len(calls) == 0

    def test_the_dead_do_not_pile_up(self, calls: InFlight, world: World) -> None:
        for tid in range(5000):
            calls.note(trap(10_000 + tid, Deed.REMOVE if tid % 2 else Deed.WRITE, structural=tid % 3 == 0))
            world.now += 0.1
        assert len(calls) < 100


class TestRealThreads:
    """What this kernel tells of threads in each state."""

    @pytest.fixture
    def process(self) -> Iterator[subprocess.Popen[bytes]]:
        started = subprocess.Popen(["sleep", "60"])
        yield started
        started.kill()
        started.wait()

    @staticmethod
    def settles(calls: InFlight) -> bool:
        """Whether the way becomes free before any patience ends."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if is_clear(calls, 1):
                return True
        return False

    def test_asleep(self, process: subprocess.Popen[bytes]) -> None:
        calls = InFlight(lambda: 0.0)
        calls.note(trap(process.pid))
        deadline = time.monotonic() + 20
        while not is_clear(calls, 1) and time.monotonic() < deadline:
            time.sleep(0.001)
        assert len(calls) == 0

    def test_a_zombie_and_then_nothing(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        calls = InFlight(lambda: 0.0)
        calls.note(trap(process.pid))
        assert is_clear(calls, 1)
        process.wait()
        calls.note(trap(process.pid))
        assert is_clear(calls, 1)

    def test_busy(self) -> None:
        busy = subprocess.Popen(["sh", "-c", "while :; do :; done"])
        try:
            calls = InFlight(lambda: 0.0)
            calls.note(trap(busy.pid))
            deadline = time.monotonic() + 20
            while not is_clear(calls, 1) and time.monotonic() < deadline:
                time.sleep(0.001)
            assert len(calls) == 0
        finally:
            busy.kill()
            busy.wait()
