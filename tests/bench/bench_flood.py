"""1,000 × `true` through `pytest --cbx-parallel`, next to `xargs -P2` in the same run.

python tests/bench/bench_flood.py [COUNT]
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 3
PLUGIN = "pytest_cbx.pytest_plugin.plugin"


def xargs(count: int) -> float:
    """Seconds for `count` × `bash -c true`, two at a time."""
    numbers = "".join(f"{n}\n" for n in range(count))
    start = time.perf_counter()
    subprocess.run(["xargs", "-P2", "-I{}", "bash", "-c", "true"], input=numbers, text=True, check=True)
    return time.perf_counter() - start


def pytest_cbx(folder: Path, count: int) -> tuple[float, float]:
    """Seconds for the whole of pytest, and for the commands alone (first start to last end)."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "pytest", "-q", "-p", PLUGIN, "-p", "no:cacheprovider", "--cbx-parallel"]
    # Other people's plugins that happen to be installed here are not what is measured.
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        [*command, "--cbx-report=report"], cwd=folder, env=alone, capture_output=True, text=True, check=False
    )
    whole = time.perf_counter() - start
    assert f"{count} passed" in done.stdout, done.stdout[-2000:] + done.stderr[-2000:]
    totals = json.loads((folder / "report" / "summary.json").read_text())["totals"]
    return whole, totals["makespan_s"]


def main() -> None:
    """Run in the order A B B A and print medians and ratios."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    bare: list[float] = []
    whole: list[float] = []
    inner: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / ".git").mkdir()
        commands = "".join(f"[[cbx.command]]\nname = 't{n}'\nrun = 'true'\n" for n in range(count))
        (folder / "cbx.toml").write_text(commands)
        for number in range(ROUNDS * 2):
            first = number % 2 == 0
            if first:
                bare.append(xargs(count))
            one, two = pytest_cbx(folder, count)
            whole.append(one)
            inner.append(two)
            if not first:
                bare.append(xargs(count))
    x, w, i = (statistics.median(values) / count * 1000 for values in (bare, whole, inner))
    print(f"{count} x true, medians of {len(bare)} interleaved rounds, ms a command")
    print(f"  xargs -P2                              {x:6.2f}   1.00")
    print(f"  pytest --cbx-parallel, all of pytest   {w:6.2f}   {w / x:.2f}")
    print(f"  of that first start to last end        {i:6.2f}   {i / x:.2f}")


if __name__ == "__main__":
    main()
