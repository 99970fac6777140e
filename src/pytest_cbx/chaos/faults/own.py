"""Faults of the disk in what the engine itself does: it must stay truthful, and lose nothing."""

from __future__ import annotations

import errno
from typing import Unpack

from pytest_cbx.chaos.faults.kinds import Family, Kind, Planned, When, planned
from pytest_cbx.engine.own_disk import CHANGING, unknown
from pytest_cbx.errors import UsageError
from pytest_cbx.faults.model import OwnDisk

_PHASES = ("any", "keep", "end")


def journal_full(*, phase: str = "any", **when: Unpack[When]) -> Planned:
    """ENOSPC where the engine keeps (`phase="keep"`), or commits and undoes (`phase="end"`), what a command changes.

    To clear the journal away afterwards is no part of that.
    """
    return _planned(OwnDisk(error=errno.ENOSPC, phase=phase), when, CHANGING)


def journal_error(error: int = errno.EIO, *, phase: str = "any", **when: Unpack[When]) -> Planned:
    """The same with EIO, EROFS, or another error of the disk."""
    return _planned(OwnDisk(error=error, phase=phase), when, CHANGING)


def journal_short_write(*, phase: str = "any", **when: Unpack[When]) -> Planned:
    """The engine's write writes one half."""
    return _planned(OwnDisk(error=0, short=True, phase=phase), when, ("write",))


def _planned(action: OwnDisk, when: When, calls: tuple[str, ...]) -> Planned:
    strange = unknown(tuple(when.get("calls", ())))
    if strange:
        raise UsageError(f"the engine's own disk has no operation {', '.join(strange)}; it has {', '.join(CHANGING)}")
    if action.phase not in _PHASES:
        raise UsageError(f"there is no phase {action.phase!r}; there are {', '.join(_PHASES)}")
    return planned(action, when, calls=calls)


KINDS = (
    Kind(name="journal_full", family=Family.DISK, about="no space for the undo journal", build=journal_full),
    Kind(
        name="journal_error",
        family=Family.DISK,
        about="an error of the disk under the undo journal",
        build=journal_error,
    ),
    Kind(
        name="journal_short_write",
        family=Family.DISK,
        about="a write of the undo journal that writes less",
        build=journal_short_write,
    ),
)
