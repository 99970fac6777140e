"""Running commands at once gives the tree that running them one by one gives."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_cbx.client.jobs import Job, Site, plan, prepare
from pytest_cbx.client.runner import Capture, Runner
from pytest_cbx.config.model import CommandConfig, Rollback, Settings

RUNS = int(os.environ.get("CBX_SERIAL_RUNS", "15"))
COMMANDS = 60
FILES = 8


def generate(seed: int) -> list[str]:
    """Sixty commands that append to, move, read, rewrite and delete the same few files."""
    rng = random.Random(seed)

    def file() -> str:
        return f"{rng.choice(['', 'sub/'])}f{rng.randrange(FILES)}"

    shapes = (
        lambda n: f"echo {n} >> {file()}",
        lambda n: f"echo {n} >> {file()}; echo {n} >> {file()}",
        lambda n: f"cat {file()} {file()} >> {file()} 2>/dev/null",
        lambda n: f"mv -f {file()} {file()}",
        lambda n: f"cp {file()} {file()}",
        lambda n: f"n=$(wc -l < {(a := file())}); sleep 0.00{rng.randrange(1, 9)}; echo $n >> {a}",
        lambda n: f"sort -o {(a := file())} {a}",
        lambda n: f"rm -f {file()}",
        lambda n: f"ls sub > {file()}",
        lambda n: f"cd sub && tail -n 3 f{rng.randrange(FILES)} >> ../f{rng.randrange(FILES)}",
    )
    return [rng.choice(shapes)(number) for number in range(COMMANDS)]


def make_tree(folder: Path) -> None:
    (folder / "sub").mkdir(parents=True)
    for number in range(FILES):
        (folder / f"f{number}").write_text(f"start {number}\n")
        (folder / "sub" / f"f{number}").write_text(f"sub {number}\n")


def digest(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        total.update(f"{path.relative_to(folder)}\0{path.is_dir()}\0".encode())
        total.update(path.read_bytes() if path.is_file() else b"")
    return total.hexdigest()


def run_one_by_one(folder: Path, texts: list[str]) -> list[int]:
    # One bash that forks a fresh shell for each text: the same shells, without a Python start for each.
    script = "\n".join(
        f"( {text}\n) >/dev/null 2>&1 & wait $!; echo $?" for text in ("set -eo pipefail; " + t for t in texts)
    )
    done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, check=True)
    return [int(line) for line in done.stdout.split()]


def jobs_of(folder: Path, root: Path, texts: list[str]) -> tuple[Job, ...]:
    configs = [CommandConfig(name=f"c{n}", run=text, line=0) for n, text in enumerate(texts)]
    return prepare(configs, site=Site(base=folder, root=root), settings=Settings())


def run_at_once(runner: Runner, jobs: tuple[Job, ...]) -> list[int | None]:
    ids = runner.submit(jobs, plan(jobs, slots=4, settings=Settings()), capture=Capture.SEPARATE)
    codes: dict[int, int | None] = {}
    while len(codes) < len(ids):
        codes.update((number, outcome.exit_code) for number, outcome in runner.poll(None))
    return [codes[number] for number in ids]


def without_conflicts(jobs: tuple[Job, ...]) -> tuple[Job, ...]:
    return tuple(dataclasses.replace(job, request=dataclasses.replace(job.request, claims=())) for job in jobs)


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    # A failing command that is rolled back leaves another tree than the shells do that run one by one.
    settings = dataclasses.replace(Settings(), jobs=6, rollback=Rollback.NEVER)
    with Runner(tmp_path, settings, name="test") as made:
        yield made


def differs(runner: Runner, folder: Path, seed: int, *, conflicts: bool) -> bool:
    texts = generate(seed)
    serial, parallel = folder / f"serial{seed}", folder / f"parallel{seed}"
    make_tree(serial)
    make_tree(parallel)
    expected = run_one_by_one(serial, texts)
    jobs = jobs_of(parallel, folder, texts)
    codes = run_at_once(runner, jobs if conflicts else without_conflicts(jobs))
    return digest(serial) != digest(parallel) or expected != codes


@pytest.mark.timeout(600)
def test_same_tree_and_exit_codes_as_one_by_one(runner: Runner, tmp_path: Path) -> None:
    base = random.randrange(10**6)
    print(f"seeds {base} to {base + RUNS - 1}")
    wrong = [seed for seed in range(base, base + RUNS) if differs(runner, tmp_path, seed, conflicts=True)]
    assert not wrong, f"seeds whose tree differs from the serial one: {wrong}"


def test_the_check_above_fails_when_conflicts_are_switched_off(runner: Runner, tmp_path: Path) -> None:
    assert any(differs(runner, tmp_path, seed, conflicts=False) for seed in range(10))
