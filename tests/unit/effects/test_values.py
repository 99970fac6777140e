"""Values: joining, splitting, patterns, places."""

from __future__ import annotations

import fnmatch
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cbx.effects.model import Place, Scope
from pytest_cbx.effects.paths import Context, normal, resolve, widen
from pytest_cbx.effects.values import (
    LONGEST_TEXT,
    TAME,
    UNKNOWN,
    Field,
    Shape,
    concat,
    escape,
    split,
    strip,
    substitute,
    substring,
)

CONTEXT = Context(cwd="/w", workspace="/w", home="/home/u")
CWD = Field("/w")
PATTERN = Shape.PATTERN


@pytest.mark.parametrize(
    ("pieces", "joined"),
    [
        ([Field("a"), Field("b")], Field("ab")),
        ([Field("a"), Field("*", PATTERN)], Field("a*", PATTERN)),
        ([Field("a*"), Field("*", PATTERN)], Field("a[*]*", PATTERN)),
        ([Field("a"), UNKNOWN, Field("b")], Field("a", Shape.UNKNOWN)),
        ([Field("a"), TAME, Field("b"), UNKNOWN], Field("a", Shape.UNKNOWN)),
        ([Field("a" * LONGEST_TEXT), Field("b")], Field("", Shape.UNKNOWN)),
    ],
)
def test_joining(pieces: list[Field], joined: Field) -> None:
    assert concat(pieces) == joined


@pytest.mark.parametrize(
    ("text", "separators", "words"),
    [
        ("a b  c", " \t\n", ["a", "b", "c"]),
        (" a ", " \t\n", ["a"]),
        ("", " \t\n", []),
        ("a:b::c", ":", ["a", "b", "", "c"]),
        ("a : b", ": ", ["a", "b"]),
        ("a b", "", ["a b"]),
        ("a:", ":", ["a"]),
    ],
)
def test_splitting(text: str, separators: str, words: list[str]) -> None:
    assert split(text, separators)[1] == words


@pytest.mark.parametrize(
    ("value", "operator", "pattern", "result"),
    [
        ("a/b/c", "#", "*/", "b/c"),
        ("a/b/c", "##", "*/", "c"),
        ("a.b.c", "%", ".*", "a.b"),
        ("a.b.c", "%%", ".*", "a"),
        ("abc", "#", "x*", "abc"),
        ("a1b", "##", "[a-z]?", "b"),
    ],
)
def test_stripping(value: str, operator: str, pattern: str, result: str) -> None:
    assert strip(Field(value), operator, Field(pattern, PATTERN)) == Field(result)


def test_stripping_known_ends_of_patterns() -> None:
    assert strip(Field("*.txt", PATTERN), "%", Field(".txt")) == Field("*", PATTERN)
    assert strip(Field("d/*.txt", PATTERN), "##", Field("*/", PATTERN)) == Field("*.txt", PATTERN)
    assert strip(Field("*.txt", PATTERN), "%", Field(".md")) == UNKNOWN
    assert strip(UNKNOWN, "%", Field(".md")) == UNKNOWN


@pytest.mark.parametrize(("operator", "result"), [("/", "xbab"), ("//", "xbxb"), ("/#", "xbab"), ("/%", "abab")])
def test_substitution(operator: str, result: str) -> None:
    assert substitute(Field("abab"), operator, Field("a"), Field("x")) == Field(result)


@pytest.mark.parametrize(
    ("numbers", "result"), [(["1"], "bcd"), (["1", "2"], "bc"), (["-2"], "cd"), (["1", "-1"], "bc"), (["9"], "")]
)
def test_substrings(numbers: list[str], result: str) -> None:
    assert substring(Field("abcd"), [Field(number) for number in numbers]) == Field(result)


def test_substrings_by_unknown_numbers_are_unknown() -> None:
    assert substring(Field("abcd"), [UNKNOWN]) == UNKNOWN
    assert substring(Field("abcd"), [Field("x")]) == UNKNOWN


@given(st.text(alphabet=string.printable, max_size=30))
def test_an_escaped_text_matches_only_itself(text: str) -> None:
    assert re.match(fnmatch.translate(escape(text)), text)
    assert not re.match(fnmatch.translate(escape(text)), text + "x")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a", "a"), ("./a//b/", "a/b"), ("../a", "/a"), ("/w", "."), ("/w/a", "a"), ("/wx/a", "/wx/a"), ("//etc", "/etc"),
        ("a/../..", "/"), (".", "."), ("/w/../w/a", "a"),
    ],
)  # fmt: skip
def test_normal_paths(path: str, expected: str) -> None:
    assert normal(path, "/w", "/w") == expected


@given(st.text(alphabet="ab./*?[]!", max_size=15))
def test_a_widened_pattern_still_matches_what_the_pattern_matches(pattern: str) -> None:
    for candidate in ("a", "b", "ab", "a.b", "bb"):
        if "/" not in pattern and fnmatch.fnmatchcase(candidate, pattern):
            assert fnmatch.fnmatchcase(candidate, widen(pattern))


@pytest.mark.parametrize(("pattern", "wide"), [("@(a|b).c", "*.c"), ("[a-z]x", "?x"), ("**/a", "**/a"), ("a**", "a*")])
def test_widening(pattern: str, wide: str) -> None:
    assert widen(pattern) == wide


@pytest.mark.parametrize(
    ("value", "scope", "places"),
    [
        (Field("a"), "path", ["a"]),
        (Field("a"), "tree", ["a/**"]),
        (Field("."), "tree", ["**"]),
        (Field("."), "children", ["*"]),
        (Field("/etc"), "children", ["/etc/*"]),
        (Field("/"), "children", ["/*"]),
        (Field("*.c", PATTERN), "path", ["*.c"]),
        (Field("*", PATTERN), "tree", ["*", "*/**"]),
        (Field("s/*", PATTERN), "children", ["s/*/*"]),
    ],
)
def test_places(value: Field, scope: str, places: list[str]) -> None:
    found = resolve(value, CWD, CONTEXT, scope)
    assert found is not None
    assert [str(place) for place in found] == places


def test_sources_keep_their_scope() -> None:
    found = resolve(Field("src"), CWD, CONTEXT, "sources")
    assert found is not None
    assert [place.scope for place in found] == [Scope.SOURCES]


@pytest.mark.parametrize(
    ("value", "path"),
    [("out/", "out"), ("out/pre-", "out"), ("a/../b/", "b"), ("/etc/", "/etc"), ("../x/", "/x")],
)
def test_what_follows_a_known_directory_lies_below_it(value: str, path: str) -> None:
    found = resolve(Field(value, Shape.UNKNOWN), CWD, CONTEXT, "path")
    assert found == [Place(path=path, scope=Scope.TREE)]


@pytest.mark.parametrize(
    "value",
    [
        UNKNOWN,
        Field("pre-", Shape.UNKNOWN),
        Field("/", Shape.UNKNOWN),
        Field("./", Shape.UNKNOWN),
        Field("out/", Shape.UNKNOWN, True),
        Field("*/../b", PATTERN),
    ],
)
def test_unknown_places(value: Field) -> None:
    assert resolve(value, CWD, CONTEXT, "path") is None


def test_relative_places_in_an_unknown_directory_are_unknown() -> None:
    assert resolve(Field("a"), UNKNOWN, CONTEXT, "path") is None
    assert resolve(Field("/a"), UNKNOWN, CONTEXT, "path") is not None
