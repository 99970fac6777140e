"""`summary.json`: what a run came to, in figures."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from pytest_cbx.client.outcome import Changes, Outcome
from pytest_cbx.plan.model import Plan

VERSION = 1


class ChangesRow(msgspec.Struct, frozen=True, kw_only=True):
    """Workspace-relative paths; all empty where the rung does not observe writes."""

    created: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()


class CommandRow(msgspec.Struct, frozen=True, kw_only=True):
    """One command. Times in seconds, sizes in bytes."""

    name: str
    nodeid: str
    command: str
    tier: str
    status: str
    exit_code: int | None
    attempts: int
    queued_s: float
    wall_s: float
    cpu_s: float
    max_rss_bytes: int
    slot: int
    started_at: float
    ended_at: float
    waited_for: tuple[str, ...]
    leaks: tuple[str, ...]
    reason: str
    changes: ChangesRow
    """Also where they were undone."""
    changes_truncated: bool
    """There were so many that not all are listed."""
    rolled_back: bool
    isolation: str
    """The rung that it ran at."""
    restarts: int
    rollback_incomplete: tuple[str, ...]
    surprises: tuple[str, ...]
    refused: tuple[str, ...]
    outside: tuple[str, ...]


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """The run as a whole. Seconds; `utilisation` is busy slot-seconds / (slots · makespan), 0–1."""

    commands: int
    passed: int
    failed: int
    skipped: int
    cancelled: int
    """Stopped, or never started, because the run ended early."""
    rolled_back: int
    makespan_s: float
    """From the first start to the last end."""
    work_s: float
    """Sum of the commands' own wall times, each measured beside the others."""
    speed_up: float
    """`work_s / makespan_s`."""
    lower_bound_s: float
    """max(critical path, work / slots) with the measured times: no schedule on these slots is faster."""
    utilisation: float
    slots: int


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file."""

    version: int
    isolation: str
    totals: Totals
    commands: tuple[CommandRow, ...]


def summarise(
    outcomes: Sequence[Outcome],
    *,
    plan: Plan | None,
    slots: int,
    isolation: str,
    nodeids: Mapping[str, str] | None = None,
) -> Summary:
    """Build the summary. `nodeids` maps command names to pytest node ids."""
    ran = [outcome for outcome in outcomes if outcome.attempts]
    makespan = max((o.ended_at for o in ran), default=0.0) - min((o.started_at for o in ran), default=0.0)
    work = sum(outcome.duration for outcome in ran)
    longest = longest_chain(plan, {o.name: o.duration for o in ran}) if plan else 0.0
    totals = Totals(
        commands=len(outcomes),
        passed=sum(o.status == "passed" for o in outcomes),
        failed=sum(o.status in ("failed", "lock-timeout") for o in outcomes),
        skipped=sum(o.status == "skipped" for o in outcomes),
        cancelled=sum(o.status == "cancelled" for o in outcomes),
        rolled_back=sum(o.rolled_back for o in outcomes),
        makespan_s=makespan,
        work_s=work,
        speed_up=work / makespan if makespan > 0 else 1.0,
        lower_bound_s=max(longest, work / slots if slots else 0.0),
        utilisation=min(1.0, work / (slots * makespan)) if slots and makespan > 0 else 0.0,
        slots=slots,
    )
    rows = tuple(row_of(outcome, (nodeids or {}).get(outcome.name, "")) for outcome in outcomes)
    return Summary(version=VERSION, isolation=isolation, totals=totals, commands=rows)


def longest_chain(plan: Plan, seconds: Mapping[str, float]) -> float:
    """Seconds of the longest chain of the plan when each command takes what it took."""
    own = {planned.number: seconds.get(planned.request.name, 0.0) for planned in plan.commands}
    finish: dict[int, float] = {}
    before: dict[int, list[int]] = {}
    for edge in plan.edges:
        before.setdefault(edge.after, []).append(edge.before)
    for start in (*own, *(join.number for join in plan.joins)):
        stack = [start]
        while stack:
            number = stack[-1]
            missing = [other for other in before.get(number, ()) if other not in finish]
            if missing:
                stack.extend(missing)
                continue
            stack.pop()
            earliest = max((finish[other] for other in before.get(number, ())), default=0.0)
            finish[number] = earliest + own.get(number, 0.0)
    return max(finish.values(), default=0.0)


def write_summary(summary: Summary, directory: Path) -> Path:
    """Write `summary.json` into the directory; returns its path."""
    path = directory / "summary.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n")
    return path


def row_of(outcome: Outcome, nodeid: str = "") -> CommandRow:
    """One outcome as a row."""
    return CommandRow(
        name=outcome.name,
        nodeid=nodeid,
        command=outcome.command,
        tier=outcome.tier.value,
        status=outcome.status,
        exit_code=outcome.exit_code,
        attempts=outcome.attempts,
        queued_s=outcome.queued,
        wall_s=outcome.duration,
        cpu_s=outcome.cpu,
        max_rss_bytes=outcome.max_rss,
        slot=outcome.slot,
        started_at=outcome.started_at,
        ended_at=outcome.ended_at,
        waited_for=outcome.waited_for,
        leaks=outcome.leaks,
        reason=outcome.reason,
        changes=_changes_row(outcome.changes or Changes()),
        changes_truncated=outcome.changes is not None and outcome.changes.truncated,
        rolled_back=outcome.rolled_back,
        isolation=outcome.isolation,
        restarts=outcome.restarts,
        rollback_incomplete=outcome.rollback_incomplete,
        surprises=outcome.surprises,
        refused=outcome.refused,
        outside=_legible(outcome.outside),
    )


def _changes_row(changes: Changes) -> ChangesRow:
    return ChangesRow(
        created=_legible(changes.created), modified=_legible(changes.modified), deleted=_legible(changes.deleted)
    )


def _legible(paths: tuple[str, ...]) -> tuple[str, ...]:
    """Paths as JSON can hold them: bytes that are no UTF-8 are U+FFFD."""
    return tuple(os.fsencode(path).decode("utf-8", "replace") for path in paths)
