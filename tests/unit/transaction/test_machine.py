"""Random operations of all kinds, also in savepoints: whatever happened, the roll back gives the tree back to the last byte."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pytest_cbx.chaos.tree import Snapshot, assert_same, snapshot
from pytest_cbx.transaction.model import Changes
from pytest_cbx.transaction.transaction import Transaction
from tests.unit.transaction.watched import begin

NAMES = (b"a", b"b", b"c")
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(b"/".join)
MODES = st.sampled_from((0o600, 0o644, 0o755, 0o400, 0o4711))
DATA = st.binary(max_size=20)


def seed(tree: Path) -> None:
    """Every path of the machine means something at first."""
    (tree / "a/a").mkdir(parents=True)
    (tree / "a/b").write_bytes(b"a/b")
    (tree / "a/a/c").write_bytes(b"a/a/c")
    os.link(tree / "a/b", tree / "a/a/a")
    (tree / "a/c").symlink_to("b")
    (tree / "b").mkdir()
    (tree / "b/b").mkdir()
    os.link(tree / "a/a/c", tree / "b/c")
    (tree / "c").write_bytes(b"c" * 100)
    for folder, folders, files in os.walk(tree, topdown=False):
        for name in (*folders, *files):
            os.utime(os.path.join(folder, name), ns=(1, 10**18 + len(name)), follow_symlinks=False)
    os.utime(tree, ns=(1, 10**18))


def assert_exact(found: Changes, before: Snapshot, after: Snapshot) -> None:
    """Times alone do not count. Of a file with several names only the name is told by which it was changed."""

    def told(tree: Snapshot, path: bytes) -> object:
        entry = tree[path]
        return entry.mode, entry.uid, entry.gid, entry.content, entry.xattrs

    def has_other_names(tree: Snapshot, path: bytes) -> bool:
        return sum(entry.same_as == tree[path].same_as for entry in tree.values()) > 1

    assert found.created == tuple(sorted(after.keys() - before.keys()))
    assert found.deleted == tuple(sorted(before.keys() - after.keys()))
    modified = {path or b"." for path in before.keys() & after.keys() if told(before, path) != told(after, path)}
    assert set(found.modified) <= modified
    missed = modified - set(found.modified)
    assert all(has_other_names(before, path) for path in missed), missed


class Tree(RuleBasedStateMachine):
    """A command that does anything. What fails is let pass: the journal cannot know either."""

    @initialize()
    def start(self) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="cbx-test-"))
        self.tree = self.base / "tree"
        self.tree.mkdir()
        seed(self.tree)
        self.before = snapshot(self.tree)
        self.w, self.folder = begin(self.base)
        self.root = self.w.transaction
        self.savepoints: list[tuple[Transaction, Snapshot]] = []

    @rule(path=PATHS, data=DATA, flags=st.sampled_from((os.O_TRUNC, os.O_APPEND, 0)))
    def write(self, path: bytes, data: bytes, flags: int) -> None:
        self.w.write(path, data, flags)

    @rule(path=PATHS)
    def mkdir(self, path: bytes) -> None:
        self.w.mkdir(path)

    @rule(path=PATHS, to=PATHS)
    def symlink(self, path: bytes, to: bytes) -> None:
        self.w.symlink(to, path)

    @rule(source=PATHS, path=PATHS)
    def link(self, source: bytes, path: bytes) -> None:
        self.w.link(self._canonical(source), path)

    @rule(path=PATHS)
    def unlink(self, path: bytes) -> None:
        self.w.unlink(path)

    @rule(path=PATHS)
    def rmdir(self, path: bytes) -> None:
        self.w.rmdir(path)

    @rule(path=PATHS)
    def rmtree(self, path: bytes) -> None:
        self.w.rmtree(path)

    @rule(source=PATHS, to=PATHS)
    def rename(self, source: bytes, to: bytes) -> None:
        self.w.rename(source, to)

    @rule(source=PATHS, to=PATHS)
    def exchange(self, source: bytes, to: bytes) -> None:
        self.w.exchange(source, to)

    @rule(path=PATHS, mode=MODES)
    def chmod(self, path: bytes, mode: int) -> None:
        self.w.chmod(path, mode)

    @rule(path=PATHS, time=st.integers(0, 10**18))
    def utime(self, path: bytes, time: int) -> None:
        self.w.utime(path, time, time)

    @rule(path=PATHS, value=DATA)
    def setxattr(self, path: bytes, value: bytes) -> None:
        self.w.setxattr(path, "user.x", value)

    @precondition(lambda self: len(self.savepoints) < 3)
    @rule()
    def save(self) -> None:
        self.savepoints.append((self.w.transaction.nested(), snapshot(self.tree)))
        self.w.transaction = self.savepoints[-1][0]

    @precondition(lambda self: self.savepoints)
    @rule()
    def keep(self) -> None:
        self._leave()[0].commit()

    @precondition(lambda self: self.savepoints)
    @rule()
    def undo(self) -> None:
        nested, then = self._leave()
        assert_exact(nested.changes(), then, snapshot(self.tree))
        report = nested.roll_back()
        assert (report.incomplete, report.left) == ((), ())
        assert_same(then, snapshot(self.tree))

    def _leave(self) -> tuple[Transaction, Snapshot]:
        found = self.savepoints.pop()
        self.w.transaction = self.savepoints[-1][0] if self.savepoints else self.root
        return found

    def _canonical(self, name: bytes) -> bytes:
        return os.path.relpath(self.w.path(name), self.w.root)

    @invariant()
    def the_journal_can_be_read(self) -> None:
        if hasattr(self, "root"):
            self.root.touched()

    def teardown(self) -> None:
        if not hasattr(self, "root"):
            return
        try:
            assert_exact(self.root.changes(), self.before, snapshot(self.tree))
            report = self.root.roll_back()
            assert (report.incomplete, report.left) == ((), ())
            assert_same(self.before, snapshot(self.tree))
            assert not os.path.lexists(self.folder)
        finally:
            shutil.rmtree(self.base)


TestTree = Tree.TestCase
TestTree.settings = settings(
    max_examples=int(os.environ.get("CBX_EXAMPLES", "60")),
    stateful_step_count=30,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
