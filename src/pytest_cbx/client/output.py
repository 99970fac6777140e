"""Where the output of commands is kept: outside the work tree, in the user's cache directory.

`<cache>/pytest-cbx/<hash of the work tree>/runs/<time>-<pid>/`. A run's folder goes with the run unless
something in it is worth keeping; the last few such folders are kept.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import time
from pathlib import Path

KEEP = 5
"""Folders of earlier runs that stay."""

_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")


def cache_directory() -> Path:
    """`$XDG_CACHE_HOME/pytest-cbx`, by default in `~/.cache`; a private temporary directory where that cannot be written."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    wanted = Path(base) / "pytest-cbx"
    try:
        wanted.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.access(wanted, os.W_OK | os.X_OK):
            return wanted
    except OSError:
        pass
    fallback = Path(tempfile.gettempdir()) / f"pytest-cbx-cache-{os.getuid()}"
    fallback.mkdir(exist_ok=True, mode=0o700)
    return fallback


class OutputFolder:
    """The folder of one run. Made at once, so that a full or read-only disk is known before anything runs."""

    def __init__(self, root: Path) -> None:
        digest = hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()[:16]
        self._runs = cache_directory() / digest / "runs"
        self._runs.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._prune()
        stamp = time.strftime("%Y%m%d-%H%M%S")
        self.path = Path(tempfile.mkdtemp(prefix=f"{stamp}-{os.getpid()}-", dir=self._runs))

    def file(self, name: str, suffix: str) -> Path:
        """A path in the folder for a name that may hold anything."""
        return self.path / f"{_UNFIT.sub('-', name)[:80]}.{suffix}"

    def close(self) -> None:
        """Remove the folder if nothing in it was kept, and the ones above it if they are empty."""
        for folder in (self.path, self._runs, self._runs.parent):
            try:
                folder.rmdir()
            except OSError:
                return

    def _prune(self) -> None:
        earlier = sorted(self._runs.iterdir(), key=lambda folder: folder.name, reverse=True)
        idle = [folder for folder in earlier if not _alive(folder.name)]
        for folder in idle[KEEP:]:
            shutil.rmtree(folder, ignore_errors=True)
        for folder in idle[:KEEP]:
            try:
                folder.rmdir()
            except OSError:
                continue


def _alive(name: str) -> bool:
    """Whether the process that made a folder of this name may still be running."""
    parts = name.split("-")
    try:
        os.kill(int(parts[2]), 0)
    except (IndexError, ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
