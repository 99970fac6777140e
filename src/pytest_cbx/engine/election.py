"""Who is the engine of a work tree: the holder of its lock."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import filelock

from pytest_cbx.engine.places import Rendezvous, rendezvous

LOCK_PATIENCE = 10.0
"""Seconds to wait for an engine that is just leaving."""
_PAUSE = 0.01


def elect(workspace: Path) -> tuple[Rendezvous, filelock.BaseFileLock] | None:
    """The work tree's lock and where it lies; None when an engine holds it that takes clients."""
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        place = rendezvous(workspace)
        lock = filelock.FileLock(place.lock, mode=0o600, is_singleton=False)
        with contextlib.suppress(filelock.Timeout, FileNotFoundError):
            lock.acquire(timeout=0)
            if _has_its_name(place):
                return place, lock
            lock.release()
        if place.socket.exists() or time.monotonic() > deadline:
            return None
        time.sleep(_PAUSE)


def _has_its_name(place: Rendezvous) -> bool:
    """Whether the lock we hold is on the file of that name, and not on one that its last holder has removed."""
    second = filelock.FileLock(place.lock, mode=0o600, is_singleton=False)
    try:
        second.acquire(timeout=0)
    except filelock.Timeout:
        return True
    second.release()
    return False


def clear_away(place: Rendezvous, lock: filelock.BaseFileLock, *, keep_log: bool = False) -> None:
    """Leave nothing. While the lock is held nobody else is the engine; the lock's own name goes last."""
    log = () if keep_log else (place.log,)
    for path in (place.socket, place.start_lock, *log, place.lock):
        path.unlink(missing_ok=True)
    for directory in (place.directory, place.directory.parent):
        # Not empty: somebody is starting the next engine, or an error's log is kept.
        with contextlib.suppress(OSError):
            directory.rmdir()
    lock.release()
