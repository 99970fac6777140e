"""Real workloads: what people's commands do to a tree, for every test that wants to know whether it survives."""

from __future__ import annotations

from tests.workloads import gits, programs, tools
from tests.workloads.model import Workload

__all__ = ["WORKLOADS", "Workload", "named"]

WORKLOADS: tuple[Workload, ...] = (*gits.WORKLOADS, *tools.WORKLOADS, *programs.WORKLOADS)


def named(name: str) -> Workload:
    """The workload of that name."""
    return next(workload for workload in WORKLOADS if workload.name == name)
