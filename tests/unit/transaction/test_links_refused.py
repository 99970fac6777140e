"""File systems that refuse hard links: what loses its name is copied."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from pytest_cbx.chaos.tree import Snapshot, describe, snapshot
from pytest_cbx.transaction.disk import Disk
from pytest_cbx.transaction.transaction import Transaction
from tests.unit.transaction import test_roll_back as operations
from tests.unit.transaction.watched import begin


class NoLinks(Disk):
    def link(self, *arguments: Any, **named: Any) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))


@pytest.mark.parametrize(
    "operation",
    [
        operations._create_and_delete, operations._trees, operations._replaced_directory, operations._onto_empty,
        operations._symlinks, operations._specials, operations._owner, operations._save_pattern,
    ],
    ids=lambda o: o.__name__.strip("_"),
)  # fmt: skip
def test_copies_come_back(tmp_path: Path, operation: Any) -> None:
    """All but what only the same inode could give back: which names were one file."""
    operations.plant(tmp_path / "tree")
    for name in ("hard", "d/x2"):
        os.unlink(tmp_path / "tree" / name)
    os.utime(tmp_path / "tree/d", ns=(1, 2))
    before = snapshot(tmp_path / "tree")
    w, folder = begin(tmp_path, disk=NoLinks())
    operation(w)
    w.transaction.close()
    assert Transaction.load(folder, disk=NoLinks()).roll_back().incomplete == ()
    after: Snapshot = snapshot(tmp_path / "tree")
    assert describe(before, after) == []
    assert not os.path.lexists(folder)
