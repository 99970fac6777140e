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
