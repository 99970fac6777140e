"""Random trials of everything at once."""

from __future__ import annotations

from pathlib import Path

from pytest_cbx.chaos.api import Chaos


def test_everything_at_random(chaos: Chaos, project: Path, commands: list[tuple[str, str]], trials: int) -> None:
    assert project.is_dir()
    found = chaos.campaign(commands, trials=trials, seconds=1500)
    print(found)
    assert found.ok, str(found)


def test_the_same_seed_gives_the_same_schedule_and_the_same_verdict(
    chaos: Chaos, project: Path, commands: list[tuple[str, str]]
) -> None:
    assert project.is_dir()
    chaos.record = lambda evidence: None  # a repetition is no further evidence
    # Which process of a pipeline makes the n-th call, nobody decides but the kernel.
    alone = [(text, work) for text, work in commands if "|" not in text]
    runs = [chaos.campaign(alone, trials=12, seed=5) for _ in range(3)]
    assert runs[0].schedules == runs[1].schedules == runs[2].schedules
    verdicts = [[(trial.tree, [one.result for one in trial.operations]) for trial in run.trials] for run in runs]
    assert verdicts[0] == verdicts[1] == verdicts[2]
