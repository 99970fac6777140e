"""Figures of a run."""

from __future__ import annotations

import json
from itertools import pairwise, permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cbx.client.jobs import plan
from pytest_cbx.client.outcome import Changes
from pytest_cbx.config.model import Settings
from pytest_cbx.observe.summary import longest_chain, summarise, write_summary
from pytest_cbx.plan.model import Plan
from tests.unit.client.making import make_jobs, make_outcome

ROOT = Path("/nowhere")


def plan_of(*texts: str) -> Plan:
    return plan(make_jobs(ROOT, *texts), slots=2, settings=Settings())


def test_totals() -> None:
    outcomes = [
        make_outcome("c0", started_at=10.0, ended_at=14.0, duration=4.0),
        make_outcome("c1", status="failed", exit_code=1, started_at=10.0, ended_at=12.0, duration=2.0),
        make_outcome("c2", status="skipped", exit_code=None, attempts=0, duration=0.0, started_at=0.0, ended_at=0.0),
        make_outcome(
            "c3", status="lock-timeout", exit_code=None, attempts=0, duration=0.0, started_at=0.0, ended_at=0.0
        ),
        make_outcome("c4", status="cancelled", started_at=12.0, ended_at=15.0, duration=3.0, rolled_back=True),
    ]
    totals = summarise(outcomes, plan=None, slots=2, isolation="off").totals
    assert (totals.commands, totals.passed, totals.failed, totals.skipped, totals.cancelled) == (5, 1, 2, 1, 1)
    assert totals.rolled_back == 1
    assert totals.makespan_s == pytest.approx(5.0)
    assert totals.work_s == pytest.approx(9.0)
    assert totals.speed_up == pytest.approx(1.8)
    assert totals.utilisation == pytest.approx(0.9)
    assert totals.lower_bound_s == pytest.approx(4.5)


def test_a_run_in_which_nothing_ran() -> None:
    totals = summarise([], plan=None, slots=0, isolation="off").totals
    assert (totals.commands, totals.makespan_s, totals.speed_up, totals.utilisation) == (0, 0.0, 1.0, 0.0)


def test_the_longest_chain_bounds_a_run_from_below() -> None:
    graph = plan_of("echo 1 > x", "cat x", "true")
    seconds = {"c0": 2.0, "c1": 3.0, "c2": 4.0}
    outcomes = [make_outcome(name, duration=took) for name, took in seconds.items()]
    assert longest_chain(graph, seconds) == pytest.approx(5.0)
    assert summarise(outcomes, plan=graph, slots=30, isolation="off").totals.lower_bound_s == pytest.approx(5.0)


def test_a_chain_through_joins() -> None:
    graph = plan_of("echo 1 > x", *["cat x"] * 12, "echo 2 > x")
    seconds = {planned.request.name: 1.0 for planned in graph.commands}
    assert longest_chain(graph, seconds) == pytest.approx(3.0)


def test_a_very_long_chain() -> None:
    graph = plan_of(*["echo 1 > x"] * 3000)
    assert longest_chain(graph, {f"c{number}": 1.0 for number in range(3000)}) == pytest.approx(3000.0)


@given(
    texts=st.lists(st.sampled_from(["cat x", "echo 1 > x", "echo 1 > y", "cat x y", "true"]), min_size=1, max_size=5),
    seconds=st.lists(st.integers(0, 9), min_size=5, max_size=5),
)
def test_the_longest_chain_against_all_chains(texts: list[str], seconds: list[int]) -> None:
    graph = plan_of(*texts)
    after = {(edge.before, edge.after) for edge in graph.edges}
    nodes = range(len(graph.commands) + len(graph.joins))
    took = {f"c{number}": float(seconds[number]) for number in range(len(texts))}
    best = 0.0
    for length in range(1, len(nodes) + 1):
        for chain in permutations(nodes, length):
            if all(pair in after for pair in pairwise(chain)):
                best = max(best, sum(took.get(f"c{number}", 0.0) for number in chain))
    assert longest_chain(graph, took) == pytest.approx(best)


def test_the_file(tmp_path: Path) -> None:
    outcome = make_outcome("lint", changes=Changes(created=("a",)), waited_for=("fmt",))
    value = summarise([outcome], plan=None, slots=1, isolation="off", nodeids={"lint": "cbx.toml::lint"})
    content = json.loads(write_summary(value, tmp_path).read_text())
    assert content["version"] == 1
    (row,) = content["commands"]
    assert row["nodeid"] == "cbx.toml::lint"
    assert row["waited_for"] == ["fmt"]
    assert row["changes"] == {"created": ["a"], "modified": [], "deleted": []}
    assert row["changes_truncated"] is False
    assert row["isolation"] == "off"
    assert {"name", "command", "tier", "status", "exit_code", "attempts", "queued_s", "wall_s", "cpu_s"} <= row.keys()
    assert {"max_rss_bytes", "slot", "rolled_back"} <= row.keys()


def test_names_that_json_cannot_hold_are_written_all_the_same(tmp_path: Path) -> None:
    changes = Changes(created=("a\udcff",), modified=("grün",), truncated=True)
    outcome = make_outcome(
        "lint", changes=changes, rolled_back=True, outside=("/x\udcfe",), isolation="guard", restarts=2
    )
    path = write_summary(summarise([outcome], plan=None, slots=1, isolation="guard"), tmp_path)
    (row,) = json.loads(path.read_text())["commands"]
    assert row["changes"] == {"created": ["a\ufffd"], "modified": ["grün"], "deleted": []}
    assert (row["changes_truncated"], row["rolled_back"], row["restarts"]) == (True, True, 2)
    assert row["outside"] == ["/x\ufffd"]
