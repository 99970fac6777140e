"""How many commands a second the reader takes, beside the bare parse of tree-sitter-bash. Run it as a script."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import tree_sitter
import tree_sitter_bash

from pytest_cbx.shell.reader import LONGEST, read

COMMANDS = (
    "ls -la",
    "git diff --stat HEAD~1 -- 'src/*.c'",
    "grep -rn 'TODO' src | sort | uniq -c",
    "cd build && cmake .. -DCMAKE_BUILD_TYPE=Debug && make -j4 2>&1 | tee build.log",
    'for file in *.py; do echo "$file"; done',
    "PYTHONPATH=src python -m pytest -q tests/unit --maxfail=1",
    "if [ -f setup.py ]; then pip install -e .; fi",
    "find . -name '*.pyc' -not -path './.git/*' -exec rm {} +",
    "docker run --rm -v \"$PWD:/work\" image sh -c 'make test'",
    "echo $(date +%s) > stamp",
    "cat <<EOF > config.ini\n[main]\nuser = $USER\nEOF",
    'diff <(sort a.txt) <(sort b.txt) || { echo "differ: ${a:-none}"; exit 1; }',
)


def per_call(action: Callable[[], object], *, seconds: float = 0.2) -> float:
    """Seconds of one call, the best of five rounds."""
    rounds = 1
    while True:
        start = time.perf_counter()
        for _ in range(rounds):
            action()
        if time.perf_counter() - start > seconds / 5:
            break
        rounds *= 2
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(rounds):
            action()
        best = min(best, (time.perf_counter() - start) / rounds)
    return best


def main() -> None:
    """Print one line a command, then the whole."""
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))
    ours = bare = 0.0
    for command in COMMANDS:
        encoded = command.encode()
        one = per_call(lambda command=command: read(command))  # type: ignore[misc]
        other = per_call(lambda encoded=encoded: parser.parse(encoded))  # type: ignore[misc]
        ours += one
        bare += other
        print(f"{one * 1e6:8.1f} µs   tree-sitter alone {other * 1e6:7.1f} µs   {command.splitlines()[0]}")
    print(f"{len(COMMANDS) / ours:,.0f} commands a second; {ours / bare:.1f} times the bare parse")
    worst = subprocess.run(
        [sys.executable, "-m", "tests.unit.shell.watched", str(LONGEST - 100), "60"],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    rows = [line.rpartition("\t") for line in worst.stdout.splitlines()]
    slowest = max(rows, key=lambda row: float(row[2]))
    print(
        f"{len(rows)} texts of {LONGEST:,} bytes that mean harm: {slowest[2]} s at worst to read and analyse, {slowest[0]}"
    )


if __name__ == "__main__":
    main()
