"""All kinds of faults, ours and those that plugins add."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import pluggy

from pytest_cbx.chaos.faults import clock, disk, instance, memory, network, own
from pytest_cbx.chaos.faults.kinds import Kind
from pytest_cbx.errors import UsageError


@cache
def own_kinds() -> Mapping[str, Kind]:
    """Our own kinds by name."""
    modules = (instance, memory, disk, own, network, clock)
    return {kind.name: kind for module in modules for kind in module.KINDS}


def all_kinds(hooks: pluggy.PluginManager | None) -> Mapping[str, Kind]:
    """Ours and those of plugins.

    Raises:
        UsageError: a plugin gives something else than a kind, or a name that is taken.
    """
    kinds = dict(own_kinds())
    for answer in hooks.hook.pytest_cbx_fault() if hooks is not None else ():
        for kind in answer:
            if not isinstance(kind, Kind):
                raise UsageError(f"pytest_cbx_fault has to give values of Kind, not {kind!r}")
            if kind.name in kinds:
                raise UsageError(f"pytest_cbx_fault gives a fault {kind.name!r}, and there is one of that name already")
            kinds[kind.name] = kind
    return kinds


def family_of(kind: str) -> str:
    """The class of a kind, by its name; `other` for one that is not ours."""
    found = own_kinds().get(kind)
    return found.family.value if found is not None else "other"
