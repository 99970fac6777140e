"""File operations as a supervised command would make them: each is told to the transaction before it happens."""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Callable
from pathlib import Path

from pytest_cbx.transaction.transaction import Transaction

_RENAME_EXCHANGE = 2
_AT_FDCWD = -100


class Watched:
    """Operations below one root, by relative path. What the system refuses is let pass: the transaction was told of it all the same."""

    def __init__(self, root: bytes, transaction: Transaction) -> None:
        self.root = root
        self.transaction = transaction

    def path(self, name: bytes) -> bytes:
        """The absolute path, as a supervisor finds it: links resolved up to the parent."""
        if not name:
            return self.root
        folder, last = os.path.split(self.root + b"/" + name)
        return os.path.realpath(folder) + b"/" + last

    def write(self, name: bytes, data: bytes, flags: int = os.O_TRUNC) -> None:
        path = self.path(name)
        self.transaction.write(path)
        _attempt(lambda: _write(path, data, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | flags))

    def truncate(self, name: bytes, size: int) -> None:
        path = self.path(name)
        self.transaction.write(path)
        if os.path.isfile(path) and not os.path.islink(path):
            os.truncate(path, size)

    def mkdir(self, name: bytes, mode: int = 0o755) -> None:
        path = self.path(name)
        self.transaction.create(path)
        _attempt(lambda: os.mkdir(path, mode))

    def symlink(self, target: bytes, name: bytes) -> None:
        path = self.path(name)
        self.transaction.create(path)
        _attempt(lambda: os.symlink(target, path))

    def link(self, source: bytes, name: bytes) -> None:
        path = self.path(name)
        self.transaction.create(path)
        _attempt(lambda: os.link(self.path(source), path, follow_symlinks=False))

    def mknod(self, name: bytes, mode: int, device: int = 0) -> None:
        path = self.path(name)
        self.transaction.create(path)
        _attempt(lambda: os.mknod(path, mode, device))

    def bind(self, name: bytes) -> None:
        path = self.path(name)
        self.transaction.create(path)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)

    def unlink(self, name: bytes) -> None:
        path = self.path(name)
        self.transaction.remove(path)
        _attempt(lambda: os.unlink(path))

    def rmdir(self, name: bytes) -> None:
        path = self.path(name)
        self.transaction.remove(path)
        _attempt(lambda: os.rmdir(path))

    def rmtree(self, name: bytes) -> None:
        """rm -r."""
        path = self.path(name)
        if os.path.islink(path) or not os.path.isdir(path):
            self.unlink(name)
            return
        for entry in sorted(os.listdir(path)):
            self.rmtree(name + b"/" + entry)
        self.rmdir(name)

    def rename(self, source: bytes, target: bytes) -> None:
        self.transaction.rename(self.path(source), self.path(target))
        _attempt(lambda: os.rename(self.path(source), self.path(target)))

    def exchange(self, source: bytes, target: bytes) -> None:
        self.transaction.rename(self.path(source), self.path(target), exchange=True)
        exchange(self.path(source), self.path(target))

    def chmod(self, name: bytes, mode: int) -> None:
        self._metadata(name, lambda path: None if os.path.islink(path) else os.chmod(path, mode))

    def chown(self, name: bytes, uid: int, gid: int) -> None:
        self._metadata(name, lambda path: os.chown(path, uid, gid, follow_symlinks=False))

    def utime(self, name: bytes, atime: int, mtime: int) -> None:
        self._metadata(name, lambda path: os.utime(path, ns=(atime, mtime), follow_symlinks=False))

    def setxattr(self, name: bytes, key: str, value: bytes) -> None:
        self._metadata(name, lambda path: os.setxattr(path, key, value, follow_symlinks=False))

    def removexattr(self, name: bytes, key: str) -> None:
        self._metadata(name, lambda path: os.removexattr(path, key, follow_symlinks=False))

    def _metadata(self, name: bytes, change: Callable[[bytes], object]) -> None:
        path = self.path(name)
        self.transaction.metadata(path)
        _attempt(lambda: change(path))


def exchange(one: bytes, other: bytes) -> None:
    """renameat2(2) with RENAME_EXCHANGE; what the system refuses is let pass."""
    ctypes.CDLL(None, use_errno=True).renameat2(_AT_FDCWD, one, _AT_FDCWD, other, _RENAME_EXCHANGE)


def _write(path: bytes, data: bytes, flags: int) -> None:
    descriptor = os.open(path, flags | os.O_NONBLOCK, 0o644)
    try:
        if data:
            os.write(descriptor, data)
    finally:
        os.close(descriptor)


def _attempt(call: Callable[[], object]) -> None:
    try:
        call()
    except OSError:
        return


def begin(base: Path, *, durability: str = "process", **more: object) -> tuple[Watched, bytes]:
    """A tree `base/tree` (made if need be) under a fresh transaction, and the folder of its journal."""
    tree = os.fsencode(base / "tree")
    os.makedirs(tree, exist_ok=True)
    folder = os.fsencode(base / "journal")
    transaction = Transaction.begin(folder, token="t", roots=(tree,), label="test", durability=durability, **more)  # type: ignore[arg-type]
    return Watched(tree, transaction), folder
