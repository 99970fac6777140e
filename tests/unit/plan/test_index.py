"""The index gives exactly what looking at every claim would give."""

from __future__ import annotations

from typing import NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_cbx.plan.conflicts import conflict
from pytest_cbx.plan.index import ClaimIndex, parts
from pytest_cbx.plan.model import Claim, Domain

from .strategies import claims as any_claims
from .strategies import close_claims
from .world import claim

claims = st.one_of(close_claims(), any_claims)


def _meaning(claim: Claim) -> object:
    """Equal for claims that an index keeps once a key."""
    return parts(claim) if claim.domain is Domain.FILE else claim


def _by_force(held: dict[int, list[Claim]], claim: Claim) -> set[tuple[int, object]]:
    return {
        (key, _meaning(other)) for key, others in held.items() for other in others if conflict(other, claim) is not None
    }


def _agree(found: set[tuple[int, object]], expected: set[tuple[int, object]]) -> None:
    """Of one key's removals in one directory, a reader of that directory is told one: the same keys, and nothing too much."""
    assert found <= expected
    assert {key for key, _ in found} == {key for key, _ in expected}


@given(
    added=st.lists(st.tuples(st.integers(0, 5), claims), max_size=14),
    removed=st.sets(st.integers(0, 5), max_size=3),
    again=st.lists(st.tuples(st.integers(0, 5), claims), max_size=3),
    asked=st.lists(claims, min_size=1, max_size=5),
)
@settings(max_examples=400, deadline=None)
def test_equals_brute_force(
    added: list[tuple[int, Claim]], removed: set[int], again: list[tuple[int, Claim]], asked: list[Claim]
) -> None:
    index: ClaimIndex[int] = ClaimIndex()
    held: dict[int, list[Claim]] = {}
    for key, one in added:
        index.add(key, one)
        held.setdefault(key, []).append(one)
    for key in removed:
        index.remove(key)
        held.pop(key, None)
    for key, one in again:
        met = index.join(key, one)
        held.setdefault(key, []).append(one)
        _agree({(other, _meaning(theirs)) for other, theirs in met}, _by_force(held, one))
    assert len(index) == len(held)
    for one in asked:
        found = [(key, _meaning(other)) for key, other in index.overlapping(one)]
        _agree(set(found), _by_force(held, one))
        assert len(found) == len(set(found)), "a claim was given twice"


@given(st.lists(st.tuples(st.integers(0, 5), claims), max_size=14))
@settings(max_examples=100, deadline=None)
def test_removing_everything_leaves_nothing(added: list[tuple[int, Claim]]) -> None:
    index: ClaimIndex[int] = ClaimIndex()
    for key, one in added:
        index.add(key, one)
    for key in range(6):
        index.remove(key)
    assert len(index) == 0
    assert not index._files.children
    assert not index._files.totals
    assert not any(index._names.values())


def test_an_unknown_key_is_no_error() -> None:
    index: ClaimIndex[str] = ClaimIndex()
    index.remove("nobody")
    assert "nobody" not in index
    assert index.claims("nobody") == frozenset()


class _Tripwire(dict[int, object]):
    """Groups of a place that nobody should look at."""

    def items(self) -> NoReturn:
        raise AssertionError("a place was looked at that holds nothing in the way")


def test_readers_of_a_tree_are_not_looked_at_by_another_reader() -> None:
    """A search enters only subtrees that hold something in its way."""
    index: ClaimIndex[int] = ClaimIndex()
    for number in range(200):
        index.add(number, claim(f"read src/{number}.py"))
    index.add(1000, claim("write src/7.py"))
    folder = index._files.children["."].children["src"]
    for name, node in folder.children.items():
        if name != "7.py":
            node.own = _Tripwire()  # type: ignore[assignment]
    assert list(index.overlapping(claim("read **"))) == [(1000, claim("write src/7.py"))]
    with pytest.raises(AssertionError, match="looked at"):
        list(index.overlapping(claim("write **")))


def test_a_glob_passes_over_globs_that_it_gets_along_with() -> None:
    index: ClaimIndex[str] = ClaimIndex()
    index.add("reader", claim("glob read src/*.py"))
    index.add("writer", claim("glob write src/*.txt"))
    assert list(index.overlapping(claim("glob read **/*.*"))) == [("writer", claim("glob write src/*.txt"))]
