"""Errors of the disk with an engine of one's own: at its first steps, with power failures in mind, and in a real recovery."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_cbx.chaos.leases import Planted
from pytest_cbx.chaos.points import Points, every_point
from pytest_cbx.config.model import Durability
from pytest_cbx.errors import EngineLost
from pytest_cbx.transaction.recovery import Action, JournalResult
from tests.chaos.bench import Bench

MIXED = "echo new > a; mv c e; rm b; mkdir f; chmod 600 a; false"


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
    made.close()


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
    assert not points.wrong, str(points)


@pytest.mark.timeout(120)
def test_a_flush_that_fails(project: Path) -> None:
    bench = Bench(project, Durability.POWER)
    try:
        for command in (MIXED, MIXED.removesuffix("; false")):
            points = bench.chaos.every_point("journal_error", command, calls=("fsync",), lasting=(False, True))
            told(points)
            assert points.count >= 10
            assert not points.wrong, str(points)
            assert not [point for point in points.points if point.status == "passed"], (
                "no flush that failed is tried again"
            )
    finally:
        bench.close()


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
