"""How a real tool is run on a small project, and what it says of itself."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections import Counter
from pathlib import Path

from pytest_cbx.config.model import CommandConfig
from pytest_cbx.frameworks.cases import Case
from pytest_cbx.frameworks.results.reading import Source, read_results

FIXTURES = Path(__file__).parents[2] / "fixtures" / "frameworks"
COUNTED = ("passed", "failed", "skipped", "error")
Counts = tuple[int, int, int, int]


def run(command: str, folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Its exit code, and what it printed, to both streams."""
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", command], check=False, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
    )  # fmt: skip
    return done.returncode, done.stdout


def cases_of(command: str, results: str, folder: Path, output: Path, environment: dict[str, str]) -> tuple[Case, ...]:
    """What a run of a command is read as; `output` is a file for what it prints."""
    began = time.time()
    _, printed = run(command, folder, environment)
    output.write_text(printed)
    return read_results(Source(results=results, folder=folder, started_at=began, output=output))


def copied(name: str, into: Path) -> Path:
    """A fixture's project, to work in."""
    return Path(
        shutil.copytree(
            FIXTURES / name,
            into / name,
            ignore=shutil.ignore_patterns("node_modules", "test-results"),
            dirs_exist_ok=True,
        )
    )


def run_needs(
    command: CommandConfig, found: dict[str, CommandConfig], folder: Path, environment: dict[str, str]
) -> None:
    """Run what a command of a project needs, each after what it needs itself."""
    for need in command.needs:
        run_needs(found[need], found, folder, environment)
        code, printed = run(found[need].run, folder / found[need].cwd, environment)
        assert code == 0, printed


def counted(cases: tuple[Case, ...]) -> Counts:
    ends = Counter(one.status.value for one in cases)
    passed, failed, skipped, error = (ends[word] for word in COUNTED)
    return passed, failed, skipped, error


def hold(
    name: str, cases: tuple[Case, ...], expected: tuple[int, ...], names: tuple[str, ...], *, text: str, began: float
) -> None:
    """Print a row of the table; the counts are as expected, some names are there, and what is bad says why."""
    ours = counted(cases)
    row = "  ".join(f"{word} {count}" for word, count in zip(COUNTED, ours, strict=True))
    print(f"{name:18} {row}  {time.monotonic() - began:5.1f} s")
    assert ours == expected, text
    assert sum(ours) >= 2
    assert set(names) <= {one.name for one in cases}, [one.name for one in cases]
    for one in cases:
        if one.bad:
            assert one.message, one
            assert one.details, one
