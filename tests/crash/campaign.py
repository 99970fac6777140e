"""All points of many workloads, or a sample of them, one line of figures a workload."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pytest_cbx.config.model import Durability
from tests.crash.points import Point, Verdict, Where, points
from tests.crash.run import Crasher
from tests.workloads import named

WORKLOADS = (
    "git-commit",
    "git-stash",
    "sed-i",
    "mv-trees",
    "swap-trees",
    "rm-all",
    "link-farm",
    "symlink-writes",
    "descriptors",
    "redirects",
    "comes-to-nothing",
    "chmod-R",
    "special-files",
    "tar-x",
    "sqlite",
    "python-links-and-descriptors",
    "python-daemon",
    "python-atomic-save",
)
"""Small ones, of every kind of change."""
IN_A_ROW = 3
"""So many runs that ended first, one after the other, end the count: where threads race, one more call may come or not."""

TOO_MANY = 20
"""Violations after which a part of a run is tried no further."""


@dataclass(slots=True)
class Figures:
    """What came of a workload."""

    workload: str
    counts: dict[str, int] = field(default_factory=dict)
    """Points that were struck, by part of the run."""
    verdicts: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    """What went wrong, with the point."""

    @property
    def total(self) -> int:
        """Points that were struck."""
        return sum(self.counts.values())

    def add(self, point: Point, verdict: Verdict, against: str) -> None:
        """One point was tried."""
        if verdict is not Verdict.UNKILLED:
            self.counts[point.where.value] = self.counts.get(point.where.value, 0) + 1
        self.verdicts[verdict.value] = self.verdicts.get(verdict.value, 0) + 1
        if verdict is Verdict.WRONG:
            self.wrong.append(f"{self.workload}, {point}: {against}")

    def line(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))


def try_workload(name: str, *, durability: Durability, sample: int, seed: int) -> Figures:
    """Every point of it; or, with `sample`, about that many in each part of the run."""
    figures = Figures(name)
    with tempfile.TemporaryDirectory(prefix="cbx-crash-") as base:
        crasher = Crasher(Path(base), named(name), durability)
        traps = crasher.measure(Where.TRAP)
        for where in Where:
            chosen = _sampled(crasher, where, sample, seed) if sample else _all(where)
            misses = 0
            for number in chosen:
                for point in points(where, number):
                    verdict, against = crasher.strike(point, traps)
                    figures.add(point, verdict, against)
                    misses = 0 if crasher.fired else misses + 1
                if misses >= IN_A_ROW or len(figures.wrong) >= TOO_MANY:
                    break
    return figures


def _all(where: Where) -> Iterator[int]:
    number = 0
    while True:
        number += 1
        yield number


def _sampled(crasher: Crasher, where: Where, sample: int, seed: int) -> list[int]:
    there = range(1, crasher.measure(where) + 1)
    drawn = random.Random(f"{seed} {crasher.workload.name} {where.value}")
    return sorted(drawn.sample(there, min(sample, len(there))))
