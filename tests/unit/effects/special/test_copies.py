"""cp, mv, ln, install and mktemp: where things are put, with and without a look at the work tree."""

from __future__ import annotations

import pytest

from pytest_cbx.effects.analysis import analyse
from pytest_cbx.effects.compact import compact
from pytest_cbx.effects.paths import Context
from pytest_cbx.shell.reader import read
from tests.unit.effects.help import Tree, compact_of

UNSEEN: list[tuple[str, list[str]]] = [
    ("cp a b", ["read a", "write b", "write b/a"]),
    ("cp a b c", ["read a", "read b", "write c/a", "write c/b"]),
    ("cp a .", ["read a", "write a"]),
    ("cp ../a ..", ["read /a", "write /a"]),
    ("cp -r a/. b", ["read a/**", "write b/**"]),
    ("cp -r .. b", ["read /**", "write b/**"]),
    ("cp -t d x/a b", ["read x/a", "read b", "write d/a", "write d/b"]),
    ("cp --target-d=d a", ["read a", "write d/a"]),
    ("cp a", ["read a"]),
    ("cp $X d/", ["read ?", "write d/**", "write ?"]),
    ('cp "./$X" d/', ["read ?", "write d/*"]),
    ("cp a $X", ["read a/**", "read ?", "write ?"]),
    ("cp *.c d/", ["read *.c", "write d/*.c"]),
    ("cp --parents x/y/a d", ["read x/y/a", "create d/x", "create d/x/y", "write d/x/y/a"]),
    ("cp --parents ../a d", ["read /a", "write d/**"]),
    ("cp --backup=off a b/", ["read a", "write b/a"]),
    ("cp --backup=numbered a b/", ["read a", "write b/a", "write b/a*~"]),
    ("cp -S .o a b/", ["read a", "write b/a", "write b/a.o", "write b/a.~*~"]),
    ("mv a b", ["delete a/**", "write b/**"]),
    ("mv a d/", ["delete a/**", "write d/**"]),
    ("mv a b d", ["delete a/**", "delete b/**", "write d/a/**", "write d/b/**"]),
    ("ln -s /x/y", ["create y"]),
    ("ln -s a b/", ["create b/a"]),
    ("ln -sf a b/", ["write b/a"]),
    ("ln a b c/", ["read a", "read b", "create c/a", "create c/b"]),
    ("install -D a x/y/z", ["read a", "create x", "create x/y", "write x/y/z", "write x/y/z/a"]),
    ("install -D -t x/y a", ["read a", "create x", "create x/y", "write x/y/a"]),
    ("mkdir -p ~/x/y", ["create /home/u/x", "create /home/u/x/y"]),
    ("mkdir -p ../w/x", ["create x"]),
    ("mkdir -p $X/y", ["create ?"]),
    ("rmdir -p x/y", ["delete x/y", "delete x"]),
    ("mktemp", ["create /tmp/tmp.*"]),
    ("mktemp a.XXXX.c", ["create a.*.c"]),
    ("mktemp --tmpdir a.XXX", ["create /tmp/a.*"]),
    ("mktemp a", ["create ?"]),
    ("export TMPDIR=/scratch; mktemp -t a.XXX", ["create /scratch/a.*"]),
    ("d=$(mktemp -d ./x.XXX); cp a $d/b", ["create x.*", "read a", "write x.*/b", "write x.*/b/a"]),
    ("mkdir d; cp a d", ["create d", "read a", "write d/a"]),
]

SEEN: list[tuple[str, list[str]]] = [
    ("cp a d", ["read a", "write d/a"]),
    ("cp a b", ["read a", "write b"]),
    ("cp a new", ["read a", "write new"]),
    ("cp none new", ["read none", "write new", "write new/none"]),
    ("echo > z; cp z new", ["write z", "read z", "write new"]),
    ("rm -r d; cp a d", ["destroy d/**", "read a", "write d", "write d/a"]),
    ("cp -r d d2/", ["read d/**", "write d2/**"]),
    ("cp -r d e/", ["read d/**", "write e/d/**"]),
    ("mv d e", ["delete d/**", "write e/d/**"]),
    ("ln -s a d", ["create d/a"]),
    ("mkdir -p d/x/y", ["create d/x", "create d/x/y"]),
    ("rmdir -p d/x", ["delete d/x", "delete d"]),
]


@pytest.mark.parametrize(("command", "expected"), UNSEEN, ids=[command for command, _ in UNSEEN])
def test_what_the_text_alone_tells(command: str, expected: list[str]) -> None:
    assert sorted(compact_of(command)) == sorted(expected)


@pytest.mark.parametrize(("command", "expected"), SEEN, ids=[command for command, _ in SEEN])
def test_what_the_work_tree_tells_too(command: str, expected: list[str]) -> None:
    tree = Tree({"a": "", "b": "", "d/f": "", "e/f": ""})
    found = analyse(read(command), Context(cwd="/w", workspace="/w", home="/home/u", files=tree))
    assert sorted({compact(effect) for effect in found.effects}) == sorted(expected)
