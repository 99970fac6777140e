"""What is told to a transaction before a call may go on, and what it keeps then.

A record is left out only where an older one already covers the path, and that is decided by what is there, not by what should be:
processes of one command race each other, and calls fail.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from enum import Enum
from typing import Final

from pytest_cbx.errors import JournalError, UsageError
from pytest_cbx.transaction import meta as metas
from pytest_cbx.transaction import records
from pytest_cbx.transaction.copying import Clone
from pytest_cbx.transaction.disk import Disk
from pytest_cbx.transaction.journal import Journal
from pytest_cbx.transaction.keeping import Keeper, Preparation, require_owner
from pytest_cbx.transaction.model import Budget
from pytest_cbx.transaction.records import Kind
from pytest_cbx.transaction.settling import Settling

# What is known of a name. The order counts: up to WRITTEN a write needs no record, up to META a change of metadata does not.
_FRESH: Final = 1
"""An older record clears the name, and what is there is a regular file that this transaction made, or nothing."""
_WRITTEN: Final = 2
"""Content and metadata of the file there are kept."""
_META: Final = 3
"""Its metadata is kept."""
_NAMED: Final = 4
"""An older record clears the name, but it may be a hard link to a file that was there before."""
_GONE: Final = 5
"""What was there is kept, and about to vanish. Once it has, the record of that clears the name."""
_UNKNOWN: Final = 9

_PATH_MAX: Final = 4095
_MOVING_MAX: Final = 8
_CALL_FAILS: Final = frozenset((errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG))


class State(Enum):
    """Where a transaction stands."""

    RUNNING = "running"
    ROLLING = "rolling back"
    INCOMPLETE = "roll back incomplete"
    ROLLED_BACK = "rolled back"
    COMMITTED = "committed"


class Shared:
    """What a root transaction and those nested in it have in common."""

    __slots__ = ("budget", "disk", "journal", "keeper", "live", "moving", "on_end", "scopes", "settling")

    def __init__(
        self, journal: Journal, disk: Disk, clone: Clone, budget: Budget | None, on_end: Callable[[], None] | None
    ) -> None:
        self.journal = journal
        self.disk = disk
        self.keeper = Keeper(journal, disk, clone, budget)
        self.settling = Settling(disk) if journal.power else None
        self.live: list[Intents] = []
        self.scopes = 0
        self.on_end = on_end
        self.moving: dict[bytes, tuple[int, int]] = {}
        """Folders whose rename was let go and may not have happened yet, with what they are; the youngest few."""


class Intents:
    """The half of a transaction that is at work while its command runs."""

    __slots__ = ("_known", "_pending", "_scope", "_shared", "_timed", "state")

    def __init__(self, shared: Shared, scope: int) -> None:
        self._shared = shared
        self._scope = scope
        self._known: dict[bytes, dict[bytes, int]] = {}
        """Folder → name → what is known."""
        self._timed: set[bytes] = set()
        """Folders whose times are kept."""
        self._pending: dict[bytes, tuple[bytes, tuple[int, int]]] = {}
        """Target of a rename that may not have happened yet → its source, and what was there."""
        self.state = State.RUNNING
        shared.live.append(self)

    # --- before a call -------------------------------------------------------------------------------------

    def write(self, path: bytes) -> None:
        """A regular file is about to be opened for writing, truncated, or made by open(2).

        Raises:
            PreimageLimit: the copy would be too large; nothing was changed.
            JournalError: the journal or the copy cannot be written; nothing was changed.
        """
        folder, _, name = path.rpartition(b"/")
        known = self._known.get(folder)
        if known is not None and known.get(name, _UNKNOWN) <= _WRITTEN:
            return
        while (preparation := self.prepare_write(path)) is not None:
            preparation.copy()
            self.finish_write(preparation)

    def prepare_write(self, path: bytes) -> Preparation | None:
        """The first third of `write`. What it returns is to be copied, in any thread, and then given to `finish_write`; after that
        it is to be asked again. None: nothing is left to do.

        Raises:
            PreimageLimit, JournalError: as `write`.
        """
        folder, _, name = path.rpartition(b"/")
        state = self._state(folder, name)
        if state <= _WRITTEN:
            return None
        info = self._look(path)
        if info is None:
            self._make(path, folder, name, state, _FRESH)
            return None
        if not stat.S_ISREG(info.st_mode):
            self.metadata(path)
            return None
        if state == _NAMED and info.st_nlink == 1:
            self._known[folder][name] = _FRESH
            return None
        keeper = self._shared.keeper
        if keeper.must_unlock(info):
            self._append(records.with_meta(Kind.META, self._scope, path, metas.take(self._shared.disk, path, info)))
        small = keeper.pool(path, info)
        if small is None:
            return keeper.prepare(path, info)
        self._append(records.pooled(self._scope, path, *small))
        self._learn(folder, name, _WRITTEN)
        return None

    def finish_write(self, preparation: Preparation) -> None:
        """The last third of `write`: the copy is complete. It is dropped when another file has taken the name meanwhile.

        Raises:
            JournalError: the journal cannot be written.
        """
        path = preparation.path
        info = self._look(path)
        if info is None or _identity(info) != preparation.meta.identity:
            self._shared.keeper.abandon(preparation)
            return
        self._shared.keeper.settle(preparation)
        self._append(records.content(self._scope, path, preparation.number, preparation.meta))
        folder, _, name = path.rpartition(b"/")
        self._learn(folder, name, _WRITTEN)

    def abandon_write(self, preparation: Preparation) -> None:
        """Instead of `finish_write`: the call will not happen."""
        self._shared.keeper.abandon(preparation)

    def create(self, path: bytes) -> None:
        """A name is about to be made: mkdir, mknod, symlink, link, bind, or open with O_EXCL.

        Raises:
            JournalError: the journal cannot be written.
        """
        folder, _, name = path.rpartition(b"/")
        known = self._known.get(folder)
        state = known.get(name, _UNKNOWN) if known is not None else _UNKNOWN
        if self._shared.settling is not None:
            self._shared.settling.expect(folder)
        if state in (_FRESH, _NAMED):
            known[name] = _NAMED  # type: ignore[index]
            return
        if self._look(path) is None:
            self._make(path, folder, name, state, _NAMED)

    def remove(self, path: bytes) -> None:
        """unlink or rmdir.

        Raises:
            PreimageLimit: the file system refuses a hard link, and a copy would be too large.
            JournalError: the journal cannot be written.
        """
        folder, _, name = path.rpartition(b"/")
        if self._shared.settling is not None:
            self._shared.settling.expect(folder)
        state = self._state(folder, name)
        if state == _FRESH:
            return
        info = self._look(path)
        self._settle_pending(path, keep=True)
        if info is not None and not _covers(state, info):
            self._append(self._vanishing(path, info))
            self._learn(folder, name, _GONE)
        if info is not None and stat.S_ISDIR(info.st_mode):
            # What comes up in another folder of that name needs records of its own: they are undone before this one.
            for live in self._shared.live:
                live._known.pop(path, None)
                live._timed.discard(path)

    def rename(self, source: bytes, target: bytes, *, exchange: bool = False) -> None:
        """`source` is about to take the name `target`, or both to change places.

        Raises:
            PreimageLimit, JournalError: as `remove`.
        """
        coming = self._in_flight(source)
        if self._shared.settling is not None:
            self._shared.settling.expect(_split(source)[0], _split(target)[0])
        moved = self._look(source) or coming
        there = self._look(target)
        if moved is None and self._state(*_split(source)) in (_FRESH, _NAMED):
            self._take_over(target, there)  # what another thread is about to make goes there, if it comes in time
        if (
            moved is None
            or (there is not None and _identity(there) == _identity(moved))
            or (exchange and there is None)
        ):
            return  # fails, or changes nothing
        taken_away = there is not None and self._state(*_split(target)) == _GONE and not exchange
        if (self._settle_pending(target, keep=True) and coming is None) or taken_away:
            # What comes to the target may lose that name at once, to a call that was let go before.
            self._append(self._vanishing(source, moved))
        self._settle_pending(source, keep=True)
        parts: list[bytes] = []
        if there is not None and not exchange and not _covers(self._state(*_split(target)), there):
            parts.append(self._vanishing(target, there))
        else:
            parts.append(self._times(_split(target)[0]))
        parts.append(self._times(_split(source)[0]))
        other = (0, 0) if there is None else _identity(there)
        for one in {_identity(moved), _identity(coming or moved)} - {other}:
            parts.append(records.rename(self._scope, source, target, identity=one, other=other, exchange=exchange))
        self._append(b"".join(parts))
        moving = self._shared.moving
        for path, info in ((source, moved), (target, there if exchange else None)):
            if info is not None and stat.S_ISDIR(info.st_mode):
                moving[path] = _identity(info)
        while len(moving) > _MOVING_MAX:
            del moving[next(iter(moving))]
        tree = stat.S_ISDIR(moved.st_mode) or (there is not None and stat.S_ISDIR(there.st_mode))
        for live in self._shared.live:
            live._forget(source, tree)
            live._forget(target, tree)
            live._pending[target] = (source, _identity(moved))
            if exchange:
                live._pending[source] = (target, other)

    def _take_over(self, target: bytes, there: os.stat_result | None) -> None:
        """Something of this transaction's own is about to take the name."""
        if there is not None:
            self._append(self._vanishing(target, there))
            self._learn(*_split(target), _GONE)
        else:
            self.create(target)

    def metadata(self, path: bytes) -> None:
        """Mode, owner, times or extended attributes are about to change.

        Raises:
            JournalError: the journal cannot be written.
        """
        folder, _, name = path.rpartition(b"/")
        state = self._state(folder, name)
        if state <= _META:
            return
        info = self._look(path)
        if info is None:
            self._settle_pending(path, keep=False)
            return
        if not stat.S_ISDIR(info.st_mode) and state == _NAMED and info.st_nlink == 1:
            return
        self._append(records.with_meta(Kind.META, self._scope, path, metas.take(self._shared.disk, path, info)))
        # Each change of a directory's mode is undone in its turn: what lies in it can only be restored under the mode of its time.
        if not stat.S_ISDIR(info.st_mode):
            self._learn(folder, name, _META)

    # --- inside --------------------------------------------------------------------------------------------

    def _require(self, state: State) -> None:
        if self.state is not state:
            raise UsageError(
                f"the transaction of {self._shared.journal.header.label!r} is {self.state.value}, not {state.value}"
            )

    def _state(self, folder: bytes, name: bytes) -> int:
        known = self._known.get(folder)
        return _UNKNOWN if known is None else known.get(name, _UNKNOWN)

    def _learn(self, folder: bytes, name: bytes, state: int) -> None:
        known = self._known.get(folder)
        if known is None:
            known = self._known[folder] = {}
        known[name] = state

    def _look(self, path: bytes) -> os.stat_result | None:
        """What is at the path; None for nothing, and where the call will fail by itself."""
        try:
            return self._shared.disk.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno in _CALL_FAILS and len(path) <= _PATH_MAX:
                return None
            raise JournalError(path, error) from error

    def _append(self, data: bytes) -> None:
        if self.state is not State.RUNNING:
            self._require(State.RUNNING)
        shared = self._shared
        if shared.settling is not None:
            self._settle(shared.settling)
        shared.journal.append(data)

    def _settle(self, settling: Settling) -> None:
        try:
            settling.settle()
        except OSError as error:
            raise JournalError(self._shared.journal.folder, error) from error

    def _make(self, path: bytes, folder: bytes, name: bytes, state: int, then: int) -> None:
        """Nothing is at the path, something will be."""
        self._settle_pending(path, keep=False)
        if state not in (_NAMED, _GONE):
            kind = Kind.ABSENT_IN_FLIGHT if self._shared.moving and self._moves_above(path) else Kind.ABSENT
            record = records.frame(kind, self._scope, path)
            self._append(record if folder in self._timed else self._times(folder) + record)
            if folder not in self._timed:
                return  # there is no such folder yet: were it made later, undoing that would come before this record
        self._learn(folder, name, then)

    def _times(self, folder: bytes) -> bytes:
        """The record of a folder's times, on its first touch."""
        if folder in self._timed:
            return b""
        if self._state(*_split(folder)) == _NAMED:
            self._timed.add(folder)  # made by this transaction: it goes as a whole
            return b""
        info = self._look(folder)
        if info is None:
            return b""
        self._timed.add(folder)
        return records.times(self._scope, folder, info)

    def _vanishing(self, path: bytes, info: os.stat_result) -> bytes:
        """The records for what is about to lose its name."""
        before = self._times(_split(path)[0])
        if stat.S_ISDIR(info.st_mode):
            require_owner(path, info)
            return before + records.with_meta(
                Kind.DIRECTORY, self._scope, path, metas.take(self._shared.disk, path, info)
            )
        return before + self._shared.keeper.keep(self._scope, path, info)

    def _moves_above(self, path: bytes) -> bool:
        """Whether a folder that holds the path is about to be renamed."""
        moving = self._shared.moving
        for source, identity in tuple(moving.items()):
            info = self._look(source)
            if info is None or _identity(info) != identity:
                del moving[source]
            elif path.startswith(source + b"/"):
                return True
        return False

    def _in_flight(self, path: bytes) -> os.stat_result | None:
        """What a rename that was let go, and may not have happened yet, brings to `path`."""
        if not self._pending or (found := self._pending.get(path)) is None:
            return None
        source = found[0]
        info = self._look(source)
        if info is None or _identity(info) != found[1] or _leads_elsewhere(_split(source)[0]):
            del self._pending[path]
            return None
        return info

    def _settle_pending(self, path: bytes, *, keep: bool) -> bool:
        """A rename onto `path` was let go and may not have happened yet: then what it moves is what the next call meets.

        `keep`: that call takes the name away, or else writes. True when a rename was still pending.
        """
        info = self._in_flight(path)
        if info is None:
            return False
        source = self._pending[path][0]
        if keep:
            self._append(self._vanishing(source, info))
        elif stat.S_ISREG(info.st_mode):
            preparation = self._shared.keeper.prepare(source, info)
            preparation.copy()
            self.finish_write(preparation)
        return True

    def _forget(self, path: bytes, below: bool) -> None:
        """A rename: what is known of the path, and of what lies below it, is known no more."""
        folder, name = _split(path)
        known = self._known.get(folder)
        if known is not None:
            known.pop(name, None)
        if below:
            self._timed.discard(path)
            self._known.pop(path, None)
            start = path + b"/"
            for gone in [one for one in self._known if one.startswith(start)]:
                del self._known[gone]
            self._timed.difference_update([one for one in self._timed if one.startswith(start)])


def _covers(state: int, info: os.stat_result) -> bool:
    """Whether what is there may vanish without a record. Not a directory: things of before may have been moved into it and removed there,
    and come back by way of it. Nor one of several names of a file: by a descriptor, it is still changed when this name is gone."""
    return state == _FRESH or (state == _NAMED and not stat.S_ISDIR(info.st_mode) and info.st_nlink == 1)


def _leads_elsewhere(folder: bytes) -> bool:
    """Whether a link now stands on the way: what is found through it lies under another name."""
    return os.path.realpath(folder) != folder


def _split(path: bytes) -> tuple[bytes, bytes]:
    folder, _, name = path.rpartition(b"/")
    return folder, name


def _identity(info: os.stat_result) -> tuple[int, int]:
    return info.st_dev, info.st_ino
