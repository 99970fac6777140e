"""All kinds of faults, ours and those that plugins add."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from pytest_cbx.chaos.faults import clock, disk, instance, memory, network, own
from pytest_cbx.chaos.faults.kinds import Kind


@cache
def own_kinds() -> Mapping[str, Kind]:
    """Our own kinds by name."""
    modules = (instance, memory, disk, own, network, clock)
    return {kind.name: kind for module in modules for kind in module.KINDS}


def family_of(kind: str) -> str:
    """The class of a kind, by its name; `other` for one that is not ours."""
    found = own_kinds().get(kind)
    return found.family.value if found is not None else "other"
