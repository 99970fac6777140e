"""Installed in a process that is about to become an engine, or to recover: kills the run at the nth call of a kind."""

from __future__ import annotations

import contextlib
import mmap
import os
import signal
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

from pytest_cbx.engine import fast_path
from pytest_cbx.execute.kernel.seccomp import Listener
from pytest_cbx.transaction.disk import Disk
from pytest_cbx.transaction.transaction import Transaction
from tests.crash.points import Point, Side, Victims, Where

_OPENS_TO_CHANGE = os.O_CREAT | os.O_TRUNC
_CHANGING = (
    "open", "write", "ftruncate", "truncate", "link", "symlink", "rename", "replace", "unlink", "remove", "mkdir", "rmdir", "mknod",
    "mkfifo", "chmod", "fchmod", "chown", "fchown", "lchown", "utime", "setxattr", "removexattr", "copy_file_range", "fsync", "sendfile",
)  # fmt: skip
"""Of `os` and of `Disk`: what changes a file system."""


class Board:
    """Memory that a run's processes share with who watches them."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 4096)

    def _get(self, place: int) -> int:
        return int(struct.unpack_from("=q", self._memory, 8 * place)[0])

    def _set(self, place: int, value: int) -> None:
        struct.pack_into("=q", self._memory, 8 * place, value)

    def clear(self) -> None:
        """Before a run."""
        self._memory[:] = bytes(4096)

    @property
    def client(self) -> int:
        """Pid of the client."""
        return self._get(0)

    @client.setter
    def client(self, pid: int) -> None:
        self._set(0, pid)

    @property
    def count(self) -> int:
        """Calls that were counted."""
        return self._get(1)

    @count.setter
    def count(self, value: int) -> None:
        self._set(1, value)

    @property
    def fired(self) -> bool:
        """Whether the kill has happened."""
        return bool(self._get(2))

    def fire(self) -> None:
        """The kill happens now."""
        self._set(2, 1)


class Trigger:
    """Counts calls from the moment that it is armed."""

    def __init__(self, board: Board, point: Point) -> None:
        self._board = board
        self._point = point
        self._armed = False

    def install(self) -> None:
        """Put it in the way of the calls that its point counts."""
        fast_path.DIRECT = False
        match self._point.where:
            case Where.TRAP:
                self._armed = True
                Listener.proceed = self._meet(Listener.proceed)  # type: ignore[method-assign]
                return
            case Where.JOURNAL | Where.RECOVERY:
                self._armed = True
                Transaction.commit = self._disarming(Transaction.commit)  # type: ignore[method-assign]
            case Where.COMMIT:
                Transaction.commit = self._arming(Transaction.commit)  # type: ignore[method-assign]
            case Where.ROLL_BACK:
                Transaction.roll_back = self._arming(Transaction.roll_back)  # type: ignore[method-assign]
        for owner in (os, Disk):
            for name in _CHANGING:
                if hasattr(owner, name):
                    met = self._meet(getattr(owner, name), name)
                    setattr(owner, name, met if owner is os else staticmethod(met))

    def _arming(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def armed(*arguments: Any, **named: Any) -> Any:
            # And it stays so: what is no longer needed goes later, perhaps while the engine ends.
            self._armed = True
            return function(*arguments, **named)

        return armed

    def _disarming(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def disarmed(*arguments: Any, **named: Any) -> Any:
            self._armed = False
            return function(*arguments, **named)

        return disarmed

    def _meet(self, function: Callable[..., Any], name: str = "") -> Callable[..., Any]:
        def met(*arguments: Any, **named: Any) -> Any:
            if not self._counts() or (name == "open" and not _changes(arguments)):
                return function(*arguments, **named)
            self._board.count = number = self._board.count + 1
            if number != self._point.number:
                return function(*arguments, **named)
            if self._point.side is Side.BEFORE:
                if name == "write":
                    function(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
                self._kill()
            function(*arguments, **named)
            # The command may get a little further.
            time.sleep(0.0004 * (number % 4))
            return self._kill()

        return met

    def _counts(self) -> bool:
        """Not while the engine starts: nothing is at stake yet, and the client could not be told."""
        return self._armed and (self._point.where is Where.RECOVERY or bool(self._board.client))

    def _kill(self) -> None:
        self._armed = False
        self._board.fire()
        me = os.getpid()
        if self._point.where is not Where.RECOVERY:
            if self._point.victims is not Victims.ENGINE:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._board.client, signal.SIGKILL)
            if self._point.victims is Victims.ALL:
                for pid in list(_descendants(me)):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
        os.kill(me, signal.SIGKILL)


def _changes(arguments: tuple[Any, ...]) -> bool:
    return len(arguments) > 1 and bool(arguments[1] & _OPENS_TO_CHANGE)


def _descendants(pid: int) -> Iterator[int]:
    """Processes below this one, which adopts those that lose their parents."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except FileNotFoundError:
        return
    for thread in threads:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
            for child in map(int, file.read().split()):
                yield child
                yield from _descendants(child)
