"""Clearing up after dead engines, while nobody else can be one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import filelock
import pytest

from pytest_cbx.engine.election import clear_away
from pytest_cbx.engine.places import rendezvous, tree_of
from pytest_cbx.engine.recover import RecoverySummary, recover, recover_locked, sweep_temporary
from pytest_cbx.engine.temporary import TemporaryFolders, temporary_root
from pytest_cbx.transaction.disk import DISK
from pytest_cbx.transaction.home import EngineFolder, find_home
from pytest_cbx.transaction.recovery import Action
from tests.inodes import portrait
from tests.system.engines import runtime_directory
from tests.unit.transaction.scenes import Program, edit, furnish

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A work tree, with everything else private to the test; nothing is left of the engines' own files at the end."""
    folder = tmp_path.resolve()
    for name in ("state", "tmp"):
        (folder / name).mkdir(mode=0o700)
    furnish(folder / "tree")
    with runtime_directory():
        monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
        monkeypatch.setattr("tempfile.tempdir", str(folder / "tmp"))
        monkeypatch.setattr("pytest_cbx.engine.recover.temporary_root", lambda: folder / "tmp" / temporary_root().name)
        yield folder / "tree"


def dead_engine(tree: Path) -> tuple[str, EngineFolder]:
    """The token of an engine that died, with a transaction that was running."""
    token = f"{tree_of(tree)}-1-00c0ffee"
    engine = find_home(os.fsencode(tree), os.environb).open_engine(token)
    transaction = engine.begin(label="make")
    edit(Program(tree, transaction, DISK))
    engine._lock.release()
    return token, engine


def test_nothing_to_do(tree: Path) -> None:
    assert recover(tree) == RecoverySummary()


def test_all_of_a_dead_engine_goes(tree: Path) -> None:
    before = portrait([tree])
    token, engine = dead_engine(tree)
    orphan = subprocess.Popen(["sleep", "1000"], env={"CBX_INSTANCE": f"{token}.1", "PATH": os.environ["PATH"]})
    temporary = tree.parent / "tmp" / temporary_root().name / token / "1"
    temporary.mkdir(parents=True, mode=0o700)
    (temporary / "file").write_text("left")
    temporary.chmod(0o500)
    try:
        summary = recover(tree)
        assert orphan.wait(10) == -9
    finally:
        orphan.kill()
        orphan.wait()
    assert summary.killed == (f"sleep 1000 (pid {orphan.pid})",)
    assert [(result.label, result.action) for result in summary.journals] == [("make", Action.ROLLED_BACK)]
    assert portrait([tree]) == before
    assert not temporary.parent.parent.exists()
    assert not os.path.lexists(engine.home.path)
    assert recover(tree) == RecoverySummary()


def test_a_living_engine_is_not_disturbed(tree: Path) -> None:
    place = rendezvous(tree)
    lock = filelock.FileLock(place.lock, mode=0o600, is_singleton=False)
    lock.acquire()
    place.socket.touch()
    dead_engine(tree)
    during = portrait([tree])
    (result,) = recover(tree).journals
    assert result.action is Action.BUSY
    assert "an engine is at work" in result.reason
    assert portrait([tree]) == during
    place.socket.unlink()
    # The engine itself, at its start, holds the lock.
    (result,) = recover_locked(place, tree, "another-token").journals
    assert result.action is Action.ROLLED_BACK
    clear_away(place, lock)


def test_what_cannot_be_killed_keeps_the_journals_waiting(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token, _ = dead_engine(tree)
    during = portrait([tree])
    orphan = subprocess.Popen(["sleep", "1000"], env={"CBX_INSTANCE": f"{token}.1", "PATH": os.environ["PATH"]})
    monkeypatch.setattr("pytest_cbx.engine.sweep.PATIENCE", 0.0)
    monkeypatch.setattr("pytest_cbx.execute.processes.send", lambda pid, number: None)
    try:
        summary = recover(tree)
    finally:
        orphan.kill()
        orphan.wait()
    assert summary.killed == ()
    (result,) = summary.journals
    assert result.action is Action.INCOMPLETE
    assert f"sleep 1000 (pid {orphan.pid}) cannot be killed" in result.reason
    assert portrait([tree]) == during


def test_journals_of_an_earlier_environment_are_found(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = portrait([tree])
    with monkeypatch.context() as patch:
        patch.delenv("XDG_STATE_HOME")
        patch.delenv("HOME", raising=False)
        dead_engine(tree)
    assert (tree / ".cbx").is_dir()
    (result,) = recover(tree).journals
    assert result.action is Action.ROLLED_BACK
    assert portrait([tree]) == before
    assert not (tree / ".cbx").exists()


def test_temporary_files_of_the_living_and_of_other_trees_stay(tree: Path) -> None:
    root = tree.parent / "tmp" / temporary_root().name
    for name in ("aaaa-1-11", "aaaa-2-22", "bbbb-1-33"):
        (root / name).mkdir(parents=True)
    sweep_temporary("aaaa", "aaaa-2-22")
    assert sorted(path.name for path in root.iterdir()) == ["aaaa-2-22", "bbbb-1-33"]


def test_the_folders_of_a_living_engine_are_those_that_the_sweep_knows(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "pytest_cbx.engine.temporary.temporary_root", lambda: tree.parent / "tmp" / temporary_root().name
    )
    folders = TemporaryFolders("aaaa-1-11")
    path = folders.take(1, safe=True)
    sweep_temporary("aaaa", "aaaa-1-11")
    assert os.path.isdir(path)
    sweep_temporary("aaaa", "aaaa-2-22")
    assert not os.path.exists(path)


def test_a_link_for_the_temporary_root_is_not_followed(tree: Path) -> None:
    elsewhere = tree.parent / "elsewhere"
    (elsewhere / "aaaa-1-11").mkdir(parents=True)
    (tree.parent / "tmp" / temporary_root().name).symlink_to(elsewhere)
    sweep_temporary("aaaa", "")
    assert (elsewhere / "aaaa-1-11").exists()
