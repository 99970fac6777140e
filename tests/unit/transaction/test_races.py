"""Calls of one command race each other: several are told, and let go, before any happens, and they happen in any order, or never.

They are decoded as in the engine, and only those that `may_meet` lets meet are on their way at once.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import random
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_cbx.chaos.tree import describe, snapshot
from pytest_cbx.execute.kernel.seccomp import Listener, Notification
from pytest_cbx.execute.kernel.syscalls import table
from pytest_cbx.execute.supervision.decode import Decoder
from pytest_cbx.execute.supervision.deeds import Deed, Trap
from pytest_cbx.execute.supervision.inflight import may_meet
from pytest_cbx.transaction.disk import Disk
from pytest_cbx.transaction.transaction import Transaction

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="decodes Linux' system calls")

OLD = 1_600_000_000_000_000_000
_AT_CWD = -100
_WRITE, _NO_FOLLOW, _REMOVE_DIRECTORY, _EXCHANGE = os.O_WRONLY, 0x100, 0x200, 2
X = ("nothing", "file", "hard link", "empty folder", "folder", "link", "link to a folder")
"""What `x` is at first."""


class Waiting(Listener):
    """A listener whose callers all still wait."""

    __slots__ = ()

    def __init__(self) -> None:
        """Without a descriptor."""

    def valid(self, call: int) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Call:
    """A system call by this process. Words are descriptors (see `Scene.opened`), bytes are paths from the tree's root."""

    name: str
    arguments: tuple[int | str | bytes, ...]

    def __str__(self) -> str:
        words = [os.fsdecode(word) for word in self.arguments if isinstance(word, str | bytes)]
        return " ".join((self.name, *words, *(f"{word:#o}" for word in self.arguments if isinstance(word, int))))


def _open(name: bytes, flags: int, at: str = ".") -> Call:
    return Call("openat", (at, name, _WRITE | flags, 0o640))


def _rename(source: bytes, target: bytes, flags: int = 0) -> Call:
    return Call("renameat2", (".", source, ".", target, flags))


NEW, CUT = os.O_CREAT | os.O_EXCL, os.O_TRUNC
OPENING = [
    *(_open(name, CUT) for name in (b"x", b"a", b"l")),
    *(_open(name, os.O_CREAT) for name in (b"x", b"ld/f", b"x/f", b"x/n", b"d/f", b"empty/n", b"dangling")),
    *(_open(name, os.O_CREAT | CUT, "d") for name in (b"f", b"n")),
    _open(b"x", NEW),
    Call("truncate", (b"x", 3)),
]
MAKING = [
    *(Call("linkat", (".", source, ".", target, 0)) for source, target in
      ((b"a", b"x"), (b"x", b"y"), (b"d/f", b"x"), (b"a", b"empty/n"))),
    *(Call("symlinkat", (target, ".", b"x")) for target in (b"a", b"d")),
    *(Call("mkdirat", (".", name, 0o755)) for name in (b"x", b"x/n", b"empty", b"empty/n")),
]  # fmt: skip
TAKING = [
    *(Call("unlinkat", (".", name, 0)) for name in (b"x", b"a", b"d/f", b"x/f", b"l")),
    *(Call("unlinkat", (".", name, _REMOVE_DIRECTORY)) for name in (b"x", b"empty")),
    *(_rename(source, target) for source, target in
      ((b"a", b"x"), (b"x", b"y"), (b"x", b"a"), (b"d", b"x"), (b"d/f", b"x"), (b"a", b"d/f"), (b"a", b"x/f"), (b"empty", b"x"),
       (b"l", b"x"), (b"a", b"empty/n"), (b"d", b"empty"), (b"x", b"empty/n"))),
    *(_rename(source, target, _EXCHANGE) for source, target in
      ((b"a", b"x"), (b"d", b"x"), (b"a", b"d/f"), (b"x", b"l"), (b"x", b"d/f"))),
]  # fmt: skip
METADATA = [
    *(Call("fchmodat", (".", name, 0o700)) for name in (b"x", b"a", b"d", b"l", b"d/f")),
    *(Call("utimensat", (".", name, 0, _NO_FOLLOW)) for name in (b"x", b"d")),
    *(Call("setxattr", (name, b"user.x", b"value", 5, 0)) for name in (b"x", b"a")),
    *(Call("fchmod", (descriptor, 0o600)) for descriptor in ("x", "a", "d")),
]
CALLS = [*OPENING, *MAKING, *TAKING, *METADATA]
# Few names, so that more happens to each.
ABOUT_FILES = [
    call
    for call in CALLS
    if not any(b"d" in word or b"/" in word for word in call.arguments if isinstance(word, bytes))
]
ABOUT_X = [
    *(_open(b"x", os.O_CREAT), _open(b"x/n", os.O_CREAT), *MAKING[-4:-2], MAKING[-4]),
    *(Call("unlinkat", (".", name, 0)) for name in (b"x", b"x/n", b"y/n")),
    *(Call("unlinkat", (".", name, _REMOVE_DIRECTORY)) for name in (b"x", b"y")),
    *(_rename(source, target) for source, target in ((b"a", b"x/n"), (b"x/n", b"a"), (b"x", b"y"), (b"y/n", b"a"))),
    Call("linkat", (".", b"a", ".", b"x/n", 0)),
    Call("fchmodat", (".", b"x", 0o700)),
]


