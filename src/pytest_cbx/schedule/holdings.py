"""What one task holds, so that a call under a claim already held needs no second thought."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from pytest_cbx.effects.model import Scope
from pytest_cbx.plan.claims import covers
from pytest_cbx.plan.model import Claim, Domain, Mode
from pytest_cbx.safety.places import glob_base


class Holdings:
    """Claims of one holder. Asking costs about the depth of the path."""

    __slots__ = ("_names", "_plain", "_wide")

    def __init__(self, claims: Iterable[Claim]) -> None:
        self._plain: dict[str, list[Claim]] = {}
        self._wide: dict[str, list[Claim]] = {}
        """By directory."""
        self._names: list[Claim] = []
        for claim in claims:
            self.add(claim)

    def add(self, claim: Claim) -> None:
        """It is held from now on."""
        if claim.domain is not Domain.FILE:
            self._names.append(claim)
        elif claim.scope is Scope.TREE or claim.scope is Scope.SOURCES:
            self._wide.setdefault(claim.target, []).append(claim)
        else:
            self._plain.setdefault(claim.target, []).append(claim)

    def cover(self, claim: Claim) -> bool:
        """Whether whoever is kept out by `claim` is kept out already (`plan.claims.covers`)."""
        if claim.domain is not Domain.FILE:
            return any(covers(held, claim) for held in self._names)
        for held in self._plain.get(claim.target, ()):
            if _covers(held, claim):
                return True
        return bool(self._wide) and self._covered_from_above(claim)

    def _covered_from_above(self, claim: Claim) -> bool:
        at = glob_base(claim.target) if claim.scope is Scope.GLOB else claim.target
        end = "/" if at.startswith("/") else "."
        while True:
            for held in self._wide.get(at, ()):
                if _covers(held, claim):
                    return True
            if at == end:
                return False
            at = posixpath.dirname(at) or end


def _covers(held: Claim, claim: Claim) -> bool:
    # A DELETE is in the way of those who list the directory around its target, too.
    if claim.mode is Mode.DELETE and held.mode is not Mode.DELETE and held.target == claim.target:
        return False
    return covers(held, claim)


def distinct(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """The claims without those that others of them cover, in their order."""
    every = list(dict.fromkeys(claims))
    holdings = Holdings(())
    kept = set()
    for claim in sorted(every, key=_reach, reverse=True):
        if not holdings.cover(claim):
            holdings.add(claim)
            kept.add(claim)
    return tuple(claim for claim in every if claim in kept)


_STRICTNESS = {mode: rank for rank, mode in enumerate(Mode)}


def _reach(claim: Claim) -> tuple[bool, int, int]:
    """Wide ones before what lies in them, strict ones before milder ones of the same target."""
    wide = claim.scope is Scope.TREE or claim.scope is Scope.SOURCES
    return wide, -len(claim.target) if claim.target not in (".", "/") else 0, _STRICTNESS[claim.mode]
