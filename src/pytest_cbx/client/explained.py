"""What is known of a command before it runs, in the shape of `cbx explain --json`."""

from __future__ import annotations

import msgspec

from pytest_cbx.client.jobs import Job
from pytest_cbx.effects.model import Effect, Kind


class EffectsRow(msgspec.Struct, frozen=True, kw_only=True):
    """Workspace-relative paths or globs, absolute outside; ports, hosts and processes as text; reasons for `unknown`."""

    reads: list[str]
    writes: list[str]
    creates: list[str]
    deletes: list[str]
    ports: list[str]
    network: list[str]
    processes: list[str]
    unknown: list[str]


class FindingRow(msgspec.Struct, frozen=True, kw_only=True):
    """One finding."""

    rule: str
    severity: str
    message: str
    start: int | None
    """Characters into the command, or null."""
    end: int | None


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """One command."""

    command: str
    tier: str
    reasons: list[str]
    effects: EffectsRow
    claims: list[str]
    findings: list[FindingRow]


_COLUMN = {
    Kind.READ: "reads",
    Kind.CACHE: "writes",
    Kind.OUTPUT: "writes",
    Kind.WRITE: "writes",
    Kind.APPEND: "writes",
    Kind.METADATA: "writes",
    Kind.CREATE: "creates",
    Kind.DELETE: "deletes",
    Kind.DESTROY: "deletes",
    Kind.NETWORK: "network",
    Kind.BIND: "ports",
    Kind.KILL: "processes",
    Kind.EXECUTE: "unknown",
    Kind.UNKNOWN: "unknown",
}


def explained(job: Job) -> Explained:
    """The JSON value for a prepared command."""
    request = job.request
    assessment = request.assessment
    columns: dict[str, dict[str, None]] = {name: {} for name in dict.fromkeys(_COLUMN.values())}
    for effect in request.effects.effects if request.effects else ():
        name = _COLUMN.get(effect.kind)
        if name is not None:
            columns[name][_shown(effect)] = None
    for place in request.effects.listed if request.effects else ():
        columns["reads"][str(place)] = None
    findings = [
        FindingRow(
            rule=finding.rule,
            severity=finding.severity.value,
            message=finding.message,
            start=finding.span.start if finding.span else None,
            end=finding.span.end if finding.span else None,
        )
        for finding in (assessment.findings if assessment else ())
    ]
    return Explained(
        command=request.text,
        tier=request.tier.value,
        reasons=list(assessment.reasons) if assessment else [],
        effects=EffectsRow(**{name: list(values) for name, values in columns.items()}),
        claims=[str(claim) for claim in request.claims],
        findings=findings,
    )


def legible(value: Explained) -> Explained:
    """The same with U+FFFD for what is no UTF-8: such bytes come in as surrogates, which JSON and terminals cannot hold."""
    try:
        msgspec.json.encode(value)
    except UnicodeEncodeError:
        return msgspec.convert(_legible(msgspec.to_builtins(value)), Explained)
    return value


def _legible(value: object) -> object:
    match value:
        case str():
            return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        case list():
            return [_legible(item) for item in value]
        case dict():
            return {name: _legible(item) for name, item in value.items()}
    return value


def _shown(effect: Effect) -> str:
    if effect.kind in (Kind.NETWORK, Kind.BIND, Kind.KILL):
        return effect.detail or "*"
    if effect.kind in (Kind.EXECUTE, Kind.UNKNOWN):
        return effect.detail or effect.program or "unknown"
    return str(effect.place) if effect.place is not None else "**"
