"""patch: the files that a patch names."""

from __future__ import annotations

import pytest

from pytest_cbx.effects.analysis import analyse
from pytest_cbx.effects.compact import compact
from pytest_cbx.effects.languages.patches import NOTHING, Change, changes_in, stripped
from pytest_cbx.effects.paths import Context
from pytest_cbx.shell.reader import read
from tests.unit.effects.help import Tree, compact_of

MODIFIES = "--- a/x.c\t2024-01-01\n+++ b/x.c\t2024-01-02\n@@ -1 +1 @@\n-a\n+b\n"
MAKES = f"--- {NOTHING}\n+++ b/d/new\n@@ -0,0 +1 @@\n+a\n"
REMOVES = f"--- a/old\n+++ {NOTHING}\n@@ -1 +0,0 @@\n-a\n"
CONTEXT = "*** a/x.c\n--- b/x.c\n***************\n*** 1 ****\n! a\n--- 1 ----\n! b\n"
RENAMES = "diff --git a/p b/q\nsimilarity index 100%\nrename from p\nrename to q\n"
MODE = "diff --git a/s.sh b/s.sh\nold mode 100644\nnew mode 100755\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (MODIFIES, [Change("a/x.c", "b/x.c")]),
        (MAKES + REMOVES, [Change(NOTHING, "b/d/new"), Change("a/old", NOTHING)]),
        (CONTEXT, [Change("a/x.c", "b/x.c")]),
        (RENAMES, [Change("a/p", "b/q", moved=True)]),
        (RENAMES.replace("rename", "copy"), [Change("a/p", "b/q")]),
        (MODE, [Change("a/s.sh", "b/s.sh")]),
        (f"diff --git a/x.c b/x.c\nindex 1..2\n{MODIFIES}", [Change("a/x.c", "b/x.c")]),
        ("--- a\t1970-01-01 00:00:00\n+++ b\n@@ -0,0 +1 @@\n+x\n", [Change(NOTHING, "b")]),
        ("a line\n--- not a header\n+++ nor this\ntext\n", []),
        ("", []),
    ],
)
def test_the_names_in_a_patch(text: str, expected: list[Change]) -> None:
    assert changes_in(text) == expected


@pytest.mark.parametrize(
    ("name", "count", "expected"),
    [
        ("a/b/c", 0, "a/b/c"),
        ("a/b/c", 1, "b/c"),
        ("a/b/c", 2, "c"),
        ("a/b/c", None, "c"),
        ("a", 3, "a"),
        ("/a//b", 1, "b"),
    ],
)
def test_names_are_stripped(name: str, count: int | None, expected: str) -> None:
    assert stripped(name, count) == expected


def seen(command: str, **files: str) -> list[str]:
    tree = Tree({"x.patch": MODIFIES + MAKES, "x.c": "", **files})
    found = analyse(read(command), Context(cwd="/w", workspace="/w", files=tree))
    return sorted({compact(effect) for effect in found.effects})


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("patch -p1 < x.patch", ["create d", "create d/new", "read x.patch", "write x.c*"]),
        ("patch -p1 -i x.patch", ["create d", "create d/new", "read x.patch", "write x.c*"]),
        ("patch -R -p1 -i x.patch", ["delete d/new", "read x.patch", "write x.c*"]),
        ("patch --dry-run -p1 -i x.patch", ["read x.patch"]),
        ("patch --dry-run -p1 -i x.patch -o y", ["read x.patch", "write y"]),
        ("patch -b -p1 -i x.patch", ["create d", "create d/new", "create d/new.orig", "read x.patch", "write x.c*"]),
        ("cd d; patch -p2 < ../x.patch", ["create d/new", "read x.patch", "write d/x.c*"]),
        ("patch -p1 < none", ["execute", "read none", "write sources:."]),
    ],
)
def test_a_patch_that_can_be_seen(command: str, expected: list[str]) -> None:
    assert seen(command) == expected


def test_a_patch_that_reaches_out_may_change_anything() -> None:
    assert "write sources:." in compact_of("patch -p0 <<< $'--- ../x\\n+++ ../x\\n@@ -1 +1 @@\\n-a\\n+b'")


def test_a_script_for_ed_runs() -> None:
    assert "execute" in compact_of("patch -e a x.ed")
