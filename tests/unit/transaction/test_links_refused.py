"""File systems that refuse hard links: what loses its name is copied."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from pytest_cbx.chaos.tree import Snapshot, describe, snapshot
from pytest_cbx.transaction.contents import Content
from pytest_cbx.transaction.disk import DISK, Disk
from pytest_cbx.transaction.journal import Journal
from pytest_cbx.transaction.meta import take
from pytest_cbx.transaction.past import Past
from pytest_cbx.transaction.records import Kept, Kind, Record
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


def test_what_is_brought_back_does_not_overwrite_another_file(tmp_path: Path) -> None:
    """In place of what was removed stands another name of a file that was there before."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "gone").write_text("gone")
    (tree / "stays").write_text("stays")
    before = snapshot(tree)
    w, folder = begin(tmp_path, disk=NoLinks())
    w.unlink(b"gone")
    w.link(b"stays", b"gone")
    w.transaction.close()
    assert Transaction.load(folder, disk=NoLinks()).roll_back().incomplete == ()
    assert describe(before, snapshot(tree)) == []


def test_a_number_that_a_later_file_got_tells_nothing_of_the_earlier_one(tmp_path: Path) -> None:
    """Without a link that holds it, the inode of a removed file is free for the next one, which is then changed as well."""
    w, folder = begin(tmp_path, disk=NoLinks())
    (tmp_path / "tree/file").write_text("any")
    meta = take(DISK, w.path(b"file"), os.lstat(tmp_path / "tree/file"))
    found = [
        Record(0, 0, Kind.LINKED, path=w.path(b"gone"), kept=1, how=Kept.COPY, meta=meta),
        Record(1, 0, Kind.CONTENT, path=w.path(b"newer"), kept=2, how=Kept.COPY, meta=meta),
    ]
    w.transaction.close()
    journal, _ = Journal.load(folder, DISK)
    past = Past(DISK, journal, found)
    assert past.find(w.path(b"gone")).content == Content(folder + b"/1")
    assert meta.identity not in past.contents
    journal.remove()
