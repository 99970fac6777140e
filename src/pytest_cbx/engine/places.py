"""Where an engine can be found: one private directory a user, one below it a work tree."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pytest_cbx.errors import UsageError

_TRIES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendezvous:
    """The files by which engine and clients of one work tree meet."""

    tree: str
    """Hash of the work tree's real path; part of every token."""
    directory: Path

    @property
    def socket(self) -> Path:
        """Where the engine listens."""
        return self.directory / "engine.sock"

    @property
    def lock(self) -> Path:
        """Held by the engine as long as it lives."""
        return self.directory / "engine.lock"

    @property
    def start_lock(self) -> Path:
        """Held by the client that starts an engine, so that eight at once do not start eight."""
        return self.directory / "start.lock"

    @property
    def log(self) -> Path:
        """What a failing engine had to say."""
        return self.directory / "engine.log"


def tree_of(root: Path) -> str:
    """16 hexadecimal digits that stand for a work tree, whatever way leads to it."""
    return hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()[:16]


def rendezvous(root: Path) -> Rendezvous:
    """The meeting place for a work tree; its directory is made if need be.

    Raises:
        UsageError: the runtime directory belongs to somebody else, or others may enter it.
    """
    tree = tree_of(root)
    return Rendezvous(tree=tree, directory=_private(runtime_directory() / tree))


def runtime_directory() -> Path:
    """`$XDG_RUNTIME_DIR/pytest-cbx`, or `<temporary directory>/pytest-cbx-<uid>`; mode 0700, ours, no symlink."""
    given = os.environ.get("XDG_RUNTIME_DIR", "")
    # A unix socket's path is at most 107 bytes long; below this one come 17 + 12 characters.
    if given and os.path.isabs(given) and len(os.fsencode(given)) < 60 and _is_private(Path(given)):
        directory = Path(given) / "pytest-cbx"
    else:
        base = tempfile.gettempdir()
        directory = Path(base if len(os.fsencode(base)) < 50 else "/tmp") / f"pytest-cbx-{os.getuid()}"
    return _private(directory)


def _private(directory: Path) -> Path:
    """The directory, made if need be. An engine that is just leaving may remove it at the same time."""
    for _ in range(_TRIES):
        try:
            directory.parent.mkdir(mode=0o700, exist_ok=True)
            directory.mkdir(mode=0o700, exist_ok=True)
        except FileNotFoundError:
            continue
        except FileExistsError:
            # It was there when it was to be made, and is gone again; or it is no directory.
            if os.path.lexists(directory) and not directory.is_dir():
                break
            continue
        except OSError as error:
            raise UsageError(f"{directory} cannot be made: {error.strerror}; set XDG_RUNTIME_DIR or TMPDIR") from error
        private = _is_private(directory)
        if private:
            return directory
        if private is False:
            break
    raise UsageError(
        f"{directory} must be a directory of yours that nobody else may enter (mode 0700); "
        "remove it, or set XDG_RUNTIME_DIR to a private directory"
    )


def _is_private(directory: Path) -> bool | None:
    """Whether it is a directory, ours, and nobody else's to enter; None when there is nothing of that name."""
    try:
        found = directory.lstat()
    except OSError:
        return None
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
