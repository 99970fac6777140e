"""Calls of one command race each other: both are told, and let go, before either happens, and they may happen in any order.

Only those that `InFlight` keeps apart are told one after the other has happened.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_cbx.transaction.flight import InFlight, has_returned
from pytest_cbx.transaction.transaction import Transaction
from tests.trees import describe, snapshot
from tests.unit.transaction.watched import begin, exchange

OLD = 1_600_000_000_000_000_000


@dataclass(frozen=True, slots=True)
class Call:
    """One call: told by path, made by the descriptor of a folder that was open before."""

    name: str
    tell: Callable[[Transaction, Callable[[bytes], bytes]], None]
    make: Callable[[dict[bytes, int]], object]

    @property
    def paths(self) -> tuple[bytes, ...]:
        return tuple(word.encode() for word in self.name.split()[1:])


def _write(folder: bytes, name: bytes, flags: int) -> Callable[[dict[bytes, int]], object]:
    def make(opened: dict[bytes, int]) -> None:
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | flags, 0o600, dir_fd=opened[folder])
        os.write(descriptor, b"written")
        os.close(descriptor)

    return make


def _rename(source: bytes, target: bytes) -> Call:
    def make(opened: dict[bytes, int]) -> None:
        os.rename(source, target, src_dir_fd=opened[b""], dst_dir_fd=opened[b""])

    return Call(
        f"rename {source.decode()} {target.decode()}", lambda t, path: t.rename(path(source), path(target)), make
    )


def _exchange(source: bytes, target: bytes) -> Call:
    return Call(
        f"exchange {source.decode()} {target.decode()}",
        lambda t, path: t.rename(path(source), path(target), exchange=True),
        lambda opened: exchange(*(b"/proc/self/fd/%d/%s" % (opened[b""], name) for name in (source, target))),
    )


CALLS = (
    Call("truncate x", lambda t, p: t.write(p(b"x")), _write(b"", b"x", os.O_TRUNC)),
    Call("append a", lambda t, p: t.write(p(b"a")), _write(b"", b"a", os.O_APPEND)),
    Call("create x", lambda t, p: t.create(p(b"x")), _write(b"", b"x", os.O_EXCL)),
    Call("mkdir x", lambda t, p: t.create(p(b"x")), lambda o: os.mkdir(b"x", dir_fd=o[b""])),
    Call("unlink x", lambda t, p: t.remove(p(b"x")), lambda o: os.unlink(b"x", dir_fd=o[b""])),
    Call("unlink a", lambda t, p: t.remove(p(b"a")), lambda o: os.unlink(b"a", dir_fd=o[b""])),
    Call("chmod x", lambda t, p: t.metadata(p(b"x")), lambda o: os.chmod(b"x", 0o600, dir_fd=o[b""])),
    Call(
        "link a x",
        lambda t, p: t.create(p(b"x")),
        lambda o: os.link(b"a", b"x", src_dir_fd=o[b""], dst_dir_fd=o[b""], follow_symlinks=False),
    ),
    Call("rmdir empty", lambda t, p: t.remove(p(b"empty")), lambda o: os.rmdir(b"empty", dir_fd=o[b""])),
    Call("mkdir empty", lambda t, p: t.create(p(b"empty")), lambda o: os.mkdir(b"empty", dir_fd=o[b""])),
    Call("truncate d/f", lambda t, p: t.write(p(b"d/f")), _write(b"d", b"f", os.O_TRUNC)),
    Call("create d/new", lambda t, p: t.write(p(b"d/new")), _write(b"d", b"new", os.O_EXCL)),
    Call("unlink d/f", lambda t, p: t.remove(p(b"d/f")), lambda o: os.unlink(b"f", dir_fd=o[b"d"])),
    Call("chmod d/f", lambda t, p: t.metadata(p(b"d/f")), lambda o: os.chmod(b"f", 0o600, dir_fd=o[b"d"])),
    _rename(b"a", b"x"),
    _rename(b"b", b"x"),
    _rename(b"x", b"y"),
    _rename(b"d", b"e"),
    _rename(b"d", b"empty"),
    _rename(b"empty", b"x"),
    _exchange(b"a", b"b"),
    _exchange(b"a", b"d"),
)


def plant(tree: Path, *, occupied: bool) -> None:
    tree.mkdir()
    for name in ("a", "b", *(["x"] if occupied else [])):
        (tree / name).write_bytes(name.encode() * 10)
    (tree / "empty").mkdir()
    (tree / "d").mkdir()
    (tree / "d/f").write_bytes(b"f")
    for name in (*os.listdir(tree), "d/f", "d", ""):
        os.utime(tree / name, ns=(OLD, OLD))


def _resolve(opened: dict[bytes, int], name: bytes) -> bytes:
    """As a supervisor finds a path from a descriptor: by where the folder is now, so again after it had to wait."""
    folder, _, last = name.rpartition(b"/")
    return os.readlink(b"/proc/self/fd/%d" % opened[folder]) + b"/" + last


def _make(call: Call, opened: dict[bytes, int]) -> None:
    with contextlib.suppress(OSError):
        call.make(opened)


def _told(base: Path, calls: tuple[Call, ...], order: tuple[int, ...], *, occupied: bool) -> list[str]:
    """The differences that the roll back left."""
    plant(base / "tree", occupied=occupied)
    before = snapshot(base / "tree")
    w, _ = begin(base)
    opened = {name: os.open(w.root + b"/" + name, os.O_RDONLY) for name in (b"", b"d")}
    try:
        flight = InFlight()
        waiting = list(order)
        for number, call in enumerate(calls):
            for other, _ in flight.in_the_way(number, *call.paths):
                _make(calls[other], opened)
                flight.returned(other)
                waiting.remove(other)
            call.tell(w.transaction, lambda name: _resolve(opened, name))
            flight.let_go(number, 0, *call.paths)
        for number in waiting:
            _make(calls[number], opened)
    finally:
        for descriptor in opened.values():
            os.close(descriptor)
    report = w.transaction.roll_back()
    return [*report.incomplete, *map(repr, report.left), *describe(before, snapshot(base / "tree"))]


def _failures(tmp_path: Path, chosen: Iterator[tuple[Call, ...]], *, occupied: bool) -> list[str]:
    found = []
    for calls in chosen:
        for order in itertools.permutations(range(len(calls))):
            base = tmp_path / "case"
            base.mkdir()
            left = _told(base, calls, order, occupied=occupied)
            if left:
                names = [call.name for call in calls]
                found.append(f"told {names}, done in the order {order}: {left}")
            shutil.rmtree(base)
    return found


@pytest.mark.parametrize("occupied", [True, False])
def test_any_two_calls_in_any_order(tmp_path: Path, occupied: bool) -> None:
    pairs = list(itertools.product(CALLS, repeat=2))
    if not os.environ.get("CBX_EXHAUSTIVE"):
        pairs = random.Random(int(occupied)).sample(pairs, 160)
    found = _failures(tmp_path, iter(pairs), occupied=occupied)
    assert not found, f"{len(found)}:\n" + "\n".join(found[:12])


@pytest.mark.parametrize("occupied", [True, False])
def test_three_calls_in_any_order(tmp_path: Path, occupied: bool) -> None:
    chosen = random.Random(4).sample(list(itertools.product(CALLS, repeat=3)), 30)
    found = _failures(tmp_path, iter(chosen), occupied=occupied)
    assert not found, f"{len(found)}:\n" + "\n".join(found[:12])


def test_a_thread_has_one_call_at_a_time() -> None:
    flight = InFlight()
    flight.let_go(1, 87, b"/w/a")
    assert flight.in_the_way(1, b"/w/a") == ()
    assert flight.in_the_way(2, b"/w/a", b"/w/b") == ((1, 87),)
    assert flight.in_the_way(2, b"/w/ab", b"/") == ()
    assert flight.in_the_way(2, b"/w/a/b") == ((1, 87),)
    assert flight.in_the_way(2, b"/w") == ((1, 87),)
    flight.let_go(1, 82, b"/w/c", b"/w/d")
    assert flight.in_the_way(2, b"/w/a") == ()
    assert flight.in_the_way(2, b"/w/d") == ((1, 82),)
    flight.returned(1)
    assert flight.in_the_way(2, b"/w/d") == ()


def test_a_thread_that_waits_elsewhere_has_returned() -> None:
    reading, writing = os.pipe()
    started = threading.Event()
    numbers: list[int] = []

    def wait() -> None:
        numbers.append(threading.get_native_id())
        started.set()
        os.read(reading, 1)

    thread = threading.Thread(target=wait)
    thread.start()
    started.wait()
    while not has_returned(numbers[0], -2):
        pass
    with open(f"/proc/{numbers[0]}/syscall", "rb") as file:
        call = int(file.read().split()[0])
    assert not has_returned(numbers[0], call)
    os.write(writing, b"x")
    thread.join()
    while os.path.exists(f"/proc/{numbers[0]}"):
        pass
    assert has_returned(numbers[0], call)
    os.close(reading)
    os.close(writing)
