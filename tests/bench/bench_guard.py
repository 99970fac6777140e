"""What guard costs: each workload bare, through the engine without isolation, and under guard, in turn in one run.

python -m tests.bench.bench_guard [--quick] [NAME ...]

The engine runs already; what starting it costs is told by `bench_engine.py`. After the rounds each workload is run once
more as a dry run: its changes are undone, and that is timed on its own.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pytest_cbx.client.jobs import Site, plan, prepare
from pytest_cbx.client.runner import Capture, Runner
from pytest_cbx.config.model import CommandConfig, Isolation, Limits, Rollback, Settings
from tests.bench.guard_workloads import COUNT, WORKLOADS, Timed, make_assets
from tests.workloads.model import Workload
from tests.workloads.place import Place

ROUNDS, QUICK_ROUNDS = 5, 1
OFF = dataclasses.replace(Settings(), isolation=Isolation.OFF, jobs=2, limits=Limits(memory_per_instance=2 << 30))
GUARD = dataclasses.replace(OFF, isolation=Isolation.GUARD)


@dataclass(frozen=True, slots=True)
class Result:
    """Medians, in seconds."""

    bare: float
    off: float
    guard: float
    undo: float


class Bench:
    """One tree, and an engine with two clients: one asks for guard, the other for no isolation."""

    def __init__(self, place: Place, off: Runner, guard: Runner) -> None:
        self._place = place
        self._off = off
        self._guard = guard

    def measure(self, timed: Timed, rounds: int) -> Result:
        """Bare, off, guard, and the same backwards, so many times."""
        ways: dict[str, Callable[[], float]] = {
            "bare": lambda: self._bare(timed),
            "off": lambda: self._ours(timed, self._off, Rollback.NEVER)[0],
            "guard": lambda: self._ours(timed, self._guard, Rollback.NEVER)[0],
        }
        found: dict[str, list[float]] = {name: [] for name in ways}
        self._fresh(timed)
        self._bare(timed)  # so that what is read is in memory
        for _ in range(rounds):
            for name in [*ways, *reversed(ways)]:
                self._fresh(timed)
                found[name].append(ways[name]())
        self._fresh(timed)
        undo = self._ours(timed, self._guard, Rollback.ALWAYS)[1] if not timed.count else 0.0
        bare, off, guard = (statistics.median(found[name]) for name in ways)
        return Result(bare, off, guard, undo)

    def _fresh(self, timed: Timed) -> None:
        self._place.set_up(Workload(name=timed.name, setup=timed.setup, script=timed.script))

    def _bare(self, timed: Timed) -> float:
        words = ["bash", "-eo", "pipefail", "-c", timed.script]
        start = time.perf_counter()
        if timed.count:
            numbers = "".join(f"{n}\n" for n in range(timed.count))
            # A file for the output of each, as the engine has.
            script = f'exec bash -eo pipefail -c "{timed.script}" > "$1/$0" 2>&1'
            with tempfile.TemporaryDirectory() as folder:
                start = time.perf_counter()
                subprocess.run(
                    ["xargs", "-P2", "-I{}", "sh", "-c", script, "{}", folder], input=numbers, text=True, check=True
                )
                return time.perf_counter() - start
        with open(os.devnull, "wb") as null:
            subprocess.run(words, cwd=self._place.tree, stdin=subprocess.DEVNULL, stdout=null, stderr=null, check=True)
        return time.perf_counter() - start

    def _ours(self, timed: Timed, runner: Runner, rollback: Rollback) -> tuple[float, float]:
        """Seconds from handing in to the last outcome, and those of it after the command itself had ended."""
        names = [f"{timed.name} {n}" for n in range(max(timed.count, 1))]
        commands = [CommandConfig(name=name, run=timed.script, line=0, rollback=rollback) for name in names]
        site = Site(base=self._place.workspace, root=self._place.workspace)
        jobs = prepare(commands, site=site, settings=runner.settings, folder=self._place.tree)
        planned = plan(jobs, slots=runner.welcome.jobs, settings=runner.settings)
        start = time.perf_counter()
        left = set(runner.submit(jobs, planned, capture=Capture.SEPARATE))
        longest = 0.0
        while left:
            for number, outcome in runner.poll(None):
                assert outcome.ok, outcome
                left.discard(number)
                longest = outcome.duration
        whole = time.perf_counter() - start
        return whole, max(0.0, whole - longest)


@contextmanager
def _bench() -> Iterator[Bench]:
    with tempfile.TemporaryDirectory(prefix="cbx-bench-") as base:
        place = Place(Path(base))
        make_assets(Path(base) / "assets")
        os.environ.clear()
        os.environ.update(place.environment())
        tempfile.tempdir = None
        with (
            Runner(place.workspace, OFF, name="bench off") as off,
            Runner(place.workspace, GUARD, name="bench guard") as guard,
        ):
            yield Bench(place, off, guard)


def main() -> int:
    """Print a line a workload; exit code 1 if none could be run."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bench_guard")
    parser.add_argument("--quick", action="store_true", help="one round")
    parser.add_argument("names", nargs="*", metavar="NAME", help="these workloads")
    given = parser.parse_args()
    rounds = QUICK_ROUNDS if given.quick else ROUNDS
    print(f"medians of {2 * rounds} interleaved runs, seconds; {COUNT} commands count as one run of the flood")
    print(f"{'':<26}{'bare':>8}{'off':>8}{'guard':>8}{'guard:bare':>12}{'target':>8}{'guard:off':>11}{'undo':>8}")
    shown = 0
    with _bench() as bench:
        for timed in WORKLOADS:
            if given.names and timed.name not in given.names:
                continue
            missing = [tool for tool in timed.tools if shutil.which(tool) is None]
            if missing:
                print(f"{timed.name:<26}not installed: {', '.join(missing)}")
                continue
            result = bench.measure(timed, rounds)
            shown += 1
            ratio = result.guard / result.bare
            print(
                f"{timed.name:<26}{result.bare:8.3f}{result.off:8.3f}{result.guard:8.3f}{ratio:12.2f}"
                f"{timed.target:8.2f}{result.guard / result.off:11.2f}{result.undo:8.3f}"
                f"{'' if ratio <= timed.target else '  above the target'}",
                flush=True,
            )
    return 0 if shown else 1


if __name__ == "__main__":
    sys.exit(main())
