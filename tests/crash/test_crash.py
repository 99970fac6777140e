"""A sample of the crash points; `python -m tests.crash` (tox's `crash`) tries them all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.points import Point, Side, Victims, Where, points
from tests.system.helpers import environment

ROOT = Path(__file__).resolve().parents[2]
ENOUGH = 200


@pytest.mark.timeout(600)
@pytest.mark.needs("git", "tar", "sqlite3")
def test_whenever_a_run_is_killed_the_tree_is_as_before_or_as_after() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.crash", "--sample=2", "--json"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [wrong for figures in found for wrong in figures["wrong"]] == []
    assert done.returncode == 0, done.stdout + done.stderr
    assert sum(sum(figures["counts"].values()) for figures in found) >= ENOUGH
    struck = {part for figures in found for part, count in figures["counts"].items() if count}
    assert struck == {where.value for where in Where}


def test_the_points_of_a_trapped_call_take_turns_in_who_is_killed() -> None:
    killed = {point.victims for number in range(1, 5) for point in points(Where.TRAP, number)}
    assert killed == set(Victims)
    assert {point.side for point in points(Where.TRAP, 1)} == set(Side)


def test_a_point_says_where_it_is() -> None:
    point = Point(where=Where.COMMIT, number=3, side=Side.AFTER, again=2)
    assert str(point) == "after call 3 in the commit (killed: engine, client and command, recovery killed at 2)"
