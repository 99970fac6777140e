"""Copies are bounded, and what cannot be kept is refused before anything is changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_cbx.chaos.tree import assert_same, snapshot
from pytest_cbx.errors import JournalError, PreimageLimit
from pytest_cbx.transaction.disk import Disk
from pytest_cbx.transaction.model import Budget
from tests.unit.transaction.watched import begin

MIB = 1 << 20


def tree(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/a").write_bytes(os.urandom(MIB))
    (tmp_path / "tree/b").write_bytes(os.urandom(MIB))
    (tmp_path / "tree/small").write_bytes(b"x" * 100)


def test_copies_count_and_links_do_not(tmp_path: Path) -> None:
    tree(tmp_path)
    budget = Budget(MIB + 50)
    w, folder = begin(tmp_path, budget=budget)
    w.write(b"a", b"new")
    assert w.transaction.prepare_write(w.path(b"a")) is None
    assert (budget.used, w.transaction.taken) == (MIB, MIB)
    kept = sorted(os.listdir(folder))
    before = snapshot(tmp_path / "tree")
    for name in (b"b", b"small"):
        with pytest.raises(PreimageLimit, match=r"Raise limits\.preimage_bytes") as caught:
            w.write(name, b"new")
        assert (caught.value.path, caught.value.left) == (w.path(name), 50)
    assert_same(before, snapshot(tmp_path / "tree"))
    assert sorted(os.listdir(folder)) == kept
    w.unlink(b"b")
    assert budget.used == MIB
    w.transaction.roll_back()
    assert budget.used == 0


def test_two_transactions_share_one(tmp_path: Path) -> None:
    tree(tmp_path)
    budget = Budget(MIB)
    w, _ = begin(tmp_path, budget=budget)
    w.write(b"a", b"new")
    other, _ = begin(tmp_path / "tree", budget=budget)
    (tmp_path / "tree/tree/c").write_bytes(b"1234")
    with pytest.raises(PreimageLimit):
        other.write(b"c", b"5")
    w.transaction.commit()
    other.write(b"c", b"5")
    assert budget.used == 4


def test_the_disk_keeps_a_reserve(tmp_path: Path) -> None:
    tree(tmp_path)
    w, _ = begin(tmp_path, budget=Budget(0, free_reserve=1 << 60))
    with pytest.raises(PreimageLimit) as caught:
        w.write(b"a", b"new")
    assert caught.value.needed == MIB


def test_a_large_copy_can_be_made_by_another_thread(tmp_path: Path) -> None:
    tree(tmp_path)
    before = snapshot(tmp_path / "tree")
    budget = Budget(2 * MIB)
    w, folder = begin(tmp_path, budget=budget)
    transaction = w.transaction
    given_up = transaction.prepare_write(w.path(b"b"))
    assert given_up is not None
    given_up.copy()
    transaction.abandon_write(given_up)
    assert (budget.used, os.listdir(folder)) == (0, [b"journal"])
    preparation = transaction.prepare_write(w.path(b"a"))
    assert preparation is not None
    assert preparation.cost == MIB
    preparation.copy()
    transaction.finish_write(preparation)
    assert transaction.prepare_write(w.path(b"a")) is None
    (tmp_path / "tree/a").write_bytes(b"new")
    transaction.roll_back()
    assert_same(before, snapshot(tmp_path / "tree"))


@pytest.mark.parametrize("name", [b"a", b"small"])
@pytest.mark.parametrize("failing", ["write", "short"])
def test_a_full_disk_changes_nothing(tmp_path: Path, name: bytes, failing: str) -> None:
    tree(tmp_path)
    before = snapshot(tmp_path / "tree")

    class Full(Disk):
        full = False

        def write(self, descriptor: int, data: bytes) -> int:  # type: ignore[override]
            if not self.full:
                return os.write(descriptor, data)
            if failing == "short" and len(data) > 1:
                return os.write(descriptor, data[: len(data) // 2])
            raise OSError(28, "No space left on device")

        copy_file_range = None

    disk = Full()
    w, _ = begin(tmp_path, disk=disk)
    w.write(b"first", b"1")
    disk.full = True
    with pytest.raises(JournalError, match="No space left"):
        w.write(name, b"new")
    with pytest.raises(JournalError, match="No space left"):
        w.write(b"another", b"new")
    disk.full = False
    w.write(name, b"newer")
    assert w.transaction.roll_back().incomplete == ()
    assert_same(before, snapshot(tmp_path / "tree"))


def test_a_clone_is_preferred_to_a_copy(tmp_path: Path) -> None:
    tree(tmp_path)
    before = snapshot(tmp_path / "tree")
    asked = []

    def clone(source: int, target: int) -> bool:
        asked.append((source, target))
        os.sendfile(target, source, 0, MIB)
        return True

    w, _ = begin(tmp_path, clone=clone)
    w.write(b"a", b"new")
    w.transaction.roll_back()
    assert len(asked) == 2
    assert_same(before, snapshot(tmp_path / "tree"))


def test_paths_longer_than_a_path_may_be_are_refused(tmp_path: Path) -> None:
    """Reached by a relative name from deep inside they could be changed, and could not be kept."""
    w, _ = begin(tmp_path)
    with pytest.raises(JournalError):
        w.transaction.write(w.path(b"/".join([b"n" * 250] * 17)))
