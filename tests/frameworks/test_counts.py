"""Real tools on small projects: what their result files are read as, against what the tools themselves say.

`pytest -s tests/frameworks` prints the table. Commands that discovery proposes are in `test_discovered.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.frameworks import counts
from tests.frameworks.tools import Counts, cases_of, copied, hold, run
from tests.requirements import require


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    name: str
    folder: str
    needs: tuple[str, ...]
    report: str
    """The command that writes results."""
    results: str
    plain: str
    """The command by which the tool tells people."""
    counts: Callable[[str], Counts]
    names: tuple[str, ...]
    """Some cases by their names."""
    promised: bool = True
    ours: Counts = (0, 0, 0, 0)
    """What we count beside that: of subtests the parts, not their sum."""


TOOLS = [
    Tool(
        name="tox", folder="tox", needs=("tox",), results="report.xml", report="tox run -qe py -- --junitxml=report.xml",
        plain="tox run -qe py", counts=counts.pytest, names=("test_shapes::test_area",),
    ),
    Tool(
        name="nox", folder="nox", needs=("nox",), results="report.xml", report="nox -s tests -- --junitxml=report.xml",
        plain="nox -s tests", counts=counts.pytest, names=("test_shapes::test_area",),
    ),
    Tool(
        name="node, JUnit", folder="node", needs=("node",), results="junit:report.xml",
        report="node --test --test-reporter=junit --test-reporter-destination=report.xml", plain="node --test --test-reporter=tap",
        counts=counts.node, names=("test::area", "test::is red"),
    ),
    Tool(
        name="Test::More", folder="perl", needs=("perl", "prove"), results="tap:-", report="perl t/shapes.t", plain="prove t",
        counts=counts.perl,
        names=("area", "in colour > red"),
        ours=(0, 0, 1, 0),  # "in colour" is its two parts, and a failed TODO is no success
    ),
    Tool(
        name="ruff, SARIF", folder="ruff", needs=("ruff",), results="report.sarif",
        report="ruff check --isolated --no-cache --select F --output-format sarif -o report.sarif .",
        plain="ruff check --isolated --no-cache --select F --output-format concise .", counts=counts.findings(r"^shapes\.py:\d+"),
        names=("shapes.py:1:8 F401",),
    ),
    Tool(
        name="ruff, JUnit", folder="ruff", needs=("ruff",), results="report.xml",
        report="ruff check --isolated --no-cache --select F --output-format junit -o report.xml .",
        plain="ruff check --isolated --no-cache --select F --output-format concise .", counts=counts.findings(r"^shapes\.py:\d+"),
        names=("shapes::org.ruff.F401",),
    ),
]  # fmt: skip


@pytest.mark.timeout(180)
@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_as_the_tool_itself_counts(tool: Tool, tmp_path: Path, environment: dict[str, str]) -> None:
    require(*tool.needs, promised=tool.promised)
    began = time.monotonic()
    folder = copied(tool.folder, tmp_path)
    cases = cases_of(tool.report, tool.results, folder, tmp_path / "output", environment)
    _, text = run(tool.plain, folder, environment)
    expected = tuple(one + more for one, more in zip(tool.counts(text), tool.ours, strict=True))
    hold(tool.name, cases, expected, tool.names, text=text, began=began)
