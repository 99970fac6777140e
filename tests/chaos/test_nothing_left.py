"""SIGKILL of pytest in the middle of every kind of fault: nothing stays behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from pytest_cbx.chaos.faults.catalogue import own_kinds
from pytest_cbx.chaos.faults.kinds import Family
from pytest_cbx.chaos.tree import Snapshot, describe, snapshot
from pytest_cbx.engine.places import tree_of
from pytest_cbx.engine.sweep import left_by_dead_engines
from pytest_cbx.execute import cgroups
from tests.system.helpers import environment, processes_in, wait_for

WITHIN = 10.0
"""Seconds after the kill in which everything has to be gone."""
MB = 1024 * 1024
SAVE = "(echo hallo > a) || true; sleep 300"
ASK = "(echo hallo > /dev/tcp/127.0.0.1/9) || true; sleep 300"
TEST = """
import json, os, pathlib, time
from pytest_cbx.errors import EngineLost

given = json.loads(os.environ["GIVEN"])

def test_it(cbx, chaos):
    here = cbx.at(given["folder"])
    with chaos.inject(given["kind"], **given["keywords"]):
        try:
            here.run(given["command"], timeout=500)
            here.run("sleep 300", timeout=500)
        except EngineLost:
            time.sleep(300)

def test_ballast(cbx, chaos):
    with chaos.ballast(32 * 1024 * 1024):
        cbx.at(given["folder"]).run("echo x > a; sleep 300", timeout=500)
