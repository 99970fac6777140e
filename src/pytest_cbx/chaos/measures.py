"""What the criteria need beside trials: how much slower, and how full, measured on real commands without faults."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from statistics import median

from pytest_cbx.chaos.model import Evidence, Pair
from pytest_cbx.chaos.occupancy import occupancy
from pytest_cbx.client.api import Cbx
from pytest_cbx.client.runner import Runner, Watch
from pytest_cbx.config.model import CommandConfig, Settings
from pytest_cbx.events import AnyEvent

ROUNDS = 10
COMMANDS = 8


def reference(seconds: float) -> list[str]:
    """Commands that take so long, a tenth of it at work, and write a file each."""
    work = "x=0; until (( (${EPOCHREALTIME/./} - began) > %d )); do (( x++ )) || true; done"
    return [
        f"began=${{EPOCHREALTIME/./}}; {work % int(seconds * 100_000)}; sleep {seconds * 0.9:.3f}; echo $x > made{number}"
        for number in range(COMMANDS)
    ]


def measure(
    root: Path,
    folder: Path,
    settings: Settings,
    *,
    seconds: float = 1.0,
    rounds: int = ROUNDS,
    long: float = 15.0,
    seed: int = 1,
) -> Evidence:
    """Pairs for the degradation, and the occupancy of the slots.

    Each round runs the same commands, `seconds` long, through a bare pool of the same width and through cbx, in the order A B B A. Then
    three commands a slot that last `long` seconds each: a gap of g between two of length p leaves p / (p + g).
    `folder` is where they run, in the work tree `root`.
    """
    log: list[AnyEvent] = []
    commands = reference(seconds)
    pairs: list[Pair] = []
    with Runner(root, settings, name="chaos measures", watch=Watch(event=log.append)) as runner:
        cbx = Cbx(folder, root=root, settings=settings, connect=lambda: runner)
        width = runner.welcome.jobs
        _ours(cbx, commands)  # the first one starts threads, loads programs, learns what is touched
        for number in range(rounds):
            bare = _bare(folder, width, commands) if number % 2 == 0 else 0.0
            ours, single = _ours(cbx, commands)
            pairs.append(Pair(bare_s=bare or _bare(folder, width, commands), cbx_s=ours, length_s=median(single)))
        log.clear()
        makespan, lengths = _ours(cbx, [f"sleep {long}; echo done > long{number}" for number in range(3 * width)])
    found = occupancy(log, width)
    return Evidence(
        seed=seed,
        pairs=tuple(pairs),
        occupancy=replace(
            found,
            reference_s=median(lengths),
            makespan_s=makespan,
            lower_bound_s=max(sum(lengths) / width, *lengths),
        ),
    )


def _bare(folder: Path, width: int, commands: Sequence[str]) -> float:
    """Seconds through a pool of subprocesses."""

    def run(command: str) -> None:
        subprocess.run(["bash", "-eo", "pipefail", "-c", command], cwd=folder, check=True, stdin=subprocess.DEVNULL)

    before = time.perf_counter()
    with ThreadPoolExecutor(width) as pool:
        list(pool.map(run, commands))
    return time.perf_counter() - before


def _ours(cbx: Cbx, commands: Sequence[str]) -> tuple[float, list[float]]:
    """Seconds through cbx, and those of each command."""
    configs = [CommandConfig(name=f"reference {number}", run=text, line=0) for number, text in enumerate(commands)]
    before = time.perf_counter()
    outcomes = cbx.run_all(configs)
    took = time.perf_counter() - before
    for outcome in outcomes:
        assert outcome.ok, outcome
    return took, [outcome.duration for outcome in outcomes]
