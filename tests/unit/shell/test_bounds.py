"""No text costs its readers, or the walk over it, more than a bounded number of steps."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_cbx.shell import lexer, words
from pytest_cbx.shell.nodes import Script, Simple, Unreadable
from pytest_cbx.shell.reader import LONGEST, read
from tests.unit.shell.adversaries import ADVERSARIES

ROOT = Path(__file__).parents[3]
SECONDS = 10
PARTS = 2
SIZE = 6_000
"""Characters. The longest texts there can be take the bench `bench_shell.py`."""


def reasons(script: Script) -> list[str]:
    return [statement.command.reason for statement in script.statements if isinstance(statement.command, Unreadable)]


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_the_text_reading_and_analysing_ends(part: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.shell.watched", str(SIZE), str(SECONDS), str(part), str(PARTS)],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert done.returncode == 0, (lines[-1:], done.stderr[-500:])
    assert len(lines) == len(range(part, len(ADVERSARIES), PARTS))


def test_a_text_that_no_program_can_be_given_is_not_read() -> None:
    text = "a " * (LONGEST // 2)
    assert not reasons(read(text + "b"))
    assert reasons(read(text + "bc")) == ["longer than the 131,071 bytes that Linux hands to a program"]
    assert reasons(read("é" * (LONGEST // 2 + 1))), "bytes count, not characters"


def test_linux_refuses_what_is_longer() -> None:
    assert subprocess.run(["true", "a" * LONGEST], check=False).returncode == 0
    with pytest.raises(OSError, match="Argument list too long"):
        subprocess.run(["true", "a" * (LONGEST + 1)], check=False)


def test_commands_and_operators_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexer, "MAX_PIECES", 10)
    assert not reasons(read("a;" * 4))
    assert reasons(read("a;" * 9)) == ["more than 10 commands and operators"]
    assert reasons(read("a $(b;c;d;e;f;g)")) == ["more than 10 commands and operators"], "those in substitutions too"


def test_what_was_read_before_the_limit_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexer, "MAX_PIECES", 10)
    assert isinstance(read("a;" * 9).statements[0].command, Simple)


def test_words_of_braces_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "MAX_ALTERNATIVES", 10)
    assert not reasons(read("a {1..5} {1..5}"))
    assert reasons(read("a {1..5} {1..5}; b {1..5}; c {1..5}"))


def test_pipes_are_counted() -> None:
    assert not reasons(read("a" + "|a" * 900))
    assert reasons(read("a" + "|a" * 1100))


def test_nesting_is_counted() -> None:
    assert reasons(read("{ " * 60 + "a" + "; }" * 60)) == ["nested more than 48 deep"]
    assert not reasons(read("{ " * 40 + "a" + "; }" * 40))
