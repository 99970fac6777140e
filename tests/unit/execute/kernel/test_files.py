"""Renames with flags and reflinks, on this machine's file systems."""

from __future__ import annotations

import errno
import fcntl
import os
import sys
from pathlib import Path

import pytest

from pytest_cbx.execute.kernel.files import RenameFlag, clone, rename

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has these")


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("1")
    two.write_text("2")
    return one, two


def test_rename_replaces(pair: tuple[Path, Path]) -> None:
    one, two = pair
    rename(bytes(one), bytes(two))
    assert two.read_text() == "1"
    assert not one.exists()


def test_rename_does_not_replace_where_it_must_not(pair: tuple[Path, Path]) -> None:
    one, two = pair
    with pytest.raises(FileExistsError) as caught:
        rename(bytes(one), bytes(two), RenameFlag.NOREPLACE)
    assert (caught.value.filename, caught.value.filename2) == (bytes(one), bytes(two))
    assert (one.read_text(), two.read_text()) == ("1", "2")
    rename(bytes(one), bytes(two.parent / "three"), RenameFlag.NOREPLACE)
    assert (two.parent / "three").read_text() == "1"


def test_rename_exchanges(pair: tuple[Path, Path]) -> None:
    one, two = pair
    rename(bytes(one), bytes(two), RenameFlag.EXCHANGE)
    assert (one.read_text(), two.read_text()) == ("2", "1")


def test_rename_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        rename(bytes(tmp_path / "missing"), bytes(tmp_path / "target"))


def test_clone_shares_the_content_or_changes_nothing(pair: tuple[Path, Path]) -> None:
    one, two = pair
    with one.open("rb") as source, two.open("r+b") as target:
        shared = clone(source.fileno(), target.fileno())
    assert two.read_text() == ("1" if shared else "2")


def test_clone_of_what_cannot_be_shared(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w+b") as file:
        reading, writing = os.pipe()
        try:
            assert not clone(reading, file.fileno())
        finally:
            os.close(reading)
            os.close(writing)


def test_an_error_of_the_disk_is_not_swallowed(pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(fcntl, "ioctl", full)
    with pair[0].open() as one, pair[1].open() as two, pytest.raises(OSError, match="no space"):
        clone(one.fileno(), two.fileno())
