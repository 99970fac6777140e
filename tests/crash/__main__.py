"""python -m tests.crash [--sample N] [--seed N] [--only NAME ...] [--durability process|power] [--jobs N] [--json]

Kills runs of real workloads at every call that changes something, recovers, and looks whether the tree is exactly as
before, or exactly as after. Exit code 1 if it ever is neither.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from pytest_cbx.config.model import Durability
from tests.crash.campaign import WORKLOADS, Figures, try_workload
from tests.crash.points import Where

SHOWN = 20
"""Violations of one workload."""


def main() -> int:
    """Run it in several processes and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash")
    parser.add_argument(
        "--sample", type=int, default=0, metavar="N", help="about N points in each part of a run, not all"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--only", nargs="+", default=list(WORKLOADS), metavar="NAME", help="these workloads")
    parser.add_argument("--durability", choices=[kind.value for kind in Durability], default="process")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once")
    parser.add_argument("--json", action="store_true", help="print one JSON object a workload")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.here:
        for name in given.only:
            figures = try_workload(name, durability=Durability(given.durability), sample=given.sample, seed=given.seed)
            print(figures.line(), flush=True)
        return 0
    start = time.monotonic()
    if not given.json:
        _print_head()
    found: list[Figures] = []
    for figures in _in_processes(given):
        found.append(figures)
        print(figures.line() if given.json else _row(figures), flush=True)
    if not given.json:
        _print_sum(found, time.monotonic() - start)
    wrong = any(figures.wrong for figures in found)
    return 1 if wrong or len(found) != len(given.only) else 0


def _in_processes(given: argparse.Namespace) -> Iterator[Figures]:
    """Each workload in a process of its own, for its environment and its children are its own; so many at once."""
    waiting = list(given.only)
    running: list[subprocess.Popen[str]] = []
    while waiting or running:
        while waiting and len(running) < given.jobs:
            running.append(_start(given, waiting.pop(0)))
        first = running.pop(0)
        out, _ = first.communicate()
        yield from (Figures(**json.loads(line)) for line in out.splitlines())


def _start(given: argparse.Namespace, name: str) -> subprocess.Popen[str]:
    options = [f"--sample={given.sample}", f"--seed={given.seed}", f"--durability={given.durability}"]
    words = [sys.executable, "-m", "tests.crash", "--here", *options, "--only", name]
    root = Path(__file__).resolve().parents[2]
    return subprocess.Popen(words, cwd=root, stdout=subprocess.PIPE, text=True)


def _print_head() -> None:
    print(f"{'workload':<30}" + "".join(f"{where.value:>24}" for where in Where) + f"{'total':>8}  verdicts")


def _row(figures: Figures) -> str:
    counts = "".join(f"{figures.counts.get(where.value, 0):>24}" for where in Where)
    told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(figures.verdicts.items()))
    wrong = "".join(f"\nWRONG: {text}" for text in figures.wrong[:SHOWN])
    return f"{figures.workload:<30}{counts}{figures.total:>8}  {told}{wrong}"


def _print_sum(found: list[Figures], seconds: float) -> None:
    total, wrong = sum(figures.total for figures in found), sum(len(figures.wrong) for figures in found)
    print(f"{total} points in {len(found)} workloads, {wrong} wrong; {seconds:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
