"""What a reviewer would want to see in a command, beside its tier."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_cbx.effects.model import Effects, Kind
from pytest_cbx.safety import code, deception, places_touched, secrets, usage
from pytest_cbx.safety.model import Finding, Severity
from pytest_cbx.severity import RULES

RULE_NAMES = frozenset(RULES)
"""Every rule that a finding may name."""


def findings_of(effects: Effects, text: str = "") -> tuple[Finding, ...]:
    """All findings, the gravest first, then in order of the text; each once. `text`: the command, where spans point into."""
    found = dict.fromkeys(_all(effects, text))
    return tuple(sorted(found, key=lambda each: (-each.severity.rank, each.span.start if each.span else -1)))


def _all(effects: Effects, text: str) -> Iterator[Finding]:
    yield from places_touched.look(effects, text)
    yield from code.look(effects)
    called = tuple(usage.look(effects))
    yield from called
    yield from secrets.look(effects, text)
    yield from deception.look(effects, text)
    for effect in effects.effects:
        if effect.kind is Kind.PRIVILEGE and not _told_already(effect.program, called):
            message = f"{effect.program or 'the command'} runs as another user"
            yield Finding(rule="escalation", severity=Severity.WARNING, message=message, span=effect.span)
    if not effects.readable:
        message = "part of the text could not be read; whatever it runs is unknown"
        yield Finding(rule="unreadable", severity=Severity.WARNING, message=message)


def _told_already(program: str, findings: tuple[Finding, ...]) -> bool:
    """Whether how the program was called says more than that it runs as another user."""
    return any(each.rule == "escalation" and each.message.startswith(f"{program} ") for each in findings)
