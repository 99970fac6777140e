"""A disk in memory for Python code of the test's own process."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from pytest_cbx.chaos.fake_disk import Crashed, FakeDisk
from pytest_cbx.errors import UsageError


def save(path: Path, text: str) -> None:
    """As it should be done."""
    new = path.with_suffix(".new")
    try:
        with new.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def save_naively(path: Path, text: str) -> None:
    path.write_text(text)


def test_it_is_full_at_its_size() -> None:
    with FakeDisk("4KB") as disk:
        save(disk.root / "a", "x" * 1000)
        assert disk.used == 1000
        with pytest.raises(OSError, match="No space left") as caught:
            save(disk.root / "b", "x" * 4000)
        assert caught.value.errno == errno.ENOSPC
        assert (disk.root / "a").read_text() == "x" * 1000
        assert disk.used == 1000


def test_a_right_program_survives_each_point_and_a_naive_one_does_not() -> None:
    with FakeDisk() as disk:
        save(disk.root / "a", "old")
        save(disk.root / "a", "new")
        points = disk.changes
    assert points >= 4
    for program, survives in ((save, True), (save_naively, False)):
        lost = 0
        for at in range(1, points + 1):
            with FakeDisk() as disk:
                save(disk.root / "a", "old")
                fault = disk.crash(at=at)
                try:
                    program(disk.root / "a", "new")
                except Crashed:
                    assert fault.fired
                lost += (disk.root / "a").read_text() not in ("old", "new")
        assert (lost == 0) is survives


def test_an_error_at_the_nth_change_of_a_path() -> None:
    with FakeDisk() as disk:
        fault = disk.fail(errno.EIO, path="**/*.db")
        (disk.root / "x.txt").write_text("fine")
        with pytest.raises(OSError, match="Input/output error"):
            (disk.root / "x.db").write_text("not")
        assert fault.fired
        (disk.root / "x.db").write_text("once only")


def test_it_becomes_read_only() -> None:
    with FakeDisk() as disk:
        (disk.root / "folder").mkdir()
        disk.read_only()
        with pytest.raises(OSError, match="Read-only"):
            (disk.root / "x").touch()
        with pytest.raises(OSError, match="Read-only"):
            shutil.rmtree(disk.root / "folder")
        assert (disk.root / "folder").is_dir()


def test_the_real_disk_is_another_one(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("there")
    with FakeDisk() as disk:
        assert not (tmp_path / "real").exists()
        (disk.root / "x").write_text("gone afterwards")
    assert (tmp_path / "real").read_text() == "there"
    assert not Path("/disk/x").exists()


@pytest.mark.parametrize("size", ["", "0", "ten", "-4KB"])
def test_what_is_no_size_is_told(size: str) -> None:
    with pytest.raises(UsageError, match="is no size"):
        FakeDisk(size)
