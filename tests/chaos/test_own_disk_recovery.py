"""Errors of the disk at every operation of keeping, ending and recovering: what is told is true, and all is well once healed."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from pytest_cbx.engine.own_disk import HALF, FaultyDisk, striking
from pytest_cbx.errors import JournalDamaged, JournalError
from pytest_cbx.transaction.disk import DISK, Disk
from pytest_cbx.transaction.home import EngineFolder
from pytest_cbx.transaction.recovery import Action, JournalResult, recover_home
from pytest_cbx.transaction.transaction import State, Transaction
from tests.inodes import portrait
from tests.unit.transaction.scenes import SCENES, Program
from tests.unit.transaction.test_recovery_kills import TOKEN, Trees

CASES = [*((name, "process") for name in SCENES), ("shuffle", "power"), ("nest", "power")]
ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS, HALF)


@dataclass(kw_only=True)
class Nth:
    """Fails the n-th operation, and with `lasting` all from there on."""

    at: int
    error: int
    lasting: bool
    made: int = 0
    struck: int = 0
    on: bool = True

    def __call__(self, operation: str, path: bytes) -> int:
        if not self.on or (self.error == HALF and operation != "write"):
            return 0
        self.made += 1
        due = self.made >= self.at if self.lasting else self.made == self.at
        self.struck += due
        return self.error if due else 0


def every(run: Callable[[Nth], None]) -> int:
    """Each operation, each error, once and lasting; returns how many points there were."""
    points = 0
    for lasting in (False, True):
        for at in count(1):
            # One error a point, another one at the next: all of them at all of them would say little more.
            fired = False
            for error in (ERRORS[at % 3], HALF):
                judge = Nth(at=at, error=error, lasting=lasting)
                run(judge)
                fired |= bool(judge.struck)
                points += bool(judge.struck)
            if not fired:
                break
    return points


@pytest.fixture
def trees(tmp_path: Path) -> Trees:
    return Trees(tmp_path)


class Run:
    """One transaction of an engine, as its keeper drives it, on a disk that fails."""

    def __init__(self, trees: Trees, name: str, durability: str, judge: Nth) -> None:
        self.trees, self.judge = trees, judge
        self.name, self.durability = name, durability
        self.disk: Disk = FaultyDisk(judge)
        self.later: list[Callable[[], None]] = []
        self.engine: EngineFolder | None = None
        self.transaction: Transaction | None = None

    def keep(self) -> bool:
        """Whether the program came to its end."""
        try:
            with striking(self.disk, self.trees.home.path):
                self.engine = self.trees.home.open_engine(TOKEN)
                self.transaction = self.engine.begin(
                    roots=(os.fsencode(self.trees.tree),), durability=self.durability, disk=self.disk
                )
            SCENES[self.name](Program(self.trees.tree, self.transaction, DISK))
        except (JournalError, OSError):
            return False
        except AssertionError:
            assert self.judge.struck  # a part of it could not be undone
            return False
        return True

    def end(self, *, commit: bool) -> tuple[str, ...]:
        """Whatever comes of it, it is told; returns what could not be undone."""
        if self.transaction is None:
            return ()
        if commit:
            with contextlib.suppress(JournalError):
                self.transaction.commit(self.later.append)
                return ()
        try:
            return self.transaction.roll_back(later=self.later.append).incomplete
        except (JournalError, JournalDamaged, OSError) as error:
            return (str(error),)

    def leave(self) -> None:
        """The engine ends."""
        for work in self.later:
            with contextlib.suppress(OSError):
                work()
        if self.transaction is not None:
            self.transaction.close()
        if self.engine is not None:
            with striking(self.disk, self.engine.path):
                self.engine.close()


def healed(run: Run) -> tuple[JournalResult, ...]:
    run.judge.on = False
    results = recover_home(run.trees.home)
    assert run.trees.is_clean(), results
    return results


@pytest.mark.parametrize(("name", "durability"), CASES)
def test_while_it_is_kept(trees: Trees, name: str, durability: str) -> None:
    late = 0

    def one(judge: Nth) -> None:
        nonlocal late
        before = trees.renew()
        run = Run(trees, name, durability, judge)
        judge.on = True
        passed = run.keep()
        if passed:  # an error that something else could stand in for
            judge.on = False
        left = run.end(commit=False)
        run.leave()
        late += bool(left)
        if not left:
            assert portrait([trees.tree]) == before, (judge, "it was told that all is undone")
        healed(run)
        assert portrait([trees.tree]) == before, (judge, left)

    points = every(one)
    print(f"{name}, {durability}: {points} points while it is kept, {late} undone completely only once healed")
    assert points > 30


@pytest.mark.parametrize(("name", "durability"), CASES)
@pytest.mark.parametrize("commit", [False, True], ids=["roll back", "commit"])
def test_while_it_ends(trees: Trees, name: str, durability: str, commit: bool) -> None:
    after = trees.after(name)
    late = doubts = 0

    def one(judge: Nth) -> None:
        nonlocal late, doubts
        before = trees.renew()
        judge.on = False
        run = Run(trees, name, durability, judge)
        assert run.keep()
        judge.on = True
        left = run.end(commit=commit)
        assert run.transaction is not None
        committed = run.transaction.state is State.COMMITTED
        run.leave()
        late += bool(left)
        if not left:
            now = portrait([trees.tree], times=not committed)
            assert now == (after if committed else before), judge
        results = healed(run)
        if left and commit and any(result.action is Action.COMPLETED for result in results):
            # In doubt: the decision was written, then neither flushed nor taken back until the engine was gone.
            assert durability == "power"
            assert judge.lasting
            committed, doubts = True, doubts + 1
        assert portrait([trees.tree], times=not committed) == (after if committed else before), (judge, left, results)

    points = every(one)
    how = "commit" if commit else "roll back"
    print(
        f"{how}, {name}, {durability}: {points} points while it ends, {late} undone completely only once healed, {doubts} in doubt"
    )
    assert doubts <= 1
    assert points > (3 if commit else 20)


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("committed", [False, True], ids=["to roll back", "committed"])
def test_while_it_is_recovered(trees: Trees, name: str, committed: bool) -> None:
    after = trees.after(name)
    told = dict.fromkeys(Action, 0)

    def one(judge: Nth) -> None:
        before = trees.renew()
        judge.on = False
        run = Run(trees, name, "process", judge)
        assert run.keep()
        assert run.transaction is not None
        if committed:
            run.transaction.commit(lambda work: None)
        run.leave()
        judge.on = True
        with striking(run.disk, trees.home.path):
            results = recover_home(trees.home, disk=run.disk)
        judge.on = False
        for result in results:
            told[result.action] += 1
            assert result.action is not Action.BUSY, "nobody is at work"
            if result.action is Action.ROLLED_BACK:
                assert portrait([trees.tree]) == before, (judge, "it was told that all is undone")
        if judge.struck and not trees.is_clean() and not results:
            raise AssertionError(f"{judge}: a journal is left, and nobody is told")
        healed(run)
        assert portrait([trees.tree], times=not committed) == (after if committed else before), (judge, results)

    points = every(one)
    shown = ", ".join(f"{number} × {action.value}" for action, number in told.items() if number)
    print(f"{name}: {points} points of a recovery: {shown}")
    assert points > 3


def test_what_failed_inside_does_not_last_with_what_is_around_it(trees: Trees) -> None:
    before = trees.renew()
    judge = Nth(at=1, error=errno.EIO, lasting=True, on=False)
    engine = trees.home.open_engine(TOKEN)
    outer = engine.begin(disk=FaultyDisk(judge))
    inner = outer.nested()
    SCENES["edit"](Program(trees.tree, inner, DISK))
    judge.on = True
    assert inner.roll_back().incomplete
    judge.on = False
    with pytest.raises(JournalError, match="could not be"):
        outer.commit()
    assert not outer.roll_back().incomplete
    assert portrait([trees.tree]) == before
    engine.close()
    assert trees.is_clean()


def test_a_copy_that_failed_does_not_shift_the_next_one(trees: Trees) -> None:
    before = trees.renew()
    failing: set[str] = set()
    verdicts = {"write": HALF, "ftruncate": errno.EIO}
    engine = trees.home.open_engine(TOKEN)
    disk = FaultyDisk(lambda name, path: verdicts[name] if name in failing and path.endswith(b"/pool") else 0)
    transaction = engine.begin(disk=disk)
    program = Program(trees.tree, transaction, DISK)
    program.append("a.txt", b"more")
    failing |= verdicts.keys()
    with pytest.raises(JournalError):
        program.append("b.txt", b"more")
    failing.clear()
    program.append("sub/c.txt", b"more")
    assert not transaction.roll_back().incomplete
    assert portrait([trees.tree]) == before
    engine.close()
    assert trees.is_clean()


def test_a_decision_that_was_written_and_not_flushed_is_taken_back_as_soon_as_the_disk_works(trees: Trees) -> None:
    before = trees.renew()
    failing: set[str] = set()
    engine = trees.home.open_engine(TOKEN)
    disk = FaultyDisk(lambda name, path: errno.EIO if name in failing and path.endswith(b"/journal") else 0)
    transaction = engine.begin(disk=disk, durability="power")
    SCENES["edit"](Program(trees.tree, transaction, DISK))
    failing |= {"fsync", "ftruncate"}
    with pytest.raises(JournalError):
        transaction.commit()
    failing.clear()
    assert not transaction.roll_back().incomplete
    assert portrait([trees.tree]) == before
    engine.close()
    assert trees.is_clean()


def test_or_when_the_engine_ends(trees: Trees) -> None:
    before = trees.renew()
    failing: set[str] = set()
    engine = trees.home.open_engine(TOKEN)
    disk = FaultyDisk(lambda name, path: errno.EIO if name in failing and path.endswith(b"/journal") else 0)
    transaction = engine.begin(disk=disk, durability="power")
    SCENES["edit"](Program(trees.tree, transaction, DISK))
    failing |= {"fsync", "ftruncate"}
    with pytest.raises(JournalError):
        transaction.commit()
    failing.add("write")
    assert transaction.roll_back().incomplete
    failing.clear()
    transaction.close()
    engine.close()
    (result,) = recover_home(trees.home)
    assert result.action is Action.ROLLED_BACK
    assert portrait([trees.tree]) == before
