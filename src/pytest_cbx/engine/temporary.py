"""A private temporary directory for each instance, which goes with it."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from pytest_cbx.errors import UsageError

VARIABLES = (b"TMPDIR", b"TMP", b"TEMP")
_SAFE = "safe"


def temporary_root() -> Path:
    """`<temporary directory>/pytest-cbx-<uid>-tmp`: below it one folder an engine, named by its token."""
    base = tempfile.gettempdir()
    # A socket's path is at most 107 bytes long, and programs put sockets here.
    return Path(base if len(os.fsencode(base)) < 30 else "/tmp") / f"pytest-cbx-{os.getuid()}-tmp"


class TemporaryFolders:
    """Hands out empty directories. Those of SAFE commands lie together: they are all that these may write."""

    def __init__(self, token: str) -> None:
        self._folder = temporary_root() / token
        self._made = False
        self._next = 0
        self._spare: list[bytes] = []
        self._used: dict[int, tuple[bytes, bool]] = {}

    @property
    def safe(self) -> bytes:
        """The directory that all those of SAFE commands lie in; made if need be."""
        self._make()
        return os.fsencode(self._folder / _SAFE)

    @property
    def root(self) -> bytes:
        """What all of them lie in."""
        return os.fsencode(self._folder)

    def take(self, key: int, *, safe: bool) -> bytes:
        """A directory for the instance with this key."""
        if safe and self._spare:
            path = self._spare.pop()
        else:
            self._make()
            self._next += 1
            folder = self._folder / _SAFE if safe else self._folder
            path = os.fsencode(folder / str(self._next))
            os.mkdir(path, 0o700)
        self._used[key] = (path, safe)
        return path

    def give_back(self, key: int) -> None:
        """The instance has ended: what it left there goes."""
        path, safe = self._used.pop(key, (b"", False))
        if not path:
            return
        if safe and _is_untouched(path):
            self._spare.append(path)
        else:
            remove_tree(path)

    def close(self) -> None:
        """Remove everything."""
        self._used.clear()
        self._spare.clear()
        if self._made:
            remove_tree(os.fsencode(self._folder))
            with contextlib.suppress(OSError):
                self._folder.parent.rmdir()

    def _make(self) -> None:
        if self._made:
            return
        parent = self._folder.parent
        parent.mkdir(mode=0o700, exist_ok=True)
        found = parent.lstat()
        if not parent.is_dir() or parent.is_symlink() or found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise UsageError(f"{parent} must be a directory of yours that nobody else may enter (mode 0700); remove it")
        self._folder.mkdir(mode=0o700)
        (self._folder / _SAFE).mkdir(mode=0o700)
        self._made = True


def _is_untouched(path: bytes) -> bool:
    try:
        with os.scandir(path) as entries:
            return next(entries, None) is None and os.stat(path).st_mode & 0o777 == 0o700
    except OSError:
        return False


def remove_tree(path: bytes) -> None:
    """Remove a directory whatever its permissions; what cannot be removed stays."""

    def make_writable(function: object, name: str | bytes, error: object) -> None:
        with contextlib.suppress(OSError):
            os.chmod(os.path.dirname(name), 0o700)
            os.chmod(name, 0o700, follow_symlinks=not os.path.islink(name))
            if os.path.isdir(name) and not os.path.islink(name):
                shutil.rmtree(name, ignore_errors=True)
            else:
                os.unlink(name)

    shutil.rmtree(path, onerror=make_writable)
