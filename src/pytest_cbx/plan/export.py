"""A plan as `cbx plan --json` shows it."""

from __future__ import annotations

import msgspec

from pytest_cbx.plan.model import Plan, Planned, Request, Score


class CommandExport(msgspec.Struct, frozen=True, kw_only=True):
    """One command. Seconds are wall seconds, memory is bytes."""

    name: str
    command: str
    tier: str
    reasons: tuple[str, ...]
    claims: tuple[str, ...]
    needs: tuple[str, ...]
    priority: str
    score: Score
    cpus: float
    memory: int
    seconds: float
    path_seconds: float
    pool: str | None
    pool_depth: int | None


class JoinExport(msgspec.Struct, frozen=True, kw_only=True):
    """A node without work: it stands for "all of these have ended"."""

    name: str
    """`join-N`, N from 1."""
    reason: str


class EdgeExport(msgspec.Struct, frozen=True, kw_only=True):
    """`after` waits for `before`; both are names of commands or joins."""

    before: str
    after: str
    kind: str
    """`needs` or `conflict`."""
    reason: str


class PlanExport(msgspec.Struct, frozen=True, kw_only=True):
    """The whole plan. Commands stand as the configuration lists them."""

    commands: tuple[CommandExport, ...]
    joins: tuple[JoinExport, ...]
    edges: tuple[EdgeExport, ...]
    critical_path: tuple[str, ...]
    critical_path_s: float
    lower_bound_s: float


def to_json(plan: Plan) -> PlanExport:
    """The plan as a value that `msgspec.json.encode` takes."""
    names = node_names(plan)
    return PlanExport(
        commands=tuple(_command(planned) for planned in plan.commands),
        joins=tuple(JoinExport(name=names[join.number], reason=join.reason) for join in plan.joins),
        edges=tuple(
            EdgeExport(before=names[edge.before], after=names[edge.after], kind=edge.kind.value, reason=edge.reason)
            for edge in plan.edges
        ),
        critical_path=tuple(names[number] for number in plan.critical_path),
        critical_path_s=_rounded(plan.critical_seconds),
        lower_bound_s=_rounded(plan.lower_bound_seconds),
    )


def node_names(plan: Plan) -> list[str]:
    """The name of each node by its number: the commands' own, and `join-1`, `join-2`, …"""
    return [planned.request.name for planned in plan.commands] + [f"join-{at}" for at, _ in enumerate(plan.joins, 1)]


def _command(planned: Planned) -> CommandExport:
    request: Request = planned.request
    return CommandExport(
        name=request.name,
        command=request.text,
        tier=request.tier.value,
        reasons=request.assessment.reasons if request.assessment is not None else (),
        claims=tuple(str(claim) for claim in request.claims),
        needs=request.needs,
        priority=request.priority.value,
        score=planned.score,
        cpus=request.cpus,
        memory=request.memory,
        seconds=_rounded(planned.seconds),
        path_seconds=_rounded(planned.path_seconds),
        pool=planned.pool.name if planned.pool is not None else None,
        pool_depth=planned.pool.depth if planned.pool is not None else None,
    )


def _rounded(seconds: float) -> float:
    return round(seconds, 3)
