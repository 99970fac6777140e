"""Where outputs are kept, and for how long."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cbx.client import output
from pytest_cbx.client.output import KEEP, OutputFolder, cache_directory
from pytest_cbx.errors import UsageError


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def dead() -> int:
    """The pid of a process that has ended and was waited for."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_folder_goes_with_its_run(cache: Path, tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    assert folder.path.is_dir()
    assert folder.path.stat().st_mode & 0o077 == 0
    folder.close()
    assert list((cache / "pytest-cbx").iterdir()) == []


def test_a_folder_stays_with_what_was_kept(cache: Path, tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    folder.file("broken", "log").write_text("why")
    folder.close()
    assert (folder.path / "broken.log").read_text() == "why"


def test_one_work_tree_has_one_place(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    first, second, other = (OutputFolder(tmp_path / name) for name in ("real", "link", "."))
    assert first.path.parent == second.path.parent != other.path.parent


def test_the_newest_are_kept_and_empty_ones_go(cache: Path, tmp_path: Path, dead: int) -> None:
    runs = OutputFolder(tmp_path).path.parent
    for day in range(1, 9):
        full, empty = runs / f"2020010{day}-000000-{dead}-full", runs / f"2020020{day}-000000-{dead}-empty"
        full.mkdir()
        (full / "a.log").touch()
        empty.mkdir()
    newest = OutputFolder(tmp_path)
    kept = sorted(folder.name[:8] for folder in runs.iterdir() if folder.name.endswith("full"))
    assert kept == [f"2020010{day}" for day in range(9 - KEEP, 9)]
    assert not [folder for folder in runs.iterdir() if folder.name.endswith("empty")]
    assert newest.path.is_dir()


def test_folders_of_runs_that_go_on_are_left_alone(cache: Path, tmp_path: Path) -> None:
    others = [OutputFolder(tmp_path) for _ in range(KEEP + 3)]
    OutputFolder(tmp_path)
    assert all(other.path.is_dir() for other in others)


def test_a_cache_that_cannot_be_made_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = OutputFolder(tmp_path)
    assert folder.path.is_relative_to(tmp_path / f"pytest-cbx-cache-{os.getuid()}")


def test_a_place_of_someone_elses_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "trap").mkdir()
    (tmp_path / f"pytest-cbx-cache-{os.getuid()}").symlink_to(tmp_path / "trap")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    OutputFolder(tmp_path)
    assert list((tmp_path / "trap").iterdir()) == []


def test_a_relative_cache_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    assert cache_directory() == tmp_path / "home" / ".cache" / "pytest-cbx"
    assert not (tmp_path / "cache").exists()


def test_no_place_at_all_is_a_message(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "cache_directory", lambda: tmp_path / "file")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="set XDG_CACHE_HOME"):
        OutputFolder(tmp_path)


def test_the_folder_above_may_vanish_at_any_moment(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, calls = tempfile.mkdtemp, []

    def lose_it_once(prefix: str, dir: Path) -> str:  # noqa: A002
        calls.append(dir)
        if len(calls) == 1:
            dir.rmdir()
        return make(prefix=prefix, dir=dir)

    monkeypatch.setattr(tempfile, "mkdtemp", lose_it_once)
    assert OutputFolder(tmp_path).path.is_dir()
    assert len(calls) == 2


@given(name=st.text(max_size=300))
def test_files_for_names_that_hold_anything(name: str) -> None:
    folder = OutputFolder(Path("/nowhere"))
    try:
        path = folder.file(f"1-{name}", "log")
        assert path.parent == folder.path
        path.touch()
        path.unlink()
    finally:
        folder.close()
