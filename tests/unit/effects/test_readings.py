"""What only the second reader finds counts, and is told."""

from __future__ import annotations

import pytest

from pytest_cbx.effects.analysis import analyse
from pytest_cbx.effects.compact import compact
from pytest_cbx.effects.model import Effects
from pytest_cbx.safety import assess
from pytest_cbx.shell.both import Reading, compare
from pytest_cbx.shell.reader import read
from pytest_cbx.shell.second import Answer, Piece
from pytest_cbx.tier import Tier
from tests.unit.effects.help import CONTEXT


def reading(text: str, *commands: str) -> Reading:
    """The text as it would be read, were these the commands that the second reader finds in it."""
    found = []
    for command in commands:
        start = text.index(command)
        pieces = []
        for word in command.split():
            start = text.index(word, start)
            pieces.append(Piece(start, start + len(word), "word"))
            start += len(word)
        found.append(tuple(pieces))
    return compare(text, read(text), Answer(commands=tuple(found)))


def seen(text: str, *commands: str) -> list[str]:
    return [compact(effect) for effect in effects(text, *commands).effects]


def effects(text: str, *commands: str) -> Effects:
    return analyse(reading(text, *commands), CONTEXT)


def test_the_commands_of_both_count() -> None:
    assert seen("cat a # rm b", "cat a", "rm b") == ["read a", "delete b"]


def test_the_stricter_wins_and_the_difference_is_a_reason() -> None:
    assessment = assess(effects("cat a # rm -rf b", "cat a", "rm -rf b"))
    assert assessment.tier is Tier.DANGEROUS_ISOLATED
    assert assessment.reasons[-1] == "the second reader also finds `rm -rf b`"


def test_a_difference_alone_changes_no_tier() -> None:
    assessment = assess(effects("cat a; cat b", "cat a"))
    assert assessment.tier is Tier.SAFE_PARALLEL
    assert "the second reader does not find `cat b`" in assessment.reasons


@pytest.mark.parametrize(
    ("text", "extra", "expected"),
    [
        ("x=a; cat $x # rm $x", "rm $x", "delete ?"),
        ("cd src # rm b", "rm b", "delete ?"),
        ("exit # rm b", "rm b", "delete b"),
        ("f() { rm b; } # f", "f", "delete b"),
        ("true # x=1", "x=1", None),
    ],
)
def test_nobody_knows_when_it_would_run(text: str, extra: str, expected: str | None) -> None:
    ours = {"x=a; cat $x # rm $x": ["x=a", "cat $x"]}.get(text, [text.split(" #", maxsplit=1)[0]])
    assert (expected in seen(text, *ours, extra)) is (expected is not None)


def test_it_changes_nothing_of_what_follows() -> None:
    inner = analyse(reading("true # cd src", "true", "cd src"), CONTEXT)
    assert inner.effects == ()


def test_its_place_is_that_in_the_text() -> None:
    text = "cat a # rm b"
    found = effects(text, "cat a", "rm b").effects[-1]
    assert found.span is not None
    assert text[found.span.start : found.span.end] == "rm b"


def test_what_it_finds_and_nobody_can_read_is_unknown() -> None:
    found = effects("cat a # rm 'b", "cat a", "rm 'b")
    assert not found.readable
    assert found.unknown
