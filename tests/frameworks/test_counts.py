"""Real tools on small projects: what their result files are read as, against what the tools themselves say.

`pytest -s tests/frameworks` prints the table. Commands that discovery proposes are in `test_discovered.py`.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.frameworks.tools import PYTEST, Counts, cases_of, copied, findings, hold, pytest_counts, run, said
from tests.requirements import require


def _node(text: str) -> Counts:
    passed, failed, skipped, _ = said(text, r"# pass (\d+)", r"# fail (\d+)", r"# skipped (\d+)", "")
    todo = re.search(r"# todo (\d+)", text)
    return passed, failed, skipped + int(todo[1] if todo else 0), 0


def _go(text: str) -> Counts:
    passed, failed, skipped = (len(re.findall(rf"--- {end}:", text)) for end in ("PASS", "FAIL", "SKIP"))
    return passed, failed, skipped, len(re.findall(r"\[build failed\]", text))


def _ctest(text: str) -> Counts:
    ends = Counter(re.findall(r"Test +#\d+: .*?(Passed|\*\*\*Failed|\*\*\*Skipped|\*\*\*Not Run)", text))
    return ends["Passed"], ends["***Failed"], ends["***Skipped"] + ends["***Not Run"], 0


def _cargo(text: str) -> Counts:
    totals = [sum(map(int, re.findall(rf"(\d+) {word}", text))) for word in ("passed", "failed", "ignored")]
    return totals[0], totals[1], totals[2], 0


def _perl(text: str) -> Counts:
    """prove counts what is at the outermost level, a failed TODO as okay."""
    failed, of = map(int, re.findall(r"Failed (\d+)/(\d+) subtests", text)[0])
    skipped = int(re.findall(r"less (\d+) skipped", text)[0])
    return of - failed - skipped, failed, skipped, 0


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
        name="pytest", folder="pytest", needs=(), results="report.xml",
        report=f"{PYTEST} -q --junitxml=report.xml", plain=f"{PYTEST} -q", counts=pytest_counts,
        names=("test_shapes::test_square[2]", "test_shapes.TestOld::test_old"),
    ),
    Tool(
        name="tox", folder="tox", needs=("tox",), results="report.xml", report="tox run -qe py -- --junitxml=report.xml",
        plain="tox run -qe py", counts=pytest_counts, names=("test_shapes::test_area",),
    ),
    Tool(
        name="nox", folder="nox", needs=("nox",), results="report.xml", report="nox -s tests -- --junitxml=report.xml",
        plain="nox -s tests", counts=pytest_counts, names=("test_shapes::test_area",),
    ),
    Tool(
        name="node, JUnit", folder="node", needs=("node",), results="junit:report.xml",
        report="node --test --test-reporter=junit --test-reporter-destination=report.xml", plain="node --test --test-reporter=tap",
        counts=_node, names=("test::area", "test::is red"),
    ),
    Tool(
        name="node, TAP", folder="node", needs=("node",), results="tap:-",
        report="node --test --test-reporter=tap", plain="node --test --test-reporter=tap",
        counts=_node, names=("square > of two, # and all", "square > in colour > is red"),
    ),
    Tool(
        name="go test", folder="go", needs=("go",), results="go:-", report="go test -json ./...", plain="go test -v ./...", counts=_go,
        names=("example.com/shapes::TestSquare/two", "example.com/shapes/broken"),
    ),
    Tool(
        name="ctest", folder="ctest", needs=("cmake", "ctest"), results="build/report.xml",
        report="cmake -S . -B build && ctest --test-dir build --output-junit report.xml", plain="ctest --test-dir build", counts=_ctest,
        names=("square", "circle"),
    ),
    Tool(
        name="cargo test", folder="cargo", needs=("cargo",), results="libtest:-", promised=False,
        report="cargo test --offline --no-fail-fast", plain="cargo test --offline --no-fail-fast", counts=_cargo,
        names=("tests::two", "src/lib.rs - square (line 5)"),
    ),
    Tool(
        name="Test::More", folder="perl", needs=("perl", "prove"), results="tap:-", report="perl t/shapes.t", plain="prove t", counts=_perl,
        names=("area", "in colour > red"),
        ours=(0, 0, 1, 0),  # "in colour" is its two parts, and a failed TODO is no success
    ),
    Tool(
        name="ruff", folder="ruff", needs=("ruff",), results="ruff:report.json",
        report="ruff check --isolated --no-cache --select F --output-format json -o report.json .",
        plain="ruff check --isolated --no-cache --select F --output-format concise .", counts=findings(r"^shapes\.py:\d+"),
        names=(),
    ),
    Tool(
        name="ruff, SARIF", folder="ruff", needs=("ruff",), results="report.sarif",
        report="ruff check --isolated --no-cache --select F --output-format sarif -o report.sarif .",
        plain="ruff check --isolated --no-cache --select F --output-format concise .", counts=findings(r"^shapes\.py:\d+"),
        names=(),
    ),
    Tool(
        name="ruff, JUnit", folder="ruff", needs=("ruff",), results="report.xml",
        report="ruff check --isolated --no-cache --select F --output-format junit -o report.xml .",
        plain="ruff check --isolated --no-cache --select F --output-format concise .", counts=findings(r"^shapes\.py:\d+"),
        names=(),
    ),
    Tool(
        name="shellcheck", folder="shellcheck", needs=("shellcheck",), results="shellcheck:-",
        report="shellcheck --format json1 shapes.sh", plain="shellcheck --format gcc shapes.sh", counts=findings(r"\[SC\d+\]$"),
        names=("shapes.sh:4:4 SC2086",),
    ),
    Tool(
        name="mypy", folder="mypy", needs=("mypy",), results="mypy:-", report="mypy --no-incremental --output json shapes.py",
        plain="mypy --no-incremental shapes.py", counts=findings(r"^shapes\.py:\d+: error"), names=(),
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
