"""All that the six criteria need, for the commands of any project: a campaign, enumerated points, recoveries, measurements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_cbx.chaos.api import Chaos
from pytest_cbx.chaos.campaign import Result
from pytest_cbx.chaos.criteria import RECOVERIES
from pytest_cbx.chaos.measures import measure
from pytest_cbx.chaos.model import Evidence
from pytest_cbx.config.model import Settings

POINTS = 12
"""Enumerated points of a command and a fault: evenly spread where it makes more calls."""
_ROUNDS_MAX = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What was found."""

    evidence: Evidence
    campaign: Result


def assess(
    chaos: Chaos,
    commands: Sequence[tuple[str, str]],
    *,
    root: Path,
    folder: Path,
    settings: Settings,
    faults: Sequence[str] = (),
    trials: int = 300,
    seed: int = 1,
    seconds: float = 600.0,
    quick: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Assessment:
    """Try commands (text, sort of work) in `folder`, a copy of nobody's work: it is put back, but may be lost with a bug of ours.

    `quick`: without the measurements of degradation and utilisation, and without killing engines until there are enough recoveries: a
    minute or two less.

    Raises:
        UsageError: a command fails by itself, or there is no such fault.
    """
    taken: list[Evidence] = []
    chaos.record = taken.append
    found = chaos.campaign(list(commands), faults, trials, seed, seconds=seconds)
    say(str(found).splitlines()[0])
    for text, work in commands:
        for kind, keywords in (
            ("kill", {}),
            ("disk_full", {"lasting": (False, True)}),
            ("journal_error", {"phase": "end", "lasting": (False, True)}),
        ):
            points = chaos.every_point(kind, text, work=work, most=POINTS, **keywords)
            say(str(points).splitlines()[0])
    rounds = 0
    while not quick and _recoveries(taken) < RECOVERIES and rounds < _ROUNDS_MAX:
        text, work = commands[rounds % len(commands)]
        chaos.every_point("kill", text, work=work, most=POINTS, whom="engine")
        rounds += 1
    say(f"{_recoveries(taken)} recoveries")
    evidence = Evidence(seed=seed)
    if not quick:
        evidence = measure(root, folder, settings, seed=seed)
        say("measured degradation and utilisation")
    for one in taken:
        evidence = one + evidence
    return Assessment(evidence=replace(evidence, seed=seed), campaign=found)


def _recoveries(taken: Sequence[Evidence]) -> int:
    return sum(trial.recovery_s is not None for one in taken for trial in one.trials)
