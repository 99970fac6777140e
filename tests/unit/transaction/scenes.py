"""Programs whose changes are to be undone: each step is told to the transaction before it is done, as the supervision does it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from pytest_cbx.transaction.disk import Disk
from pytest_cbx.transaction.transaction import Transaction


class Program:
    """File operations of a supervised program."""

    def __init__(self, root: Path, transaction: Transaction, disk: Disk) -> None:
        self._root = os.fsencode(root)
        self._transaction = transaction
        self._disk = disk

    def attempt(self, scene: Callable[[Program], None], *, keep: bool) -> None:
        """Run another program in a savepoint, which is kept or rolled back."""
        inner = self._transaction.nested()
        scene(Program(Path(os.fsdecode(self._root)), inner, self._disk))
        if keep:
            inner.commit()
        else:
            assert not inner.roll_back().incomplete

    def path(self, name: str) -> bytes:
        """An absolute path."""
        return os.path.join(self._root, os.fsencode(name))

    def write(self, name: str, data: bytes, *, flags: int = os.O_TRUNC) -> None:
        """open(2) for writing, write(2) in two parts, as programs do."""
        path = self.path(name)
        self._transaction.write(path)
        descriptor = self._disk.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o644)
        half = len(data) // 2
        for part in (data[:half], data[half:]):
            if part:
                self._disk.write(descriptor, part)
        self._disk.close(descriptor)

    def append(self, name: str, data: bytes) -> None:
        """Add to a file."""
        self.write(name, data, flags=os.O_APPEND)

    def overwrite(self, name: str, data: bytes) -> None:
        """Write over the beginning of a file."""
        self.write(name, data, flags=0)

    def unlink(self, name: str) -> None:
        """unlink(2)."""
        self._transaction.remove(self.path(name))
        self._disk.unlink(self.path(name))

    def rmdir(self, name: str) -> None:
        """rmdir(2)."""
        self._transaction.remove(self.path(name))
        self._disk.rmdir(self.path(name))

    def mkdir(self, name: str) -> None:
        """mkdir(2)."""
        self._transaction.create(self.path(name))
        self._disk.mkdir(self.path(name), 0o755)

    def symlink(self, target: str, name: str) -> None:
        """symlink(2)."""
        self._transaction.create(self.path(name))
        self._disk.symlink(os.fsencode(target), self.path(name))

    def link(self, old: str, new: str) -> None:
        """link(2)."""
        self._transaction.create(self.path(new))
        self._disk.link(self.path(old), self.path(new))

    def rename(self, old: str, new: str) -> None:
        """rename(2)."""
        self._transaction.rename(self.path(old), self.path(new))
        self._disk.rename(self.path(old), self.path(new))

    def chmod(self, name: str, mode: int) -> None:
        """chmod(2)."""
        self._transaction.metadata(self.path(name))
        self._disk.chmod(self.path(name), mode)

    def utime(self, name: str, seconds: int) -> None:
        """utimensat(2)."""
        self._transaction.metadata(self.path(name))
        self._disk.utime(self.path(name), ns=(seconds * 10**9, seconds * 10**9), follow_symlinks=False)


def furnish(root: Path) -> None:
    """What is there before."""
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "a.txt").write_bytes(b"alpha " * 9)
    (root / "b.txt").write_bytes(b"beta\n" * 7)
    os.link(root / "b.txt", root / "b-too.txt")
    (root / "sub" / "c.txt").write_bytes(b"gamma")
    (root / "sub" / "deep" / "d.txt").write_bytes(b"delta, which is a little longer\n")
    (root / "sub" / "run.sh").write_bytes(b"#!/bin/sh\n")
    (root / "sub" / "run.sh").chmod(0o755)
    (root / "link").symlink_to("sub/c.txt")
    for number, path in enumerate([*sorted(root.rglob("*")), root]):
        os.utime(path, ns=(10**18 + number, 10**18 + number), follow_symlinks=False)


def edit(program: Program) -> None:
    """Writes in place, as compilers and `sed` do."""
    program.write("a.txt", b"another alpha, quite another")
    program.append("b.txt", b"and more beta")
    program.overwrite("sub/c.txt", b"GAM")
    program.write("sub/new.txt", b"nothing was here")


def save(program: Program) -> None:
    """How editors save: a new file takes the old one's name, the old one is kept as a backup."""
    program.write("a.tmp", b"saved in one piece")
    program.rename("a.txt", "a.txt~")
    program.rename("a.tmp", "a.txt")
    program.unlink("a.txt~")
    program.write("b.tmp", b"saved, too")
    program.rename("b.tmp", "b.txt")


def clear(program: Program) -> None:
    """`rm -rf sub`, and a new tree of that name."""
    for name in ("sub/deep/d.txt", "sub/c.txt", "sub/run.sh"):
        program.unlink(name)
    program.rmdir("sub/deep")
    program.rmdir("sub")
    program.unlink("link")
    program.mkdir("sub")
    program.write("sub/c.txt", b"made again")
    program.symlink("sub/c.txt", "link")


def shuffle(program: Program) -> None:
    """Trees get other names, things change in them, links are made."""
    program.rename("sub", "moved")
    program.write("moved/deep/d.txt", b"changed after the move")
    program.rename("moved/deep", "empty")
    program.link("a.txt", "moved/a-too.txt")
    program.chmod("moved/run.sh", 0o600)
    program.utime("moved/c.txt", 77)
    program.rename("moved/run.sh", "a.txt")
    program.mkdir("sub")
    program.rename("empty/d.txt", "sub/d.txt")


def churn(program: Program) -> None:
    """What is made goes again; what was there comes back under its own name."""
    program.write("x", b"x" * 40)
    program.unlink("x")
    program.mkdir("x")
    program.write("x/y", b"y")
    program.unlink("x/y")
    program.rmdir("x")
    program.unlink("a.txt")
    program.write("a.txt", b"a second alpha")
    program.rename("a.txt", "x")
    program.write("a.txt", b"a third")


def replace_directory(program: Program) -> None:
    """When this is undone, the directory "empty" is another inode, and its number soon that of a new file."""
    program.rename("sub", "moved")
    program.rename("moved/deep", "empty")
    program.mkdir("sub")


def save_once(program: Program) -> None:
    """A new file takes an old one's name."""
    program.write("a.tmp", b"saved in one piece")
    program.rename("a.tmp", "a.txt")


def nest(program: Program) -> None:
    """A part is undone, a part is kept, and things go on."""
    program.write("a.txt", b"before the parts")
    program.attempt(replace_directory, keep=False)
    program.rename("sub/c.txt", "c.txt")
    program.attempt(save_once, keep=True)
    program.append("a.txt", b", after the parts")


SCENES: dict[str, Callable[[Program], None]] = {
    scene.__name__: scene for scene in (edit, save, clear, shuffle, churn, nest)
}
