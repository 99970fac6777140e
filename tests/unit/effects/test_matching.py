"""Whether words that are known in part match the patterns of conditions."""

from __future__ import annotations

import pytest

from pytest_cbx.effects.matching import matches
from pytest_cbx.effects.values import UNKNOWN, Field, Shape


@pytest.mark.parametrize(
    ("found", "pattern"),
    [
        ("*.png", "msl:*"),
        ("*.png", "|*"),
        ("*.png", "@*"),
        ("*.md", "http*://*"),
        ("d/*.md", "*://*"),
        ("*.png", "+write"),
        ("*.png", "*.jpg"),
        ("a*", "b*"),
        ("*", "+write"),
        ("*", "-*=*"),
        ("m*", "msl:*"),
        ("*.csv", "*print*|*"),
        ("*.mp4", "*%*"),
    ],
)
def test_a_pattern_of_bash_finds_no_name_that_means_something_else(found: str, pattern: str) -> None:
    assert not matches(Field(found, Shape.PATTERN), pattern, doubt=True)


@pytest.mark.parametrize(
    ("found", "pattern"),
    [
        ("msl:*", "msl:*"),
        ("m*:a", "msl:*"),
        ("http://*", "http*://*"),
        ("*", "*.jpg"),
        ("a(*)", "*(*"),
        ("*.gz", "*.tar.gz"),
        ("*", "list"),
    ],
)
def test_a_pattern_of_bash_may_find_what_the_condition_asks_for(found: str, pattern: str) -> None:
    assert matches(Field(found, Shape.PATTERN), pattern, doubt=True)
    assert not matches(Field(found, Shape.PATTERN), pattern, doubt=False)


def test_what_surely_ends_so_matches_without_doubt() -> None:
    assert matches(Field("a*.png", Shape.PATTERN), "*.png", doubt=False)


def test_an_unknown_word_is_decided_by_the_doubt() -> None:
    assert matches(UNKNOWN, "a", doubt=True)
    assert not matches(UNKNOWN, "a", doubt=False)
