"""Reads and analyses the adversaries, each under a limit of processor time that the kernel enforces.

    python -m tests.unit.shell.watched SIZE SECONDS [MANY OF]

prints a line for each: processor seconds, its name. With `MANY OF` (`0 4`) only every fourth, from the first.
"""

from __future__ import annotations

import resource
import sys
import time

from pytest_cbx.effects.analysis import analyse
from pytest_cbx.effects.paths import Context
from pytest_cbx.shell.both import read_both
from tests.unit.shell.adversaries import ADVERSARIES

CONTEXT = Context(cwd="/w", workspace="/w", home="/home/u")


def main(size: int, seconds: int, part: int = 0, parts: int = 1) -> None:
    """Go through them; the kernel ends the process (SIGXCPU) at the first that takes longer than `seconds`."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    analyse(read_both("cat a | sed s/a/b/; rm -rf b"), CONTEXT)
    for name, made in list(ADVERSARIES.items())[part::parts]:
        text = made(size)
        start = time.process_time()
        resource.setrlimit(resource.RLIMIT_CPU, (int(start) + seconds + 1, resource.RLIM_INFINITY))
        print(f"{name} ", end="", flush=True)
        analyse(read_both(text), CONTEXT)
        print(f"\t{time.process_time() - start:.3f}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
