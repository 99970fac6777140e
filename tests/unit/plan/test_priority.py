"""The formula and its bands."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cbx.config.model import Priority
from pytest_cbx.effects.model import Weight
from pytest_cbx.plan.priority import score
from pytest_cbx.tier import Tier


def test_the_weights_are_those_of_the_documents() -> None:
    made = score(Tier.SAFE_PARALLEL, Weight.HIGH, 30, Priority.LOW)
    assert made.total == pytest.approx(
        made.safety * 0.30 + made.resources * 0.25 + made.time * 0.25 + made.user * 0.20, abs=1e-4
    )


@pytest.mark.parametrize(
    ("seconds", "band"),
    [
        (0, (10, 10)),
        (0.99, (10, 10)),
        (1, (8, 9)),
        (9.9, (8, 9)),
        (10, (5, 7)),
        (59, (5, 7)),
        (60, (3, 4)),
        (599, (3, 4)),
        (601, (1, 2)),
        (1e6, (1, 1)),
    ],
)
def test_time_bands(seconds: float, band: tuple[float, float]) -> None:
    assert band[0] <= score(Tier.SAFE_PARALLEL, Weight.LOW, seconds, Priority.NORMAL).time <= band[1]


@pytest.mark.parametrize(
    ("tier", "band"),
    [
        (Tier.SAFE_PARALLEL, (8, 10)),
        (Tier.CONDITIONAL_PARALLEL, (5, 7)),
        (Tier.SEQUENTIAL_REQUIRED, (3, 4)),
        (Tier.DANGEROUS_ISOLATED, (1, 2)),
    ],
)
def test_safety_bands(tier: Tier, band: tuple[float, float]) -> None:
    assert band[0] <= score(tier, Weight.LOW, 1, Priority.NORMAL).safety <= band[1]


@pytest.mark.parametrize(
    ("weight", "band"), [(Weight.LOW, (8, 10)), (Weight.MEDIUM, (5, 7)), (Weight.HIGH, (3, 4)), (Weight.SYSTEM, (1, 2))]
)
@pytest.mark.parametrize("cpus", [None, 0.1, 0.5, 1, 3, 64])
def test_resource_bands(weight: Weight, band: tuple[float, float], cpus: float | None) -> None:
    assert band[0] <= score(Tier.SAFE_PARALLEL, weight, 1, Priority.NORMAL, cpus=cpus).resources <= band[1]


def test_more_cores_never_raise_the_score() -> None:
    parts = [score(Tier.SAFE_PARALLEL, Weight.LOW, 1, Priority.NORMAL, cpus=cpus).resources for cpus in (0.5, 1, 2, 4)]
    assert parts == sorted(parts, reverse=True)
    assert parts[0] == 10
    assert parts[-1] == 8


@pytest.mark.parametrize(
    ("priority", "band"),
    [
        (Priority.CRITICAL, (10, 10)),
        (Priority.HIGH, (8, 9)),
        (Priority.NORMAL, (5, 7)),
        (Priority.LOW, (3, 4)),
        (Priority.DEFERRED, (1, 2)),
    ],
)
def test_user_bands(priority: Priority, band: tuple[float, float]) -> None:
    assert band[0] <= score(Tier.SAFE_PARALLEL, Weight.LOW, 1, priority).user <= band[1]


@given(st.lists(st.floats(0, 1e5), min_size=2))
def test_longer_never_scores_higher(seconds: list[float]) -> None:
    times = [score(Tier.SAFE_PARALLEL, Weight.LOW, one, Priority.NORMAL).time for one in sorted(seconds)]
    assert all(earlier >= later for earlier, later in itertools.pairwise(times))
    assert all(1 <= time <= 10 for time in times)
