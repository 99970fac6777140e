"""Errors of the disk in our own journal, in commit and roll back: reported, nothing lost, completed once they are over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_cbx.chaos.api import Chaos
from pytest_cbx.chaos.points import Points
from pytest_cbx.client.api import Cbx
from pytest_cbx.errors import UsageError
from tests.chaos.bench import Bench

COMMANDS = {
    "create": "mkdir d; echo x > d/x; ln -s x d/y; touch z; false",
    "modify": "echo new >> a; echo other > b; chmod 600 a; false",
    "delete": "rm -r c a; false",
    "rename": "mv c e; mv a b; false",
    "kept": "echo new > a; rm b; mkdir f",
}


@pytest.fixture
def bench(project: Path) -> Iterator[Bench]:
    made = Bench(project)
    yield made
    made.close()


@pytest.fixture
def chaos(bench: Bench) -> Chaos:
    return bench.chaos


@pytest.fixture
def cbx(bench: Bench) -> Cbx:
    return bench.cbx


@pytest.fixture
def tree(bench: Bench) -> Path:
    for name in ("a", "b", "c/d/x", "c/y"):
        path = bench.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return bench.work


def told(points: Points) -> None:
    late = sum(point.healed_late for point in points.points)
    print(f"{points}; {late} undone completely only once healed")


@pytest.mark.parametrize("phase", ["keep", "end"])
@pytest.mark.parametrize("name", list(COMMANDS))
def test_at_every_operation(chaos: Chaos, tree: Path, name: str, phase: str) -> None:
    before = chaos.picture(tree)
    for kind, lasting in (("journal_full", True), ("journal_error", False)):
        points = chaos.every_point(kind, COMMANDS[name], phase=phase, lasting=(lasting,))
        told(points)
        assert points.count >= 1
        assert not points.wrong, str(points)
    chaos.assert_whole(before, tree)


@pytest.mark.parametrize("name", ["modify", "delete"])
def test_a_write_that_writes_less(chaos: Chaos, tree: Path, name: str) -> None:
    points = chaos.every_point("journal_short_write", COMMANDS[name], lasting=(False, True))
    told(points)
    assert points.count >= 3
    assert not points.wrong, str(points)


def test_it_is_reported_and_the_journal_stays_until_it_can_be_undone(chaos: Chaos, tree: Path) -> None:
    points = chaos.every_point("journal_error", COMMANDS["rename"], phase="end", lasting=(True,), calls=("rename",))
    assert points.count >= 1
    for point in points.points:
        assert point.healed_late, points
        assert point.incomplete, "it is said what could not be undone"
    assert not points.wrong, str(points)


def test_calls_of_the_command_itself_do_not_count(cbx: Cbx, chaos: Chaos, tree: Path) -> None:
    with chaos.journal_error(calls=("symlink", "mkdir"), phase="end", lasting=True) as fault:
        done = cbx.run("mkdir d; ln -s a b2; false", rollback="on-failure")
    assert not fault.fired, "to undo these, nothing is made"
    assert done.rolled_back
    assert not done.faults


def test_operations_and_phases_that_there_are_not(chaos: Chaos) -> None:
    with pytest.raises(UsageError, match="no operation pwrite64; it has write"):
        chaos.journal_full(calls=("write", "pwrite64"))
    with pytest.raises(UsageError, match="no phase 'begin'; there are any, keep, end"):
        chaos.journal_error(phase="begin")