"""


@dataclass(frozen=True, kw_only=True)
class Row:
    """How a kind of fault is brought to its middle, where it stays until somebody ends it."""

    command: str = SAVE
    keywords: dict[str, Any] = field(default_factory=dict)


ROWS: dict[str, tuple[Row, ...]] = {
    "kill": (
        Row(keywords={"whom": "process", "path": "a"}),
        Row(keywords={"whom": "instance", "path": "a"}),
        Row(keywords={"whom": "engine", "path": "a"}, command=f"sleep 300 & {SAVE}"),
    ),
    "stop": (
        Row(command="echo 1 > a; (sleep 300) & echo 2 > b; sleep 300", keywords={"path": "b"}),
        Row(command=f"sleep 300 & {SAVE}", keywords={"path": "a", "whom": "engine"}),
        Row(command=f"sleep 300 & {SAVE}", keywords={"path": "a", "whom": "client"}),
    ),
    "hang": (Row(keywords={"path": "a"}), Row(keywords={"calls": ["nanosleep", "clock_nanosleep"]})),
    "exit_code": (Row(command="echo x > a", keywords={"code": 3}),),
    "no_start": (Row(),),
    "memory_limit": (
        Row(keywords={"limit": 200 * MB, "by": "rlimit"}),
        Row(keywords={"limit": 200 * MB, "by": "cgroup"}),
    ),
    "memory_pressure": (Row(keywords={"limit": 200 * MB}),),
    "no_memory": (Row(command="echo x > a; python3 -c 1 || true; sleep 300", keywords={"program": "python3*"}),),
    "disk_full": (Row(keywords={"path": "a"}),),
    "disk_error": (Row(keywords={"path": "a"}),),
    "read_only": (Row(keywords={"path": "a"}),),
    "quota": (Row(keywords={"path": "a"}),),
    "short_write": (Row(keywords={"path": "a"}),),
    "torn_write": (Row(keywords={"path": "a"}),),
    "slow": (Row(keywords={"path": "a", "seconds": 300.0}),),
    "fsync_lies": (Row(command="echo x > a; sync a || true; sleep 300"),),
    "journal_full": (
        Row(keywords={"phase": "keep"}),
        Row(command="echo x > a", keywords={"phase": "end", "lasting": True}),
    ),
    "journal_error": (Row(keywords={"phase": "keep", "lasting": True}),),
    "journal_short_write": (Row(),),
    "refused": (Row(command=ASK),),
    "timed_out": (Row(command=f"echo x > a; {ASK}", keywords={"seconds": 300.0}),),
    "no_route": (Row(command=ASK),),
    "no_name": (Row(command="(echo x > /dev/udp/127.0.0.1/53) || true; sleep 300"),),
    "partition": (Row(command=ASK),),
    "latency": (Row(command=f"echo x > a; {ASK}", keywords={"seconds": 300.0}),),
    "clock_jump": (Row(command="echo x > a; date > b; sleep 300", keywords={"seconds": 3600.0}),),
}


def test_every_kind_has_a_row() -> None:
    assert sorted(own_kinds()) == sorted(ROWS), "a kind of fault that is new needs a row above"


@dataclass(kw_only=True)
class Victim:
    """One pytest with an engine of its own, and all directories to itself."""

    name: str
    home: Path
    process: subprocess.Popen[bytes]
    environment: dict[str, str]
    before: Snapshot
    engine: int = 0

    @property
    def project(self) -> Path:
        return self.home / "project"

    @property
    def hits(self) -> list[dict[str, Any]]:
        found = (self.home / "cache").glob("pytest-cbx/chaos/*/hits.jsonl")
        return [json.loads(line) for path in found for line in path.read_bytes().splitlines()]

    def processes(self) -> list[psutil.Process]:
        """Of the command: what is neither pytest nor the engine nor started by pytest itself."""
        ours = {self.process.pid, self.engine}
        return [one for one in processes_in(self.home) if one.pid not in ours]

    def left(self) -> list[str]:
        """What runs, or is stopped, though its pytest is dead."""
        marked = [stat.pid for stat in left_by_dead_engines(tree_of(self.project), "")]
        found = {one.pid for one in processes_in(self.home)} | set(marked)
        return [told(pid) for pid in sorted(found - {self.process.pid})]

    def said(self) -> str:
        return (self.home / "said").read_text(errors="replace")


def told(pid: int) -> str:
    try:
        process = psutil.Process(pid)
        return f"{pid} {process.status()} {' '.join(process.cmdline())}"
    except psutil.NoSuchProcess:
        return f"{pid} (just gone)"


@contextmanager
def victims(rows: list[tuple[str, str, Row]]) -> Iterator[list[Victim]]:
    """A pytest for each, all at once."""
    started: list[Victim] = []
    try:
        for test, kind, row in rows:
            started.append(start(test, kind, row))
        yield started
    finally:
        for victim in started:
            victim.process.kill()
            victim.process.wait()
            for process in processes_in(victim.home):
                process.kill()
            shutil.rmtree(victim.home, ignore_errors=True)


def start(test: str, kind: str, row: Row) -> Victim:
    home = Path(tempfile.mkdtemp(prefix="cbx-", dir="/tmp"))  # short enough for sockets
    for name in ("cache", "state", "run", "tmp", "base", "project/.git", "project/work"):
        (home / name).mkdir(parents=True, mode=0o700)
    (home / "project" / "test_it.py").write_text(TEST)
    (home / "project" / "work" / "old").write_text("old")
    given = {"kind": kind, "keywords": row.keywords, "command": row.command, "folder": str(home / "project" / "work")}
    place = environment(
        XDG_CACHE_HOME=str(home / "cache"),
        XDG_STATE_HOME=str(home / "state"),
        XDG_RUNTIME_DIR=str(home / "run"),
        TMPDIR=str(home / "tmp"),
        PYTHONDONTWRITEBYTECODE="1",
        GIVEN=json.dumps(given),
    )
    before = snapshot(home / "project")
    arguments = [
        "-q",
        "-p",
        "no:randomly",
        "-p",
        "no:cacheprovider",
        f"--basetemp={home / 'base'}",
        f"test_it.py::{test}",
    ]
    with open(home / "said", "wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *arguments],
            cwd=home / "project",
            env=place,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    name = f"{kind or 'ballast'} {row.keywords}"
    return Victim(name=name, home=home, process=process, environment=place, before=before)


def in_its_middle(victim: Victim) -> bool:
    """The fault has struck, and the command, or its engine, or what is run after it, is there to be left behind."""
    assert victim.process.poll() is None, f"{victim.name}: pytest ended by itself:\n{victim.said()}"
    if victim.name.startswith("ballast"):
        return len(victim.processes()) >= 2 and (victim.project / "work" / "a").exists()
    if not victim.hits:
        return False
    if "engine" in victim.name:
        return True
    return any(word in told(process.pid) for process in victim.processes() for word in ("sleep", "bash"))


def engine_of(victim: Victim) -> psutil.Process:
    """The oldest: what it has just forked still looks like it."""
    found = [one for one in processes_in(victim.home) if "pytest_cbx.engine" in told(one.pid)]
    return min(found, key=lambda one: (one.create_time(), one.pid))


def groups_of(engine: int) -> list[Path]:
    found = cgroups.here()
    return [] if isinstance(found, str) else list(found.folder.glob(f"{cgroups.PREFIX}{engine}-*"))


def mounts_of(home: Path) -> list[str]:
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(home) in line]


def temporary_of(victim: Victim) -> list[str]:
    """Everything that a start afterwards has to have cleared away."""
    home = victim.home
    kept = [*(home / "cache").glob("pytest-cbx/chaos/*"), *(home / "tmp").rglob("*"), *(home / "run").rglob("*")]
    return [str(path) for path in (*kept, *(home / "state").rglob("*"))]


def rows_of(family: Family) -> tuple[list[tuple[str, str, Row]], list[str]]:
    """Its rows, and what this machine lacks."""
    rows, lacking = [], []
    for kind in own_kinds().values():
        if kind.family is not family:
            continue
        for row in ROWS[kind.name]:
            missing = kind.missing()
            if not missing and row.keywords.get("by") == "cgroup" and isinstance(cgroups.here(), str):
                missing = str(cgroups.here())
            if missing:
                lacking.append(f"{kind.name}: {missing}")
            else:
                rows.append(("test_it", kind.name, row))
    if family is Family.MEMORY:
        rows.append(("test_ballast", "", Row()))
    return rows, lacking


@pytest.mark.timeout(120)
@pytest.mark.parametrize("family", list(Family), ids=lambda family: family.value)
def test_nothing_is_left(family: Family) -> None:
    rows, lacking = rows_of(family)
    with victims(rows) as all_of_them:
        for victim in all_of_them:
            wait_for(partial(in_its_middle, victim), f"{victim.name} is in its middle")
            if not victim.name.startswith("kill {'whom': 'engine'"):
                victim.engine = engine_of(victim).pid
        for victim in all_of_them:
            os.kill(victim.process.pid, signal.SIGKILL)
            victim.process.wait()
        killed = time.monotonic()
        left = {victim.name: victim.left() for victim in all_of_them}
        while any(left.values()) and time.monotonic() < killed + WITHIN:
            time.sleep(0.1)
            left = {victim.name: victim.left() for victim in all_of_them if left[victim.name]}
            left |= {victim.name: left.get(victim.name, []) for victim in all_of_them}
        took = time.monotonic() - killed
        assert not any(left.values()), {name: found for name, found in left.items() if found}
        for victim in all_of_them:
            subprocess.run(
                [sys.executable, "-m", "pytest_cbx.cli.main", "recover"],
                cwd=victim.project,
                env=victim.environment,
                stdin=subprocess.DEVNULL,
                check=True,
                capture_output=True,
            )
            differences = describe(victim.before, snapshot(victim.project))
            assert not differences, (victim.name, differences)
            assert not victim.engine or not groups_of(victim.engine), victim.name
            assert not mounts_of(victim.home), victim.name
            assert not temporary_of(victim), victim.name
        for line in lacking:
            print(f"not to be had here: {line}")
        print(
            f"pytest killed in the middle of {len(all_of_them)} faults of {family.value}: all gone {took:.1f} s later"
        )
