"""Shards as jobs: which tools' run at once, and which ones have to wait for one another, and why."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pytest_cbx.client import jobs
from pytest_cbx.client.jobs import Job, Site, plan, prepare
from pytest_cbx.client.learning import Diary
from pytest_cbx.config.model import CommandConfig, Isolation, Settings
from pytest_cbx.engine.protocol import ChangeList, Finished, Observation
from pytest_cbx.frameworks.sharding import expand


@pytest.fixture
def folder() -> Iterator[Path]:
    """With the folders that are there after a first run, ignored by git. Not pytest's own: that is one of its caches."""
    with tempfile.TemporaryDirectory(prefix="cbx-shards-") as name:
        folder = Path(name)
        for made in (".pytest_cache", "node_modules/.bin", "build"):
            (folder / made).mkdir(parents=True)
        (folder / ".gitignore").write_text(".pytest_cache/\n__pycache__/\nnode_modules/\nbuild/\ntmp/\n")
        subprocess.run(["git", "init", "-q", folder], check=True)
        yield folder


@pytest.fixture(autouse=True)
def _guarded_unless_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine carries, and knows of earlier runs."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", "/home/u")
    monkeypatch.setattr(jobs, "_is_guarded", lambda command, settings: settings.isolation is not Isolation.OFF)


def waits(folder: Path, *commands: CommandConfig, isolation: Isolation = Isolation.AUTO) -> list[str]:
    """Why some command waits for an earlier one."""
    settings = Settings(isolation=isolation)
    return [edge.reason for edge in plan(made(folder, *commands, settings=settings), slots=4, settings=settings).edges]


def made(folder: Path, *commands: CommandConfig, settings: Settings) -> tuple[Job, ...]:
    return prepare(expand(commands), site=Site(base=folder, root=folder), settings=settings)


def ran(folder: Path, one: CommandConfig, *created: str) -> None:
    """As if each of its shards had made these; `{}` stands for the shard's number."""
    diary = Diary(folder, Settings())
    for number, job in enumerate(made(folder, one, settings=Settings()), 1):
        paths = [os.fsencode(path.format(number)) for path in created]
        finished = Finished(
            id=1, status="passed", exit_code=0, cause="exit", attempts=1, wall_s=2.0,
            observed=[Observation(mode="create", path=path) for path in paths], changes=ChangeList(created=paths),
        )  # fmt: skip
        diary.take_down(job.trace, job.request, finished, isolation="guard")
    diary.store()


def learned(folder: Path, one: CommandConfig, isolation: Isolation = Isolation.AUTO) -> list[str]:
    jobs = made(folder, one, settings=Settings(isolation=isolation))
    return [line.partition(" (")[0] for job in jobs for line in job.learned]


def command(run: str, results: str | None = None, *, name: str = "unit", shards: int = 3) -> CommandConfig:
    return CommandConfig(name=name, run=run, results=results, line=1, shards=shards)


PYTEST = command("pytest -q --junitxml=.pytest_cache/cbx-unit.xml tests", "junit:.pytest_cache/cbx-unit.xml")
VITEST = command("npx --no-install vitest run --outputFile.json=node_modules/.cbx", "jest:node_modules/.cbx")


@pytest.mark.parametrize(
    "one",
    [
        PYTEST,
        VITEST,
        command("python -m pytest tests"),
        command("npx --no-install jest --ci --json --outputFile=node_modules/.cbx", "jest:node_modules/.cbx"),
        command("npx --no-install jest --json --outputFile=node_modules/.cbx", "jest:node_modules/.cbx"),
        command("node --test --test-reporter=tap", "tap:-"),
        command("go test -json ./...", "go:-"),
        command("bats --formatter tap tests/*.bats", "tap:-"),
        command("rspec --format json spec/*_spec.rb", "rspec:-"),
    ],
    ids=lambda one: one.run,
)
def test_these_run_at_once(folder: Path, one: CommandConfig) -> None:
    assert waits(folder, one) == []


