"""Programs whose threads and processes race each other for the same few names: what is rolled back is as it was, to the last byte."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_cbx.chaos.tree import assert_same, snapshot
from pytest_cbx.config.model import CommandConfig, Isolation
from tests.system.guarded import commands_at
from tests.system.helpers import assert_nothing_left, engine_of, environment, wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs the rung guard")

SEED = int(os.environ.get("CBX_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
STORM = Path(__file__).with_name("storm.py")


@pytest.fixture(autouse=True)
def seed() -> None:
    print(f"again with CBX_SEED={SEED}")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    plant(project / "tree")
    subprocess.run(["git", "init", "-q", project], check=True)
    return project


def plant(tree: Path) -> None:
    """All names of the storm mean something at first; files of one inode lie in two directories."""
    for folder in ("d", "e/d"):
        (tree / folder).mkdir(parents=True)
    for name in ("a", "b", "d/b", "e/a", "e/d/a"):
        (tree / name).write_bytes(name.encode() * 10)
    os.link(tree / "b", tree / "d/a")
    os.link(tree / "e/a", tree / "c")
    os.chmod(tree / "a", 0o4755)
    os.chmod(tree / "e/a", 0)
    os.setxattr(tree / "b", "user.x", b"1")
    (tree / "s").symlink_to("d")
    (tree / "l").symlink_to("e/d/a")
    for folder, folders, files in os.walk(tree, topdown=False):
        for name in (*folders, *files):
            os.utime(os.path.join(folder, name), ns=(1, 10**18 + len(name)), follow_symlinks=False)
    os.utime(tree, ns=(1, 10**18))


def storm(seed: int, processes: int, threads: int, rounds: int, folder: Path) -> CommandConfig:
    line = f"{sys.executable} -S {STORM} {seed} {processes} {threads} {rounds}"
    return CommandConfig(name=f"storm {seed}", run=line, line=0, cwd=str(folder), cpus=0.1)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("processes", "threads"), [(1, 4), (4, 1), (2, 2)])
def test_a_storm_is_undone(project: Path, processes: int, threads: int) -> None:
    before = snapshot(project)
    with commands_at(project, Isolation.GUARD) as cbx:
        for number in range(int(os.environ.get("CBX_STORMS", "3"))):
            seed = SEED + number
            (outcome,) = cbx.run_all([storm(seed, processes, threads, 60, project / "tree")], rollback="always")
            assert outcome.exit_code == 0, outcome
            assert outcome.rollback_incomplete == (), outcome
            assert outcome.rolled_back, outcome
            print(f"storm {seed}")
            assert_same(before, snapshot(project))


@pytest.mark.timeout(120)
def test_a_storm_whose_engine_is_killed_is_undone(project: Path, tmp_path: Path) -> None:
    before = snapshot(project)
    chance = random.Random(SEED)
    (tmp_path / "run").mkdir(mode=0o700)
    extra = {
        "XDG_RUNTIME_DIR": str(tmp_path / "run"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    words = [sys.executable, "-m", "pytest_cbx.cli.main"]
    for _ in range(2):
        client = subprocess.Popen(
            [*words, "run", "--isolation", "guard", "--rollback", "always", "--", f"{sys.executable} -S {STORM} {SEED} 2 2 10000"],
            cwd=project / "tree", env=environment(**extra), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        wait_for(lambda: snapshot_differs(project / "tree", before), "the storm has begun")
        time.sleep(chance.uniform(0, 1))
        os.kill(engine_of(project).pid, signal.SIGKILL)
        client.communicate(timeout=60)
        assert_nothing_left(project / "tree", within=20)
        recovered = subprocess.run(
            [*words, "recover"],
            check=False,
            cwd=project,
            env=environment(**extra),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert recovered.returncode == 0, recovered
        assert_same(before, snapshot(project))


def snapshot_differs(tree: Path, before: object) -> bool:
    """Whether the command has come to change something."""
    return os.stat(tree).st_mtime_ns != 10**18
