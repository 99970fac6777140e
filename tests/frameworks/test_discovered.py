"""What discovery proposes, run with the real tool: its cases are as many as the tool itself counts.

`pytest -s tests/frameworks` prints the table.
"""

from __future__ import annotations

import re
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_cbx.config.model import CommandConfig
from pytest_cbx.frameworks.discovery import discover
from tests.frameworks.tools import FIXTURES, Counts, cases_of, hold, run, said
from tests.requirements import require


def _unittest(text: str) -> Counts:
    """It counts how many ran, and how many of them did not simply pass; unexpected success is failure."""
    number = {word: int(count) for word, count in re.findall(r"([a-z]+(?: [a-z]+)?)=(\d+)", text.splitlines()[-1])}
    _, failed, skipped, error = (0, number["failures"], number["skipped"], number["errors"])
    failed += number["unexpected successes"]
    skipped += number["expected failures"]
    return said(text, r"Ran (\d+) tests", "", "", "")[0] - failed - skipped - error, failed, skipped, error


def _meson(text: str) -> Counts:
    ends = Counter(re.findall(r"^ *\d+/\d+ \S+ +([A-Z]+) ", text, re.MULTILINE))
    return (
        ends["OK"] + ends["EXPECTEDFAIL"],
        ends["FAIL"] + ends["UNEXPECTEDPASS"],
        ends["SKIP"],
        ends["ERROR"] + ends["TIMEOUT"],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    folder: str
    command: str
    """The name of what discovery is to propose."""
    needs: tuple[str, ...]
    plain: str
    """The command by which the tool tells people."""
    counts: Callable[[str], Counts]
    names: tuple[str, ...]
    """Some cases by their names."""
    ours: Counts = (0, 0, 0, 0)
    """What we count beside that."""
    promised: bool = True


ROWS = {
    "unittest": Row(
        folder="unittest", command="py-unit", needs=(), plain="python -m unittest discover -s tests -t .", counts=_unittest,
        names=("tests.test_shapes.TestArea.test_square", "tests.test_shapes.TestArea.test_sides [a side] (side=2)", "tests.test_broken"),
        ours=(1, 0, 0, 0),  # a set-up of a class that fails is an error, but no test that ran
    ),
    "Meson": Row(
        folder="meson", command="c-meson-test", needs=("meson", "ninja", "gcc"), plain="meson test -C build/meson", counts=_meson,
        names=("shapes:area", "shapes:torus", "shapes.shapes:pencil::2 - point"),
        ours=(1, 0, 1, 0),  # of a test that prints TAP each of its cases
    ),
}  # fmt: skip


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", list(ROWS))
def test_as_the_tool_itself_counts(name: str, tmp_path: Path, environment: dict[str, str]) -> None:
    row = ROWS[name]
    require(*row.needs, promised=row.promised)
    began = time.monotonic()
    folder = tmp_path / row.folder
    shutil.copytree(FIXTURES / row.folder, folder)
    found = {one.command.name: one.command for one in discover(folder).commands}
    command = found[row.command]
    _run_needs(command, found, folder, environment)
    assert command.results
    cases = cases_of(command.run, command.results, folder, tmp_path / "output", environment)
    _, text = run(row.plain, folder, environment)
    expected = tuple(one + more for one, more in zip(row.counts(text), row.ours, strict=True))
    hold(name, cases, expected, row.names, text=text, began=began)


def _run_needs(
    command: CommandConfig, found: dict[str, CommandConfig], folder: Path, environment: dict[str, str]
) -> None:
    for need in command.needs:
        _run_needs(found[need], found, folder, environment)
        code, printed = run(found[need].run, folder, environment)
        assert code == 0, printed
