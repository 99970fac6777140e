"""With `power`: everything that a transaction changed reaches the disk before it is committed."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_cbx.transaction.disk import Disk
from pytest_cbx.transaction.records import UNDOABLE, Kind, Record


def flush_changed(disk: Disk, found: Iterable[Record]) -> None:
    """fsync(2) of each file and directory that records name, where later renames have brought it to.

    Raises:
        OSError: one could not be flushed: the transaction must not be committed.
    """
    paths: dict[bytes, None] = {}
    renames: list[tuple[bytes, bytes, bytes]] = []
    """Newest first: source, source with a slash, target."""
    for record in reversed([one for one in found if one.kind in UNDOABLE]):
        if record.kind is Kind.RENAME:
            renames.append((record.path, record.path + b"/", record.target))
            if record.exchange:
                renames.append((record.target, record.target + b"/", record.path))
        for path in (record.path, record.target) if record.kind is Kind.RENAME else (record.path,):
            for moved in _moved(path, renames):
                paths[moved] = None
                if record.kind is not Kind.TIMES:
                    paths[moved.rpartition(b"/")[0] or b"/"] = None
    for path in paths:
        disk.flush(path)


def _moved(path: bytes, renames: list[tuple[bytes, bytes, bytes]]) -> set[bytes]:
    """Where the path may be now: each rename may have happened or not."""
    places = {path}
    for source, below, target in reversed(renames):
        for place in tuple(places):
            if place == source or place.startswith(below):
                places.add(target + place[len(source) :])
    return places
