"""Becomes the engine of a work tree, unless there is one. Started by `launch.start`, with the work tree as its argument."""

from __future__ import annotations

import gc
import os
import resource
import sys
from pathlib import Path

from pytest_cbx.engine.election import clear_away, elect
from pytest_cbx.engine.server import Server
from pytest_cbx.execute.kernel.prctl import become_subreaper


def main(workspace: str) -> int:
    """Serve until the last client has left. Returns at once when another process is the engine."""
    # For good: filelock makes a missing directory as the umask allows. Instances get their own.
    os.umask(0o077)
    elected = elect(Path(workspace))
    if elected is None:
        return 0
    place, lock = elected
    failed = True
    try:
        os.chdir("/")
        _, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
        become_subreaper()
        # What is there now stays: the collector need not go through it again and again.
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        Server(place, Path(workspace)).serve()
        failed = False
    finally:
        # The client that started us reads what we had to say.
        clear_away(place, lock, keep_log=failed)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
