"""With `power`: names that calls have changed reach the disk before the next record does.

Undoing judges by what is on the disk whether a call happened. It can do so for the youngest calls; were any older rename or
removal lost that later ones build on, things could not be found again where the records speak of them.
"""

from __future__ import annotations

from pytest_cbx.transaction.disk import Disk

_Folders = dict[bytes, None]


class Settling:
    """The folders in which calls change names.

    A call happens some time after its record. So a folder is flushed before the next record is written, and once more before the
    one after that, for calls that were slow while another thread of the program went on.
    """

    __slots__ = ("_coming", "_disk", "_older", "_young")

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._coming: _Folders = {}
        self._young: _Folders = {}
        self._older: _Folders = {}

    def expect(self, *folders: bytes) -> None:
        """The call that is about to be recorded, or needs no record, changes names in these."""
        for folder in folders:
            self._coming[folder or b"/"] = None

    def settle(self) -> None:
        """Before a record is written.

        Raises:
            OSError: a folder could not be flushed.
        """
        for folder in {**self._older, **self._young}:
            self._disk.flush(folder)
        self._older, self._young, self._coming = self._young, self._coming, {}
