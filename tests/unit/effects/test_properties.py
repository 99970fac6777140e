"""What holds for every text."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_cbx.effects.analysis import analyse
from pytest_cbx.effects.catalogue import families
from pytest_cbx.effects.model import Kind
from pytest_cbx.shell.reader import read
from tests.unit.effects.help import CONTEXT, compact_of, effects_of

PIECES = [
    "cat", "rm", "-rf", "-r", "a", "b", "*", "src/*.c", "$X", '"$X"', "${x:-a}", "${x#*/}", "${x//a/b}", "$(echo a)", "`rm a`", "<(cat a)",
    "$((i+1))", "|", "&&", "||", ";", "\n", "&", "(", ")", "{", "}", ">", ">>", "<", "<<<", "2>&1", "if", "then", "fi", "for", "in",
    "do", "done", "while", "case", "esac", "f()", "x=1", "x=(a b)", "export", "eval", "'rm a'", "bash", "-c", "sed", "s/a/b/w f", "-i",
    "awk", "'{print > \"o\"}'", "find", "-exec", "{}", "\\;", "-delete", "xargs", "env", "timeout", "5", "git", "status", "log", "cd",
    "..", "trap", "EXIT", "--", "-", "--out=x", "sort", "-o", "cp", "tee", "[[", "]]", "((", "))", "!", "coproc", "~", "{a,b}", "let",
]  # fmt: skip
EXAMPLES = [
    example.command
    for family in families().values()
    for program in family.program
    for spec in (program, *program.command)
    for example in spec.examples
]


@given(st.text(max_size=80))
def test_any_text_gives_effects(text: str) -> None:
    found = analyse(read(text), CONTEXT)
    assert found.readable or found.unknown, "what cannot be read may do anything"


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map(" ".join))
def test_any_mixture_of_shell_gives_effects_and_the_same_ones_again(text: str) -> None:
    assert analyse(read(text), CONTEXT) == analyse(read(text), CONTEXT)


@given(st.sampled_from(EXAMPLES), st.integers(0, 2**32))
def test_a_damaged_command_gives_effects(command: str, seed: int) -> None:
    chance = random.Random(seed)
    at = chance.randrange(len(command) + 1)
    effects_of(command[:at] + chance.choice(["'", '"', "$(", "}", ";", "\\", " $X ", "|"]) + command[at:])


@given(st.from_regex(r"[a-z]{3,8}-frob[0-9]{1,3}", fullmatch=True), st.lists(st.sampled_from(PIECES[:8]), max_size=4))
def test_an_unlisted_program_is_unknown_whatever_its_words_are(name: str, words: list[str]) -> None:
    assert effects_of(" ".join([name, *words])).unknown


@given(
    st.sampled_from(EXAMPLES),
    st.sampled_from(["(%s)", "{ %s\n}", "if true; then %s\nfi", "f() { %s\n}; f", "true && { %s\n}"]),
)
def test_a_command_in_a_compound_keeps_its_effects(command: str, frame: str) -> None:
    if "<<" in command or "()" in command:
        return
    assert set(compact_of(command)) <= set(compact_of(frame % command))


@given(st.sampled_from(EXAMPLES))
def test_changes_are_never_lost_behind_sudo(command: str) -> None:
    inside = {effect.kind for effect in effects_of(f"sudo sh -c {quoted(command)}").effects}
    assert Kind.PRIVILEGE in inside
    assert {effect.kind for effect in effects_of(command).effects} <= inside | {Kind.READ}


def quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
