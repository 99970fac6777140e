"""Each kind of change, undone: the tree is identical afterwards, and nothing of the journal is left."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_cbx.chaos.tree import assert_same, describe, snapshot
from tests.unit.transaction.watched import Watched, begin

OLD = 1_600_000_000_123_456_789
ROOT = os.geteuid() == 0


def plant(tree: Path) -> None:
    """A bit of everything, all of it old."""
    tree.mkdir()
    (tree / "file").write_bytes(b"old content\n")
    (tree / "other").write_bytes(b"other content\n")
    (tree / "big").write_bytes(os.urandom(300_000))
    (tree / "locked").write_bytes(b"read only\n")
    (tree / "locked").chmod(0o444)
    os.link(tree / "file", tree / "hard")
    (tree / "link").symlink_to("file")
    (tree / "dangling").symlink_to("nowhere/at/all")
    (tree / "empty").mkdir()
    (tree / "d/e/f").mkdir(parents=True)
    (tree / "d/e/f/deep").write_bytes(b"deep\n")
    (tree / "d/e/x").write_bytes(b"x\n")
    os.link(tree / "d/e/x", tree / "d/x2")
    os.mkfifo(tree / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(tree)
        listener.bind("socket")
        os.chdir(here)
    with open(tree / "sparse", "wb") as file:
        file.seek(1 << 20)
        file.write(b"in the middle")
        file.truncate(3 << 20)
    (tree / os.fsdecode(b"new\nline \xff\xfe")).write_bytes(b"any bytes\n")
    os.setxattr(tree / "file", "user.note", b"kept\0value")
    os.setxattr(tree / "d", "user.folder", b"too")
    if ROOT:
        os.mknod(tree / "device", stat.S_IFCHR | 0o600, os.makedev(1, 3))
        os.chown(tree / "other", 1234, 2345)
    for folder, folders, files in os.walk(tree, topdown=False):
        for name in (*folders, *files):
            os.utime(os.path.join(folder, name), ns=(OLD, OLD + len(name)), follow_symlinks=False)
    os.utime(tree, ns=(OLD, OLD))


def _rewrite(w: Watched) -> None:
    w.write(b"file", b"new")
    w.write(b"hard", b"newer and longer than before")


def _append(w: Watched) -> None:
    w.write(b"big", b"more", os.O_APPEND)
    w.truncate(b"big", 5)


def _create_and_delete(w: Watched) -> None:
    for _ in range(3):
        w.write(b"a", b"1")
        w.unlink(b"a")
        w.unlink(b"file")
        w.write(b"file", b"anew")


def _held_open(w: Watched) -> None:
    w.transaction.write(w.path(b"file"))
    descriptor = os.open(w.path(b"file"), os.O_RDWR)
    w.unlink(b"file")
    os.write(descriptor, b"written after it was unlinked")
    w.write(b"file", b"another")
    os.ftruncate(descriptor, 3)
    os.close(descriptor)


def _save_pattern(w: Watched) -> None:
    w.write(b"file.tmp", b"saved")
    w.rename(b"file.tmp", b"file")
    w.rename(b"other", b"other~")
    w.write(b"other", b"saved, too")
    w.unlink(b"other~")


def _trees(w: Watched) -> None:
    w.rename(b"d", b"moved")
    w.write(b"moved/e/f/deep", b"changed")
    w.write(b"moved/e/new", b"1")
    w.mkdir(b"d")
    w.write(b"d/e", b"now a file")
    w.rename(b"moved/e", b"d/ee")
    w.unlink(b"d/ee/x")
    w.rmtree(b"moved")


def _replaced_directory(w: Watched) -> None:
    w.rmtree(b"d")
    w.write(b"d", b"a file instead")
    w.rmdir(b"empty")
    w.symlink(b"file", b"empty")
    w.unlink(b"file")
    w.mkdir(b"file")
    w.write(b"file/inside", b"1")


def _onto_empty(w: Watched) -> None:
    w.rename(b"d/e", b"empty")
    w.write(b"empty/f/deep", b"there")
    w.rename(b"empty/f", b"f")
    w.rmtree(b"f")
    w.rmdir(b"empty/f")
    w.mkdir(b"d/e")
    w.rename(b"empty", b"d/e")


def _hard_links(w: Watched) -> None:
    w.link(b"other", b"o2")
    w.unlink(b"other")
    w.write(b"o2", b"through the new name")
    w.unlink(b"o2")
    w.link(b"d/x2", b"x3")
    w.write(b"x3", b"through a third name")
    w.chmod(b"x3", 0o600)
    w.unlink(b"d/x2")
    w.unlink(b"x3")


def _link_over_a_fresh_name(w: Watched) -> None:
    w.write(b"fresh", b"1")
    w.unlink(b"fresh")
    w.link(b"other", b"fresh")
    w.write(b"fresh", b"changes the other")


def _symlinks(w: Watched) -> None:
    w.unlink(b"link")
    w.symlink(b"d", b"link")
    w.unlink(b"dangling")
    w.symlink(b"elsewhere", b"dangling")
    w.utime(b"dangling", 1, 2)
    w.symlink(b"x", b"another")
    w.rename(b"another", b"link")


def _specials(w: Watched) -> None:
    w.unlink(b"fifo")
    w.write(b"fifo", b"a file")
    w.unlink(b"socket")
    w.mknod(b"fifo2", stat.S_IFIFO | 0o644)
    w.chmod(b"socket", 0o600)
    w.rename(b"fifo2", b"socket")
    w.unlink(b"device")
    w.chmod(b"device", 0o644)


def _metadata(w: Watched) -> None:
    w.chmod(b"file", 0o4711)
    w.chmod(b"d", 0o700)
    w.chmod(b"locked", 0o644)
    w.write(b"locked", b"now writable")
    w.chmod(b"locked", 0)
    w.setxattr(b"file", "user.note", b"other")
    w.setxattr(b"file", "user.more", b"1")
    w.removexattr(b"d", "user.folder")
    w.setxattr(b"d/e/x", "user.first", b"1")
    w.utime(b"d/e", 5, 6)
    w.utime(b"link", 5, 6)
    w.utime(b"", 5, 6)
    w.chown(b"file", os.getuid(), os.getgid())


def _owner(w: Watched) -> None:
    w.chown(b"other", 77, 88)
    w.chmod(b"other", 0o4755)
    w.chown(b"link", 77, 88)
    w.chown(b"d", 77, 88)
    w.write(b"other", b"and content")
    w.unlink(b"other")


def _sparse(w: Watched) -> None:
    w.write(b"sparse", b"x" * 10, 0)
    w.truncate(b"sparse", 0)
    w.write(b"sparse", b"y" * 100_000)


def _any_bytes(w: Watched) -> None:
    name = b"new\nline \xff\xfe"
    w.write(name, b"changed")
    w.rename(name, b"\x01\x02")
    w.write(name + b"2", b"1")
    w.mkdir(name)
    w.write(name + b"/\xc3", b"1")


def _exchange(w: Watched) -> None:
    w.exchange(b"d", b"file")
    w.write(b"d", b"the file, in the directory's place")
    w.write(b"file/e/x", b"the directory, in the file's place")
    w.exchange(b"file/e", b"other")
    w.exchange(b"file", b"empty")


def _failing_calls(w: Watched) -> None:
    w.rmdir(b"d")
    w.unlink(b"d")
    w.mkdir(b"file")
    w.unlink(b"nothing")
    w.rename(b"nothing", b"file")
    w.rename(b"file", b"d")
    w.rename(b"d", b"file")
    w.rename(b"d", b"d/e/inside")
    w.rename(b"file", b"hard")
    w.link(b"nothing", b"x")
    w.write(b"nothing/below", b"")
    w.write(b"file/below", b"")
    w.exchange(b"file", b"nothing")


def _directories_of_a_kind(w: Watched) -> None:
    """Two removed directories can come back under each other's inode numbers."""
    w.mkdir(b"p")
    for name in (b"p/a", b"p/b", b"p/c"):
        w.mkdir(name)
    w.rename(b"p/a", b"p/z")
    w.rmdir(b"empty")
    w.mkdir(b"empty")
    w.rename(b"empty", b"p/a")
    w.rmdir(b"p/a")
    w.rmdir(b"p/z")
    w.mkdir(b"p/a")
    w.rename(b"d", b"p/a")
    w.rmtree(b"p/a")


