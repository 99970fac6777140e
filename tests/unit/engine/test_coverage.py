"""What a command may change without asking again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cbx.effects.model import Scope
from pytest_cbx.engine.coverage import Coverage, shown
from pytest_cbx.plan.model import Claim, Domain, Mode
from pytest_cbx.plan.regions import meet, region

ROOT = b"/w/tree"


def claim(target: str, mode: Mode = Mode.WRITE, scope: Scope = Scope.PATH) -> Claim:
    return Claim(domain=Domain.FILE, mode=mode, target=target, scope=scope)


@pytest.mark.parametrize(
    ("held", "path", "covered"),
    [
        (claim("a"), b"a", True),
        (claim("a"), b"b", False),
        (claim("a"), b"a/b", True),
        (claim("a", Mode.READ), b"a", False),
        (claim("build", scope=Scope.TREE), b"build/x/y", True),
        (claim("build", scope=Scope.TREE), b"build", True),
        (claim("build", scope=Scope.TREE), b"builder", False),
        (claim(".", scope=Scope.TREE), b"x/y", True),
        (claim("f*", Mode.CREATE, Scope.GLOB), b"f12", True),
        (claim("f*", Mode.CREATE, Scope.GLOB), b"g", False),
        (claim("f*", Mode.CREATE, Scope.GLOB), b"f1/below", True),
        (claim("**/*.pyc", scope=Scope.GLOB), b"a/b/c.pyc", True),
        (claim("**/*.pyc", scope=Scope.GLOB), b"a.pyc", True),
        (claim("**/*.pyc", scope=Scope.GLOB), b"a/b/c.py", False),
        (claim("src/*/gen/**", scope=Scope.GLOB), b"src/a/gen/x", True),
        (claim("src/*/gen/**", scope=Scope.GLOB), b"src/a/b", False),
        (claim(".", scope=Scope.SOURCES), b"a", False),
        (Claim(domain=Domain.LOCK, mode=Mode.WRITE, target="a"), b"a", False),
    ],
)
def test_claims_cover_what_they_name(held: Claim, path: bytes, covered: bool) -> None:
    assert (ROOT + b"/" + path in Coverage([held], ROOT)) is covered


def test_an_absolute_claim_covers_outside_and_inside() -> None:
    coverage = Coverage([claim("/w", scope=Scope.TREE)], ROOT)
    assert b"/w/other" in coverage
    assert b"/elsewhere" not in coverage


def test_what_is_granted_is_covered_from_then_on() -> None:
    coverage = Coverage([], ROOT)
    assert ROOT + b"/d/a" not in coverage
    coverage.grant(ROOT + b"/d/a")
    assert ROOT + b"/d/a" in coverage
    assert ROOT + b"/d/b" not in coverage
    coverage.grant_tree(ROOT + b"/d")
    assert ROOT + b"/d/b/c" in coverage


def test_names_of_any_bytes_are_told_apart() -> None:
    name = b"caf\xe9\n*"
    coverage = Coverage([], ROOT)
    coverage.grant(ROOT + b"/" + name)
    assert ROOT + b"/" + name in coverage
    assert ROOT + b"/caf" not in coverage
    assert shown(ROOT + b"/" + name, ROOT).encode("utf-8")


segment = st.sampled_from(["a", "b", "ab", "x.o"])
pattern = st.sampled_from(["a", "b", "*", "a*", "*.o", "**", "?"])
scopes = st.sampled_from([Scope.PATH, Scope.TREE])


@given(
    st.lists(
        st.one_of(
            st.builds(claim, st.lists(segment, min_size=1, max_size=3).map("/".join), st.sampled_from(Mode), scopes),
            st.builds(
                claim,
                st.lists(pattern, min_size=1, max_size=3).map("/".join),
                st.sampled_from(Mode),
                st.just(Scope.GLOB),
            ),
        ),
        max_size=4,
    ),
    st.lists(st.lists(segment, min_size=1, max_size=4).map("/".join), min_size=1, max_size=5),
)
def test_it_agrees_with_the_lock_tables_regions(claims: list[Claim], paths: list[str]) -> None:
    coverage = Coverage(claims, ROOT)
    for path in paths:
        here = region(claim(path, Mode.READ))
        expected = any(meet(region(one), here) for one in claims if one.mode is not Mode.READ)
        assert (ROOT + b"/" + path.encode() in coverage) is expected


def test_a_claim_on_the_whole_tree_covers_the_tree_itself() -> None:
    assert ROOT in Coverage([claim(".", scope=Scope.TREE)], ROOT)
    assert ROOT not in Coverage([claim("a", scope=Scope.TREE)], ROOT)
    assert ROOT not in Coverage([claim(".", Mode.READ, Scope.TREE)], ROOT)
    assert ROOT in Coverage([claim(".", Mode.READ, Scope.TREE)], ROOT, writing=False)