@pytest.mark.parametrize(
    ("one", "why"),
    [
        # Before 4.6 each ctest writes the same logs in the build directory (cmake.org, release notes of `--output-dir`).
        (command("ctest --test-dir build"), "both write build/**"),
        # It empties that folder when it starts.
        (
            command("npx --no-install playwright test --reporter=line --ignore-snapshots"),
            "test-results/** that unit#1/3 writes",
        ),
        (command("npx --no-install jest --ci --coverage"), "coverage"),
        (command("npx --no-install cucumber-js"), "reports/**"),
        (command("meson test -C build"), "both write build/**"),
        (command("cargo nextest run --locked"), "target/**"),
        # Not in the catalogue.
        (command("npx --no-install rstest run"), "both write **"),
        (command("pytest -q --junitxml=unit.xml", "unit.xml"), "reads unit-1-of-3.xml that unit#1/3 writes"),
    ],
    ids=lambda one: one.run if isinstance(one, CommandConfig) else "",
)
def test_these_touch_the_same_and_take_turns(folder: Path, one: CommandConfig, why: str) -> None:
    reasons = waits(folder, one)
    assert len(reasons) >= 2
    assert why in reasons[0]


def test_snapshots_are_left_to_the_guard_only_where_there_is_one(folder: Path) -> None:
    assert waits(folder, VITEST, isolation=Isolation.OFF)
    assert waits(folder, command(VITEST.run, shards=1), command(VITEST.run, name="other", shards=1))


CROWD = [f"src/__snapshots__/{letter}-{{}}.snap" for letter in "abcdefghijkl"]


@pytest.mark.parametrize(
    ("one", "seen"),
    [
        (VITEST, ["src/__snapshots__/shared.snap", "node_modules/.cbx-{}-of-3"]),
        (VITEST, CROWD),
        (VITEST, ["node_modules/.vite-temp/vitest.config.js", "node_modules/.vite/vitest/results.json"]),
        (VITEST, ["node_modules/.vitest-cache/a", "/home/u/.npm/_logs/2026-11-27T13_16_52_000Z-debug-0.log"]),
        # It makes no snapshots, by what is told of it.
        (command("npx --no-install jest --ci"), ["src/__snapshots__/shared.snap"]),
        (command("npx --no-install jest --ci"), CROWD),
        (PYTEST, [".pytest_cache/cbx-unit-{}-of-3.xml", ".pytest_cache/v/cache/lastfailed", ".pytest_cache"]),
    ],
)
def test_what_was_seen_keeps_shards_no_more_apart_than_what_is_told(
    folder: Path, one: CommandConfig, seen: Sequence[str]
) -> None:
    ran(folder, one, *seen)
    assert waits(folder, one) == []
    assert not [claim for claim in learned(folder, one) if not claim.startswith("cache ")]


def test_what_shards_were_seen_to_share_keeps_them_apart(folder: Path) -> None:
    ran(folder, VITEST, "src/shared.txt")
    assert waits(folder, VITEST)[0] == "reads src/shared.txt that unit#1/3 creates"
    assert learned(folder, VITEST) == ["create src/shared.txt"] * 3


def test_seen_snapshots_are_left_to_the_guard_only_where_there_is_one(folder: Path) -> None:
    jest = command("npx --no-install jest --ci")
    ran(folder, jest, "src/__snapshots__/shared.snap")
    assert waits(folder, jest, isolation=Isolation.OFF)
    assert learned(folder, jest, Isolation.OFF) == ["create src/__snapshots__/shared.snap"] * 3


def test_two_runs_of_pytest_with_results_in_its_cache_do_not_wait(folder: Path) -> None:
    """As discovery proposes them, for unit tests and integration tests."""
    other = command(PYTEST.run.replace("unit", "more"), ".pytest_cache/cbx-more.xml", name="more", shards=1)
    assert waits(folder, PYTEST, other) == []
    assert waits(
        folder,
        command(PYTEST.run, PYTEST.results, shards=1),
        command(PYTEST.run, PYTEST.results, name="again", shards=1),
    )