def _all(w: Watched) -> None:
    for operation in OPERATIONS:
        if operation is not _all:
            operation(w)


OPERATIONS: tuple[Callable[[Watched], None], ...] = (
    _rewrite, _append, _create_and_delete, _held_open, _save_pattern, _trees, _replaced_directory, _onto_empty, _hard_links,
    _link_over_a_fresh_name, _symlinks, _specials, _metadata, _owner, _sparse, _any_bytes, _exchange, _failing_calls,
    _directories_of_a_kind, _all,
)  # fmt: skip


@pytest.mark.parametrize("durability", ["process", "power"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.__name__.strip("_"))
def test_the_tree_is_identical_after_the_roll_back(
    tmp_path: Path, operation: Callable[[Watched], None], durability: str
) -> None:
    plant(tmp_path / "tree")
    before = snapshot(tmp_path / "tree")
    w, folder = begin(tmp_path, durability=durability)
    operation(w)
    if operation is not _failing_calls:
        assert describe(before, snapshot(tmp_path / "tree"))
    report = w.transaction.roll_back()
    assert report.incomplete == ()
    assert report.left == ()
    assert_same(before, snapshot(tmp_path / "tree"))
    assert not os.path.lexists(folder)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.__name__.strip("_"))
def test_a_journal_that_its_process_left_is_rolled_back_from_the_disk(
    tmp_path: Path, operation: Callable[[Watched], None]
) -> None:
    plant(tmp_path / "tree")
    before = snapshot(tmp_path / "tree")
    w, folder = begin(tmp_path)
    operation(w)
    w.transaction.close()
    found = type(w.transaction).load(folder)
    assert found.header.label == "test"
    assert found.roll_back().incomplete == ()
    assert_same(before, snapshot(tmp_path / "tree"))
    assert not os.path.lexists(folder)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.__name__.strip("_"))
