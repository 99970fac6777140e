"""Faults of the clock."""

from __future__ import annotations

from typing import Unpack

from pytest_cbx.chaos.faults.kinds import Family, Kind, Planned, When, planned
from pytest_cbx.execute.kernel import vdso
from pytest_cbx.execute.supervision.clocks import READING, SLEEPING
from pytest_cbx.faults.model import Clock


def clock_jump(seconds: float, *, monotonic: bool = False, **when: Unpack[When]) -> Planned:
    """From the n-th look at a clock on, the time of day is so many seconds ahead (negative: behind).

    `monotonic`: so is the clock that must never jump. Times of files stay the kernel's own.
    """
    return planned(Clock(shift=seconds, monotonic=monotonic), when, calls=(*READING, SLEEPING), lasting=True)


def _missing() -> str:
    try:
        vdso.patches()
    except OSError as error:
        return error.strerror or str(error)
    return ""


KINDS = (
    Kind(
        name="clock_jump",
        family=Family.CLOCK,
        about="a clock that jumps",
        build=clock_jump,
        missing=_missing,
    ),
)
