"""Errors of the disk in what the engine itself does: the journal, what is kept, committing and undoing."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from pytest_cbx.transaction.disk import Disk

CHANGING = (
    "write", "fsync", "ftruncate", "link", "symlink", "rename", "unlink", "mkdir", "rmdir", "mknod", "chmod", "chown", "utime",
    "setxattr", "removexattr", "copy_file_range", "open",
)  # fmt: skip
"""Operations that fail when something is wrong with a disk: of `open`, those that make or write."""
BY_DESCRIPTOR = frozenset({"write", "fsync", "ftruncate", "copy_file_range"})
_TARGET = {"copy_file_range": 1}
"""Which argument is the descriptor that is written, where it is not the first."""
HALF = -1
"""The verdict on a `write` that is to write one half."""

Judge = Callable[[str, bytes], int]
"""Operation and path → the error that it fails with, 0 for none, or `HALF`."""


class FaultyDisk(Disk):
    """The real disk, asked before each operation that changes something."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        for name in CHANGING:
            real = getattr(Disk, name, None)
            if real is not None:
                setattr(self, name, self._guarded(name, real))

    def _guarded(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        judge = self._judge

        def call(*arguments: Any, **keywords: Any) -> Any:
            if name == "open" and not (arguments[1] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
                return real(*arguments, **keywords)
            path = (
                _of_descriptor(arguments[_TARGET.get(name, 0)]) if name in BY_DESCRIPTOR else os.fsencode(arguments[0])
            )
            verdict = judge(name, path)
            if verdict == HALF and name == "write":
                return real(arguments[0], arguments[1][: max(1, len(arguments[1]) // 2)])  # no write writes nothing
            if verdict > 0:
                raise OSError(verdict, os.strerror(verdict), os.fsdecode(path) or None)
            return real(*arguments, **keywords)

        return call


def _of_descriptor(number: int) -> bytes:
    try:
        return os.readlink(b"/proc/self/fd/%d" % number)
    except OSError:
        return b""


def unknown(operations: tuple[str, ...]) -> tuple[str, ...]:
    """Those that are no operations which can fail."""
    return tuple(name for name in operations if name not in CHANGING)
