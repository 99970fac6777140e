"""Death at any file operation of ours, before it, after it, and in the middle of a write: the next one finishes what was begun."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_cbx.chaos.tree import Snapshot, assert_same, snapshot
from pytest_cbx.transaction.disk import Disk
from pytest_cbx.transaction.inspection import half_made
from pytest_cbx.transaction.transaction import State, Transaction
from tests.unit.transaction import test_roll_back as operations
from tests.unit.transaction.watched import Watched, begin

CHANGING = (
    "write", "ftruncate", "fsync", "link", "symlink", "rename", "unlink", "mkdir", "rmdir", "mknod", "chmod", "chown", "utime",
    "setxattr", "removexattr", "copy_file_range",
)  # fmt: skip
SCENES = (
    operations._save_pattern, operations._trees, operations._replaced_directory, operations._onto_empty, operations._hard_links,
    operations._symlinks, operations._specials, operations._metadata, operations._exchange, operations._directories_of_a_kind,
)  # fmt: skip


class Killed(SystemExit):
    """The process is gone."""


class Mortal(Disk):
    """Dies at the n-th operation that changes something: before it, after it, or half-way through a write."""

    def __init__(self, number: int, when: str) -> None:
        self.left = number
        for name in CHANGING:
            setattr(self, name, self._guarded(name, getattr(Disk, name), when))

    def _guarded(self, name: str, call: Callable[..., Any], when: str) -> Callable[..., Any]:
        def guarded(*arguments: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left > 0:
                return call(*arguments, **named)
            if self.left == 0:
                if when == "after":
                    call(*arguments, **named)
                if when == "half" and name == "write":
                    call(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
            raise Killed(f"{name}{arguments}")

        return guarded


def dies(deed: Callable[[], object]) -> bool:
    """Whether it was killed in this."""
    try:
        deed()
    except Killed:
        return True
    return False


def dies_recovering(folder: bytes, disk: Disk) -> bool:
    """A recovery on this disk. Its descriptors are closed, as a death would."""
    found: list[Transaction] = []

    def finish() -> None:
        found.append(Transaction.load(folder, disk=disk))
        found[0].roll_back()

    killed = dies(finish)
    for one in found:
        one.close()
    return killed


def recover(folder: bytes) -> State:
    """What the next start does. Returns how the journal stood."""
    if not os.path.lexists(folder):
        return State.ROLLED_BACK
    if half_made(folder):
        shutil.rmtree(folder)
        return State.ROLLED_BACK
    found = Transaction.load(folder)
    stood = found.state
    assert found.roll_back().incomplete == ()
    assert not os.path.lexists(folder)
    return stood


def numbers() -> Iterator[int]:
    """Each point at first, then wider apart: a scene has about a hundred. With CBX_EXHAUSTIVE each."""
    number = 1
    while True:
        yield number
        number += 1 if number < 12 or os.environ.get("CBX_EXHAUSTIVE") else 7


def fresh(folder: Path, number: int) -> tuple[Path, Snapshot]:
    base = folder / str(number)
    base.mkdir()
    operations.plant(base / "tree")
    return base, snapshot(base / "tree")


@pytest.mark.parametrize("when", ["before", "after", "half"])
@pytest.mark.parametrize("scene", SCENES, ids=lambda o: o.__name__.strip("_"))
def test_killed_in_the_roll_back(tmp_path: Path, scene: Callable[[Watched], None], when: str) -> None:
    points = 0
    for number in numbers():
        base, before = fresh(tmp_path, number)
        w, folder = begin(base)
        scene(w)
        w.transaction.close()
        killed = dies_recovering(folder, Mortal(number, when))
        if killed and number % 2 and os.path.lexists(folder) and not half_made(folder):
            dies_recovering(folder, Mortal(number // 2 + 1, when))
        recover(folder)
        assert_same(before, snapshot(base / "tree"))
        shutil.rmtree(base)
        if not killed:
            break
        points += 1
    assert points > 8


@pytest.mark.parametrize("when", ["before", "after", "half"])
@pytest.mark.parametrize("scene", SCENES, ids=lambda o: o.__name__.strip("_"))
def test_killed_while_the_command_runs(tmp_path: Path, scene: Callable[[Watched], None], when: str) -> None:
    points = 0
    for number in numbers():
        base, before = fresh(tmp_path, number)
        disk = Mortal(number, when)
        folder = os.fsencode(base / "journal")
        killed = dies(lambda base=base, disk=disk: scene(begin(base, disk=disk)[0]))  # type: ignore[misc]
        recover(folder)
        assert_same(before, snapshot(base / "tree"))
        shutil.rmtree(base)
        if not killed:
            break
        points += 1
    assert points > 5


@pytest.mark.parametrize("when", ["before", "after", "half"])
@pytest.mark.parametrize("durability", ["process", "power"])
def test_killed_in_the_commit(tmp_path: Path, when: str, durability: str) -> None:
    kept = undone = 0
    for number in numbers():
        base, before = fresh(tmp_path, number)
        w, folder = begin(base, durability=durability)
        operations._trees(w)
        after = snapshot(base / "tree")
        disk = Mortal(number, when)
        w.transaction._shared.disk = w.transaction._shared.journal.disk = disk
        killed = dies(w.transaction.commit)
        gone = not os.path.lexists(folder + b"/journal")
        stood = recover(folder)
        if gone or stood is State.COMMITTED:
            kept += 1
            assert_same(after, snapshot(base / "tree"))
        else:
            undone += 1
            assert_same(before, snapshot(base / "tree"))
        shutil.rmtree(base)
        if not killed:
            break
    assert kept > 2
    # Without a flush before, the first operation of a commit decides it.
    assert undone > 0 or (when, durability) == ("after", "process")


def test_a_failing_disk_stops_the_roll_back_and_the_next_one_completes_it(tmp_path: Path) -> None:
    base, before = fresh(tmp_path, 1)
    w, folder = begin(base)
    operations._trees(w)
    w.transaction.close()

    class Full(Disk):
        def link(self, *arguments: Any, **named: Any) -> None:
            raise OSError(28, "No space left on device")

    found = Transaction.load(folder, disk=Full())
    report = found.roll_back()
    assert "No space left" in report.incomplete[0]
    assert found.state is State.INCOMPLETE
    assert found.roll_back().incomplete
    found.close()
    assert recover(folder) is State.INCOMPLETE
    assert_same(before, snapshot(base / "tree"))
