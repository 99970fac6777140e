"""What a command is expected to need: wall seconds, cores, bytes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pytest_cbx.config.model import Limits
from pytest_cbx.effects.model import Duration, Estimate, Weight
from pytest_cbx.plan.model import Request

CLASS_SECONDS: Mapping[Duration, float] = MappingProxyType(
    {
        Duration.QUICK: 0.3,
        Duration.FAST: 3.2,
        Duration.MODERATE: 24.5,
        Duration.SLOW: 190.0,
        Duration.VERY_SLOW: 1200.0,
    }
)
"""Wall seconds that stand for a class: the geometric mean of its bounds (QUICK from 0.1 s, VERY_SLOW to 40 min)."""

CLASS_CORES: Mapping[Weight, float] = MappingProxyType(
    {Weight.LOW: 1.0, Weight.MEDIUM: 2.0, Weight.HIGH: 4.0, Weight.SYSTEM: 2.0}
)
"""Cores of a class, in multiples of `limits.cpu_cores_per_instance`."""

UNKNOWN = Estimate(weight=Weight.MEDIUM, duration=Duration.FAST)
"""What is assumed of a command whose text was not looked at."""


def estimate_of(request: Request) -> Estimate:
    """The estimate that the command's text gives, or UNKNOWN."""
    return request.effects.estimate if request.effects is not None else UNKNOWN


def expected_seconds(request: Request) -> float:
    """Wall seconds: what history or configuration knows, else what stands for the duration class. Never negative."""
    if request.seconds is not None:
        return max(0.0, request.seconds)
    return CLASS_SECONDS[estimate_of(request).duration]


def needed_cpus(estimate: Estimate, limits: Limits) -> float:
    """Cores to reserve for a command whose configuration names none."""
    return CLASS_CORES[estimate.weight] * limits.cpu_cores_per_instance


def needed_memory(estimate: Estimate, limits: Limits) -> int:
    """Bytes to reserve: the larger of what its heaviest program plainly needs and the configured limit."""
    return max(estimate.memory, limits.memory_per_instance)
