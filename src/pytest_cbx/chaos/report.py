"""What the criteria found: a table for people, `criteria.json` for programs, properties for JUnit."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from pytest_cbx.chaos.criteria import Judgement, State

VERSION = 1


class VerdictRow(msgspec.Struct, frozen=True, kw_only=True):
    """One criterion."""

    name: str
    state: str
    """`passed`, `failed` or `invalid`."""
    measured: str
    counts: dict[str, float]
    bound: float | None
    limit: float
    details: list[str]


class CriteriaFile(msgspec.Struct, frozen=True, kw_only=True):
    """`criteria.json`."""

    version: int
    seed: int
    repeat: str
    """The shell command that repeats the run."""
    state: str
    invalid: list[str]
    notes: list[str]
    criteria: list[VerdictRow]


def as_file(judgement: Judgement) -> CriteriaFile:
    """The values of `criteria.json`."""
    return CriteriaFile(
        version=VERSION,
        seed=judgement.seed,
        repeat=judgement.repeat,
        state=judgement.state.value,
        invalid=list(judgement.invalid),
        notes=list(judgement.notes),
        criteria=[
            VerdictRow(
                name=verdict.name,
                state=verdict.state.value,
                measured=verdict.measured,
                counts=verdict.counts,
                bound=verdict.bound if verdict.bound is None or verdict.bound < float("inf") else None,
                limit=verdict.limit,
                details=list(verdict.details),
            )
            for verdict in judgement.verdicts
        ],
    )


def write(judgement: Judgement, path: Path) -> None:
    """Write `criteria.json`, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_bytes(msgspec.json.format(msgspec.json.encode(as_file(judgement)), indent=2) + b"\n")
    temporary.replace(path)


def properties(judgement: Judgement) -> Iterator[tuple[str, str]]:
    """Names and values for JUnit's properties."""
    yield "cbx.chaos.seed", str(judgement.seed)
    yield "cbx.chaos.state", judgement.state.value
    for verdict in judgement.verdicts:
        yield f"cbx.chaos.{verdict.name}", f"{verdict.state.value}: {verdict.measured}"


_MARKS = {State.PASSED: "✓", State.FAILED: "✗", State.INVALID: "?"}


def lines(judgement: Judgement, *, plain: bool = False) -> Iterator[str]:
    """The table, a line each. `plain`: ASCII only."""
    width = max(len(verdict.name) for verdict in judgement.verdicts)
    for verdict in judgement.verdicts:
        mark = verdict.state.value if plain else f"{_MARKS[verdict.state]} {verdict.state.value}"
        yield f"{verdict.name:<{width}}  {mark:<9}  {verdict.measured}"
        for detail in verdict.details:
            yield f"{'':<{width}}             {detail}"
    for reason in judgement.invalid:
        yield f"INVALID: {reason}"
    for note in judgement.notes:
        yield f"note: {note}"
    said = f"seed {judgement.seed}"
    yield f"{said}; again: {judgement.repeat}" if judgement.repeat else said
