"""Two patterns meet when some path matches both; checked against listing paths."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_cbx.plan.regions import DEEP, Region, Wild, containing, meet, region, split

from .world import claim

NAMES = ("a", "b", "ab", "ba")
PATHS = [path for depth in range(1, 5) for path in itertools.product(NAMES, repeat=depth)]
"""Every path of up to four segments: enough to find a common path of two patterns of up to two."""

_patterns = st.lists(
    st.sampled_from(["a", "b", "ab", "*", "a*", "*b", "?", "??", "[ab]", "[!a]", "**"]), min_size=1, max_size=2
)


def _expression(pattern: str) -> re.Pattern[str]:
    """The pattern once more, by quite another way: one expression over `/a/b/`."""
    parts = {"**": "(?:[^/]+/)*", "*": "[^/]+/", "?": "[^/]/", "??": "[^/]{2}/", "a*": "a[^/]*/", "*b": "[^/]*b/"}
    parts |= {"[ab]": "[ab]/", "[!a]": "[^a/]/"}
    text = "".join(parts.get(part, f"{part}/") for part in pattern.split("/"))
    return re.compile(text)


@given(_patterns, _patterns)
@settings(max_examples=300, deadline=None)
def test_meeting_is_having_a_path_in_common(a: list[str], b: list[str]) -> None:
    one, other = "/".join(a), "/".join(b)
    expressions = [_expression(one), _expression(other)]
    common = any(all(e.fullmatch("/".join(path) + "/") for e in expressions) for path in [(), *PATHS])
    met = meet(region(claim(f"glob read {one}")), region(claim(f"glob read {other}")))
    if common:
        assert met
    elif "**" not in a + b and not _both_classes(a, b):
        assert not met


def _both_classes(a: list[str], b: list[str]) -> bool:
    """Two classes are taken to share a character without looking."""
    unsure = {"[ab]", "[!a]", "?", "??", "*", "a*", "*b"}
    return bool({"[ab]", "[!a]"} & set(a + b)) and bool(unsure & set(a)) and bool(unsure & set(b))


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        (".", (".",)),
        ("a/b", (".", "a", "b")),
        ("/", ()),
        ("/etc/x", ("etc", "x")),
        ("./a", (".", "a")),
        ("a//b/", (".", "a", "b")),
    ],
)
def test_splitting(path: str, segments: tuple[str, ...]) -> None:
    assert split(path) == segments


def test_a_glob_of_everything_is_a_tree() -> None:
    assert region(claim("glob read src/**")) == region(claim("read src/**"))
    assert region(claim("glob read src/**/**")) == region(claim("read src/**"))
    assert region(claim("glob read src/a.py")) == region(claim("read src/a.py"))


def test_changes_reach_what_is_named_below() -> None:
    assert region(claim("read src")) == Region((".", "src"), ())
    assert region(claim("write src")) == Region((".", "src"), (), named=True)
    assert region(claim("write src/**")) == Region((".", "src"), (), below=True)


def test_stars_inside_a_segment() -> None:
    tail = region(claim("glob read src/**.py")).tail
    assert tail[0] is DEEP
    assert isinstance(tail[1], Wild)
    assert tail[1].matches("a.py")
    assert region(claim("glob read src/a**b")) == Region((".", "src"), (), below=True)


def test_containing_directories() -> None:
    assert containing(region(claim("delete src/a.py"))) == Region((".", "src"), ())
    assert containing(region(claim("glob delete src/*.o"))) == Region((".", "src"), ())
    assert containing(region(claim("glob delete src/**/*.o"))) == Region((".", "src"), (), below=True)


@pytest.mark.parametrize(
    "pattern", ["[", "[a", "a[", "[]", "[z-a]", "[!]", "[a--b]", "\\", "{", "}", "[^]]x", "[]a]", "[a&&b]", "[||]"]
)
def test_odd_patterns_are_read_somehow(pattern: str) -> None:
    """Warnings are errors in this suite, so none may come from the expressions built of them."""
    odd = region(claim(f"glob write {pattern}"))
    assert meet(odd, odd)