def plant(tree: Path, x: str) -> None:
    (tree / "empty").mkdir(parents=True)
    (tree / "d").mkdir()
    for name in ("a", "b", "d/f"):
        (tree / name).write_bytes(name.encode() * 10)
    for name, target in (("l", "a"), ("ld", "d"), ("dangling", "nothing")):
        (tree / name).symlink_to(target)
    match x:
        case "file":
            (tree / "x").write_bytes(b"x" * 9)
        case "hard link":
            os.link(tree / "a", tree / "x")
        case "empty folder":
            (tree / "x").mkdir()
        case "folder":
            (tree / "x").mkdir()
            (tree / "x/f").write_bytes(b"x/f")
        case "link" | "link to a folder":
            (tree / "x").symlink_to("a" if x == "link" else "d")
    for folder, folders, files in os.walk(tree, topdown=False):
        for name in (*folders, *files):
            os.utime(os.path.join(folder, name), ns=(OLD, OLD), follow_symlinks=False)
    os.utime(tree, ns=(OLD, OLD))


class Scene:
    """A tree and a transaction; this process is all threads of the command."""

    def __init__(self, base: Path, x: str) -> None:
        self.tree = base / "tree"
        plant(self.tree, x)
        self.before = snapshot(self.tree)
        root = os.fsencode(self.tree)
        self.transaction = Transaction.begin(os.fsencode(base / "journal"), token="t", roots=(root,), label="test")
        self._decoder = Decoder((root,), reads=False)
        self._libc = ctypes.CDLL(None)
        self._buffers = {
            word: ctypes.create_string_buffer(word)
            for call in (*CALLS, *ABOUT_X)
            for word in call.arguments
            if isinstance(word, bytes)
        }
        self.opened = {name: os.open(self.tree / name, os.O_RDONLY) for name in (".", "a", "d")}
        self.opened["x"] = os.open(self.tree / "x", os.O_RDONLY) if os.path.exists(self.tree / "x") else 9999
        self.pending: dict[int, tuple[Call, Trap]] = {}
        self.log: list[str] = []
        os.chdir(self.tree)

    def close(self) -> None:
        os.chdir("/")
        for descriptor in set(self.opened.values()) - {9999}:
            os.close(descriptor)

    def _arguments(self, call: Call) -> tuple[int, ...]:
        def value(word: int | str | bytes) -> int:
            if isinstance(word, int):
                return word
            return self.opened[word] if isinstance(word, str) else ctypes.addressof(self._buffers[word])

        return (*map(value, call.arguments), *[0] * (6 - len(call.arguments)))

    def arrive(self, number: int, call: Call) -> tuple[int, ...]:
        """A call is trapped: it is told and let go, or refused. If it must wait, the numbers of those that it waits for."""
        calls = table()
        trap = self._decoder.decode(
            Waiting(),
            Notification(number, os.getpid(), calls.architecture, calls.numbers[call.name], self._arguments(call)),
        )
        assert trap is not None
        if trap.deed is Deed.NONE and trap.error:
            self.log.append(f"{call}: refused")
            return ()
        if not trap.path:  # about a file without a name
            self._happen(call)
            return ()
        if waits_for := tuple(one for one, (_, other) in self.pending.items() if not may_meet(other, trap)):
            return waits_for
        self._tell(trap)
        self.log.append(f"{call}: told")
        self.pending[number] = (call, trap)
        return ()

    def _tell(self, trap: Trap) -> None:
        told = self.transaction
        match trap.deed:
            case Deed.WRITE:
                told.write(trap.path)
            case Deed.CREATE:
                told.create(trap.path)
            case Deed.REMOVE:
                told.remove(trap.path)
            case Deed.RENAME | Deed.EXCHANGE:
                told.rename(trap.path, trap.other, exchange=trap.deed is Deed.EXCHANGE)
            case Deed.METADATA:
                told.metadata(trap.path)

    def happen(self, number: int, *, dropped: bool = False) -> None:
        """A call that was let go does, or never will."""
        call, _ = self.pending.pop(number)
        if not dropped:
            self._happen(call)

    def _happen(self, call: Call) -> None:
        found = self._libc.syscall(table().numbers[call.name], *map(ctypes.c_long, self._arguments(call)))
        self.log.append(f"{call}: done, {found}")
        if call.name == "openat" and found >= 0:
            os.write(found, b"written")
            os.close(found)

    def wrong(self) -> list[str]:
        """The differences that the roll back leaves."""
        report = self.transaction.roll_back()
        return [*report.incomplete, *map(repr, report.left), *describe(self.before, snapshot(self.tree))]


