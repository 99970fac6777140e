"""Where the output of commands is kept: outside the work tree, in the user's cache directory.

`<cache>/pytest-cbx/<hash of the work tree>/runs/<time>-<pid>/`. A run's folder goes with the run unless
something in it is worth keeping; the last few such folders are kept.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import tempfile
import time
from pathlib import Path

from pytest_cbx.errors import UsageError

KEEP = 5
"""Folders of earlier runs that stay."""

_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")


def cache_home() -> str:
    """`$XDG_CACHE_HOME`, by default `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # A relative one is to be ignored, says the XDG specification.
    return base if os.path.isabs(base) else os.path.join(os.path.expanduser("~"), ".cache")


def cache_directory() -> Path:
    """`pytest-cbx` in `cache_home`, made where it is missing; a private temporary directory where that cannot be written."""
    wanted = Path(cache_home()) / "pytest-cbx"
    try:
        wanted.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.access(wanted, os.W_OK | os.X_OK):
            return wanted
    except OSError:
        pass
    fallback = Path(tempfile.gettempdir()) / f"pytest-cbx-cache-{os.getuid()}"
    fallback.mkdir(exist_ok=True, mode=0o700)
    state = fallback.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid():
        # Someone else was there first: outputs must not end up with them.
        return Path(tempfile.mkdtemp(prefix="pytest-cbx-cache-"))
    return fallback


def digest_of_tree(root: Path) -> str:
    """The name of a work tree's folder in the cache directory."""
    return hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()[:16]


class OutputFolder:
    """The folder of one run. Made at once, so that a full or read-only disk is known before anything runs.

    Raises:
        UsageError: no folder can be made.
    """

    def __init__(self, root: Path) -> None:
        try:
            self._runs = cache_directory() / digest_of_tree(root) / "runs"
            self.path = self._make()
            self._prune()
        except OSError as error:
            raise UsageError(
                f"the output of commands cannot be kept in {error.filename}: {error.strerror}; "
                "set XDG_CACHE_HOME to a directory that can be written"
            ) from error

    def _make(self) -> Path:
        prefix = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-"
        while True:
            self._runs.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                return Path(tempfile.mkdtemp(prefix=prefix, dir=self._runs))
            except FileNotFoundError:
                # The last run before this one took the empty folder away at this very moment.
                continue

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
        for folder in [folder for folder in idle if not _removed_empty(folder)][KEEP:]:
            shutil.rmtree(folder, ignore_errors=True)


def _removed_empty(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError:
        return False
    return True


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
