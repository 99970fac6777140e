"""Real tools in shards: together they have each case of the whole once, with the same end."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_cbx.config.model import CommandConfig
from pytest_cbx.frameworks.sharding import expand
from tests.frameworks.tools import cases_of, copied, run
from tests.requirements import require

NODE = ("node", "npm", "npx")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    folder: str
    run: str
    results: str
    needs: tuple[str, ...] = ()
    before: str = "true"
    shards: int = 3


ROWS = {
    "pytest": Row(
        folder="pytest",
        before="for n in 1 2; do echo 'def test_more(): pass' > test_more_$n.py; done",
        run=f"{sys.executable} -m pytest -q -p no:randomly -p no:cacheprovider --junitxml=report.xml .",
        results="report.xml",
    ),
    "node": Row(
        folder="node",
        before="for n in 1 2; do echo \"require('node:test')('more $n', () => {});\" > more$n.test.js; done",
        run="node --test --test-reporter=tap",
        results="tap:-",
        needs=("node",),
    ),
    "go": Row(folder="go", run="go test -json ./...", results="go:-", needs=("go",)),
    "ctest": Row(
        folder="ctest",
        before="cmake -S . -B build",
        run="ctest --test-dir build --output-junit report.xml",
        results="build/report.xml",
        needs=("cmake", "ctest"),
    ),
    "Jest": Row(
        folder="javascript",
        run="npx --no-install jest --ci --json --outputFile=node_modules/.of-shards",
        results="jest:node_modules/.of-shards",
        needs=NODE,
        shards=2,  # of two files: they do not like to have none
    ),
    "Vitest": Row(
        folder="javascript",
        run="npx --no-install vitest run --reporter=json --outputFile.json=node_modules/.of-shards-too",
        results="jest:node_modules/.of-shards-too",
        needs=NODE,
        shards=2,  # of two files: they do not like to have none
    ),
    "bats": Row(
        folder="javascript",
        before='mkdir -p node_modules/.more; for n in 1 2; do echo "@test more$n { true; }" > node_modules/.more/$n.bats; done',
        run="node_modules/bats/bin/bats --formatter tap bats/*.bats node_modules/.more/*.bats",
        results="tap:-",
        needs=NODE,
        shards=4,  # of three files
    ),
    "RSpec": Row(
        folder="rspec",
        before="for n in 1 2; do echo \"RSpec.describe(:more$n) { it('is there') {} }\" > spec/more_${n}_spec.rb; done",
        run="bundle exec rspec --format progress --format json --out .bundle/report.json spec/*_spec.rb",
        results="rspec:.bundle/report.json",
        needs=("bundle", "rspec"),
    ),
    "Meson": Row(
        folder="meson",
        before="meson setup build",
        run="meson test -C build --logbase log-$CBX_SHARD",
        results="build/meson-logs/log-$CBX_SHARD.junit.xml",
        needs=("meson", "ninja", "gcc"),
    ),
}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", list(ROWS))
def test_the_parts_together_are_the_whole(
    name: str, tmp_path: Path, environment: dict[str, str], installed: Callable[[], Path]
) -> None:
    row = ROWS[name]
    require(*row.needs)
    folder = installed() if row.folder == "javascript" else copied(row.folder, tmp_path)
    assert run(row.before, folder, environment)[0] == 0

    def cases(command: CommandConfig) -> Counter[tuple[str, str]]:
        assert command.results is not None
        variables = {**environment, **command.env}
        found = cases_of(command.run, command.results, folder, tmp_path / "output", variables)
        return Counter((case.name, case.status.value) for case in found)

    results = row.results.replace("$CBX_SHARD", "all")
    command = CommandConfig(name="unit", run=row.run, results=results, line=1, env={"CBX_SHARD": "all"})
    split = CommandConfig(name="unit", run=row.run, results=row.results, line=1, shards=row.shards)
    whole, parts = cases(command), [cases(one) for one in expand([split])]
    print(f"{name:18} {whole.total()} cases, in shards {[part.total() for part in parts]}")
    assert sum(parts, Counter()) == whole
    assert sum(1 for part in parts if part) > 1
