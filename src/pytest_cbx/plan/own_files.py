"""What a command writes for itself alone: results in its own cache, and what each shard has of its own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from pytest_cbx.effects.model import Scope
from pytest_cbx.plan.claims import contains
from pytest_cbx.plan.model import Claim, Domain, Mode
from pytest_cbx.plan.regions import meet, region
from pytest_cbx.safety.places import glob_base

RESULTS_LOCK = "results:"
"""Prefix of the named locks that stand for one result file each."""


def results_in_caches(claims: Sequence[Claim], results: Collection[str]) -> tuple[Claim, ...]:
    """The claims with results that lie in a cache of the same command as a part of that cache.

    Many share a cache, as each tool keeps its own whole; a file of another name in it disturbs none of them. Without this,
    `pytest --junitxml=.pytest_cache/a.xml` would wait for every other pytest. Who writes, or reads, the very same file is still kept apart.

    Args:
        claims: of one command.
        results: paths, as claims have them, that its results are read from; no patterns.
    """
    return tuple(_with_results(claims, results))


def _with_results(claims: Sequence[Claim], results: Collection[str]) -> Iterator[Claim]:
    caches = [
        one.target for one in claims if one.domain is Domain.FILE and one.mode is Mode.CACHE and one.scope is Scope.TREE
    ]
    for claim in claims:
        inside = _is_written(claim, Scope.PATH) and any(contains(cache, claim.target) for cache in caches)
        # The folders around it are made where they are not there.
        if not inside or not any(contains(claim.target, path) for path in results):
            yield claim
        elif claim.target in results:
            yield Claim(domain=Domain.LOCK, mode=Mode.WRITE, target=f"{RESULTS_LOCK}{claim.target}")


def apart_from_siblings(claims: Iterable[Claim], patterns: Collection[str]) -> tuple[Claim, ...]:
    """The claims of a shard without those on what no other shard of the command touches, as their tests lie in other files.

    Only where a wrong prediction is caught: then what it really changes is claimed at that moment.

    Args:
        claims: of the shard: what is told of the whole command, and what was seen of the shard.
        patterns: globs of what it would write, wherever it works: all that lies in directories of some name (`**/name/**`).
    """
    return tuple(claim for claim in claims if not any(_is_apart(claim, one) for one in patterns))


def _is_apart(claim: Claim, pattern: str) -> bool:
    """Whether it writes nothing but what the pattern covers."""
    if claim.domain is not Domain.FILE or claim.mode not in (Mode.WRITE, Mode.CREATE):
        return False
    if claim.scope is Scope.GLOB and f"/{claim.target}".endswith(f"/{pattern}"):
        return True
    # What was seen names files, and, where there were many, the directory. As a reader's: a writer's region is wider than its path.
    footing = glob_base(claim.target) if claim.scope is Scope.GLOB else claim.target
    place = Claim(domain=Domain.FILE, mode=Mode.READ, target=f"/{footing.lstrip('/')}")
    return meet(
        region(place), region(Claim(domain=Domain.FILE, mode=Mode.READ, target=f"/{pattern}", scope=Scope.GLOB))
    )


def _is_written(claim: Claim, scope: Scope) -> bool:
    return claim.domain is Domain.FILE and claim.mode is Mode.WRITE and claim.scope is scope