def _told_before_done(base: Path, x: str, calls: tuple[Call, ...], order: tuple[int, ...], dropped: int) -> list[str]:
    scene = Scene(base, x)
    try:
        for number, call in enumerate(calls):
            while waits_for := scene.arrive(number, call):
                for one in sorted(waits_for, key=order.index):
                    scene.happen(one, dropped=one == dropped)
        for one in sorted(scene.pending, key=order.index):
            scene.happen(one, dropped=one == dropped)
        return scene.wrong()
    finally:
        scene.close()


def _failures(base: Path, chosen: Iterator[tuple[str, tuple[Call, ...]]]) -> list[str]:
    found = []
    for x, calls in chosen:
        numbers = range(len(calls))
        cases = [(order, -1) for order in itertools.permutations(numbers)] + [(tuple(numbers), one) for one in numbers]
        for order, dropped in cases:
            (base / "case").mkdir()
            if left := _told_before_done(base / "case", x, calls, order, dropped):
                found.append(f"x: {x}; told {[*map(str, calls)]}, done in the order {order} without {dropped}: {left}")
            shutil.rmtree(base / "case")
    return found


def test_any_two_calls_in_any_order(tmp_path: Path) -> None:
    pairs = list(itertools.product(X, itertools.product(CALLS, repeat=2)))
    if not os.environ.get("CBX_EXHAUSTIVE"):
        pairs = random.Random(1).sample(pairs, 250)
    found = _failures(tmp_path, iter(pairs))
    assert not found, f"{len(found)}:\n" + "\n".join(found[:12])


@pytest.mark.parametrize(
    ("x", "words"),
    [
        ("hard link", (_rename(b"a", b"x"), Call("unlinkat", (".", b"x", 0)))),
        ("hard link", (Call("unlinkat", (".", b"x", 0)), _rename(b"a", b"x"))),
        ("nothing", (_rename(b"a", b"x"), Call("linkat", (".", b"a", ".", b"x", 0)))),
        ("empty folder", (_rename(b"a", b"x/f"), Call("unlinkat", (".", b"x", _REMOVE_DIRECTORY)))),
    ],
    ids=[
        "rename to another name of the file",
        "and the other way round",
        "the rename never happens",
        "into what is removed",
    ],
)
def test_pairs_that_went_wrong_once(tmp_path: Path, x: str, words: tuple[Call, ...]) -> None:
    assert _failures(tmp_path, iter([(x, words)])) == []


