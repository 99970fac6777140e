"""What a command has closed to its own user cannot be compared; that is told, and ends nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pytest_cbx.transaction.diff import unified_diff
from pytest_cbx.transaction.disk import Disk
from pytest_cbx.transaction.transaction import Transaction


class Closed(Disk):
    """To root nothing is closed; so it is acted."""

    closed = ""

    def _guarded(self, name: str, path: Any, *arguments: Any, **named: Any) -> Any:
        if self.closed and isinstance(path, bytes) and os.fsdecode(path).startswith(self.closed):
            raise PermissionError(13, "Permission denied", path)
        return getattr(os, name)(path, *arguments, **named)

    def lstat(self, path: bytes, **named: Any) -> os.stat_result:  # type: ignore[override]
        """A file that may not be read is seen; what lies in a closed folder is not."""
        look = (
            self._guarded
            if self.closed.endswith("/")
            else lambda name, *given, **more: getattr(os, name)(*given, **more)
        )
        found: os.stat_result = look("lstat", path, **named)
        return found

    def open(self, path: bytes, *arguments: Any) -> int:  # type: ignore[override]
        """As a user may."""
        return int(self._guarded("open", path, *arguments))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    (folder / "closed").mkdir(parents=True)
    (folder / "closed" / "file").write_text("before\n")
    (folder / "file").write_text("before\n")
    return folder


@pytest.mark.parametrize("closed", ["closed/", "file"])
def test_changes_are_told_as_far_as_they_can_be_seen(tree: Path, tmp_path: Path, closed: str) -> None:
    disk = Closed()
    root = os.fsencode(tree)
    transaction = Transaction.begin(os.fsencode(tmp_path / "journal"), token="t", roots=(root,), disk=disk)
    for name in ("closed/file", "file"):
        transaction.write(root + b"/" + name.encode())
        (tree / name).write_text("after\n")
    disk.closed = str(tree / closed)
    changes = transaction.changes()
    diff = unified_diff(transaction)
    disk.closed = ""
    assert {*changes.modified, *changes.deleted} == {b"file", b"closed/file"}
    assert "+after" in diff
    assert ("Unreadable file file changed" in diff) == (closed == "file")
    assert not transaction.roll_back().incomplete
    assert [(tree / name).read_text() for name in ("closed/file", "file")] == ["before\n"] * 2
