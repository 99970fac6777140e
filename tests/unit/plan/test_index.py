"""The index gives exactly what looking at every claim would give."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_cbx.effects.model import Scope
from pytest_cbx.plan.conflicts import conflict
from pytest_cbx.plan.index import ClaimIndex, parts
from pytest_cbx.plan.model import Claim, Domain, Mode

from .strategies import claims as any_claims
from .strategies import close_claims

claims = st.one_of(close_claims(), any_claims)


def _meaning(claim: Claim) -> object:
    """Equal for claims that an index keeps once a key."""
    return parts(claim) if claim.domain is Domain.FILE else claim


def _by_force(held: dict[int, list[Claim]], claim: Claim) -> set[tuple[int, object]]:
    return {
        (key, _meaning(other)) for key, others in held.items() for other in others if conflict(other, claim) is not None
    }


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
    for key, claim in added:
        index.add(key, claim)
        held.setdefault(key, []).append(claim)
    for key in removed:
        index.remove(key)
        held.pop(key, None)
    for key, claim in again:
        index.add(key, claim)
        held.setdefault(key, []).append(claim)
    assert len(index) == len(held)
    for claim in asked:
        found = [(key, _meaning(other)) for key, other in index.overlapping(claim)]
        assert set(found) == _by_force(held, claim)
        assert len(found) == len(set(found)), "a claim was given twice"


@given(st.lists(st.tuples(st.integers(0, 5), claims), max_size=14))
@settings(max_examples=100, deadline=None)
def test_removing_everything_leaves_nothing(added: list[tuple[int, Claim]]) -> None:
    index: ClaimIndex[int] = ClaimIndex()
    for key, claim in added:
        index.add(key, claim)
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


def test_readers_of_a_tree_are_not_looked_at_by_another_reader() -> None:
    """A search enters only subtrees that hold something in its way."""
    index: ClaimIndex[int] = ClaimIndex()
    for number in range(200):
        index.add(number, Claim(domain=Domain.FILE, mode=Mode.READ, target=f"src/{number}.py"))
    writer = Claim(domain=Domain.FILE, mode=Mode.WRITE, target="src/7.py")
    index.add(1000, writer)
    reader = Claim(domain=Domain.FILE, mode=Mode.READ, target=".", scope=Scope.TREE)
    assert list(index.overlapping(reader)) == [(1000, writer)]
