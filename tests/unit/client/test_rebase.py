"""Claims of one work tree in the words of another: they must cover the same files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_cbx.client.jobs import Site, rebase
from pytest_cbx.effects.model import Scope
from pytest_cbx.plan.model import Claim, Domain, Mode

NAMES = st.sampled_from(["a", "b", "c.txt"])
FOLDERS = st.lists(NAMES, max_size=3).map(lambda parts: "/" + "/".join(parts))
TARGETS = st.one_of(
    st.lists(NAMES, min_size=1, max_size=3).map("/".join),
    st.just("."),
    FOLDERS,
)
PATTERNS = st.lists(st.one_of(NAMES, st.sampled_from(["*", "**", "?.txt"])), min_size=1, max_size=3).map("/".join)


def matches(pattern: list[str], path: list[str]) -> bool:
    """Globs as the plan means them, in the plainest words."""
    if not pattern:
        return not path
    if pattern[0] == "**":
        return any(matches(pattern[1:], path[skip:]) for skip in range(len(path) + 1))
    return bool(path) and part_matches(pattern[0], path[0]) and matches(pattern[1:], path[1:])


def part_matches(pattern: str, name: str) -> bool:
    if not pattern:
        return not name
    if pattern[0] == "*":
        return any(part_matches(pattern[1:], name[skip:]) for skip in range(len(name) + 1))
    return bool(name) and pattern[0] in ("?", name[0]) and part_matches(pattern[1:], name[1:])


def covers(claim: Claim, path: str, root: str) -> bool:
    """Whether a claim in the words of `root` covers an absolute path. A relative claim speaks of the root's own paths only."""
    inside = path == root or path.startswith(root.rstrip("/") + "/")
    if inside == os.path.isabs(claim.target):
        return False
    target = os.path.normpath(os.path.join(root, claim.target))
    if claim.scope is Scope.GLOB:
        return matches(target.split("/"), path.split("/"))
    below = target.rstrip("/") + "/"
    return path == target or (claim.scope is not Scope.PATH and path.startswith(below))


def file_claim(target: str, scope: Scope) -> Claim:
    return Claim(domain=Domain.FILE, mode=Mode.WRITE, target=target, scope=scope)


@given(
    base=FOLDERS,
    root=FOLDERS,
    shape=st.one_of(
        st.tuples(TARGETS, st.sampled_from([Scope.PATH, Scope.TREE, Scope.SOURCES])),
        st.tuples(PATTERNS, st.just(Scope.GLOB)),
    ),
    path=FOLDERS,
)
@example(base="/b/c", root="/b/c", shape=("/b", Scope.TREE), path="/b/c/a")
def test_a_rebased_claim_covers_the_same_files(base: str, root: str, shape: tuple[str, Scope], path: str) -> None:
    target, scope = shape
    if os.path.isabs(target):  # an absolute target lies outside its own work tree
        prefix = base.rstrip("/") + "/"
        target = "." if target == base else target.removeprefix(prefix)
    before = file_claim(target, scope)
    after = rebase([before], Site(base=Path(base), root=Path(root)))
    absolute = file_claim(os.path.normpath(os.path.join(base, target)), scope)
    if covers(absolute, path, "/nowhere"):
        assert any(covers(claim, path, root) for claim in after), after


@given(base=FOLDERS, root=FOLDERS, target=NAMES, path=FOLDERS)
def test_a_plain_path_covers_nothing_more(base: str, root: str, target: str, path: str) -> None:
    after = rebase([file_claim(target, Scope.PATH)], Site(base=Path(base), root=Path(root)))
    assert len(after) == 1
    assert covers(after[0], path, root) == (path == os.path.join(base, target))


@given(base=FOLDERS, root=FOLDERS, name=NAMES)
def test_named_locks_are_the_same_everywhere(base: str, root: str, name: str) -> None:
    lock = Claim(domain=Domain.LOCK, mode=Mode.WRITE, target=name)
    assert rebase([lock], Site(base=Path(base), root=Path(root))) == (lock,)


@pytest.mark.parametrize(
    ("base", "root", "target", "scope", "wanted"),
    [
        ("/p/sub", "/p", "x", Scope.PATH, ["write sub/x"]),
        ("/p/sub", "/p", ".", Scope.TREE, ["write sub/**"]),
        ("/tmp/t", "/p", "x", Scope.PATH, ["write /tmp/t/x"]),
        ("/p", "/p/sub", "sub/x", Scope.PATH, ["write x"]),
        ("/p", "/p/sub", ".", Scope.TREE, ["write /p/**", "write **"]),
        ("/p", "/p/sub", "*/x", Scope.GLOB, ["write /p/*/x", "write **"]),
        ("/p", "/p/sub", "other/*", Scope.GLOB, ["write /p/other/*"]),
        ("/pq", "/p", "x", Scope.PATH, ["write /pq/x"]),
    ],
)
def test_examples(base: str, root: str, target: str, scope: Scope, wanted: list[str]) -> None:
    after = rebase([file_claim(target, scope)], Site(base=Path(base), root=Path(root)))
    assert [str(claim) for claim in after] == wanted


def test_a_pattern_beside_the_root_claims_nothing_in_it() -> None:
    beside = file_claim("/tmp/pytest-of-*/**", Scope.GLOB)
    site = Site(base=Path("/tmp/p"), root=Path("/tmp/p"))
    assert rebase([beside], site) == (beside,)
    above = file_claim("/t*/**", Scope.GLOB)
    assert file_claim(".", Scope.TREE) in rebase([above], site)
