"""What a transaction says it changed, as lists and as a diff."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_cbx.transaction.diff import unified_diff
from pytest_cbx.transaction.model import Changes
from tests.unit.transaction.test_roll_back import plant
from tests.unit.transaction.watched import Watched, begin


@pytest.fixture
def w(tmp_path: Path) -> Watched:
    plant(tmp_path / "tree")
    return begin(tmp_path)[0]


def test_nothing(w: Watched) -> None:
    assert w.transaction.changes() == Changes()
    assert not w.transaction.changes()
    assert unified_diff(w.transaction) == ""


def test_what_was_touched_and_is_the_same_does_not_count(w: Watched) -> None:
    w.write(b"file", b"old content\n")
    w.utime(b"other", 1, 2)
    w.transaction.write(w.path(b"big"))
    w.write(b"passing", b"1")
    w.unlink(b"passing")
    w.unlink(b"locked")
    w.write(b"locked", b"read only\n")
    w.chmod(b"locked", 0o444)
    w.rename(b"d", b"dd")
    w.rename(b"dd", b"d")
    w.unlink(b"link")
    w.symlink(b"file", b"link")
    assert w.transaction.changes() == Changes()
    assert unified_diff(w.transaction) == ""


def test_each_kind(w: Watched) -> None:
    w.write(b"new", b"1")
    w.mkdir(b"made")
    w.write(b"made/inside", b"2")
    w.write(b"file", b"other content\n")
    w.unlink(b"other")
    w.chmod(b"d/x2", 0o600)
    w.setxattr(b"big", "user.a", b"1")
    w.unlink(b"link")
    w.symlink(b"elsewhere", b"link")
    w.rmdir(b"empty")
    assert w.transaction.changes() == Changes(
        created=(b"made", b"made/inside", b"new"),
        modified=(b"big", b"d/x2", b"file", b"link"),
        deleted=(b"empty", b"other"),
    )
    shown = unified_diff(w.transaction)
    for line in (
        "--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+1\n\\ No newline at end of file\n",
        "--- a/file\n+++ b/file\n@@ -1 +1 @@\n-old content\n+other content\n",
        "--- a/other\n+++ /dev/null\n@@ -1 +0,0 @@\n-other content\n",
        "mode of d/x2: 100644 became 100600\n",
        "extended attributes of big changed\n",
        "link link: file became elsewhere\n",
        "directory made created\n",
        "directory empty deleted\n",
    ):
        assert line in shown
    w.transaction.roll_back()


def test_a_renamed_tree_is_each_path_below(w: Watched) -> None:
    w.rename(b"d", b"moved")
    w.write(b"moved/e/f/deep", b"changed\n")
    w.write(b"moved/e/new", b"1")
    w.unlink(b"moved/x2")
    w.mkdir(b"d")
    w.write(b"d/e", b"now a file")
    assert w.transaction.changes() == Changes(
        created=(b"moved", b"moved/e", b"moved/e/f", b"moved/e/f/deep", b"moved/e/new", b"moved/e/x"),
        modified=(b"d", b"d/e"),
        deleted=(b"d/e/f", b"d/e/f/deep", b"d/e/x", b"d/x2"),
    )


def test_a_rename_is_shown_as_one(w: Watched) -> None:
    w.rename(b"d", b"moved")
    w.rename(b"other", b"another")
    w.write(b"another", b"and changed\n")
    shown = unified_diff(w.transaction)
    assert "rename from d\nrename to moved\n" in shown
    assert "rename from other\nrename to another\n" in shown
    assert "--- a/other\n+++ b/another\n@@ -1 +1 @@\n-other content\n+and changed\n" in shown
    assert shown.count("rename from") == 2
    assert "deep" not in shown


def test_what_cannot_be_shown_is_told(w: Watched) -> None:
    w.write(b"big", b"\0")
    w.write(b"large", b"a\n" * 1_000)
    w.write(b"nothing", b"")
    w.mknod(b"pipe", 0o010644)
    w.write(b"bad", b"\xff\n")
    shown = unified_diff(w.transaction, file_max=1_500)
    for line in (
        "Large file big changed\n", "Large file large created\n", "Empty file nothing created\n", "special file pipe created\n",
        "+\\xff\n",
    ):  # fmt: skip
        assert line in shown
    assert "Binary file big changed\n" in unified_diff(w.transaction)
    short = unified_diff(w.transaction, total_max=10)
    assert short.endswith("more changes\n")
    assert len(short) < 200


def test_paths_outside_of_the_first_root_are_absolute(tmp_path: Path, w: Watched) -> None:
    other = os.fsencode(tmp_path / "other")
    os.mkdir(other)
    w.transaction.create(other + b"/x")
    os.mkdir(other + b"/x")
    w.chmod(b"", 0o700)
    assert w.transaction.changes() == Changes(created=(other + b"/x",), modified=(b".",))
    assert w.transaction.touched() == {other + b"/x", w.root}


def test_others_in_a_made_directory_are_not_told_as_ours(w: Watched) -> None:
    w.mkdir(b"cache")
    w.write(b"cache/ours", b"1")
    os.mkdir(w.path(b"cache/theirs"))
    assert w.transaction.changes().created == (b"cache", b"cache/ours")
