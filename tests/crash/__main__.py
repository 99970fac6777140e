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
from pathlib import Path

from pytest_cbx.config.model import Durability
from tests.crash.campaign import WORKLOADS, Figures, try_workload
from tests.crash.points import Where

SHOWN = 20


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
    found = _in_processes(given)
    if given.json:
        for figures in found:
            print(figures.line())
    else:
        _print(found, time.monotonic() - start)
    wrong = [text for figures in found for text in figures.wrong]
    return 1 if wrong or len(found) != len(given.only) else 0


def _in_processes(given: argparse.Namespace) -> list[Figures]:
    """Each workload in a process of its own, for its environment and its children are its own; so many at once."""
    waiting = list(given.only)
    running: list[subprocess.Popen[str]] = []
    found: list[Figures] = []
    while waiting or running:
        while waiting and len(running) < given.jobs:
            running.append(_start(given, waiting.pop(0)))
        first = running.pop(0)
        out, _ = first.communicate()
        found += [Figures(**json.loads(line)) for line in out.splitlines()]
    return found


def _start(given: argparse.Namespace, name: str) -> subprocess.Popen[str]:
    options = [f"--sample={given.sample}", f"--seed={given.seed}", f"--durability={given.durability}"]
    words = [sys.executable, "-m", "tests.crash", "--here", *options, "--only", name]
    root = Path(__file__).resolve().parents[2]
    return subprocess.Popen(words, cwd=root, stdout=subprocess.PIPE, text=True)


def _print(found: list[Figures], seconds: float) -> None:
    parts = [where.value for where in Where]
    print(f"{'workload':<30}" + "".join(f"{part:>24}" for part in parts) + f"{'total':>8}  verdicts")
    for figures in found:
        row = "".join(f"{figures.counts.get(part, 0):>24}" for part in parts)
        told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(figures.verdicts.items()))
        print(f"{figures.workload:<30}{row}{figures.total:>8}  {told}")
    wrong = [text for figures in found for text in figures.wrong]
    for text in wrong[:SHOWN]:
        print(f"WRONG: {text}")
    total = sum(figures.total for figures in found)
    print(f"{total} points in {len(found)} workloads, {len(wrong)} wrong; {seconds:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
