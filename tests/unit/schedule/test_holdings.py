"""What one task holds, against the plain definition."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_cbx.effects.model import Scope
from pytest_cbx.plan.claims import covers
from pytest_cbx.plan.model import Claim, Domain, Mode
from pytest_cbx.schedule.holdings import Holdings, distinct
from tests.unit.schedule.building import read, write
from tests.unit.schedule.simulator import clash

FILES = st.builds(
    Claim,
    domain=st.just(Domain.FILE),
    mode=st.sampled_from(Mode),
    target=st.sampled_from((".", "a", "a/b", "a/b/c", "a/*", "ab", "/", "/a", "/a/b")),
    scope=st.sampled_from(Scope),
)
NAMES = st.builds(
    Claim,
    domain=st.sampled_from((Domain.LOCK, Domain.PORT, Domain.PROCESS)),
    mode=st.sampled_from((Mode.READ, Mode.WRITE)),
    target=st.sampled_from(("1", "2", "*")),
)
CLAIMS = FILES | NAMES


def listing(held: Claim, claim: Claim) -> bool:
    """A removal needs more than any other claim on the same target: nobody may list the directory around it."""
    return claim.mode is Mode.DELETE and held.mode is not Mode.DELETE and held.target == claim.target


@given(st.lists(CLAIMS, max_size=5), CLAIMS)
def test_a_claim_is_covered_just_when_one_of_those_held_covers_it(held: list[Claim], claim: Claim) -> None:
    expected = any(covers(one, claim) and not (listing(one, claim) and claim.domain is Domain.FILE) for one in held)
    assert Holdings(held).cover(claim) is expected


@given(st.lists(CLAIMS, max_size=8), CLAIMS)
def test_distinct_claims_keep_out_the_same(claims: list[Claim], other: Claim) -> None:
    kept = distinct(claims)
    assert set(kept) <= set(claims)
    if any(clash(one, other) for one in claims):
        assert any(clash(one, other) for one in kept)


def test_the_wider_and_the_stricter_claim_stays() -> None:
    delete = Claim(domain=Domain.FILE, mode=Mode.DELETE, target="a/b")
    assert distinct((read("a/b"), write("a/b"), delete)) == (delete,)
    assert distinct((delete, write("a", Scope.TREE), write("c"))) == (write("a", Scope.TREE), write("c"))
