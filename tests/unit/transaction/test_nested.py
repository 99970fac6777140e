"""Savepoints: undone alone, or sharing the fate of what is around them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_cbx.chaos.tree import assert_same, snapshot
from pytest_cbx.errors import UsageError
from pytest_cbx.transaction.transaction import State, Transaction
from tests.unit.transaction.test_roll_back import plant
from tests.unit.transaction.watched import Watched, begin


def test_each_undoes_its_own(tmp_path: Path) -> None:
    plant(tmp_path / "tree")
    before = snapshot(tmp_path / "tree")
    w, folder = begin(tmp_path)
    w.write(b"file", b"outer")
    w.rename(b"d", b"dd")
    between = snapshot(tmp_path / "tree")
    inner = Watched(w.root, w.transaction.nested())
    inner.write(b"file", b"inner")
    inner.unlink(b"dd/e/x")
    inner.rename(b"dd", b"ddd")
    innermost = Watched(w.root, inner.transaction.nested())
    innermost.rmtree(b"ddd")
    innermost.transaction.commit()
    assert innermost.transaction.state is State.COMMITTED
    assert inner.transaction.roll_back().incomplete == ()
    assert_same(between, snapshot(tmp_path / "tree"))
    assert w.transaction.roll_back().incomplete == ()
    assert_same(before, snapshot(tmp_path / "tree"))
    assert not os.path.lexists(folder)


def test_what_a_committed_one_knew_is_known(tmp_path: Path) -> None:
    """And not more than that: what it removed and linked anew is no fresh file of the parent's."""
    plant(tmp_path / "tree")
    before = snapshot(tmp_path / "tree")
    w, _ = begin(tmp_path)
    w.write(b"fresh", b"1")
    inner = Watched(w.root, w.transaction.nested())
    inner.unlink(b"fresh")
    inner.link(b"other", b"fresh")
    inner.write(b"big", b"x")
    inner.transaction.commit()
    assert w.transaction.prepare_write(w.path(b"big")) is None
    w.write(b"fresh", b"the content of other, too")
    w.transaction.roll_back()
    assert_same(before, snapshot(tmp_path / "tree"))


def test_its_own_first_touch_counts(tmp_path: Path) -> None:
    plant(tmp_path / "tree")
    w, _ = begin(tmp_path)
    w.write(b"file", b"outer")
    inner = Watched(w.root, w.transaction.nested())
    inner.write(b"file", b"inner")
    assert inner.transaction.changes().modified == (b"file",)
    inner.transaction.roll_back()
    assert (tmp_path / "tree/file").read_bytes() == b"outer"


def test_a_crash_undoes_the_whole(tmp_path: Path) -> None:
    plant(tmp_path / "tree")
    before = snapshot(tmp_path / "tree")
    w, folder = begin(tmp_path)
    w.write(b"file", b"outer")
    undone = Watched(w.root, w.transaction.nested())
    undone.rmtree(b"d")
    undone.transaction.roll_back()
    kept = Watched(w.root, w.transaction.nested())
    kept.rename(b"d", b"file2")
    kept.transaction.commit()
    Watched(w.root, w.transaction.nested()).write(b"other", b"open")
    w.transaction.close()
    assert Transaction.load(folder).roll_back().incomplete == ()
    assert_same(before, snapshot(tmp_path / "tree"))


def test_after_the_end_nothing_is_taken_any_more(tmp_path: Path) -> None:
    w, _ = begin(tmp_path)
    inner = w.transaction.nested()
    w.transaction.commit()
    for ended in (w.transaction, inner):
        with pytest.raises(UsageError, match="committed"):
            ended.create(w.path(b"x"))
        with pytest.raises(UsageError, match="committed"):
            ended.nested()