def test_a_commit_keeps_what_was_changed(tmp_path: Path, operation: Callable[[Watched], None]) -> None:
    plant(tmp_path / "tree")
    w, folder = begin(tmp_path)
    operation(w)
    after = snapshot(tmp_path / "tree")
    w.transaction.commit()
    w.transaction.commit()
    assert_same(after, snapshot(tmp_path / "tree"))
    assert not os.path.lexists(folder)


def test_inodes_come_back_where_they_still_exist(tmp_path: Path) -> None:
    plant(tmp_path / "tree")
    names = ["file", "hard", "other", "link", "fifo", "d/e/x", "d"]
    before = [os.lstat(tmp_path / "tree" / name).st_ino for name in names]
    w, _ = begin(tmp_path)
    for name in (b"file", b"other", b"link", b"fifo", b"d/e/x"):
        w.unlink(name)
        w.write(name, b"anew")
    w.rename(b"d", b"dd")
    w.transaction.roll_back()
    assert [os.lstat(tmp_path / "tree" / name).st_ino for name in names] == before


def test_paths_of_four_thousand_bytes(tmp_path: Path) -> None:
    plant(tmp_path / "tree")
    part = b"n" * 240
    room = 4000 - len(os.fsencode(tmp_path / "tree")) - 1
    deep = b"/".join([part] * (room // 241))
    os.makedirs(os.fsencode(tmp_path / "tree") + b"/" + deep)
    last = deep + b"/" + b"f" * (room - len(deep) - 1)
    with open(os.fsencode(tmp_path / "tree") + b"/" + last, "wb") as file:
        file.write(b"old")
    before = snapshot(tmp_path / "tree")
    w, _ = begin(tmp_path)
    assert len(w.path(last)) == 4000
    w.write(last, b"new")
    w.unlink(last)
    w.rename(part, b"elsewhere")
    w.write(b"elsewhere/x", b"1")
    assert w.transaction.roll_back().incomplete == ()
    assert_same(before, snapshot(tmp_path / "tree"))


def test_a_directory_that_others_use_stays_and_is_told(tmp_path: Path) -> None:
    w, _ = begin(tmp_path)
    w.mkdir(b"cache")
    w.write(b"cache/mine", b"1")
    (tmp_path / "tree/cache/theirs").write_bytes(b"2")
    report = w.transaction.roll_back()
    assert report.incomplete == ()
    assert report.left == (w.path(b"cache"),)
    assert sorted(os.listdir(tmp_path / "tree/cache")) == ["theirs"]


def test_what_others_touched_since_is_left(tmp_path: Path) -> None:
    plant(tmp_path / "tree")
    w, _ = begin(tmp_path)
    w.write(b"file", b"ours")
    w.write(b"other", b"ours")
    (tmp_path / "tree/file").write_bytes(b"theirs")
    report = w.transaction.roll_back(foreign=lambda path: path == w.path(b"file"))
    assert report.left == (w.path(b"file"),)
    assert (tmp_path / "tree/file").read_bytes() == b"theirs"
    assert (tmp_path / "tree/other").read_bytes() == b"other content\n"


@pytest.mark.skipif(not ROOT, reason="other users' files need root to make")
def test_a_user_who_may_not_override_modes_gets_the_tree_back(tmp_path: Path) -> None:
    """As root, modes never stand in the way: so the test takes another user's place."""
    plant(tmp_path / "tree")
    os.unlink(tmp_path / "tree/device")
    os.chmod(tmp_path / "tree/d/e", 0o555)
    (tmp_path / "tree/unreadable").write_bytes(b"secret")
    os.chmod(tmp_path / "tree/unreadable", 0o200)
    for folder, folders, files in os.walk(tmp_path):
        for name in ("", *folders, *files):
            os.chown(os.path.join(folder, name), 4321, 4321, follow_symlinks=False)
    for above in (tmp_path, *tmp_path.parents):
        if above.name.startswith(("pytest-", "popen-")) or above == tmp_path:
            os.chmod(above, 0o755)
    os.utime(tmp_path / "tree/d/e", ns=(OLD, OLD))
    before = snapshot(tmp_path / "tree")
    child = os.fork()
    if not child:
        status = 1
        try:
            os.setgroups([])
            os.setresgid(4321, 4321, 4321)
            os.setresuid(4321, 4321, 4321)
            w, _ = begin(tmp_path)
            w.chmod(b"d/e", 0o755)
            w.unlink(b"d/e/x")
            w.write(b"d/e/new", b"1")
            w.chmod(b"d/e/f", 0o700)
            w.chmod(b"d/e", 0o555)
            w.chmod(b"d", 0)
            w.chmod(b"locked", 0o644)
            w.write(b"locked", b"x")
            w.setxattr(b"locked", "user.a", b"1")
            w.chmod(b"locked", 0o444)
            w.mkdir(b"made")
            w.write(b"made/x", b"1")
            w.chmod(b"made", 0o500)
            w.write(b"unreadable", b"overwritten")
            status = 0 if not w.transaction.roll_back().incomplete else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert_same(before, snapshot(tmp_path / "tree"))


def test_another_file_takes_the_name_while_it_is_copied(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("x", "y"):
        (tree / name).write_bytes(name.encode() * 100_000)
    before = snapshot(tree)
    w, _ = begin(tmp_path)
    preparation = w.transaction.prepare_write(w.path(b"x"))
    assert preparation is not None
    preparation.copy()
    w.rename(b"y", b"x")
    w.transaction.finish_write(preparation)
    w.write(b"x", b"into what was y")
    assert w.transaction.roll_back().incomplete == ()
    assert_same(before, snapshot(tree))


def test_a_file_of_before_is_changed_by_a_name_that_is_gone(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "old").write_bytes(b"old")
    before = snapshot(tree)
    w, _ = begin(tmp_path)
    w.link(b"old", b"new")
    descriptor = os.open(tree / "new", os.O_RDONLY)
    w.unlink(b"new")
    w.transaction.metadata(w.path(b"new"))
    os.fchmod(descriptor, 0o700)
    os.close(descriptor)
    assert w.transaction.roll_back().incomplete == ()
    assert_same(before, snapshot(tree))
