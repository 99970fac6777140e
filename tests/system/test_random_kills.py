"""SIGKILL of the client, the engine, both, or the command, at any moment: the tree is whole again, nothing is left."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.system.helpers import assert_nothing_left, engine_of, wait_for
from tests.workloads.compare import differences, look, without_times
from tests.workloads.model import Workload, lines
from tests.workloads.place import Place
from tests.workloads.tools import TREE

SEEDS = range(int(os.environ.get("CBX_KILLS", "4")))
BUSY = Workload(
    name="busy",
    setup=TREE,
    script=lines(
        "echo started > started",
        "for i in $(seq 12); do",
        "  echo $i >> src/f$((i % 8 + 1)).txt; mkdir -p new/$i; cp src/deep/long.txt new/$i/long; ln -f src/f1.txt docs/hard",
        "  mv src/deep src/deep$i; sleep 0.01; mv src/deep$i src/deep; chmod $((600 + i % 7)) tool; rm -f new/$((i - 1))/long",
        "done & (for i in $(seq 30); do echo $i > log; mv log log.$i; sleep 0.003; done) & wait",
        "rm -r docs; mv new docs",
    ),
)
"""Half a second of all kinds of changes, two processes at once."""
DURATION = 0.8


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    made.set_up(BUSY)
    yield made
    assert_nothing_left(made.base)
    assert [found for found in made.state.rglob("*") if not found.is_dir()] == []
    assert os.listdir(made.workspace) == ["tree"]
    assert [found for found in (made.base / "tmp").rglob("*") if not found.is_dir()] == []


def start(place: Place, script: str) -> subprocess.Popen[bytes]:
    """`cbx run` in the tree. Its engine goes on when it is killed."""
    words = [sys.executable, "-m", "pytest_cbx.cli.main", "run", "--workspace", str(place.workspace)]
    words += ["--isolation", "guard", "--rollback", "on-crash", "--", script]
    return subprocess.Popen(
        words,
        cwd=place.tree,
        env=place.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def victims(kind: str, client: subprocess.Popen[bytes], engine: psutil.Process) -> list[int]:
    """Whom to kill. The command is any process of it, drawn by the moment."""
    match kind:
        case "client":
            return [client.pid]
        case "engine":
            return [engine.pid]
        case "both":
            return [client.pid, engine.pid]
        case _:
            try:
                return [child.pid for child in engine.children()]
            except psutil.NoSuchProcess:
                return []  # all is over already


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["client", "engine", "both", "command"])
def test_a_killed_run_is_undone(place: Place, kind: str, seed: int) -> None:
    place.run_bare(BUSY)
    after = without_times(look(os.fsencode(place.tree)), BUSY)
    place.set_up(BUSY)
    before = look(os.fsencode(place.tree))
    client = start(place, BUSY.script)
    wait_for((place.tree / "started").exists, "the command has begun")
    try:
        engine = engine_of(place.workspace)
    except AssertionError:
        assert client.wait(timeout=60) == 0  # all is over already
        return
    time.sleep(random.Random(f"{kind} {seed}").uniform(0, DURATION))
    killed = [pid for pid in victims(kind, client, engine) if _kill(pid)]
    said, _ = client.communicate(timeout=60)
    assert_nothing_left(place.base, within=20)
    if kind in ("engine", "both"):
        # Whoever comes next clears up, and is told nothing of it by its own command.
        following = start(place, "cat src/f3.txt > /dev/null; cat docs/base.txt 2> /dev/null || true")
        said += following.communicate(timeout=60)[0]
        assert following.returncode == 0, said
    found = look(os.fsencode(place.tree))
    undone = differences(before, found)
    kept = differences(after, without_times(found, BUSY))
    assert not undone or not kept, [said, *undone[:9], *kept[:9]]
    if killed and kind == "command":
        assert not undone or client.returncode == 0, said


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
