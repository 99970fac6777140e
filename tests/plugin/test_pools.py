"""Pools: of real commands, so many run at once and no more."""

from __future__ import annotations

import pytest

from evidence import read_spans
from tests.plugin.conftest import Project


@pytest.mark.parametrize(
    ("head", "keys", "most"),
    [
        ("[cbx.pools]\nnet = 1\n", "pool = 'net'", 1),
        ("[cbx.pools]\nnet = 2\n", "pool = 'net'", 2),
        ("[cbx]\nbatch = 'dependency'\n[cbx.pools]\nindependent = 2\n", "", 2),
        ("", "", 4),
    ],
    ids=["one", "two", "a batch", "none"],
)
def test_so_many_run_at_once(project: Project, head: str, keys: str, most: int) -> None:
    project.commands(*(f"c{n}: sleep 0.{4 + n} | {keys} ;; cpus = 0.1 ;; memory = '1MB'" for n in range(4)), head=head)
    project.run("--cbx-jobs=4", "--cbx-report=report").assert_outcomes(passed=4)
    spans, at_once = read_spans(project.pytester.path / "report" / "events.jsonl")
    assert len(spans) == 4
    assert at_once == most


def test_two_of_a_network_run_at_once(project: Project) -> None:
    """Four commands that need the same one, and are needed by another: with slots for all of them."""
    middle = [f"m{n}: sleep 0.{3 + n} | needs = ['first'] ;; cpus = 0.1 ;; memory = '1MB'" for n in range(4)]
    after = f"last: true | needs = {[f'm{n}' for n in range(4)]}"
    for batch, most in (("dependency", 2), ("off", 4)):
        project.commands("first: true", *middle, after, head=f"[cbx]\nbatch = '{batch}'")
        project.run("--cbx-jobs=6", "--cbx-report=report").assert_outcomes(passed=6)
        assert read_spans(project.pytester.path / "report" / "events.jsonl")[1] == most


def test_the_plan_tells_the_batch_of_each(project: Project) -> None:
    project.commands(
        "first: true", "unit: ./check $CBX_SHARD | needs = ['first'] ;; shards = 3", "last: true | needs = ['unit']", "other: true",
        head="[cbx]\nbatch = 'dependency'",
    )  # fmt: skip
    result = project.run("--cbx-explain")
    result.stdout.fnmatch_lines([f"*{name} *pool chain (4 at once)" for name in ("first", "unit#1/3", "last")])
    result.stdout.fnmatch_lines(["*other *pool independent (12 at once)"])
