"""Why one command waits for another, in words."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pytest_cbx.effects.model import Scope
from pytest_cbx.plan.conflicts import place, shared
from pytest_cbx.plan.model import Claim, Domain, Mode

_FILE_VERBS = {
    Mode.READ: ("reads", "read"),
    Mode.CACHE: ("caches in", "cache in"),
    Mode.APPEND: ("appends to", "append to"),
    Mode.WRITE: ("writes", "write"),
    Mode.CREATE: ("creates", "create"),
    Mode.DELETE: ("deletes", "delete"),
}
_OTHER_VERBS: Mapping[Domain, tuple[str, str]] = MappingProxyType(
    {
        Domain.LOCK: ("holds", "hold"),
        Domain.PORT: ("binds", "bind"),
        Domain.PROCESS: ("signals", "signal"),
    }
)


def waits(before: Claim, after: Claim, name: str) -> str:
    """Why the holder of `after` waits for the command `name`, which holds `before`.

    >>> waits(writes_sources, reads_sources, "format")  # doctest: +SKIP
    'reads src/** that format writes'
    """
    first, second = _verbs(before), _verbs(after)
    where = shared(before, after)
    if where == place(after) != place(before) and before.scope is Scope.PATH and before.domain is Domain.FILE:
        return f"{second[0]} {where} in {before.target}, which {name} {first[0]}"
    if where == place(before) != place(after) and after.scope is Scope.PATH and after.domain is Domain.FILE:
        return f"{second[0]} {after.target}, in which {name} {first[0]} {where}"
    if first == second:
        return f"both {second[1]} {where}"
    return f"{second[0]} {where} that {name} {first[0]}"


def waits_for_all(before: Claim, after: Claim) -> str:
    """Why the holder of `after` waits for a join, one of whose members holds `before`."""
    return f"{use(after)} that they {_verbs(before)[1]}"


def use(claim: Claim) -> str:
    """What the holder of a claim does: "reads src/**"."""
    return f"{_verbs(claim)[0]} {_target(claim)}"


def joined(before: Claim, after: Claim) -> str:
    """What a join stands for: commands that hold claims like `before`, asked for by a holder of `after`."""
    return f"all so far that {_verbs(before)[1]} {_target(_wider(before, after))}"


def _wider(a: Claim, b: Claim) -> Claim:
    return a if len(a.target) < len(b.target) or a.target == "." else b


def _target(claim: Claim) -> str:
    return place(claim) if claim.domain is Domain.FILE else f"{claim.domain.value} {claim.target}"


def _verbs(claim: Claim) -> tuple[str, str]:
    return _FILE_VERBS[claim.mode] if claim.domain is Domain.FILE else _OTHER_VERBS[claim.domain]
