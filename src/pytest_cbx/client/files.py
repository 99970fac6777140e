"""The work tree's files as the prediction sees them: scripts and makefiles whose text a command runs."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from pytest_cbx.client.archives import top_of
from pytest_cbx.client.looking import differing, git_says

LONGEST = 256 * 1024
"""Bytes. Whoever runs a longer script is not followed into it."""


class WorkFiles:
    """Reads small texts below one directory, each at most once. Symbolic links that lead out of it show nothing."""

    def __init__(self, root: Path) -> None:
        self._root = os.path.realpath(root)
        self._texts: dict[str, str | None] = {}
        self._members: dict[str, tuple[str, ...] | None] = {}
        self._said: dict[tuple[str, tuple[str, ...]], str | None] = {}

    def text(self, path: str) -> str | None:
        """The text of the regular file at an absolute path; None: there is none, or it is no UTF-8, too long, or elsewhere."""
        if path not in self._texts:
            self._texts[path] = self._read(path)
        return self._texts[path]

    def executable(self, path: str) -> bool:
        """Whether a regular file that this user may execute is there."""
        return os.path.isfile(path) and os.access(path, os.X_OK)

    def directory(self, path: str) -> bool | None:
        """Whether a directory is there, through symbolic links; None when nothing is."""
        try:
            return stat.S_ISDIR(os.stat(path).st_mode)
        except (OSError, ValueError):
            return None

    def members(self, path: str) -> tuple[str, ...] | None:
        """What an archive puts at its top, directories with a slash at the end; None: it is none, too large, or reaches out."""
        if path not in self._members:
            self._members[path] = top_of(path)
        return self._members[path]

    def git(self, top: str, words: tuple[str, ...]) -> str | None:
        """What a git command that only looks prints at the top of a work tree below the root; None when it fails."""
        real = os.path.realpath(top)
        if real != self._root and not real.startswith(self._root.rstrip("/") + "/"):
            return None
        if (top, words) not in self._said:
            differs = words[0] == "diff-index"
            self._said[top, words] = differing(top, words[-1]) if differs else git_says(top, words)
        return self._said[top, words]

    def _read(self, path: str) -> str | None:
        real = os.path.realpath(path)
        if not real.startswith(self._root.rstrip("/") + "/"):
            return None
        try:
            # A pipe or a device would block or never end: what it is shows before anything is read.
            descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            data = os.read(descriptor, LONGEST + 1)
            return data.decode("utf-8") if len(data) <= LONGEST and b"\0" not in data else None
        except (OSError, UnicodeDecodeError):
            return None
        finally:
            os.close(descriptor)
