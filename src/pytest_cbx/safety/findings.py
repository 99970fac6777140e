"""What a reviewer would want to see in a command, beside its tier."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_cbx.effects.model import WORKSPACE, Effect, Effects, Kind
from pytest_cbx.safety.model import Finding, Severity
from pytest_cbx.safety.places import Area, area_of

_WRITING = frozenset(
    {Kind.OUTPUT, Kind.WRITE, Kind.APPEND, Kind.CREATE, Kind.DELETE, Kind.METADATA, Kind.DESTROY, Kind.SYSTEM}
)
_REMOVING = frozenset({Kind.DELETE, Kind.DESTROY})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    name: str
    severity: Severity
    kinds: frozenset[Kind]
    area: Area
    what: str


def _rule(name: str, severity: Severity, kinds: frozenset[Kind], area: Area, what: str) -> _Rule:
    return _Rule(name=name, severity=severity, kinds=kinds, area=area, what=what)


# The first rule that fits an effect speaks.
_RULES = (
    _rule("destroys-root", Severity.CRITICAL, _REMOVING, Area.ROOT, "deletes all of"),
    _rule("touches-system", Severity.CRITICAL, _REMOVING | {Kind.WRITE}, Area.MACHINE, "writes a place of the system:"),
    _rule("touches-system", Severity.WARNING, _WRITING, Area.MACHINE, "writes a place of the system:"),
    _rule("touches-secret", Severity.CRITICAL, _WRITING, Area.SECRET, "writes keys or passwords:"),
    _rule(
        "touches-startup", Severity.CRITICAL, _WRITING, Area.STARTUP, "writes what a shell or tool obeys at its start:"
    ),
    _rule("reads-secret", Severity.WARNING, frozenset({Kind.READ}), Area.SECRET, "reads keys or passwords:"),
    _rule("outside", Severity.WARNING, _REMOVING, Area.ELSEWHERE, "deletes outside the work tree:"),
)
RULE_NAMES = frozenset({"escalation", "unreadable", *(rule.name for rule in _RULES)})
"""Every rule that a finding may name."""

_ORDER = {Severity.CRITICAL: 0, Severity.WARNING: 1, Severity.NOTICE: 2}


def findings_of(effects: Effects) -> tuple[Finding, ...]:
    """All findings, the gravest first, each once."""
    found = [finding for effect in effects.effects for finding in _of_effect(effect)]
    if not effects.readable:
        message = "part of the text could not be read; whatever it runs is unknown"
        found.append(Finding(rule="unreadable", severity=Severity.WARNING, message=message))
    return tuple(sorted(dict.fromkeys(found), key=lambda finding: _ORDER[finding.severity]))


def _of_effect(effect: Effect) -> Iterator[Finding]:
    program = effect.program or "the command"
    if effect.kind is Kind.PRIVILEGE:
        yield Finding(
            rule="escalation", severity=Severity.WARNING, message=f"{program} runs as another user", span=effect.span
        )
    if effect.place is None:
        return
    area = area_of(effect.place)
    root = area is Area.ROOT or effect.place == WORKSPACE
    for rule in _RULES:
        if effect.kind in rule.kinds and (root if rule.area is Area.ROOT else area is rule.area):
            message = f"{program} {rule.what} {effect.place.path}"
            yield Finding(rule=rule.name, severity=rule.severity, message=message, span=effect.span)
            return
