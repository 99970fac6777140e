"""The second reader: what bashlex says about a text, and when it says nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_cbx.shell import second
from pytest_cbx.shell.misreadings import misread_text
from pytest_cbx.shell.second import DEEPEST, LONGEST, NOT_INSTALLED, Answer, ask
from tests.unit.shell.soup import soups

pytestmark = pytest.mark.skipif(second.bashlex_parse() is None, reason="bashlex is not installed")


def shown(text: str) -> list[list[str]]:
    """The pieces of each command that bashlex finds, as they stand in the text."""
    answer = ask(text)
    assert not answer.abstains, answer.abstains
    return [[text[piece.start : piece.end] for piece in found] for found in answer.commands]


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("", []),
        ("cat a.txt", [["cat", "a.txt"]]),
        ("x=1 cat 'a b' > out 2>&1", [["x=1", "cat", "'a b'", "> out", "2>&1"]]),
        ("make -j2 all && rm -rf build; ls", [["make", "-j2", "all"], ["rm", "-rf", "build"], ["ls"]]),
        ("echo $(cat $(ls))", [["echo", "$(cat $(ls))"], ["cat", "$(ls)"], ["ls"]]),
        ("diff <(sort a) `ls`", [["diff", "<(sort a)", "`ls`"], ["sort", "a"], ["ls"]]),
        ("f() { rm a; } > log", [["rm", "a"], ["> log"]]),
        ("for f in *.c; do cc $f; done > log", [["cc", "$f"], ["> log"]]),
        ("if test -f a; then rm a; fi\nwhile true; do ls; done", [["test", "-f", "a"], ["rm", "a"], ["true"], ["ls"]]),
        ("cat <<END\n  END\nx\nEND\nls", [["cat", "<<END"], ["ls"]]),
        ("cat > $(mktemp)", [["cat", "> $(mktemp)"], ["mktemp"]]),
        ("2048 12>a", [["2048", "12>a"]]),
    ],
)
def test_the_commands_of_a_text(text: str, commands: list[list[str]]) -> None:
    assert shown(text) == commands


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("'a b'c", "a bc"),
        ('a" b.txt"', "a b.txt"),
        (r"-o\ name", "-o name"),
        ("'while'2", "while2"),
        ("w~/x'y'", "w~/xy"),
        ("plain", None),
        (r'"a\n"', None),
        ("$'a'", None),
        ("'a'b'c'", None),
        ('"$x"', None),
    ],
)
def test_words_without_their_quotes(word: str, value: str | None) -> None:
    assert ask(f"echo {word}").commands[0][1].value == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("case x in a) ;; esac", "NotImplementedError"),
        ("a=(b c)", "ParsingError"),
        ("echo 'a", "MatchedPairError"),
        ("a" * (LONGEST + 1), f"more than {LONGEST} characters"),
        ("echo $(" * (DEEPEST + 1) + ")" * (DEEPEST + 1), f"more than {DEEPEST} substitutions"),
    ],
)
def test_it_abstains_and_says_why(text: str, why: str) -> None:
    answer = ask(text)
    assert answer.commands == ()
    assert why in answer.abstains


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (RecursionError("x"), "nested too deep"),
        (IndexError("x"), "IndexError: x"),
        (AssertionError(), "AssertionError: "),
    ],
)
def test_whatever_it_raises_makes_it_abstain(error: Exception, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(text: str) -> list[object]:
        raise error

    monkeypatch.setattr(second, "bashlex_parse", lambda: parse)
    second._asked.cache_clear()
    assert ask("cat a") == Answer(abstains=why)
    second._asked.cache_clear()


def test_without_bashlex_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second, "bashlex_parse", lambda: None)
    assert ask("cat a") == NOT_INSTALLED


def test_a_bashlex_that_cannot_be_loaded_counts_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> object:
        raise SyntaxError(name)

    second.bashlex_parse.cache_clear()
    monkeypatch.setattr(second, "import_module", broken)
    try:
        assert second.bashlex_parse() is None
    finally:
        second.bashlex_parse.cache_clear()


@settings(max_examples=300)
@given(soups())
def test_short_names_change_nothing_of_what_it_says(text: str) -> None:
    if misread_text(text) is not None or len(text) > LONGEST:
        return
    as_it_is = second._asked(text)
    assert ask(text).commands == as_it_is.commands


@given(st.text(max_size=60))
def test_any_text_gives_an_answer(text: str) -> None:
    assert isinstance(ask(text), Answer)
