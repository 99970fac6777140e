"""Two readers: the commands of both count, and where they differ is told."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pytest_cbx.shell import second
from pytest_cbx.shell.both import compare, read_both
from pytest_cbx.shell.nodes import Literal, Script, Simple, Span, Unreadable
from pytest_cbx.shell.plain import plain_words
from pytest_cbx.shell.reader import read
from pytest_cbx.shell.second import Answer, Piece
from tests.unit.shell.soup import soups
from tests.unit.shell.strategies import all_scripts

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
installed = pytest.mark.skipif(second.bashlex_parse() is None, reason="bashlex is not installed")


def sentences(text: str, answer: Answer) -> list[str]:
    return [difference.sentence for difference in compare(text, read(text), answer).differences]


def pieces(text: str, *words: str) -> tuple[Piece, ...]:
    """The words as pieces where they first stand in the text."""
    return tuple(Piece(text.index(word), text.index(word) + len(word), "word") for word in words)


@installed
@given(st.from_regex(r"[A-Za-z0-9_./,:@%+-]+(?: +[A-Za-z0-9_./,:@%+=-]+){0,4}", fullmatch=True))
def test_of_plain_words_both_make_the_same(text: str) -> None:
    assume(plain_words(text) is not None)
    answer = second.ask(text)
    reading = read_both(text)
    assert answer.abstains or compare(text, read(text), answer) == reading
    assert not reading.extra
    assert not reading.differences


def test_for_plain_words_the_second_reader_is_not_loaded() -> None:
    script = (
        "import sys\nfrom pytest_cbx.shell.both import read_both\n"
        "for text in sys.argv[1:]: read_both(text); print('bashlex' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "pytest -q tests/unit", "pytest -q > out"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["False", str(second.bashlex_parse() is not None)]


def test_what_only_the_second_reader_finds_is_a_command_more() -> None:
    text = "echo a # rm -r 'b c'"
    answer = Answer(commands=(pieces(text, "echo", "a"), pieces(text, "rm", "-r", "'b c'")))
    reading = compare(text, read(text), answer)
    (extra,) = reading.extra
    assert isinstance(extra, Simple)
    assert [word.parts for word in extra.words][2] == (Literal(text="b c", quoted=True),)
    assert extra.span == Span(9, 20)
    assert [one.sentence for one in reading.differences] == ["the second reader also finds `rm -r 'b c'`"]


def test_what_it_finds_and_nobody_can_read_is_unreadable() -> None:
    text = "echo 'a' # rm 'b"
    answer = Answer(commands=(pieces(text, "echo", "'a'"), pieces(text, "rm", "'b")))
    assert isinstance(compare(text, read(text), answer).extra[0], Unreadable)


def test_what_the_second_reader_does_not_find_is_told() -> None:
    text = "echo a; rm b"
    answer = Answer(commands=(pieces(text, "echo", "a"),))
    assert sentences(text, answer) == ["the second reader does not find `rm b`"]
    assert compare(text, read(text), answer).extra == ()


def test_other_words_are_a_command_more() -> None:
    text = "rm 'a'"
    answer = Answer(commands=((Piece(0, 2, "word"), Piece(3, 6, "word", "b")),))
    reading = compare(text, read(text), answer)
    assert isinstance(reading.extra[0], Simple)
    assert reading.extra[0].words[1].parts == (Literal(text="b", quoted=True),)
    assert sentences(text, answer) == ["the second reader reads other words in `rm 'a'`"]


def test_what_only_the_second_reader_can_read_counts_too() -> None:
    text = "echo a; ls {1..2000}"
    answer = Answer(commands=(pieces(text, "echo", "a"), pieces(text, "ls", "{1..2000}")))
    assert sentences(text, answer) == ["the second reader also finds `ls {1..2000}`"]
    assert compare(text, read(text), answer).extra == (), "that nobody can read it is known already"


def test_a_reader_that_abstains_finds_nothing() -> None:
    reading = compare("a; b", read("a; b"), Answer(abstains="no"))
    assert (reading.extra, reading.differences, reading.abstains) == ((), (), "no")


def test_long_commands_are_cut_in_reasons() -> None:
    text = "echo " + "a" * 100
    (sentence,) = sentences(text, Answer())
    assert len(sentence) < 110


@installed
@pytest.mark.parametrize(
    "text",
    [
        "make && rm -rf build > log 2>&1 &",
        "f() { rm a; } > log; f | tee b |& cat",
        "for x in $(ls); do rm $x; done < list",
        "cat <<A <<B\na\nA\nb\nB\nls",
        "export A=b C='d e'; env",
        "{ a; (b); } >> c",
        "while ! a; do b; done; until c; do d; done",
        "if a; then b; elif c; then d; else e; fi <<< x",
        "echo \"$(a \"$(b)\")\" `c` >(d) <(e)",
        "a \\\n  b \\\n  --c=d",
        "x=1 y+=2 a; a[1]=2",
        "é > ü; ls \"ä $(ö)\"",
        "echo a >&2 <&-b",
    ],
)  # fmt: skip
def test_both_find_the_same_in_ordinary_texts(text: str) -> None:
    reading = read_both(text)
    assert reading.abstains == ""
    assert reading.differences == ()
    assert reading.extra == ()


@installed
@settings(max_examples=150, suppress_health_check=_SLOW)
@given(all_scripts())
def test_both_find_the_same_in_whatever_bash_allows(pair: tuple[str, Script]) -> None:
    reading = read_both(pair[0])
    assert not reading.differences, [difference.sentence for difference in reading.differences]


@settings(max_examples=300)
@given(soups())
def test_any_text_gives_a_reading(text: str) -> None:
    reading = read_both(text)
    assert reading.script == read(text)
    unreadable = any(isinstance(statement.command, Unreadable) for statement in reading.script.statements)
    assert unreadable or len(reading.extra) <= len(reading.differences)
