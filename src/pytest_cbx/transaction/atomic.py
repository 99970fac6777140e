"""`cbx.transaction()`: file operations of Python code that happen all or not at all."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Self

from pytest_cbx.errors import RollbackIncomplete, UsageError
from pytest_cbx.transaction import atomic_files
from pytest_cbx.transaction.intents import State
from pytest_cbx.transaction.model import Report
from pytest_cbx.transaction.transaction import Transaction

Name = str | bytes | os.PathLike[str] | os.PathLike[bytes]
Content = str | bytes

_ALL_BITS = 0o7777


class Access(Enum):
    """How an operation uses a path; the words of `plan.model.Mode`."""

    READ = "read"
    APPEND = "append"
    WRITE = "write"
    CREATE = "create"
    DELETE = "delete"


Claim = Callable[[bytes, Access], None]
"""Called with an absolute path before it is used; returns when nobody else uses it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A transaction, and how to give back what was taken for it (its folder, the folder's lock)."""

    transaction: Transaction
    release: Callable[[], None]
    check: Callable[[], None] = lambda: None
    """Called before the commit; raises when the transaction must not be committed."""


class FileTransaction:
    """File operations that are undone together when the block is left by an exception, or the process dies.

    Use it as a context manager, once, from one thread at a time. Paths are relative to the directory that it was made for;
    what is changed has to lie below its roots, whatever symbolic links lead to it. Reading is allowed anywhere.
    Errors of the operating system come as the `OSError` that they are.
    """

    def __init__(
        self,
        base: Name,
        *,
        roots: Sequence[Name],
        begin: Callable[[], Begun],
        home: Name = b"",
        claim: Claim | None = None,
    ) -> None:
        """`home`: where journals lie, which no operation may touch."""
        self._base = os.path.realpath(os.fsencode(base))
        self._roots = [os.path.realpath(os.fsencode(root)) for root in roots]
        self._home = os.path.realpath(os.fsencode(home)) if home else b""
        self._begin = begin
        self._claim = claim or (lambda path, access: None)
        self._begun: Begun | None = None
        self._levels: list[Transaction] = []
        """The transaction, and the savepoints in it, innermost last."""
        self._process = 0
        self._end = ""

    # --- beginning and end ---------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        if self._process:
            raise UsageError("a cbx.transaction() serves for one `with` block: make another one")
        self._begun = self._begin()
        self._levels = [self._begun.transaction]
        self._process = os.getpid()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process != os.getpid() or self._end:
            return  # a forked child leaves the block, too: the transaction is not its own
        if kind is None:
            self._commit()
            return
        try:
            self._undo("it was rolled back because of an exception")
        except RollbackIncomplete as incomplete:
            assert error is not None
            error.add_note(str(incomplete))

    def roll_back(self) -> None:
        """Undo everything and end the transaction; the block goes on without it.

        Raises:
            RollbackIncomplete: something could not be put back; it is named.
        """
        self._current()
        self._undo("it was rolled back")

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[Savepoint]:
        """A part that is undone by itself when its block is left by an exception, which then goes on."""
        outer = self._current()
        point = Savepoint(self, len(self._levels))
        self._levels.append(outer.nested())
        try:
            yield point
        except BaseException:
            if not self._end and self._process == os.getpid():
                _complete(self._levels.pop().roll_back())
            raise
        if not self._end and self._process == os.getpid():
            self._levels.pop().commit()

    def _restart(self, level: int) -> None:
        """Undo what happened since a savepoint; the savepoint stays."""
        self._current()
        if level != len(self._levels) - 1:
            raise UsageError("only the innermost open savepoint can be rolled back")
        report = self._levels.pop().roll_back()
        self._levels.append(self._levels[-1].nested())
        _complete(report)

    def _commit(self) -> None:
        begun = self._begun
        assert begun is not None
        try:
            begun.check()
            begun.transaction.commit()
        except BaseException as error:
            if begun.transaction.state is not State.COMMITTED:
                self._undo("its commit failed")
                raise
            self._finish("it was committed")
            if not isinstance(error, OSError):  # all is done but for the journal's removal, which recovery will do
                raise
        else:
            self._finish("it was committed")

    def _undo(self, why: str) -> None:
        begun = self._begun
        assert begun is not None
        try:
            report = begun.transaction.roll_back()
        finally:
            self._finish(why)
        _complete(report)

    def _finish(self, why: str) -> None:
        begun, self._begun = self._begun, None
        self._levels.clear()
        self._end = why
        if begun is not None:
            begun.release()

    def _current(self) -> Transaction:
        if self._end:
            raise UsageError(f"this transaction has ended: {self._end}. Begin another one with cbx.transaction()")
        if not self._levels:
            raise UsageError("this transaction has not begun: use it as `with cbx.transaction() as tx:`")
        if self._process != os.getpid():
            raise UsageError(f"this transaction belongs to process {self._process}; a forked child cannot use it")
        return self._levels[-1]

    # --- operations ----------------------------------------------------------------------------------------

    def read(self, path: Name, *, encoding: str = "utf-8") -> str:
        """The text of a file, its line ends as they are."""
        return self.read_bytes(path).decode(encoding)

    def read_bytes(self, path: Name) -> bytes:
        """The content of a file."""
        self._current()
        found = os.path.join(self._base, _encoded(path))
        self._claim(os.path.realpath(found), Access.READ)
        with open(found, "rb") as file:
            return file.read()

    def write(self, path: Name, data: Content, *, mode: int | None = None, encoding: str = "utf-8") -> None:
        """Give a file this content, whether it is there or not. Its mode, owner and attributes stay, unless `mode` is given."""
        place = self._place(path, Access.WRITE, follow=True)
        atomic_files.write(self._current(), place, _content(data, encoding), _bits(mode))

    def append(self, path: Name, data: Content, *, encoding: str = "utf-8") -> None:
        """Add to the end of a file, which is made if need be."""
        place = self._place(path, Access.APPEND, follow=True)
        atomic_files.append(self._current(), place, _content(data, encoding))

    def create(self, path: Name, data: Content = b"", *, mode: int | None = None, encoding: str = "utf-8") -> None:
        """Make a file.

        Raises:
            FileExistsError: something of this name is there already, be it a symbolic link that leads nowhere.
        """
        place = self._place(path, Access.CREATE)
        atomic_files.create(self._current(), place, _content(data, encoding), _bits(mode))

    def modify(self, path: Name, change: Callable[[str], str], *, encoding: str = "utf-8") -> None:
        """Give a file the text that `change` makes of its text. When `change` raises, the file is as it was."""
        place = self._place(path, Access.WRITE, follow=True)
        with open(place, "rb") as file:
            old = file.read()
        new = change(old.decode(encoding)).encode(encoding)
        if new != old:
            atomic_files.write(self._current(), place, new, None)

    def copy(self, source: Name, target: Name, *, replace: bool = False) -> None:
        """Copy a file, a symbolic link or a whole tree: contents, modes, times, attributes, owners where allowed, hard links.

        The source may lie anywhere. The target appears when it is complete.

        Raises:
            FileExistsError: the target is there, and `replace` was not given.
        """
        self._current()
        origin = _canonical(self._base, _encoded(source))
        self._claim(origin, Access.READ)
        place = self._place(target, Access.WRITE)
        atomic_files.copy(self._current(), origin, place, replace=replace)

    def move(self, source: Name, target: Name, *, replace: bool = False) -> None:
        """Rename a file or a tree. The target is the new name itself, not a directory to move into.

        Raises:
            FileExistsError: the target is there, and `replace` was not given.
        """
        origin = self._place(source, Access.DELETE)
        place = self._place(target, Access.WRITE)
        atomic_files.move(self._current(), origin, place, replace=replace)

    def delete(self, path: Name) -> None:
        """Remove a file or a whole tree. Until the transaction commits it is only set aside."""
        place = self._place(path, Access.DELETE)
        atomic_files.delete(self._current(), place)

    def mkdir(self, path: Name, *, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Make a directory; with `parents` those that it needs, too."""
        place = self._place(path, Access.CREATE)
        if exist_ok and os.path.isdir(place):
            return
        if parents:
            self._make_parents(os.path.dirname(place))
        atomic_files.mkdir(self._current(), place, mode)

    def symlink(self, target: Name, path: Name) -> None:
        """Make a symbolic link at `path`; `target` is taken as it is, and may lead anywhere."""
        place = self._place(path, Access.CREATE)
        atomic_files.symlink(self._current(), _encoded(target), place)

    def chmod(self, path: Name, mode: int) -> None:
        """Change the permissions of a file or directory, and verify them."""
        place = self._place(path, Access.WRITE, follow=True, root=True)
        bits = _bits(mode)
        assert bits is not None
        atomic_files.chmod(self._current(), place, bits)

    def chown(self, path: Name, user: int | str = -1, group: int | str = -1) -> None:
        """Change the owner, by number or name; -1 leaves it.

        Raises:
            LookupError: there is no user or group of this name.
        """
        place = self._place(path, Access.WRITE, follow=True, root=True)
        uid = pwd.getpwnam(user).pw_uid if isinstance(user, str) else user
        gid = grp.getgrnam(group).gr_gid if isinstance(group, str) else group
        atomic_files.chown(self._current(), place, uid, gid)

    def _make_parents(self, folder: bytes) -> None:
        missing: list[bytes] = []
        while not os.path.lexists(folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        for one in reversed(missing):
            self._claim(one, Access.CREATE)
            atomic_files.mkdir(self._current(), one, 0o777)

    # --- where a path leads --------------------------------------------------------------------------------

    def _place(self, path: Name, access: Access, *, follow: bool = False, root: bool = False) -> bytes:
        """The path to journal: parents free of symbolic links, and below a root.

        Raises:
            UsageError: it leads out of the roots, or into the journal; or the transaction has ended.
        """
        self._current()
        place = _canonical(self._base, _encoded(path))
        if follow and os.path.islink(place):
            place = os.path.realpath(place)
        if not any(_lies_below(place, top) or (root and place == top) for top in self._roots):
            tops = ", ".join(os.fsdecode(top) for top in self._roots)
            raise UsageError(
                f"{os.fsdecode(_encoded(path))!r} is {os.fsdecode(place)}: a transaction changes only what lies below {tops}"
                " ([cbx] protect adds roots)"
            )
        if self._home and (place == self._home or _lies_below(place, self._home)):
            raise UsageError(f"{os.fsdecode(place)} belongs to the journal of transactions: leave it alone")
        self._claim(place, access)
        return place


class Savepoint:
    """A point in a transaction to go back to."""

    def __init__(self, owner: FileTransaction, level: int) -> None:
        self._owner = owner
        self._level = level

    def roll_back(self) -> None:
        """Undo what happened since the savepoint. Its block goes on, and can go back again."""
        self._owner._restart(self._level)


def _complete(report: Report) -> None:
    if report.incomplete:
        raise RollbackIncomplete(report.incomplete)


def _encoded(path: Name) -> bytes:
    raw = os.fsencode(path)
    if not raw or b"\0" in raw:
        raise UsageError(f"{os.fsdecode(raw)!r} is no path")
    return raw


def _canonical(base: bytes, path: bytes) -> bytes:
    full = os.path.join(base, path).rstrip(b"/") or b"/"
    folder, name = os.path.split(full)
    if name in (b"", b".", b".."):
        return os.path.realpath(full)
    return os.path.join(os.path.realpath(folder), name)


def _lies_below(path: bytes, folder: bytes) -> bool:
    return path.startswith(folder.rstrip(b"/") + b"/") and path != folder


def _content(data: Content, encoding: str) -> bytes:
    return data.encode(encoding) if isinstance(data, str) else bytes(data)


def _bits(mode: int | None) -> int | None:
    if mode is not None and not 0 <= mode <= _ALL_BITS:
        raise UsageError(f"{mode!r} is no mode: it has to be between 0 and 0o7777, such as 0o644")
    return mode
