"""What earlier runs were seen to touch changes how a command is prepared."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_cbx.client import jobs as jobs_module
from pytest_cbx.client.explained import explained
from pytest_cbx.client.isolation import Rung
from pytest_cbx.client.jobs import Job, Site, plan, prepare
from pytest_cbx.client.learning import ENOUGH, UNLISTED_LOCK, Diary
from pytest_cbx.config.model import CommandConfig, Settings
from pytest_cbx.engine.protocol import ChangeList, Finished, Observation
from pytest_cbx.tier import Tier


@pytest.fixture(autouse=True)
def _surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(jobs_module, "reach", lambda wanted: Rung(name="guard", reason="for tests"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    tool(folder, b"one")
    return folder


def tool(folder: Path, content: bytes) -> None:
    (folder / "tool").write_bytes(b"\x7fELF\0" + content)
    (folder / "tool").chmod(0o755)


def make(root: Path, *texts: str, settings: Settings | None = None, **keys: object) -> tuple[Job, ...]:
    configs = [
        CommandConfig(name=f"c{number}", run=text, line=0, **keys)  # type: ignore[arg-type]
        for number, text in enumerate(texts)
    ]
    return prepare(configs, site=Site(base=root, root=root), settings=settings or Settings())


def ran(
    root: Path,
    text: str,
    observed: Sequence[tuple[str, str]] = (),
    *,
    times: int = 1,
    isolation: str = "guard",
    **fields: object,
) -> None:
    """As if the command had run, and had been seen to touch these."""
    diary = Diary(root, Settings())
    for _ in range(times):
        (job,) = make(root, text)
        listed = [Observation(mode=mode, path=os.fsencode(path)) for mode, path in observed]
        net: dict[str, list[bytes]] = {"create": [], "write": [], "delete": []}
        for mode, path in observed:
            net.get(mode, []).append(os.fsencode(path))
        given = {
            "id": 1, "status": "passed", "exit_code": 0, "cause": "exit", "attempts": 1, "wall_s": 2.0, "observed": listed,
            "changes": ChangeList(created=net["create"], modified=net["write"], deleted=net["delete"]), **fields,
        }  # fmt: skip
        diary.take_down(job.trace, job.request, Finished(**given), isolation=isolation)  # type: ignore[arg-type]
    diary.store()
    assert diary.notes == []


def claims(job: Job) -> list[str]:
    return [str(claim) for claim in job.request.claims]


def test_a_command_that_only_reads_and_was_seen_to_write_is_no_longer_safe(root: Path) -> None:
    (before,) = make(root, "grep -r x src")
    assert before.request.tier is Tier.SAFE_PARALLEL
    ran(root, "grep -r x src", [("write", "log/a"), ("read", "src/x")])
    (job,) = make(root, "grep -r x src")
    assert job.request.tier is Tier.CONDITIONAL_PARALLEL
    assert "write log/a" in claims(job)
    assert set(claims(before)) < set(claims(job))
    assert job.request.assessment is not None
    assert job.request.assessment.reasons[0] == "learned: an earlier run was seen to write log/a"
    assert job.request.assessment.tier is Tier.CONDITIONAL_PARALLEL
    assert explained(job).learned == ["write log/a (seen in 1 run)"]


def test_what_was_predicted_is_not_learned(root: Path) -> None:
    text = "sort -u a > b"
    (before,) = make(root, text)
    ran(root, text, [("write", "b"), ("read", "a"), ("create", "b")])
    (job,) = make(root, text)
    assert job.request.claims == before.request.claims
    assert job.request.tier is before.request.tier
    assert job.learned == ()


def test_what_it_made_for_itself_and_took_away_keeps_nobody_away(root: Path) -> None:
    passing = [("write", "cache-files-x/README"), ("create", "cache-files-x"), ("write", "kept")]
    (root / "kept").touch()
    ran(root, "ruff check src", passing, changes=ChangeList())
    assert [line.split(" (")[0] for line in make(root, "ruff check src")[0].learned] == ["write kept"]
    ran(root, "grep x src", passing[:1], changes=ChangeList())
    (job,) = make(root, "grep x src")
    assert job.request.tier is Tier.CONDITIONAL_PARALLEL
    assert "create cache-files-x/README" in claims(job)


def test_the_end_of_a_file_counts_not_the_calls(root: Path) -> None:
    observed = [("write", "a"), ("create", "b"), ("write", "c")]
    ran(root, "sort x > y", observed, changes=ChangeList(created=[b"a"], deleted=[b"b"], modified=[b"c"]))
    (job,) = make(root, "sort x > y")
    assert {line.split(" (")[0] for line in job.learned} == {"create a", "delete b", "write c"}


LOG = "_logs/2026-11-27T13_16_52_000Z-debug-0.log"


@pytest.mark.parametrize(
    ("variable", "value", "home"),
    [
        ("HOME", "/home/u", "/home/u/.npm"),
        ("npm_config_cache", "/srv/npm/", "/srv/npm"),
        ("NPM_CONFIG_CACHE", "/srv/npm", "/srv/npm"),
        ("npm_config_cache", "npm", "/home/u/.npm"),
    ],
)
def test_npm_s_dated_logs_are_a_part_of_its_cache(
    root: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, home: str
) -> None:
    monkeypatch.setenv("HOME", "/home/u")
    for name in ("npm_config_cache", "NPM_CONFIG_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, value)
    texts = ["npx --no-install eslint src", "npx --no-install tsc --noEmit"]
    for number, text in enumerate(texts):
        ran(root, text, [("create", f"{home}/{LOG}".replace("debug-0", f"debug-{number}"))])
    jobs = make(root, *texts)
    assert [job.learned for job in jobs] == [(f"cache {home}/_logs/** (seen in 1 run)",)] * 2
    assert plan(jobs, slots=2, settings=Settings()).edges == ()


def test_a_stricter_tier_stays(root: Path) -> None:
    ran(root, "rm -rf build", [("delete", "other/x")])
    (job,) = make(root, "rm -rf build")
    assert job.request.tier is Tier.DANGEROUS_ISOLATED


def test_times_are_the_median_of_the_last_passes(root: Path) -> None:
    assert make(root, "true")[0].request.seconds is None
    for seconds in (100.0, 1.0, 2.0, 30.0):
        ran(root, "true", wall_s=seconds, isolation="off")
    ran(root, "true", wall_s=999.0, status="failed", exit_code=1)
    assert make(root, "true")[0].request.seconds == 16.0
    ran(root, "true", wall_s=5.0, times=10)
    assert make(root, "true")[0].request.seconds == 5.0


def test_an_unlisted_program_is_known_after_enough_runs(root: Path) -> None:
    observed = [("create", "out/a"), ("create", "out"), ("write", "out/b")]
    ran(root, "./tool x", observed, times=ENOUGH - 1)
    (job,) = make(root, "./tool x")
    assert job.request.tier is Tier.SEQUENTIAL_REQUIRED
    assert "write **" in claims(job)
    ran(root, "./tool x", observed)
    (job,) = make(root, "./tool x")
    assert job.request.tier is Tier.CONDITIONAL_PARALLEL
    assert set(claims(job)) == {
        "create out/a", "write out/b", "read ** (sources)", "read tool", str(UNLISTED_LOCK),
    }  # fmt: skip
    assert job.request.assessment is not None
    assert job.request.assessment.reasons[0] == "learned from 3 runs: create out/a, write out/b"
    assert explained(job).effects.unknown == ["./tool is a program of its own"]


def test_a_program_in_path_is_known_too(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(root), prepend=os.pathsep)
    (root / "frobnicate").write_text("#!/usr/bin/env perl\n")
    (root / "frobnicate").chmod(0o755)
    ran(root, "frobnicate", [("write", "out")], times=ENOUGH)
    assert "write **" not in claims(make(root, "frobnicate")[0])
    (root / "frobnicate").write_text("#!/usr/bin/env perl\nunlink 'all';\n")
    assert "write **" in claims(make(root, "frobnicate")[0])


def test_another_program_of_that_name_is_unknown_again(root: Path) -> None:
    ran(root, "./tool", times=ENOUGH)
    assert "write **" not in claims(make(root, "./tool")[0])
    tool(root, b"two")
    assert "write **" in claims(make(root, "./tool")[0])


def test_what_was_seen_of_another_script_or_place_is_no_longer_true(root: Path) -> None:
    (root / "check.sh").write_text("grep x src\n")
    ran(root, "bash check.sh", [("write", "log/a")])
    ran(root, "cp a b", [("write", "log/a")])
    assert "write log/a" in claims(make(root, "bash check.sh")[0])
    assert "write log/a" in claims(make(root, "cp a b")[0])
    (root / "check.sh").write_text("grep y src\n")
    (root / "b").mkdir()
    assert "write log/a" not in claims(make(root, "bash check.sh")[0])
    assert "write log/a" not in claims(make(root, "cp a b")[0])


def test_the_same_program_with_another_time_is_the_same(root: Path) -> None:
    ran(root, "./tool", times=ENOUGH)
    os.utime(root / "tool", (1, 1))
    assert "write **" not in claims(make(root, "./tool")[0])


@pytest.mark.parametrize(
    "fields",
    [
        {"isolation": "off"},
        {"status": "failed", "exit_code": 1},
        {"status": "cancelled", "cause": "cancelled"},
        {"observed": [("write", f"out/x{number}") for number in range(10_000)]},
    ],
    ids=["not watched", "not to its end", "cancelled", "too much to see"],
)
def test_incomplete_runs_do_not_count(root: Path, fields: dict[str, object]) -> None:
    ran(root, "./tool", times=ENOUGH + 1, **fields)  # type: ignore[arg-type]
    assert "write **" in claims(make(root, "./tool")[0])


@pytest.mark.parametrize(
    "text",
    [
        "./tool && curl -s https://example.org",
        "./tool && sudo ls",
        "./tool && rm -rf /srv/x",
        "./tool; kill 5",
        'eval "$X"; ./tool',
        "./tool | bash",
        "npx tool",
        "$TOOL x",
        "chmod 777 x && ./tool",
    ],
)
def test_whatever_else_speaks_against_it_wins(root: Path, text: str) -> None:
    (before,) = make(root, text)
    ran(root, text, [("write", "out")], times=ENOUGH)
    (job,) = make(root, text)
    assert job.request.tier is before.request.tier
    assert set(claims(job)) >= set(claims(before))


@pytest.mark.parametrize("keys", [{"privileged": True}, {"env": {"X": "1"}}, {"cwd": "sub"}])
def test_the_same_text_elsewhere_is_another_command(root: Path, keys: dict[str, object]) -> None:
    (root / "sub").mkdir()
    tool(root / "sub", b"one")
    ran(root, "./tool", times=ENOUGH)
    assert "write **" in claims(make(root, "./tool", **keys)[0])  # type: ignore[arg-type]


def test_without_a_guard_nothing_is_taken_for_known(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran(root, "./tool", times=ENOUGH)
    monkeypatch.setattr(jobs_module, "reach", lambda wanted: Rung(name="off", reason="for tests"))
    assert "write **" in claims(make(root, "./tool")[0])


def test_what_was_read_is_claimed_where_reads_were_seen(root: Path) -> None:
    ran(root, "./tool", [("read", "data/x"), ("write", "out")], times=ENOUGH, isolation="serializable")
    (job,) = make(root, "./tool")
    assert set(claims(job)) == {"read data/x", "read tool", "write out", str(UNLISTED_LOCK)}


def test_what_others_make_and_git_ignores_may_be_read(root: Path) -> None:
    ran(root, "./tool", times=ENOUGH)
    alone, maker = make(root, "./tool", "cc -c a.c -o node_modules/a.o")
    (only,) = make(root, "./tool")
    assert {claim.target for claim in maker.request.claims if claim.ignored} >= {"node_modules/a.o"}
    assert "read node_modules/a.o" in claims(alone)
    assert "read node_modules/a.o" not in claims(only)


def test_learning_can_be_switched_off(root: Path) -> None:
    ran(root, "grep -r x src", [("write", "log/a")])
    (job,) = make(root, "grep -r x src", settings=Settings(learn=False))
    assert job.request.tier is Tier.SAFE_PARALLEL
    assert job.trace is None
    diary = Diary(root, Settings(learn=False))
    (known,) = make(root, "grep -r x src")
    finished = Finished(id=1, status="passed", exit_code=0, cause="exit", attempts=1, wall_s=77.0)
    diary.take_down(known.trace, known.request, finished, isolation="guard")
    diary.store()
    assert make(root, "grep -r x src")[0].request.seconds == 2.0


def test_a_test_s_own_directory_is_not_remembered(root: Path, tmp_path: Path) -> None:
    (tmp_path / "t0").mkdir()
    config = CommandConfig(name="c", run="true", line=0)
    (job,) = prepare([config], site=Site(base=tmp_path / "t0", root=root), settings=Settings())
    assert job.trace is None


def test_a_store_that_cannot_be_used_is_told_and_nothing_else(root: Path, tmp_path: Path) -> None:
    ran(root, "true")
    (store,) = (tmp_path / "cache").glob("pytest-cbx/*/observed.sqlite3")
    store.write_bytes(b"nonsense" * 1000)
    notes: list[str] = []
    config = CommandConfig(name="c", run="true", line=0)
    prepare([config], site=Site(base=root, root=root), settings=Settings(), notes=notes)
    assert "damaged" in notes[0]


def test_a_job_without_lessons_is_the_same_with_and_without_the_store(root: Path) -> None:
    (fresh,) = make(root, "make all")
    ran(root, "other", [("write", "x")])
    (later,) = make(root, "make all")
    assert replace(later, trace=None) == replace(fresh, trace=None)
