"""Errors of the disk with an engine of one's own: at its first steps, with power failures in mind, and in a real recovery."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_cbx.chaos.api import Chaos
from pytest_cbx.chaos.leases import Leases, Planted
from pytest_cbx.chaos.points import Points, every_point
from pytest_cbx.client.api import Cbx
from pytest_cbx.client.runner import Runner
from pytest_cbx.config.model import Durability, Settings
from pytest_cbx.errors import EngineLost
from pytest_cbx.transaction.home import find_home, possible_homes
from pytest_cbx.transaction.recovery import Action, JournalResult

MIXED = "echo new > a; mv c e; rm b; mkdir f; chmod 600 a; false"


class Bench:
    """A work tree with an engine that nobody else uses."""

    def __init__(self, root: Path, durability: Durability = Durability.PROCESS) -> None:
        self.root, self.work = root, root / "work"
        for name in ("a", "b", "c/d/x"):
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        self._settings = dataclasses.replace(Settings(), durability=durability)
        self._runner: Runner | None = None
        self.open = True
        self.leases = Leases(self.connect)
        self.cbx = Cbx(self.work, root=root, settings=self._settings, connect=self.connect, faults=self.leases.planted)
        self.chaos = Chaos(self.leases, self.cbx, renew=self.leave)

    def connect(self) -> Runner:
        if not self.open:  # as to heal a fault takes no engine that does not run
            raise EngineLost("no engine is to be started")
        if self._runner is not None and self._runner.lost:
            self.leave()
        if self._runner is None:
            self._runner = Runner(self.root, self._settings, name="a bench")
        return self._runner

    def leave(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.close()

    @property
    def journals_inside(self) -> bool:
        """Whether they lie in the work tree."""
        return find_home(os.path.realpath(os.fsencode(self.root)), os.environb).inside

    def journals(self) -> list[bytes]:
        """Homes of journals that are there."""

        homes = possible_homes(os.path.realpath(os.fsencode(self.root)), os.environb)
        return [home.path for home in homes if os.path.lexists(home.path)]


@pytest.fixture(params=["outside", "inside"])
def bench(
    request: pytest.FixtureRequest, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bench]:
    """With its journals outside of the work tree, and inside."""
    if request.param == "inside":
        monkeypatch.setenv("XDG_STATE_HOME", str(project / "state"))
    else:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made = Bench(project)
    yield made
    made.leases.close()
    made.leave()
    assert not made.chaos.recover(project).journals
    assert not made.journals()


def told(points: Points) -> None:
    late = sum(point.healed_late for point in points.points)
    print(f"{points}; {late} undone completely only once healed")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "lasting"])
def test_at_the_first_steps_of_an_engine(bench: Bench, lasting: bool) -> None:
    def plant(at: int, lasting: bool) -> Planted:
        bench.leave()
        return bench.chaos.inject("journal_error", at=at, lasting=lasting, phase="keep")

    points = every_point(bench.cbx, plant, MIXED, kind="journal_error", lasting=(lasting,), renew=bench.leave)
    told(points)
    calls = {point.call for point in points.points}
    assert {"mkdir", "open", "posix_fallocate", "write", "link"} <= calls, "home, lock, reserve, journal, what is kept"
    assert not points.wrong, points


@pytest.mark.timeout(120)
def test_a_flush_that_fails(project: Path) -> None:
    bench = Bench(project, Durability.POWER)
    try:
        for command in (MIXED, MIXED.removesuffix("; false")):
            points = bench.chaos.every_point("journal_error", command, calls=("fsync",), lasting=(False, True))
            told(points)
            assert points.count >= 10
            assert not points.wrong, points
            # Only what we write ourselves can be written, and flushed, once more.
            passed = {point.path.partition("/")[0] for point in points.points if point.status == "passed"}
            assert passed <= {"journal"}, "a flush that failed is never tried again"
    finally:
        bench.leases.close()
        bench.leave()


def recovered(bench: Bench) -> tuple[JournalResult, ...]:
    """Once the engine that was killed is gone: it still holds its lock while it dies."""
    deadline = time.monotonic() + 20.0
    while True:
        results = bench.chaos.recover(bench.root).journals
        if all(result.action is not Action.BUSY or "an engine" not in result.reason for result in results):
            return results
        assert time.monotonic() < deadline, results
        time.sleep(0.01)


@pytest.mark.timeout(120)
def test_in_a_recovery(bench: Bench) -> None:
    before = bench.chaos.picture(bench.work)
    ends: dict[str, int] = {}
    for at in range(1 + bool(bench.journals_inside), 100, 2):  # every other one here, the others there
        bench.open = True
        killer = bench.chaos.kill(whom="engine", path="late")
        with pytest.raises(EngineLost):
            bench.cbx.run(f"{MIXED.removesuffix('; false')}; echo x > late")
        bench.open = False
        killer.heal()
        with bench.chaos.journal_full(at=at, lasting=True) as fault:
            (result,) = recovered(bench)
            struck = fault.fired
        ends[result.action.value] = ends.get(result.action.value, 0) + struck
        if result.action is Action.ROLLED_BACK:
            bench.chaos.assert_whole(before, bench.work)
        else:
            assert struck, result
            assert result.reason
        again = recovered(bench)
        assert all(one.action in (Action.ROLLED_BACK, Action.REMOVED) for one in again), again
        bench.chaos.assert_whole(before, bench.work)
        assert not bench.journals()
        if not struck:
            break
    print(f"ENOSPC from every other of {at - 1} operations of `cbx recover` on: {ends}")
    assert at > 10
    assert ends["incomplete"] > 5
    assert "busy" not in ends, "a full disk is none that is at work"
