"""Errors of the disk in what the engine itself does: the journal, what is kept, committing and undoing."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

from pytest_cbx.transaction.disk import Disk

CHANGING = (
    "write", "fsync", "ftruncate", "link", "symlink", "rename", "unlink", "mkdir", "rmdir", "mknod", "chmod", "chown", "utime",
    "setxattr", "removexattr", "copy_file_range", "open", "truncate", "posix_fallocate",
)  # fmt: skip
"""Operations that fail when something is wrong with a disk: of `open`, those that make or write."""
BY_DESCRIPTOR = frozenset({"write", "fsync", "ftruncate", "copy_file_range", "posix_fallocate"})
_TARGET = {"copy_file_range": 1}
"""Which argument is the descriptor that is written, where it is not the first."""
HALF = -1
"""The verdict on a `write` that is to write one half."""

Judge = Callable[[str, bytes], int]
"""Operation and path → the error that it fails with, 0 for none, or `HALF`."""


class FaultyDisk(Disk):
    """The real disk, asked before each operation that changes something."""

    def __init__(self, judge: Judge) -> None:
        self.judge: Judge = lambda operation, path: judge(operation, path) if self._asks else 0
        self._asks = True
        for name in CHANGING:
            real = getattr(Disk, name, None)
            if real is not None:
                setattr(self, name, _guarded(name, real, self.judge))

    @contextlib.contextmanager
    def sound(self) -> Iterator[None]:
        """Nothing fails meanwhile."""
        self._asks = False
        try:
            yield
        finally:
            self._asks = True


@contextlib.contextmanager
def striking(disk: Disk | None, folder: bytes) -> Iterator[None]:
    """Ask such a disk, too, before what this thread does in or above a folder by functions of `os`: homes of journals and their locks.

    Nothing for any other disk.
    """
    if not isinstance(disk, FaultyDisk):
        yield
        return
    judge, mine = disk.judge, threading.get_ident()

    def within(operation: str, path: bytes) -> int:
        there = path == folder or path.startswith(folder + b"/") or folder.startswith(path + b"/")
        return judge(operation, path) if there and threading.get_ident() == mine else 0

    real = {name: getattr(os, name) for name in CHANGING if hasattr(os, name)}
    try:
        for name, function in real.items():
            setattr(os, name, _guarded(name, function, within))
        yield
    finally:
        for name, function in real.items():
            setattr(os, name, function)


def _guarded(name: str, real: Callable[..., Any], judge: Judge) -> Callable[..., Any]:
    def call(*arguments: Any, **keywords: Any) -> Any:
        if name == "open" and not (arguments[1] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
            return real(*arguments, **keywords)
        verdict = judge(name, _path(name, arguments[_TARGET.get(name, 0)]))
        if verdict == HALF and name == "write":
            return real(arguments[0], arguments[1][: max(1, len(arguments[1]) // 2)])  # no write writes nothing
        if verdict > 0:
            raise OSError(verdict, os.strerror(verdict), arguments[0] if name not in BY_DESCRIPTOR else None)
        return real(*arguments, **keywords)

    return call


def _path(name: str, target: Any) -> bytes:
    if name in BY_DESCRIPTOR or isinstance(target, int):
        return _of_descriptor(target)
    return os.path.abspath(os.fsencode(target))


def _of_descriptor(number: int) -> bytes:
    try:
        return os.readlink(b"/proc/self/fd/%d" % number)
    except OSError:
        return b""


def unknown(operations: tuple[str, ...]) -> tuple[str, ...]:
    """Those that are no operations which can fail."""
    return tuple(name for name in operations if name not in CHANGING)
