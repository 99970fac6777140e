"""One command's undo journal, from the first touched path to commit or roll back.

Each method that names a change is called before the call that makes it may go on, and appends an intent: the call may then happen or not.
Undoing goes newest first and judges by what is on the disk, so both are right.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from typing import TypeAlias

from pytest_cbx.errors import JournalError
from pytest_cbx.transaction import records
from pytest_cbx.transaction.changes import Difference, differences, net_changes
from pytest_cbx.transaction.copying import Clone, no_clone
from pytest_cbx.transaction.disk import DISK, Disk
from pytest_cbx.transaction.flushing import flush_changed
from pytest_cbx.transaction.intents import Intents, Shared, State
from pytest_cbx.transaction.journal import Journal
from pytest_cbx.transaction.model import Budget, Changes, Report
from pytest_cbx.transaction.past import Past
from pytest_cbx.transaction.records import Header, Kind, Record
from pytest_cbx.transaction.undo import Undo, scopes_below

__all__ = ["State", "Transaction"]


Later: TypeAlias = Callable[[Callable[[], None]], None]
"""Takes work that may be done at any time, in any thread."""


def _now(work: Callable[[], None]) -> None:
    work()


class Transaction(Intents):
    """Paths are absolute bytes, canonical up to the parent; the final component is never followed. Not thread-safe, but for
    `Preparation.copy`. Made by `begin`, `load`, `nested`.
    """

    __slots__ = ("_parent", "_touched")

    def __init__(self, shared: Shared, scope: int, parent: Transaction | None) -> None:
        """For the class's own use."""
        super().__init__(shared, scope)
        self._parent = parent
        self._touched: tuple[int, frozenset[bytes]] = (-1, frozenset())
        """As of this size of the journal."""

    @classmethod
    def begin(
        cls,
        folder: bytes,
        *,
        token: str,
        roots: tuple[bytes, ...],
        label: str = "",
        durability: str = "process",
        budget: Budget | None = None,
        clone: Clone = no_clone,
        disk: Disk = DISK,
        on_end: Callable[[], None] | None = None,
    ) -> Transaction:
        """Begin a root transaction whose journal is `folder`, which is made. `on_end` is called once the folder is gone.

        Raises:
            JournalError: the journal cannot be made.
        """
        header = Header(
            token=token, roots=roots, label=label, durability=durability, uid=os.getuid(), started=time.time()
        )
        return cls(Shared(Journal.create(folder, header, disk), disk, clone, budget, on_end), 0, None)

    @classmethod
    def load(cls, folder: bytes, *, clone: Clone = no_clone, disk: Disk = DISK) -> Transaction:
        """What a dead process left in `folder`, to be finished by `roll_back` (which only removes it when it was committed).

        Raises:
            JournalDamaged: it is no journal of ours, or damaged; nothing was touched.
            JournalError: it cannot be read.
        """
        journal, found = Journal.load(folder, disk)
        transaction = cls(Shared(journal, disk, clone, None, None), 0, None)
        kinds = {record.kind for record in found}
        if Kind.COMMITTED in kinds:
            transaction.state = State.COMMITTED
        elif Kind.DONE in kinds:
            transaction.state = State.ROLLED_BACK
        else:
            transaction.state = State.INCOMPLETE
        return transaction

    # --- what it is ----------------------------------------------------------------------------------------

    @property
    def folder(self) -> bytes:
        """Where the journal lies."""
        return self._shared.journal.folder

    @property
    def header(self) -> Header:
        """Whose it is, and what it covers."""
        return self._shared.journal.header

    @property
    def disk(self) -> Disk:
        """By which it reads and writes."""
        return self._shared.disk

    @property
    def is_nested(self) -> bool:
        """Whether its fate hangs on another's."""
        return self._parent is not None

    @property
    def taken(self) -> int:
        """Bytes of pre-images that were copied and are charged to the budget."""
        return self._shared.keeper.taken

    # --- how it ends ---------------------------------------------------------------------------------------

    def nested(self) -> Transaction:
        """A savepoint: it can be rolled back alone, and shares this one's fate otherwise."""
        self._require(State.RUNNING)
        shared = self._shared
        shared.scopes += 1
        self._append(records.begin_scope(shared.scopes, self._scope))
        return Transaction(shared, shared.scopes, self)

    def commit(self, later: Later | None = None) -> None:
        """Keep what was changed. Idempotent. `later` is given the removal of the journal's folder, to be called in any thread.

        Raises:
            JournalError: it could not be decided; the journal is as it was.
            OSError: it is decided, but the folder could not be removed: recovery will do that.
        """
        if self.state is not State.COMMITTED:
            self._require(State.RUNNING)
            self._require_undone()
            if self._parent is not None:
                self._hand_over(self._parent)
            else:
                journal = self._shared.journal
                if journal.power:
                    self._flush_changed()
                journal.state(Kind.COMMITTED)
            self.state = State.COMMITTED
            self._leave()
        if self._parent is None:
            self._drop(later)

    def roll_back(self, foreign: Callable[[bytes], bool] | None = None, later: Later | None = None) -> Report:
        """Undo everything. Idempotent; goes on where a killed one stopped; of a committed one only the folder is removed.

        `foreign` tells of a path whether others have touched it since: it is left as it is. `later`: as for `commit`.

        Raises:
            JournalDamaged: the journal was damaged meanwhile; nothing was touched.
        """
        report = Report()
        if self.state in (State.RUNNING, State.ROLLING, State.INCOMPLETE):
            report = self._undo(foreign)
            if report.incomplete:
                self.state = State.INCOMPLETE
                return report
            self.state = State.ROLLED_BACK
            self._leave()
        if self._parent is None:
            try:
                self._drop(later)
            except OSError as error:
                return Report(restored=report.restored, left=report.left, incomplete=(f"{error}: the journal stays",))
        return report

    def _undo(self, foreign: Callable[[bytes], bool] | None) -> Report:
        journal = self._shared.journal
        found = journal.records()
        scopes = None if self._parent is None else scopes_below(found, self._scope)
        self.state = State.ROLLING
        undo = Undo(journal, self._shared.disk, found, clone=self._shared.keeper.clone, foreign=foreign, scopes=scopes)
        try:
            if self._parent is None and not any(record.kind is Kind.ROLLING for record in found):
                journal.state(Kind.ROLLING)
            report = undo.run()
            if not report.incomplete and self._parent is None:
                journal.state(Kind.DONE)
        except JournalError as error:
            return Report(incomplete=(str(error),))
        return report

    def changes(self) -> Changes:
        """What differs now from when it began. Call it before the end.

        Raises:
            OSError: something that must be compared cannot be read.
        """
        return net_changes(self._shared.disk, self.header.roots, self._past())

    def differences(self) -> Iterator[Difference]:
        """Each path that differs, with what was there. Call it before the end.

        Raises:
            OSError: something that must be compared cannot be read.
        """
        return differences(self._shared.disk, self._past())

    def _past(self) -> Past:
        return Past(self._shared.disk, self._shared.journal, self._own_records())

    def touched(self) -> frozenset[bytes]:
        """All paths that records name. Asked again, nothing is read anew unless something was added."""
        size = self._shared.journal.size
        if self._touched[0] == size:
            return self._touched[1]
        found = self._own_records()
        kinds = records.UNDOABLE - {Kind.TIMES}
        paths = {record.path for record in found if record.kind in kinds}
        paths.update(record.target for record in found if record.kind is Kind.RENAME)
        self._touched = (size, frozenset(paths))
        return self._touched[1]

    def _own_records(self) -> list[Record]:
        found = self._shared.journal.records()
        if self._parent is None:
            return found
        scopes = scopes_below(found, self._scope)
        return [record for record in found if record.scope in scopes or record.kind is Kind.UNDONE]

    def close(self) -> None:
        """Let go of the journal without deciding anything: recovery will roll it back."""
        self._shared.journal.close()

    # --- inside --------------------------------------------------------------------------------------------

    def _hand_over(self, parent: Transaction) -> None:
        for folder, names in self._known.items():
            parent._known.setdefault(folder, {}).update(names)
        parent._timed |= self._timed

    def _leave(self) -> None:
        """It, and those nested in it, end."""
        live = self._shared.live
        for other in [one for one in live if isinstance(one, Transaction) and (one is self or one._is_below(self))]:
            live.remove(other)
            other.state = self.state
            other._known.clear()

    def _flush_changed(self) -> None:
        """Once a flush has failed, no other one is believed: the kernel may have dropped what it could not write."""
        journal = self._shared.journal
        try:
            if journal.unflushed is not None:
                raise journal.unflushed
            flush_changed(self._shared.disk, journal.records())
        except OSError as error:
            journal.unflushed = error
            raise JournalError(journal.folder, error) from error

    def _require_undone(self) -> None:
        """What failed inside of it, and could not be undone, must not last with it."""
        live = [one for one in self._shared.live if isinstance(one, Transaction)]
        if any(one.state is State.INCOMPLETE and one._is_below(self) for one in live):
            raise JournalError(self.folder, OSError(errno.EIO, "a part of it was to be undone, and could not be"))

    def _is_below(self, other: Transaction) -> bool:
        above = self._parent
        while above is not None and above is not other:
            above = above._parent
        return above is other

    def _drop(self, later: Later | None) -> None:
        shared = self._shared
        shared.keeper.release()
        ended, shared.on_end = shared.on_end, None

        def remove() -> None:
            shared.journal.remove()
            if ended is not None:
                ended()

        (later or _now)(remove)
