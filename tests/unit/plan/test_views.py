"""A plan as text and as JSON."""

from __future__ import annotations

import msgspec
import pytest

from pytest_cbx.plan.build import build_plan
from pytest_cbx.plan.export import PlanExport, to_json
from pytest_cbx.plan.model import Plan
from pytest_cbx.plan.render import duration, render_plan
from pytest_cbx.tier import Tier

from .world import request


def _plan() -> Plan:
    return build_plan(
        [
            request("install", "write deps/**", seconds=5, tier=Tier.SEQUENTIAL_REQUIRED),
            request("format", "write src/** (sources)", seconds=2),
            request("lint", "read src/** (sources)", seconds=1, tier=Tier.SAFE_PARALLEL, needs=["install"]),
        ],
        slots=2,
    )


def test_the_text() -> None:
    assert render_plan(_plan()) == (
        "3 commands (1 safe, 1 conditional, 1 sequential) · 8.0 s one by one, at least 6.0 s at once\n"
        "\n"
        "wave 1\n"
        "  ● install  sequential     5.0 s   priority 6.1\n"
        "  ○ format   conditional    2.0 s   priority 6.9\n"
        "\n"
        "wave 2\n"
        "  ● lint     safe           1.0 s   priority 7.9\n"
        "        ← needs install\n"
        "        ← format: reads src/** that format writes\n"
        "\n"
        "critical path (6.0 s): install → lint"
    )


def test_the_text_counts_the_members_of_joins_and_cuts_long_lists() -> None:
    commands = [request(f"r{n}", "read **") for n in range(20)] + [request(f"w{n}", f"write f{n}") for n in range(9)]
    text = render_plan(build_plan(commands, slots=4))
    assert "        ← 20 commands: writes f8 that they read" in text
    assert "        ← … and 14 more" in text
    assert "r0" in text


def test_nothing_to_show() -> None:
    assert render_plan(build_plan([], slots=1)) == "nothing to run"


def test_the_json_goes_there_and_back() -> None:
    plan = to_json(_plan())
    decoded = msgspec.json.decode(msgspec.json.encode(plan), type=PlanExport)
    assert decoded == plan
    assert [command.name for command in decoded.commands] == ["install", "format", "lint"]
    assert decoded.commands[2].needs == ("install",)
    assert decoded.commands[1].claims == ("write src/** (sources)",)
    assert {(edge.before, edge.after, edge.kind) for edge in decoded.edges} == {
        ("install", "lint", "needs"),
        ("format", "lint", "conflict"),
    }
    assert decoded.critical_path == ("install", "lint")
    assert decoded.lower_bound_s == 6.0
    assert decoded.commands[0].path_seconds == 6.0


def test_edges_of_the_json_name_joins() -> None:
    commands = [request(f"r{n}", "read **") for n in range(20)] + [request(f"w{n}", f"write f{n}") for n in range(9)]
    plan = to_json(build_plan(commands, slots=4))
    assert [join.name for join in plan.joins] == ["join-1"]
    names = {command.name for command in plan.commands} | {"join-1"}
    assert {edge.before for edge in plan.edges} | {edge.after for edge in plan.edges} <= names
    assert any(edge.before == "join-1" for edge in plan.edges)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (190, "3 min 10 s"),
        (3900, "1 h 05 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
