"""What is known of a command before it runs, in the shape of `cbx explain --json`."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from pytest_cbx.client.jobs import Job
from pytest_cbx.effects.model import Effect, Effects, Kind
from pytest_cbx.plan.estimate import estimate_of
from pytest_cbx.safety.tiers import sentence_of, tier_of


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


class PartRow(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the text, and what it does."""

    start: int
    """Characters into the command."""
    end: int
    tier: str
    says: list[str]


class EstimateRow(msgspec.Struct, frozen=True, kw_only=True):
    """What it is expected to need."""

    duration: str
    weight: str
    cpus: float
    memory: int
    """Bytes."""


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """One command."""

    command: str
    tier: str
    reasons: list[str]
    effects: EffectsRow
    claims: list[str]
    findings: list[FindingRow]
    parts: list[PartRow]
    """In order of the text; one may lie in another."""
    estimate: EstimateRow
    learned: list[str]
    """Claims that come from what earlier runs were seen to touch."""
    differences: list[str]
    """What the second reader of the text sees differently."""


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
        parts=list(_parts(request.effects)) if request.effects else [],
        estimate=EstimateRow(
            duration=estimate_of(request).duration.value,
            weight=estimate_of(request).weight.value,
            cpus=request.cpus,
            memory=request.memory,
        ),
        learned=list(job.learned),
        differences=list(request.effects.differences) if request.effects else [],
    )


def _parts(effects: Effects) -> Iterator[PartRow]:
    """The effects by the place in the text that says so."""
    by_span: dict[tuple[int, int], list[Effect]] = {}
    for effect in effects.effects:
        if effect.span is not None:
            by_span.setdefault((effect.span.start, effect.span.end), []).append(effect)
    for (start, end), here in sorted(by_span.items()):
        tier = max((tier_of(effect) for effect in here), key=lambda grade: grade.strictness)
        said = dict.fromkeys(sentence_of(effect) for effect in here)
        yield PartRow(start=start, end=end, tier=tier.value, says=list(said))


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
