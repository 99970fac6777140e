"""Which texts need no shell, and that their words are those that bash makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_cbx.shell.plain import BUILTINS, plain_words
from tests.unit.shell.bash import words_in_bash


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ruff check src tests", ("ruff", "check", "src", "tests")),
        ("  ./tool   --level=3 a:b,c@d +x %y\n", ("./tool", "--level=3", "a:b,c@d", "+x", "%y")),
        ("true", ("true",)),
        ("npm-run", ("npm-run",)),
    ],
)
def test_plain_texts(text: str, words: tuple[str, ...]) -> None:
    assert plain_words(text) == words


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "a; b", "a\nb", "a | b", "a > b", "A=1 b", "a 'b'", 'a "b"', "a $b", "a *", "a ?", "a [b]", "a ~", "a {b,c}",
        "a\\b", "a `b`", "a &", "a # b", "! a", "(a)", "a\tb", "a\rb", "a \u00e4", "a \ufffd", "a\0b", "time a", "if", "done", "function a",
        "true --help", "echo a", "cd a", ". a", "kill 1", "a=1", "=a b", "a ^b",
    ],
)  # fmt: skip
def test_texts_for_a_shell(text: str) -> None:
    assert plain_words(text) is None


@pytest.mark.parametrize("name", sorted(BUILTINS))
def test_builtins_with_words_are_left_to_bash(name: str) -> None:
    assert plain_words(f"{name} -x") is None


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(alphabet="ab./=-+:,@%~ \n*#!{}01", min_size=1, max_size=12), min_size=20, max_size=60))
def test_the_words_are_those_of_bash(tmp_path: Path, texts: list[str]) -> None:
    found = [(text, words) for text in texts if (words := plain_words(text)) is not None]
    assert [list(words) for _, words in found] == words_in_bash([text.strip() for text, _ in found], tmp_path)
