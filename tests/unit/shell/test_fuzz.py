"""Whatever is thrown at them, the readers and the walk give an answer, the same one again, within bounds."""

from __future__ import annotations

import random
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_cbx.effects.catalogue import families
from pytest_cbx.shell.pieces import commands_of
from pytest_cbx.shell.reader import read
from tests.fuzz.fuzz_shell import check
from tests.unit.shell.adversaries import ADVERSARIES
from tests.unit.shell.soup import ATOMS, soups

EXAMPLES = [
    example.command for family in families().values() for program in family.program[:20] for example in program.examples
]


@given(st.binary(max_size=200))
@example(b"\xff\xfe$(\x80)")
def test_any_bytes(data: bytes) -> None:
    check(data)


@settings(max_examples=200)
@given(soups(30))
@example("a'${'")
@example("echo a <&-b")
def test_spliced_constructs(text: str) -> None:
    check(text.encode("utf-8", "surrogatepass"))


@given(st.sampled_from(EXAMPLES), st.integers(0, 2**32))
def test_damaged_commands(command: str, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(chance.randint(1, 4)):
        at, end = sorted(chance.randrange(len(command) + 1) for _ in range(2))
        command = (
            command[:at]
            + chance.choice([*ATOMS, command[at:end], ""])
            + command[end if chance.random() < 0.5 else at :]
        )
    check(command[:2000].encode("utf-8", "surrogatepass"))


@settings(max_examples=60)
@given(st.sampled_from(sorted(ADVERSARIES)), st.integers(0, 300))
def test_short_texts_that_mean_harm(name: str, size: int) -> None:
    check(ADVERSARIES[name](size).encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("text", ["a && | b", "if a", "a )", "case", "for", "'a"])
def test_what_bash_refuses_is_unreadable(text: str) -> None:
    assert commands_of(read(text), text)[1]
    assert subprocess.run(["bash", "-n", "-c", text], capture_output=True, check=False).returncode != 0
