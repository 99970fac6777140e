"""Faults of memory: less of it, or none at the n-th request."""

from __future__ import annotations

import errno
from typing import Unpack

from pytest_cbx.chaos.faults.kinds import Family, Kind, Planned, When, planned
from pytest_cbx.execute import cgroups
from pytest_cbx.faults.model import Fail, Memory

_ATTEMPT = ("attempt",)
REQUESTS = ("mmap", "brk", "mremap")
"""Calls by which a process asks for memory."""


def memory_limit(limit: int, *, by: str = "", **when: Unpack[When]) -> Planned:
    """So many bytes and no more, from the command's start on. `at` counts attempts.

    `by="cgroup"`: all processes together, killed beyond it; `by="rlimit"`: address space of each process, requests beyond it fail.
    By default the first where this machine has it.
    """
    how = by or ("cgroup" if not isinstance(cgroups.here(), str) else "rlimit")
    return planned(Memory(limit=limit, by=how), when, calls=_ATTEMPT)


def memory_pressure(limit: int, **when: Unpack[When]) -> Planned:
    """Beyond so many bytes the command is slowed down, and its memory reclaimed (memory.high). `at` counts attempts."""
    return planned(Memory(limit=limit, by="pressure"), when, calls=_ATTEMPT)


def no_memory(**when: Unpack[When]) -> Planned:
    """ENOMEM: a request for memory fails."""
    return planned(Fail(error=errno.ENOMEM), when, calls=REQUESTS)


def _no_throttle() -> str:
    found = cgroups.here()
    if isinstance(found, str):
        return found
    return (
        ""
        if found.version == 2
        else "only cgroup version 2 slows processes down, and the memory controller is version 1's"
    )


KINDS = (
    Kind(name="memory_limit", family=Family.MEMORY, about="a bound on memory", build=memory_limit),
    Kind(
        name="memory_pressure",
        family=Family.MEMORY,
        about="memory that has to be reclaimed all the time",
        build=memory_pressure,
        missing=_no_throttle,
    ),
    Kind(name="no_memory", family=Family.MEMORY, about="a request for memory fails (ENOMEM)", build=no_memory),
)
