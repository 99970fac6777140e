"""`--cbx-gate`: the criteria over what the tests of a session tried."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest

TRIES = """
def test_points(chaos):
    points = chaos.every_point("disk_full", "echo a > a; echo b > b")
    assert not points.wrong, points

def test_more(chaos):
    chaos.every_point("kill", "echo c > c")
"""


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["one-process", "xdist"])
def test_what_is_missing_is_said_and_fails(pytester: pytest.Pytester, workers: tuple[str, ...]) -> None:
    pytester.makepyfile(TRIES)
    done = pytester.runpytest_subprocess(
        "--cbx-gate", "--cbx-chaos-seed=5", "--cbx-report=out", "--junitxml=x.xml", *workers
    )
    assert done.ret == 1
    done.assert_outcomes(passed=2)
    done.stdout.fnmatch_lines(
        [
            "*chaos: the six criteria, enforced by --cbx-gate*",
            "zero corruption*invalid*0 of 5 enumerated points and 0 random trials*",
            "*seed 5; again: pytest --cbx-gate --cbx-chaos-seed 5*",
        ]
    )
    written = json.loads((pytester.path / "out" / "criteria.json").read_text())
    assert written["state"] == "invalid"
    assert written["criteria"][0]["counts"] == {"corrupted": 0, "points": 5, "trials": 0}
    found = {one.get("name"): one.get("value") for one in ET.parse(pytester.path / "x.xml").iter("property")}
    assert found["cbx.chaos.seed"] == "5"
    assert "5 enumerated points" in str(found["cbx.chaos.zero corruption"])


CAMPAIGN = """
from pytest_cbx.chaos.model import Evidence, Pair

def test_campaign(chaos):
    chaos.record(Evidence(seed=3, pairs=(Pair(bare_s=1.0, cbx_s=1.0),)))
"""


def test_without_the_gate_it_is_only_told(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(CAMPAIGN)
    done = pytester.runpytest_subprocess()
    assert done.ret == 0
    done.stdout.fnmatch_lines(["*chaos: the six criteria*"])


def test_points_alone_are_judged_by_their_own_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TRIES)
    done = pytester.runpytest_subprocess()
    assert done.ret == 0
    assert "criteria" not in done.stdout.str()


def test_a_gate_without_chaos_shows_nothing_and_fails(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_nothing(): pass")
    done = pytester.runpytest_subprocess("--cbx-gate")
    assert done.ret == 1
    done.stdout.fnmatch_lines(["INVALID: no fault was tried: nothing is shown"])


def test_no_table_where_nobody_asked(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_nothing(): pass")
    done = pytester.runpytest_subprocess()
    assert done.ret == 0
    assert "criteria" not in done.stdout.str()


def test_a_seed_that_is_none(pytester: pytest.Pytester) -> None:
    done = pytester.runpytest_subprocess("--cbx-chaos-seed=-1")
    assert done.ret == 4
    done.stderr.fnmatch_lines(["*--cbx-chaos-seed is '-1'; it has to be a whole number from 0 on*"])
