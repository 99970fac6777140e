"""Reflinks, on this machine's file systems."""

from __future__ import annotations

import errno
import fcntl
import os
import sys
from pathlib import Path

import pytest

from pytest_cbx.execute.kernel.files import clone

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has these")


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("1")
    two.write_text("2")
    return one, two


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
