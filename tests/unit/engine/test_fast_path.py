"""The fast path held against the Python that it stands in for: the same calls, the same journal."""

from __future__ import annotations

import json
import os
import select
import selectors
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_cbx.effects.model import Scope
from pytest_cbx.engine import fast_path, receivers
from pytest_cbx.engine.arbiter import Arbiter
from pytest_cbx.engine.coverage import Coverage
from pytest_cbx.engine.guard import Guard
from pytest_cbx.engine.watched import Watched
from pytest_cbx.execute import model
from pytest_cbx.execute.spawn import spawn
from pytest_cbx.execute.supervision.decode import Decoder
from pytest_cbx.execute.supervision.deeds import Trap
from pytest_cbx.execute.supervision.spawner import Spawner
from pytest_cbx.plan.model import Claim, Domain, Mode
from pytest_cbx.schedule.model import TaskId
from pytest_cbx.transaction.model import Budget
from pytest_cbx.transaction.records import Record
from pytest_cbx.transaction.transaction import Transaction
from tests.inodes import portrait
from tests.requirements import lacking

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs seccomp")

Step = tuple[str, str, str]

PROGRAM = """
import json, os, sys
held = {}
def change(do, one, two):
    match do:
        case "write": open(one, "w").write(one)
        case "append": open(one, "a").write(one)
        case "new": os.close(os.open(one, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        case "old": os.close(os.open(one, os.O_WRONLY))
        case "hold": held[one] = os.open(one, os.O_RDWR)
        case "modify held": os.fchmod(held[one], 0o640)
        case "time held": os.utime(held[one], (1, 1))
        case "remove": os.unlink(one)
        case "rename": os.rename(one, two)
        case "link": os.link(one, two)
        case "symlink": os.symlink(two, one)
        case "mkdir": os.mkdir(one)
        case "rmdir": os.rmdir(one)
        case "chmod": os.chmod(one, 0o600)
        case "utime": os.utime(one, (1, 1))
        case "truncate": os.truncate(one, 1)
        case "cd": os.chdir(one)
told = []
for step in json.loads(sys.argv[1]):
    try:
        change(*step)
        told.append(0)
    except (OSError, KeyError) as error:
        told.append(getattr(error, "errno", -1))
print(told)
"""
NAMES = ["a", "b", "d/c", "d/e", "new", "d/new", "./a", "link", "d", "d/link", "large", "gone/x"]
STEPS = st.tuples(
    st.sampled_from(
        ["write", "append", "new", "old", "hold", "modify held", "time held", "remove", "rename", "link", "symlink", "mkdir",
         "rmdir", "chmod", "utime", "truncate", "cd"]
    ),
    st.sampled_from(NAMES),
    st.sampled_from(NAMES),
)  # fmt: skip


class Alone:
    """Nobody else runs; a transaction begins at the first change."""

    def __init__(self, folder: bytes, root: bytes, claims: bool) -> None:
        self.folder = folder
        self.root = root
        self.transaction: Transaction | None = None
        self.failures: list[str] = []

    def begin(self, watched: Watched, trap: Trap) -> Transaction:
        watched.transaction = self.transaction = Transaction.begin(
            self.folder, token="test", roots=(self.root,), budget=Budget(1 << 20)
        )
        return self.transaction

    def alone(self, task: TaskId) -> bool:
        return True

    def fail(self, watched: Watched, reason: str) -> None:
        self.failures.append(reason)

    def denied(self, watched: Watched, trap: Trap, reason: str) -> None:
        self.failures.append(reason)


class Run:
    """One run of the program; what it told, what its journal says, and by whom it was answered."""

    def __init__(self, base: Path, steps: Sequence[Step], *, claimed: bool = True) -> None:
        tree = base / "tree"
        (tree / "d").mkdir(parents=True)
        for name in ("a", "b", "d/c"):
            (tree / name).write_text(name)
        (tree / "large").write_bytes(b"x" * 100_000)
        (tree / "d" / "link").symlink_to("c")
        self.before = portrait([tree])
        root = os.fsencode(tree)
        arbiter = Alone(os.fsencode(base / "journal"), root, claimed)
        self.watched = self._watch(base, root, steps, claimed, arbiter)
        assert not arbiter.failures
        self.told = (base / "output").read_text()
        self.after = portrait([tree], times=False)
        transaction = arbiter.transaction
        self.records = [] if transaction is None else [_shown(one) for one in transaction._shared.journal.records()]
        self.taken = transaction.taken if transaction is not None else 0
        self.beyond = dict(self.watched.beyond)
        if transaction is not None:
            assert not transaction.roll_back().incomplete
        assert portrait([tree]) == self.before
        shutil.rmtree(base)

    def _watch(self, base: Path, root: bytes, steps: Sequence[Step], claimed: bool, arbiter: Alone) -> Watched:
        spawner = Spawner()
        output = os.open(base / "output", os.O_RDWR | os.O_CREAT)
        spec = model.InstanceSpec(
            argv=(os.fsencode(sys.executable), b"-ISc", PROGRAM.encode(), json.dumps(steps).encode()),
            cwd=root,
            umask=0o022,
            environment=dict(os.environb),
            marker="test",
            descriptors=(output, output, output),
            guard=model.Guard(kind=model.GuardKind.SUPERVISED),
        )
        spawned = spawn(spec, spawner)
        os.close(output)
        assert spawned.listener is not None
        everything = Claim(domain=Domain.FILE, mode=Mode.WRITE, target=".", scope=Scope.TREE)
        watched = Watched(
            task=TaskId(1),
            label="test",
            listener=spawned.listener,
            decoder=Decoder((root,), reads=False),
            roots=(root,),
            writes=Coverage([everything] if claimed else [], root),
            reads=None,
        )
        private = os.fsencode(base / "private")
        guard = Guard(
            _as_arbiter(arbiter),
            watched.decoder,
            workspace=root,
            home=lambda: b"",
            safe_folder=private,
            private=private,
        )
        guard.watch(watched)
        ended = os.pidfd_open(spawned.pid)
        with selectors.EpollSelector() as selector:
            selector.register(ended, select.EPOLLIN)
            while not guard.wait(selector, 30):
                assert not arbiter.failures
        os.close(ended)
        assert os.waitstatus_to_exitcode(os.waitpid(spawned.pid, 0)[1]) == 0
        guard.close()
        spawner.close()
        return watched


