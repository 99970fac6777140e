"""Real tools in shards: together they have each case of the whole once, with the same end."""

from __future__ import annotations

import shutil
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_cbx.config.model import CommandConfig
from pytest_cbx.frameworks.results.reading import Source, read_results
from pytest_cbx.frameworks.sharding import expand
from tests.frameworks.test_counts import FIXTURES, environment, run
from tests.requirements import require

__all__ = ["environment"]

SHARDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    name: str
    run: str
    results: str
    needs: tuple[str, ...] = ()
    before: str = "true"


ROWS = [
    Row(
        name="pytest",
        run=f"{sys.executable} -m pytest -q -p no:randomly -p no:cacheprovider --junitxml=report.xml .",
        results="report.xml",
    ),
    Row(name="node", run="node --test --test-reporter=tap", results="tap:-", needs=("node",)),
    Row(name="go", run="go test -json ./...", results="go:-", needs=("go",)),
    Row(
        name="ctest",
        before="cmake -S . -B build",
        run="ctest --test-dir build --output-junit report.xml",
        results="build/report.xml",
        needs=("cmake", "ctest"),
    ),
]


def _cases(command: CommandConfig, folder: Path, environment: dict[str, str]) -> Counter[tuple[str, str]]:
    began = time.time()
    output = folder.parent / "output"
    output.write_text(run(command.run, folder, {**environment, **command.env}))
    assert command.results is not None
    cases = read_results(Source(results=command.results, folder=folder, started_at=began, output=output))
    return Counter((case.name, case.status.value) for case in cases)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_parts_together_are_the_whole(row: Row, tmp_path: Path, environment: dict[str, str]) -> None:
    require(*row.needs)
    folder = tmp_path / row.name
    shutil.copytree(FIXTURES / row.name, folder)
    if row.name == "pytest":
        for number in range(2):  # so that there is something to share
            (folder / f"test_more_{number}.py").write_text(f"def test_more_{number}(): pass\n")
    if row.name == "node":
        for number in range(2):
            (folder / f"more{number}.test.js").write_text(f'require("node:test")("more {number}", () => {{}});\n')
    run(row.before, folder, environment)
    command = CommandConfig(name="unit", run=row.run, results=row.results, line=1)
    whole = _cases(command, folder, environment)
    parts = [
        _cases(one, folder, environment)
        for one in expand([CommandConfig(name="unit", run=row.run, results=row.results, line=1, shards=SHARDS)])
    ]
    print(f"{row.name}: {whole.total()} cases, in shards {[part.total() for part in parts]}")
    assert sum(parts, Counter()) == whole
    assert sum(1 for part in parts if part) > 1
