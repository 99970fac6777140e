"""Effects as short text, for the catalogue's examples, tests and people: `write a.txt`, `read src/**`, `unknown`."""

from __future__ import annotations

from pytest_cbx.effects.model import Effect, Kind, Scope
from pytest_cbx.effects.rules import PLACED


def compact(effect: Effect) -> str:
    """The kind and the place; `?` for a place that is not known; the port of `bind`."""
    if effect.place is not None:
        where = f"sources:{effect.place.path}" if effect.place.scope is Scope.SOURCES else str(effect.place)
        return f"{effect.kind.value} {where}"
    if effect.kind in PLACED:
        return f"{effect.kind.value} ?"
    return f"bind {effect.detail}" if effect.kind is Kind.BIND else effect.kind.value