def _as_arbiter(alone: Alone) -> Arbiter:
    return alone  # type: ignore[return-value]  # what is asked of it here, it has


def _shown(record: Record) -> object:
    """All that has to be the same in two runs: inodes and times are not."""
    meta = record.meta
    facts = meta and (meta.mode, meta.uid, meta.gid, meta.size, meta.xattrs)
    return (
        record.kind, record.scope, record.path, record.target, record.kept, record.how, record.place, record.exchange,
        record.other != (0, 0), facts,
    )  # fmt: skip


def run(steps: Sequence[Step], *, fast: bool, claimed: bool = True) -> Run:
    base = Path(os.path.realpath(tempfile.gettempdir()), "cbx-fast-path", str(os.getpid()))
    shutil.rmtree(base, ignore_errors=True)
    base.mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        if not fast:
            patch.setattr(fast_path, "Lane", None)
        return Run(base, steps, claimed=claimed)


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    if not fast_path.is_built():
        lacking("the fast path is not built: is there a compiler, and Python's headers?")


def both(steps: Sequence[Step], *, claimed: bool = True) -> Run:
    """The run by the fast path, which tells and records what the other one does."""
    slow, fast = (run(steps, fast=one, claimed=claimed) for one in (False, True))
    assert fast.told == slow.told
    assert fast.after == slow.after
    assert fast.records == slow.records
    assert (fast.taken, fast.beyond) == (slow.taken, slow.beyond)
    assert slow.watched.lane is None
    return fast


@pytest.mark.parametrize("claimed", [True, False])
@given(st.lists(STEPS, min_size=1, max_size=14))
@settings(max_examples=settings().max_examples // 4, deadline=None, suppress_health_check=list(HealthCheck))
def test_both_record_the_same(claimed: bool, steps: list[Step]) -> None:
    both(steps, claimed=claimed)


SERVED: dict[str, list[Step]] = {
    "write": [("write", "b", ""), ("write", "new", "")],
    "make": [("new", "new", ""), ("mkdir", "made", ""), ("new", "made/x", "")],
    "remove": [("remove", "b", ""), ("remove", "d/c", "")],
    "rename": [("rename", "b", "new"), ("rename", "d/c", "a")],
    "link": [("link", "b", "new"), ("remove", "b", "")],
    "metadata": [("chmod", "b", ""), ("utime", "d/c", "")],
    "of what is open": [("hold", "b", ""), ("modify held", "b", ""), ("time held", "b", "")],
    "what fails": [("new", "b", ""), ("remove", "missing", ""), ("old", "missing", ""), ("mkdir", "d", "")],
    "devices": [("write", "/dev/null", "")],
}


@pytest.mark.parametrize("steps", SERVED.values(), ids=SERVED)
def test_the_usual_calls_are_served_by_the_fast_path(steps: list[Step]) -> None:
    # The first change begins the transaction, the first copy the pool: both are for Python.
    found = both([("append", "a", ""), *steps])
    assert found.watched.lane is not None
    assert found.watched.lane.served >= len(steps)


@pytest.mark.parametrize(
    "steps", [[("symlink", "new", "a")], [("write", "large", "")], [("write", "d/link", "")], [("rmdir", "d", "")]]
)
def test_what_is_not_usual_is_left_to_python(steps: list[Step]) -> None:
    found = both([("append", "a", ""), *steps])
    assert found.watched.lane is not None
    assert found.watched.lane.served == 0


def test_a_call_that_python_knows_to_be_on_its_way_is_heeded() -> None:
    """A rename and what follows it on both names, again and again: whatever Python let go, the fast path meets."""
    steps = [
        step
        for _ in range(5)
        for step in (("rename", "a", "d/new"), ("symlink", "a", "b"), ("remove", "a", ""), ("rename", "d/new", "a"))
    ]
    both(steps)


def test_kernels_that_tell_nobody_of_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (fast_path, receivers):
        monkeypatch.setattr(module, "ends_by_itself", lambda release: False)
    found = both([("append", "a", ""), *SERVED["write"]])
    assert found.watched.lane is not None
    assert found.watched.lane.served >= 2
