"""The priority formula of the founding documents ("Priority Scoring Algorithm")."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

from pytest_cbx.config.model import Priority
from pytest_cbx.effects.model import Weight
from pytest_cbx.plan.model import Score
from pytest_cbx.tier import Tier

SAFETY_SHARE, RESOURCES_SHARE, TIME_SHARE, USER_SHARE = 0.30, 0.25, 0.25, 0.20

SAFETY_BANDS: Mapping[Tier, tuple[float, float]] = MappingProxyType(
    {
        Tier.SAFE_PARALLEL: (8, 10),
        Tier.CONDITIONAL_PARALLEL: (5, 7),
        Tier.SEQUENTIAL_REQUIRED: (3, 4),
        Tier.DANGEROUS_ISOLATED: (1, 2),
    }
)
RESOURCES_BANDS: Mapping[Weight, tuple[float, float]] = MappingProxyType(
    {Weight.LOW: (8, 10), Weight.MEDIUM: (5, 7), Weight.HIGH: (3, 4), Weight.SYSTEM: (1, 2)}
)
USER_BANDS: Mapping[Priority, tuple[float, float]] = MappingProxyType(
    {
        Priority.CRITICAL: (10, 10),
        Priority.HIGH: (8, 9),
        Priority.NORMAL: (5, 7),
        Priority.LOW: (3, 4),
        Priority.DEFERRED: (1, 2),
    }
)
TIME_BANDS: tuple[tuple[float, float, float, float], ...] = (
    (1, 10, 9, 8),
    (10, 60, 7, 5),
    (60, 600, 4, 3),
    (600, 3600, 2, 1),
)
"""(from seconds, to seconds, score at the start, score at the end). Below 1 s: 10; from an hour on: 1."""

CORES_LIGHT, CORES_HEAVY = 0.5, 4.0


def score(tier: Tier, weight: Weight, seconds: float, priority: Priority, *, cpus: float | None = None) -> Score:
    """The four parts, 1–10 each, and their weighted sum.

    The documents give bands; a command's place inside its band is
    - safety and user: the middle, because nothing ranks two commands of one tier or one user priority;
    - resources: by its reserved cores, from the upper end (0.5 or fewer) to the lower end (4 or more), by their
      logarithm; the middle where `cpus` is None;
    - time: from the upper to the lower end by the logarithm of its seconds (see TIME_BANDS).

    >>> score(Tier.SAFE_PARALLEL, Weight.LOW, 0.2, Priority.NORMAL).total
    8.65
    """
    safety = _middle(SAFETY_BANDS[tier])
    resources = _resources(weight, cpus)
    time = _time(seconds)
    user = _middle(USER_BANDS[priority])
    total = SAFETY_SHARE * safety + RESOURCES_SHARE * resources + TIME_SHARE * time + USER_SHARE * user
    return Score(safety=safety, resources=resources, time=time, user=user, total=round(total, 4))


def _middle(band: tuple[float, float]) -> float:
    return (band[0] + band[1]) / 2


def _resources(weight: Weight, cpus: float | None) -> float:
    low, high = RESOURCES_BANDS[weight]
    if cpus is None:
        return (low + high) / 2
    return round(high - (high - low) * _between(CORES_LIGHT, CORES_HEAVY, cpus), 4)


def _time(seconds: float) -> float:
    for start, end, best, worst in TIME_BANDS:
        if seconds < start:
            return 10.0  # only the first band can be missed from below
        if seconds < end:
            return round(best - (best - worst) * _between(start, end, seconds), 4)
    return TIME_BANDS[-1][3]


def _between(low: float, high: float, value: float) -> float:
    """0 at `low` or less, 1 at `high` or more, linear in the logarithm between."""
    if value <= low:
        return 0.0
    return min(1.0, math.log(value / low) / math.log(high / low))
