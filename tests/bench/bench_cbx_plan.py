"""`cbx plan --json` for 10,000 generated commands: seconds and peak memory.

python tests/bench/bench_cbx_plan.py [COUNT]
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def generate(count: int, seed: int = 7) -> str:
    """A configuration of distinct commands that read, write, move, build and lint, with some explicit needs."""
    rng = random.Random(seed)
    blocks: list[str] = []
    for number in range(count):
        directory = f"pkg{rng.randrange(200)}"
        text = rng.choice(
            (
                f"grep -rn needle{number} {directory}/src > reports/{number}.txt",
                f"cp {directory}/a{number}.txt {directory}/b{number}.txt",
                f"sed -i s/{number}/x/ {directory}/f{rng.randrange(50)}.txt",
                f"cat {directory}/*.txt | sort | uniq -c > out/{number}",
                f"pytest {directory}/tests/test_{number}.py -p no:cacheprovider",
                f"ruff check {directory} --line-length {80 + number % 50} && echo {number}",
                f"mkdir -p build/{number} && gcc -c {directory}/x{number}.c -o build/{number}/x.o",
                f"for f in {directory}/*.md; do wc -w $f >> words{number % 100}.txt; done",
            )
        )
        keys = f"needs = ['c{rng.randrange(number)}']\n" if number and rng.random() < 0.1 else ""
        blocks.append(f"[[cbx.command]]\nname = 'c{number}'\nrun = '''{text}'''\n{keys}")
    return "".join(blocks)


def main() -> None:
    """Plan them in a process of its own and print what it took."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run(["git", "init", "-q", name], check=True)
        (folder / "cbx.toml").write_text(generate(count))
        start = time.perf_counter()
        with (folder / "plan.json").open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "pytest_cbx.cli.main", "plan", "--json"], cwd=folder, stdout=out
            )
            _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        assert status == 0
        plan = json.loads((folder / "plan.json").read_bytes())
        size = (folder / "plan.json").stat().st_size
    busy = usage.ru_utime + usage.ru_stime
    print(f"{count} commands: {seconds:.2f} s, {busy:.2f} s of them busy, {usage.ru_maxrss / 1024:.0f} MB at the peak")
    print(f"  {len(plan['edges'])} edges, {len(plan['joins'])} joins, {size / 1e6:.1f} MB of JSON")


if __name__ == "__main__":
    main()
