"""Real SIGKILLs, at each call that changes a file: while a program runs, commits, rolls back, and while a recovery recovers."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest

from pytest_cbx.transaction.disk import Disk
from pytest_cbx.transaction.home import find_home
from pytest_cbx.transaction.records import Kind
from pytest_cbx.transaction.recovery import Action, recover_home
from tests.inodes import portrait
from tests.unit.transaction.scenes import SCENES, Program, furnish

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")

TOKEN = "0123456789abcdef-1-00c0ffee"
_EVENTS = frozenset(
    (
        "os.mkdir",
        "os.remove",
        "os.rmdir",
        "os.rename",
        "os.link",
        "os.symlink",
        "os.chmod",
        "os.chown",
        "os.utime",
        "os.truncate",
    )
)


class DeadlyDisk(Disk):
    """Kills this process before call number `last` that changes a file, by whomever it is made; a write is torn in the middle."""

    def __init__(self, last: int) -> None:
        """Only for processes that were forked for it: the hook stays."""
        self._left = last
        setattr(self, "write", self._write)  # noqa: B010
        setattr(self, "ftruncate", self._ftruncate)  # noqa: B010
        sys.addaudithook(self._heard)

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        writes = os.O_CREAT | os.O_TRUNC
        if event in _EVENTS or (event == "open" and isinstance(arguments[2], int) and arguments[2] & writes):
            self._count()

    def _count(self, before: Callable[[], object] = lambda: None) -> None:
        self._left -= 1
        if self._left == 0:
            before()
            os.kill(os.getpid(), signal.SIGKILL)

    def _write(self, descriptor: int, data: bytes) -> int:
        self._count(lambda: os.write(descriptor, data[: len(data) // 2]))
        return os.write(descriptor, data)

    def _ftruncate(self, descriptor: int, length: int) -> None:
        self._count()
        os.ftruncate(descriptor, length)


def in_a_child(work: Callable[[], object]) -> int:
    """Run it in a forked process; returns the signal that killed it, 0 when it came to its end."""
    pid = os.fork()
    if pid == 0:
        _run(work)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status)
    assert os.waitstatus_to_exitcode(status) == 0
    return 0


def _run(work: Callable[[], object]) -> NoReturn:
    try:
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def attempt(trees: Trees, name: str, last: int, *, commit: bool) -> None:
    """What an engine does, from the first file to the last; `last`: the number of the call before which it dies, 0 for never."""
    disk = DeadlyDisk(last) if last else Disk()
    engine = trees.home.open_engine(TOKEN)
    transaction = engine.begin(label=name, disk=disk)
    SCENES[name](Program(trees.tree, transaction, disk))
    if commit:
        transaction.commit()
    else:
        assert not transaction.roll_back().incomplete
    engine.close()


class Trees:
    """The same tree again and again, under one name."""

    def __init__(self, folder: Path) -> None:
        self.tree = folder.resolve() / "tree"
        state = os.fsencode(folder.resolve() / "state")
        os.makedirs(state)
        self.tree.mkdir()
        self.home = find_home(os.fsencode(self.tree), {b"XDG_STATE_HOME": state})
        assert not self.home.inside

    def renew(self) -> dict[str, object]:
        """As it was; returns its portrait."""
        if self.tree.exists():
            shutil.rmtree(self.tree)
        furnish(self.tree)
        return portrait([self.tree])

    def after(self, name: str) -> dict[str, object]:
        """How it looks after a commit; the times of what is new are those of now, so none are shown."""
        self.renew()
        attempt(self, name, 0, commit=True)
        return portrait([self.tree], times=False)

    def is_clean(self) -> bool:
        """Whether nothing of ours is left."""
        return not os.path.lexists(self.home.path)


@pytest.fixture
def trees(tmp_path: Path) -> Trees:
    return Trees(tmp_path)


@pytest.mark.parametrize("name", SCENES)
def test_killed_at_any_call_until_the_commit(trees: Trees, name: str) -> None:
    after = trees.after(name)
    ends: set[str] = set()
    last = 0
    died = int(signal.SIGKILL)
    while died:
        last += 1
        before = trees.renew()
        died = in_a_child(partial(attempt, trees, name, last, commit=True))
        results = recover_home(trees.home)
        assert trees.is_clean(), (last, results)
        if portrait([trees.tree]) == before:
            ends.add("before")
            assert all(result.action in (Action.ROLLED_BACK, Action.REMOVED) for result in results)
        else:
            assert portrait([trees.tree], times=False) == after, (last, results)
            ends.add("after")
            assert all(result.action in (Action.COMPLETED, Action.REMOVED) for result in results)
    assert ends == {"before", "after"}
    assert last > 30
    print(f"{name}: killed {last - 1} times")


@pytest.mark.parametrize("name", SCENES)
def test_killed_at_any_call_of_a_roll_back(trees: Trees, name: str) -> None:
    last, died = 0, int(signal.SIGKILL)
    while died:
        last += 1
        before = trees.renew()
        died = in_a_child(partial(attempt, trees, name, last, commit=False))
        results = recover_home(trees.home)
        assert portrait([trees.tree]) == before, (last, results)
        assert trees.is_clean(), (last, results)
    assert last > 45
    print(f"{name}: killed {last - 1} times")


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("decided", [False, True], ids=["to roll back", "committed"])
def test_killed_at_any_call_of_a_recovery_and_of_the_next_one(trees: Trees, name: str, decided: bool) -> None:
    after = trees.after(name)
    last, died = 0, int(signal.SIGKILL)
    while died:
        last += 1
        before = trees.renew()
        assert in_a_child(lambda: leave(trees, name, decided=decided)) == signal.SIGKILL
        died = in_a_child(partial(recover, trees, last))
        # The next one is killed half-way through what is left, the third comes to its end.
        in_a_child(partial(recover, trees, max(1, last // 2)))
        results = recover_home(trees.home)
        assert trees.is_clean(), (last, results)
        if decided:
            assert portrait([trees.tree], times=False) == after, (last, results)
        else:
            assert portrait([trees.tree]) == before, (last, results)
    assert last > 5
    print(f"{name}: killed {last - 1} times")


def recover(trees: Trees, last: int) -> None:
    """A recovery that dies before the call of this number."""
    recover_home(trees.home, disk=DeadlyDisk(last))


def leave(trees: Trees, name: str, *, decided: bool) -> None:
    """Die with everything done, and the commit decided or not."""
    engine = trees.home.open_engine(TOKEN)
    transaction = engine.begin(label=name)
    SCENES[name](Program(trees.tree, transaction, Disk()))
    if decided:
        transaction._shared.journal.state(Kind.COMMITTED)
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("name", SCENES)
def test_recoveries_at_once_end_well(trees: Trees, name: str) -> None:
    for _ in range(5):
        before = trees.renew()
        assert in_a_child(lambda: leave(trees, name, decided=False)) == signal.SIGKILL
        pids = []
        for _ in range(3):
            pid = os.fork()
            if pid == 0:
                _run(lambda: recover_home(trees.home))
            pids.append(pid)
        assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0, 0, 0]
        # Whoever lost the race may have come too late to look: nothing is left to do, or nothing but an empty folder.
        assert all(result.action is Action.REMOVED for result in recover_home(trees.home))
        assert portrait([trees.tree]) == before
        assert trees.is_clean()