@pytest.mark.parametrize(
    ("calls", "length"),
    [(CALLS, 14), (ABOUT_FILES, 20), (ABOUT_X, 20)],
    ids=["of all kinds", "about files", "about a folder"],
)
def test_many_calls_at_any_moment(tmp_path: Path, calls: list[Call], length: int) -> None:
    runs = 10_000 if os.environ.get("CBX_EXHAUSTIVE") else 120
    for seed in range(runs):
        chance = random.Random(seed)
        (tmp_path / "case").mkdir()
        scene = Scene(tmp_path / "case", chance.choice(X))
        try:
            for number in range(length):
                while scene.pending and chance.random() < 0.4:
                    scene.happen(chance.choice(list(scene.pending)), dropped=chance.random() < 0.05)
                call = chance.choice(calls)
                while waits_for := scene.arrive(number, call):
                    scene.happen(chance.choice(waits_for), dropped=chance.random() < 0.05)
            while scene.pending:
                scene.happen(chance.choice(list(scene.pending)))
            left = scene.wrong()
        finally:
            scene.close()
        assert not left, "\n".join([f"seed {seed}:", *scene.log, *left])
        shutil.rmtree(tmp_path / "case")


class Renumbering(Disk):
    """A disk that gives a file the number of a directory that is gone, as file systems may."""

    def __init__(self) -> None:
        self.given: dict[int, int] = {}

    def lstat(self, path: bytes) -> os.stat_result:  # type: ignore[override]
        info = os.lstat(path)
        return os.stat_result((info[0], self.given.get(info.st_ino, info.st_ino), *info[2:]), _nanoseconds(info))


def _nanoseconds(info: os.stat_result) -> dict[str, int | float]:
    names = (
        "st_atime",
        "st_mtime",
        "st_ctime",
        "st_atime_ns",
        "st_mtime_ns",
        "st_ctime_ns",
        "st_blksize",
        "st_blocks",
        "st_rdev",
    )
    return {name: getattr(info, name) for name in names}


def test_the_number_of_a_removed_folder_is_soon_that_of_a_file(tmp_path: Path) -> None:
    disk = Renumbering()
    tree = tmp_path / "tree"
    plant(tree, "empty folder")
    before = snapshot(tree)
    root = os.fsencode(tree)
    x, f = root + b"/x", root + b"/d/f"
    told = Transaction.begin(os.fsencode(tmp_path / "journal"), token="t", roots=(root,), label="test", disk=disk)
    number = os.lstat(x).st_ino
    told.rename(x, f, exchange=True)
    _swap(x, f)
    told.remove(f)
    os.rmdir(f)
    told.rename(root + b"/d", root + b"/empty", exchange=True)
    _swap(root + b"/d", root + b"/empty")
    told.create(f)
    os.symlink("a", f)
    disk.given[os.lstat(f).st_ino] = number
    report = told.roll_back()
    assert (report.incomplete, report.left, describe(before, snapshot(tree))) == ((), (), [])


def test_a_link_where_a_folder_was_leads_to_no_pending_rename(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    plant(tree, "folder")
    before = snapshot(tree)
    root = os.fsencode(tree)
    one, other, folder, link = root + b"/d/f", root + b"/x/f", root + b"/x", root + b"/ld"
    told = Transaction.begin(os.fsencode(tmp_path / "journal"), token="t", roots=(root,), label="test")
    for source, target in ((one, other), (folder, link)):
        told.rename(source, target, exchange=True)
        _swap(source, target)
    assert os.readlink(folder) == b"d"
    told.create(root + b"/d/new")
    (tree / "d/new").write_text("new")
    told.rename(root + b"/d/new", one)
    os.rename(root + b"/d/new", one)
    report = told.roll_back()
    assert (report.incomplete, report.left, describe(before, snapshot(tree))) == ((), (), [])


def _swap(one: bytes, other: bytes) -> None:
    done = ctypes.CDLL(None).syscall(table().numbers["renameat2"], _AT_CWD, one, _AT_CWD, other, _EXCHANGE)
    assert done == 0
