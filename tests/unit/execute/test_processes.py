"""What /proc tells, on processes of our own; and stopping made-up ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_cbx.execute import memory, processes
from pytest_cbx.execute.processes import Stat

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")


@linux
def test_a_name_may_hold_brackets_and_blanks(tmp_path: Path) -> None:
    odd = tmp_path / "a) S 1 (b"
    odd.symlink_to("/bin/sleep")
    environment = {"CBX_INSTANCE": "inner.2:outer.1"}
    process = subprocess.Popen([str(odd), "60"], env=environment, start_new_session=True)
    try:
        stat = processes.stat_of(process.pid)
        assert stat is not None
        assert (stat.parent, stat.session, stat.group) == (os.getpid(), process.pid, process.pid)
        assert stat.start_ticks == processes.start_ticks(process.pid) > 0
        # `Popen` is back as soon as the old program is gone; the new one's environment is there a moment later.
        until = time.monotonic() + 10
        while not processes.marks_of(process.pid) and time.monotonic() < until:
            time.sleep(0.001)
        assert processes.marks_of(process.pid) == ("inner.2", "outer.1")
        assert processes.describe(process.pid).endswith(f"(pid {process.pid})")
        assert process.pid in processes.children_of_this_process()
        assert processes.group_exists(process.pid)
    finally:
        process.kill()
        process.wait()
    assert processes.stat_of(process.pid) is None
    assert processes.start_ticks(process.pid) == 0
    assert processes.marks_of(process.pid) == ()
    assert not processes.group_exists(process.pid)


@linux
def test_the_dead_are_not_listed() -> None:
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert process.pid not in {stat.pid for stat in processes.all_processes()}
    assert os.getpid() in {stat.pid for stat in processes.all_processes()}
    process.wait()


def stat(pid: int, *, rss: int = 0, state: str = "S") -> Stat:
    return Stat(pid=pid, state=state, parent=1, group=pid, session=pid, start_ticks=pid, rss=rss)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    made: list[tuple[int, int]] = []
    monkeypatch.setattr(processes, "send", lambda pid, number: made.append((pid, number)))
    return made


def test_all_are_frozen_before_any_is_killed(sent: list[tuple[int, int]]) -> None:
    """A process may start another one until it is stopped; that one is found in the next look."""
    looks = iter([[stat(1)], [stat(1), stat(2)], [stat(2), stat(3)], [stat(1), stat(2), stat(3)]])
    found = processes.freeze_and_kill(lambda: next(looks))
    assert [one.pid for one in found] == [1, 2, 3]
    stop, kill = signal.SIGSTOP, signal.SIGKILL
    assert sent == [(1, stop), (2, stop), (3, stop), (1, kill), (2, kill), (3, kill)]


def test_killing_ends_when_nothing_is_found_any_more(sent: list[tuple[int, int]]) -> None:
    alive = [stat(1), stat(2)]
    rounds: list[int] = []

    def reap() -> None:
        rounds.append(len(alive))
        if alive:
            alive.pop()

    assert processes.kill_all(lambda: list(alive), 5, reap) == []
    assert rounds == [2, 1, 0]


def test_what_cannot_be_killed_is_given_up(sent: list[tuple[int, int]]) -> None:
    assert [one.pid for one in processes.kill_all(lambda: [stat(1)], 0)] == [1]


def test_stopped_processes_are_woken_to_hear_that_they_are_to_end(sent: list[tuple[int, int]]) -> None:
    processes.ask_to_end([stat(1), stat(2, state="T")])
    assert sent == [(1, signal.SIGTERM), (2, signal.SIGTERM), (2, signal.SIGCONT)]


def test_memory_below_the_limit_is_not_measured_closely() -> None:
    assert memory.held_bytes([stat(1, rss=60), stat(2, rss=40)], 100) == 100


@linux
def test_memory_above_the_limit_is_measured_by_what_cannot_be_dropped() -> None:
    me = processes.stat_of(os.getpid())
    assert me is not None
    assert me.rss > 1_000_000
    measured = memory.held_bytes([me], 1)
    assert 1_000_000 < measured < me.rss
    assert memory.held_bytes([stat(2**22 + 1, rss=500)], 1) == 0, "one that is gone holds nothing"


def test_the_reason_says_what_to_do() -> None:
    text = memory.too_much(700 * 2**20, 512 * 2**20)
    assert "700 MB" in text
    assert "512 MB" in text
    assert "memory =" in text
