"""1,000 × `bash -c true` through the engine, two at a time, next to `xargs -P2` in the same run.

python tests/bench/bench_engine.py [COUNT]
"""

from __future__ import annotations

import dataclasses
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pytest_cbx.config.model import Settings
from pytest_cbx.engine.client import Client
from pytest_cbx.engine.protocol import CommandSpec, Finished, Submission
from pytest_cbx.tier import Tier

ROUNDS = 3
JOBS = 2


def xargs(count: int) -> float:
    """Seconds for `count` × `bash -c true`, two at a time."""
    numbers = "".join(f"{n}\n" for n in range(count))
    start = time.perf_counter()
    subprocess.run(["xargs", f"-P{JOBS}", "-I{}", "bash", "-c", "true"], input=numbers, text=True, check=True)
    return time.perf_counter() - start


def engine(folder: Path, count: int) -> tuple[float, float]:
    """Seconds for all commands, from handing them in to the last result; and for starting and leaving the engine."""
    start = time.perf_counter()
    client = Client.connect(folder, name="bench", settings=dataclasses.replace(Settings(), jobs=JOBS))
    number = client.environment(dict(os.environb))
    come = time.perf_counter()
    client.submit(Submission(nodes=[spec(folder, n, number) for n in range(1, count + 1)]))
    passed = 0
    while passed < count:
        for message in client.receive(None):
            if isinstance(message, Finished):
                assert message.status == "passed", message
                passed += 1
    done = time.perf_counter()
    client.close()
    return done - come, come - start + time.perf_counter() - done


def spec(folder: Path, number: int, environment: int) -> CommandSpec:
    """One command with a file of its own for its output."""
    output = os.fsencode(folder / f"{number % 50}.log")
    return CommandSpec(
        id=number,
        name=f"t{number}",
        argv=[b"bash", b"-c", b"true"],
        cwd=os.fsencode(folder),
        umask=0o022,
        environment=environment,
        tier=Tier.SAFE_PARALLEL,
        claims=[],
        cpus=0.5,
        memory=512 * 1024 * 1024,
        timeout=300.0,
        stdout=output,
        stderr=output,
    )


def main() -> None:
    """Run in the order A B B A and print medians and ratios."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    bare: list[float] = []
    ours: list[float] = []
    around: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        for number in range(ROUNDS * 2):
            first = number % 2 == 0
            if first:
                bare.append(xargs(count))
            inside, outside = engine(Path(name), count)
            ours.append(inside)
            around.append(outside)
            if not first:
                bare.append(xargs(count))
    x, e = (statistics.median(values) / count * 1000 for values in (bare, ours))
    print(f"{count} x bash -c true, {JOBS} at a time, medians of {len(bare)} interleaved rounds, ms a command")
    print(f"  xargs -P{JOBS}    {x:6.3f}   1.00")
    print(f"  engine       {e:6.3f}   {e / x:.2f}")
    print(f"  starting and leaving the engine: {statistics.median(around) * 1000:.0f} ms once")


if __name__ == "__main__":
    main()
