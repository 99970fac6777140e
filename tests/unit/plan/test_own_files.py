"""What a command writes for itself alone: who waits for it, and who does not."""

from __future__ import annotations

import pytest

from pytest_cbx.effects.model import Scope
from pytest_cbx.plan.conflicts import conflict
from pytest_cbx.plan.model import Claim, Domain, Mode
from pytest_cbx.plan.own_files import apart_from_siblings, results_in_caches

CACHE = Claim(domain=Domain.FILE, mode=Mode.CACHE, target=".cache", scope=Scope.TREE, ignored=True)
SOURCES = Claim(domain=Domain.FILE, mode=Mode.READ, target=".", scope=Scope.SOURCES)


def file(target: str, mode: Mode = Mode.WRITE, scope: Scope = Scope.PATH) -> Claim:
    return Claim(domain=Domain.FILE, mode=mode, target=target, scope=scope, ignored=True)


def runner(name: str) -> tuple[Claim, ...]:
    """As a test runner that keeps its results in its cache."""
    return results_in_caches((SOURCES, file(".cache"), CACHE, file(f".cache/{name}")), {f".cache/{name}"})


def conflicts(a: tuple[Claim, ...], b: tuple[Claim, ...]) -> list[str]:
    return [why for one in a for other in b if (why := conflict(one, other))]


def test_results_of_different_names_in_one_cache_get_along() -> None:
    assert not conflicts(runner("a.xml"), runner("b.xml"))
    assert conflicts((CACHE, file(".cache/a.xml")), (CACHE, file(".cache/b.xml"))), "they did not before"


def test_the_same_results_are_written_by_one_at_a_time() -> None:
    assert conflicts(runner("a.xml"), runner("a.xml")) == ["lock results:.cache/a.xml: write after write"]


@pytest.mark.parametrize("mode", [Mode.READ, Mode.WRITE, Mode.DELETE])
def test_whoever_uses_them_otherwise_is_kept_apart(mode: Mode) -> None:
    assert conflicts(runner("a.xml"), (file(".cache/a.xml", mode),))
    assert conflicts((file(".cache/a.xml", mode),), runner("a.xml"))


@pytest.mark.parametrize(
    "claim",
    [
        file("elsewhere/a.xml"),
        file(".cache/other"),
        file(".cache/a.xml", Mode.DELETE),
        file(".cache/a.xml", scope=Scope.TREE),
        file(".cached"),
    ],
    ids=str,
)
def test_what_is_no_result_in_its_own_cache_stays_as_it_is(claim: Claim) -> None:
    assert results_in_caches((CACHE, claim), {".cache/a.xml", "elsewhere/a.xml"}) == (CACHE, claim)


def test_a_cache_of_somebody_else_is_none() -> None:
    assert results_in_caches((file(".cache/a.xml"),), {".cache/a.xml"}) == (file(".cache/a.xml"),)


def test_what_no_sibling_touches_is_left_out() -> None:
    shots = [file(f"{place}**/__snapshots__/**", scope=Scope.GLOB) for place in ("", "web/")]
    others = [
        file("coverage", scope=Scope.TREE), file("**/my__snapshots__/**", scope=Scope.GLOB), SOURCES,
        file("**/__snapshots__/**", Mode.READ, Scope.GLOB),
    ]  # fmt: skip
    assert apart_from_siblings([*shots, *others], ("**/__snapshots__/**",)) == tuple(others)
    assert apart_from_siblings([*shots, *others], ()) == (*shots, *others)


@pytest.mark.parametrize("mode", [Mode.WRITE, Mode.CREATE])
def test_what_was_seen_where_no_sibling_writes_is_left_out(mode: Mode) -> None:
    seen = [
        file("__snapshots__/a.snap", mode), file("web/src/__snapshots__", mode), file("/srv/web/__snapshots__/x/a.snap", mode),
        file("src/__snapshots__", mode, Scope.TREE), file("src/__snapshots__/a-*.snap", mode, Scope.GLOB),
    ]  # fmt: skip
    others = [
        file("src", mode), file("src", mode, Scope.TREE), file("src/*.snap", mode, Scope.GLOB), file(".", mode, Scope.TREE),
        file("src/my__snapshots__/a.snap", mode), file("src/__snapshots__.txt", mode),
        *(file("src/__snapshots__/a.snap", other) for other in (Mode.READ, Mode.CACHE, Mode.APPEND, Mode.DELETE)),
        Claim(domain=Domain.LOCK, mode=mode, target="__snapshots__/a"),
    ]  # fmt: skip
    assert apart_from_siblings([*seen, *others], ("**/__snapshots__/**",)) == tuple(others)
