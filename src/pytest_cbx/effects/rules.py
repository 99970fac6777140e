"""Compiled effect rules and conditions of the catalogue."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pytest_cbx.effects.catalogue import Rules
from pytest_cbx.effects.model import Kind
from pytest_cbx.errors import InternalError

PLACED = frozenset(
    {Kind.READ, Kind.CACHE, Kind.OUTPUT, Kind.WRITE, Kind.APPEND, Kind.CREATE, Kind.DELETE, Kind.METADATA, Kind.DESTROY}
)
"""Kinds whose effects happen to a file."""

_SCOPES = frozenset({"tree", "sources", "children", "glob", "parents", "into", "into-tree", "git", "pathspec"})
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """All `tests` must hold: (subject, pattern); the subject is an option's name or `operand`."""

    tests: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An effect rule. `template` alternates literal texts and placeholder names, starting with a literal."""

    kind: Kind
    scope: str
    template: tuple[str, ...]
    when: tuple[Condition, ...]
    unless: tuple[Condition, ...]
    why: str


def compile_conditions(conditions: tuple[str, ...]) -> tuple[Condition, ...]:
    """Compile a list of conditions, any of which suffices."""
    return tuple(Condition(tests=tuple(_test(part) for part in text.split(" & "))) for text in conditions)


def _test(text: str) -> tuple[str, str | None]:
    subject, equals, pattern = text.strip().partition("=")
    if subject != "operand" and not subject.startswith(("-", "+", "$")):
        raise InternalError(f"catalogue: the condition {text!r} names no option and is not about operands")
    return subject, pattern if equals else None


def compile_rules(rules: Rules) -> tuple[Rule, ...]:
    """Compile effect rules. Raises `InternalError` when one does not follow the format."""
    compiled = []
    for rule in rules:
        when, unless, why = ((), (), "") if isinstance(rule, str) else (rule.when, rule.unless, rule.why)
        text = rule if isinstance(rule, str) else rule.do
        kind, scope, template = _effect(text)
        conditions = {"when": compile_conditions(when), "unless": compile_conditions(unless)}
        compiled.append(Rule(kind=kind, scope=scope, template=template, why=why, **conditions))
    return tuple(compiled)


def _effect(text: str) -> tuple[Kind, str, tuple[str, ...]]:
    word, _, rest = text.partition(" ")
    try:
        kind = Kind(word)
    except ValueError:
        raise InternalError(f"catalogue: {word!r} in the effect {text!r} is no kind of effect") from None
    rest = rest.strip()
    if kind not in PLACED:
        return kind, "", tuple(_PLACEHOLDER.split(rest))
    prefix, colon, target = rest.partition(":")
    scope, target = (prefix, target) if colon and prefix in _SCOPES else ("path", rest)
    if target in ("operand", "value"):
        target = f"{{{target}}}"
    if scope != "git" and not target.startswith((".", "/", "~", "{", "?")):
        raise InternalError(f"catalogue: the place of the effect {text!r} must start with . / ~ or {{")
    return kind, scope, tuple(_PLACEHOLDER.split(target))
