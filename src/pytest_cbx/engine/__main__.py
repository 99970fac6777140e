"""`python -m pytest_cbx.engine WORKSPACE`: become the work tree's engine, unless there is one."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

import filelock

from pytest_cbx.engine.places import rendezvous
from pytest_cbx.engine.server import Server
from pytest_cbx.execute.kernel.prctl import become_subreaper

LOCK_PATIENCE = 2.0
"""Seconds to wait for an engine that is just leaving."""


def main(workspace: str) -> int:
    """Serve until the last client has left. Returns at once when another process is the engine."""
    place = rendezvous(Path(workspace))
    lock = filelock.FileLock(place.lock, mode=0o600)
    try:
        lock.acquire(timeout=LOCK_PATIENCE)
    except filelock.Timeout:
        return 0
    try:
        os.chdir("/")
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        become_subreaper()
        Server(place, Path(workspace)).serve()
    finally:
        # While the lock is held nobody else is the engine; who opened the file before sees that it has no name any more.
        place.lock.unlink(missing_ok=True)
        lock.release()
    try:
        place.log.unlink(missing_ok=True)
        place.directory.rmdir()
    except OSError:
        pass  # the next engine is here already
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
