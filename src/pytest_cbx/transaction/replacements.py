"""Inodes that a roll back had to make anew, so that records which name the old one find the new one."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_cbx.transaction.records import UNDOABLE, Record

Identity = tuple[int, int]
NONE: Identity = (0, 0)


class Replacements:
    """Old inode → new inode, for the records written before.

    The number of an inode that is gone is soon that of another file. What a savepoint's roll back replaced therefore says nothing
    to the records that came after it.
    """

    def __init__(self, found: Iterable[Record]) -> None:
        """From the marks that earlier roll backs left between the records."""
        self._new: dict[Identity, dict[int, Identity]] = {}
        """Old → index of the last record that knows it by this number → new."""
        self._last = -1
        for record in found:
            if record.kind in UNDOABLE:
                self._last = record.index
            elif record.mark is not None and record.mark.new != NONE:
                self._note(record.mark.old, record.mark.new)

    def note(self, identity: Identity, index: int, new: Identity) -> tuple[Identity, Identity]:
        """What the record of this index calls `identity` is `new` from now on. Returns the pair for its mark."""
        old = self._follow(identity, index, before=self._last)
        if self.current(identity, index) == new:
            return NONE, NONE
        self._note(old, new)
        return old, new

    def current(self, identity: Identity, index: int) -> Identity:
        """The inode that the record of this index calls `identity`."""
        return self._follow(identity, index, before=self._last + 1) if self._new else identity

    def _follow(self, identity: Identity, index: int, *, before: int) -> Identity:
        """From one roll back to the next, never twice in the same: there a new inode may have the number of another old one."""
        while later := [last for last in self._new.get(identity, ()) if index <= last < before]:
            last = min(later)
            identity, index = self._new[identity][last], last + 1
        return identity

    def _note(self, old: Identity, new: Identity) -> None:
        self._new.setdefault(old, {})[self._last] = new
