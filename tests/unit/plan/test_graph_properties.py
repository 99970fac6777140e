"""Whatever the commands: conflicting ones are ordered as in the program, the graph has no circle, and it is small."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_cbx.plan import history
from pytest_cbx.plan.conflicts import conflict
from pytest_cbx.plan.graph import build_edges
from pytest_cbx.plan.model import Claim, EdgeKind, Request
from pytest_cbx.plan.program_order import program_order
from pytest_cbx.tier import Tier

from .strategies import claims, close_claims, named_claims
from .world import reachable


@st.composite
def requests(draw: st.DrawFn, *, most: int = 12) -> list[Request]:
    """Commands whose needs follow a hidden order, so that there is no circle but needs may point anywhere in the list."""
    count = draw(st.integers(1, most))
    pool = draw(st.lists(claims, min_size=1, max_size=6))
    hidden = draw(st.permutations(range(count)))
    made = []
    for number in range(count):
        earlier = [f"c{other}" for other in range(count) if hidden[other] < hidden[number]]
        made.append(
            Request(
                name=f"c{number}",
                text="",
                tier=Tier.SAFE_PARALLEL,
                claims=tuple(draw(st.lists(st.one_of(st.sampled_from(pool), claims), max_size=4))),
                needs=tuple(draw(st.lists(st.sampled_from(earlier), max_size=2, unique=True))) if earlier else (),
            )
        )
    return made


def _check(commands: list[Request]) -> None:
    joins, edges = build_edges(commands)
    after = reachable(len(commands) + len(joins), edges)
    order, needs = program_order(commands)
    position = {number: at for at, number in enumerate(order)}
    pairs = [(edge.before, edge.after) for edge in edges]
    assert len(pairs) == len(set(pairs)), "an edge is there twice"
    assert all(edge.reason for edge in edges)
    for number, own_needs in enumerate(needs):
        direct = {edge.before for edge in edges if edge.after == number and edge.kind is EdgeKind.NEEDS}
        assert direct == set(own_needs)
    for one in order:
        for other in order[position[one] + 1 :]:
            clash = any(conflict(a, b) for a in commands[one].claims for b in commands[other].claims)
            ordered = bool(after[one] >> other & 1)
            assert ordered or not clash, f"{commands[one]} and {commands[other]} are not ordered"
            assert not after[other] >> one & 1, "an edge goes against program order"


@given(requests())
@settings(max_examples=250, deadline=None)
def test_conflicting_commands_are_ordered_as_in_the_program(commands: list[Request]) -> None:
    _check(commands)


def _one_claim_each(held: list[Claim]) -> list[Request]:
    return [
        Request(name=f"c{number}", text="", tier=Tier.SAFE_PARALLEL, claims=(one,)) for number, one in enumerate(held)
    ]


@given(st.one_of(close_claims(), claims), st.one_of(close_claims(), claims))
@settings(max_examples=500, deadline=None)
def test_two_commands_wait_exactly_when_they_conflict(a: Claim, b: Claim) -> None:
    _, edges = build_edges(_one_claim_each([a, b]))
    assert bool(edges) is (conflict(a, b) is not None)


@given(st.one_of(st.lists(close_claims(), min_size=3, max_size=7), st.lists(named_claims, min_size=3, max_size=7)))
@settings(max_examples=400, deadline=None)
def test_few_commands_with_one_claim_each(held: list[Claim]) -> None:
    """Sparse enough that a missing edge is not made up for by others."""
    _check(_one_claim_each(held))


@given(st.lists(close_claims(), min_size=3, max_size=9))
@settings(max_examples=200, deadline=None)
def test_few_commands_with_every_shortcut_taken_early(held: list[Claim]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history, "_SLACK", -3)
        patch.setattr(history, "_FEW_PLACES", 0)
        patch.setattr(history, "GLOBS_MAX", 1)
        _check(_one_claim_each(held))


@given(requests(most=25))
@settings(max_examples=100, deadline=None)
def test_the_same_when_every_shortcut_is_taken_early(commands: list[Request]) -> None:
    """Joins for two, places that listen at once, one glob a directory: what otherwise only big plans do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history, "_SLACK", -3)
        patch.setattr(history, "_FEW_PLACES", 0)
        patch.setattr(history, "GLOBS_MAX", 1)
        _check(commands)


@given(st.lists(st.lists(claims, min_size=1, max_size=3), min_size=30, max_size=120))
@settings(max_examples=12, deadline=None)
def test_edges_stay_few(held: list[list[Claim]]) -> None:
    """At most a small multiple of claims times places that a claim can meet (depth and kinds of use)."""
    commands = [
        Request(name=f"c{number}", text="", tier=Tier.SAFE_PARALLEL, claims=tuple(own))
        for number, own in enumerate(held)
    ]
    _, edges = build_edges(commands)
    assert len(edges) <= 40 * sum(len(own) for own in held)
