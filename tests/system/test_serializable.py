"""`isolation = "serializable"`: commands that run at once give what they give one after the other, in their order."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pytest_cbx.client.api import Cbx
from pytest_cbx.client.jobs import plan
from pytest_cbx.client.outcome import Outcome
from pytest_cbx.client.runner import Capture, Runner
from pytest_cbx.config.model import CommandConfig, Instances, Isolation, Settings
from pytest_cbx.tier import Tier
from tests.system.serial_programs import Result, empty, generate, make_tree, run_serially, tree_of

PROGRAMS = int(os.environ.get("CBX_SERIALIZABLE_PROGRAMS", "200"))
SEEDS_AT_ONCE = 20


class Blind:
    """Runs shell texts at once, as if their texts told nothing of what they touch: each claim turns up on the way."""

    def __init__(self, runner: Runner, cbx: Cbx) -> None:
        self._runner = runner
        self._cbx = cbx

    def run(self, texts: Sequence[str], isolation: Isolation = Isolation.SERIALIZABLE) -> list[Outcome]:
        configs = [CommandConfig(name=f"c{n}", run=text, line=0, cpus=0.1) for n, text in enumerate(texts)]
        jobs = [
            dataclasses.replace(
                job, request=dataclasses.replace(job.request, claims=(), tier=Tier.CONDITIONAL_PARALLEL)
            )
            for job in self._cbx._prepare(configs)
        ]
        graph = plan(jobs, slots=self._runner.welcome.jobs)
        assert not graph.edges
        settings = dataclasses.replace(self._runner.settings, isolation=isolation)
        ids = self._runner.submit(jobs, graph, capture=Capture.SEPARATE, settings=settings)
        found: dict[int, Outcome] = {}
        while len(found) < len(ids):
            found.update(self._runner.poll(None))
        return [found[number] for number in ids]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("serializable") / "project"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def blind(project: Path) -> Iterator[Blind]:
    base = dataclasses.replace(Settings(), jobs=8, learn=False, isolation=Isolation.SERIALIZABLE)
    settings = dataclasses.replace(base, instances=Instances())
    with Runner(project, settings, name="test") as runner:
        yield Blind(runner, Cbx(project, root=project, settings=settings, connect=lambda: runner))


def results_of(outcomes: Sequence[Outcome]) -> list[Result]:
    return [Result(outcome.exit_code, outcome.stdout, outcome.stderr) for outcome in outcomes]


def assert_as_if_serial(blind: Blind, project: Path, twin: Path, texts: Sequence[str], what: str = "") -> None:
    """Run the texts at once, and one after the other in a twin of the tree; compare all that can be seen."""
    for folder in (project, twin):
        empty(folder)
        make_tree(folder)
    outcomes = blind.run(texts)
    expected = run_serially(twin, texts)
    shown = f"{what}: restarts {[outcome.restarts for outcome in outcomes]}\n" + "\n".join(texts)
    assert results_of(outcomes) == expected, shown
    assert tree_of(project) == tree_of(twin), shown


@pytest.mark.parametrize("first", range(0, PROGRAMS, SEEDS_AT_ONCE))
def test_random_programs_are_as_if_serial(blind: Blind, project: Path, tmp_path: Path, first: int) -> None:
    for seed in range(first, first + SEEDS_AT_ONCE):
        assert_as_if_serial(blind, project, tmp_path, generate(seed), f"seed {seed}")
