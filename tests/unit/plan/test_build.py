"""Estimates, paths and bounds of a whole plan."""

from __future__ import annotations

import math

import pytest

from pytest_cbx.config.model import MEGABYTE, Limits
from pytest_cbx.effects.model import Duration, Effects, Estimate, Weight
from pytest_cbx.errors import UsageError
from pytest_cbx.plan.build import build_plan
from pytest_cbx.plan.estimate import CLASS_SECONDS, expected_seconds, needed_cpus, needed_memory
from pytest_cbx.plan.model import Request
from pytest_cbx.tier import Tier

from .world import request


def test_the_longest_chain_is_the_critical_path() -> None:
    plan = build_plan(
        [
            request("install", "write deps/**", seconds=5),
            request("lint", "read deps/**", seconds=1),
            request("build", "read deps/**", "write app", seconds=10),
            request("test", "read app", seconds=20),
            request("docs", seconds=30),
        ],
        slots=4,
    )
    assert plan.critical_path == (0, 2, 3)
    assert plan.critical_seconds == 35
    assert [planned.path_seconds for planned in plan.commands] == [35, 1, 30, 20, 30]
    assert [planned.number for planned in plan.commands] == [0, 1, 2, 3, 4]


def test_the_path_goes_through_joins() -> None:
    commands = [request(f"r{n}", "read **", seconds=1 + n) for n in range(20)]
    commands += [request(f"w{n}", f"write f{n}", seconds=100 - n) for n in range(20)]
    plan = build_plan(commands, slots=40)
    assert plan.joins
    assert plan.critical_path == (19, 20)
    assert plan.critical_seconds == 120
    assert plan.commands[0].path_seconds == 101


def test_the_lower_bound_is_the_path_or_the_work() -> None:
    commands = [request(f"c{n}", seconds=10) for n in range(8)]
    assert build_plan(commands, slots=2).lower_bound_seconds == 40
    assert build_plan(commands, slots=100).lower_bound_seconds == 10


def test_no_commands() -> None:
    plan = build_plan([], slots=1)
    assert plan.commands == ()
    assert plan.critical_path == ()
    assert plan.lower_bound_seconds == 0


def test_a_plan_needs_a_slot() -> None:
    with pytest.raises(UsageError, match="at least 1 slot"):
        build_plan([], slots=0)


def test_history_beats_the_class() -> None:
    estimate = Estimate(weight=Weight.HIGH, duration=Duration.SLOW, memory=2048 * MEGABYTE)
    effects = Effects(effects=(), programs=(), estimate=estimate, readable=True)
    unknown = Request(name="a", text="", tier=Tier.SAFE_PARALLEL, claims=(), effects=effects)
    known = Request(name="a", text="", tier=Tier.SAFE_PARALLEL, claims=(), effects=effects, seconds=3.5)
    assert expected_seconds(unknown) == CLASS_SECONDS[Duration.SLOW]
    assert expected_seconds(known) == 3.5
    assert build_plan([unknown], slots=1).commands[0].score.time == pytest.approx(3.5, abs=0.01)


@pytest.mark.parametrize(
    ("duration", "low", "high"),
    [
        (Duration.QUICK, 0.1, 1),
        (Duration.FAST, 1, 10),
        (Duration.MODERATE, 10, 60),
        (Duration.SLOW, 60, 600),
        (Duration.VERY_SLOW, 600, 2400),
    ],
)
def test_class_seconds_are_the_geometric_means(duration: Duration, low: float, high: float) -> None:
    assert CLASS_SECONDS[duration] == pytest.approx(math.sqrt(low * high), rel=0.06)


def test_needed_cores_and_bytes() -> None:
    limits = Limits()
    assert needed_cpus(Estimate(), limits) == 0.5
    assert needed_cpus(Estimate(weight=Weight.HIGH), limits) == 2.0
    assert needed_memory(Estimate(), limits) == 512 * MEGABYTE
    assert needed_memory(Estimate(memory=4096 * MEGABYTE), limits) == 4096 * MEGABYTE
