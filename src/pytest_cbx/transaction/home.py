"""Where the journals of a work tree lie: on its file system, and out of everybody's way.

    <home>/<engine's token>/owner.lock    held as long as the engine lives; recovery is whoever gets it
    <home>/<engine's token>/<number>/     one transaction: see `journal`

Everything is of mode 0700 and ours. What is empty is removed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import filelock

from pytest_cbx.errors import JournalError
from pytest_cbx.transaction.copying import Clone, no_clone
from pytest_cbx.transaction.disk import DISK, Disk
from pytest_cbx.transaction.model import Budget
from pytest_cbx.transaction.transaction import Transaction

OWNER_LOCK = b"owner.lock"
INSIDE = b".cbx"
"""The home's name in the work tree itself."""
RESERVE = 256 * 1024
"""Bytes that the owner's lock holds, to be given up where a roll back finds the disk full: it has to write how far it is."""
_OURS = b"pytest-cbx"
_NOTE = b".gitignore"
_ATTEMPTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The folder of all journals of one work tree; it need not be there."""

    path: bytes
    workspace: bytes
    inside: bool
    """Whether it lies in the work tree."""

    def is_note(self, path: bytes) -> bool:
        """Whether this is the note in the home that keeps git away from it, and no engine's folder."""
        return self.inside and path == self.path + b"/" + _NOTE

    def make(self) -> None:
        """Make it, if it is not there. The work tree's own times stay as they are.

        Raises:
            JournalError: it cannot be made, or belongs to somebody else.
        """
        try:
            if not self.inside:
                os.makedirs(os.path.dirname(os.path.dirname(self.path)), 0o700, exist_ok=True)
                _make_folder(os.path.dirname(self.path))
            with self._times_kept():
                _make_folder(self.path)
            if self.inside:
                self._write_note()
        except OSError as error:
            raise JournalError(self.path, error) from error

    def remove_if_empty(self) -> None:
        """Remove it when no journal is left in it."""
        try:
            names = os.listdir(self.path)
        except (FileNotFoundError, NotADirectoryError):
            return
        if any(not self.is_note(self.path + b"/" + name) for name in names):
            return
        with contextlib.suppress(OSError), self._times_kept():
            for name in names:
                os.unlink(self.path + b"/" + name)
            os.rmdir(self.path)
        if not self.inside:
            with contextlib.suppress(OSError):
                os.rmdir(os.path.dirname(self.path))

    def open_engine(self, token: str) -> EngineFolder:
        """Make the folder of an engine and hold its lock.

        Raises:
            JournalError: it cannot be made, or another process holds it.
        """
        folder = self.path + b"/" + os.fsencode(token)
        for _ in range(_ATTEMPTS):
            self.make()
            try:
                _make_folder(folder)
                lock = filelock.FileLock(
                    os.fsdecode(folder + b"/" + OWNER_LOCK), mode=0o600, is_singleton=False, thread_local=False
                )
                lock.acquire(timeout=0)
            except FileNotFoundError:
                continue  # a recovery took it for one that is left, and removed it
            except filelock.Timeout:
                continue  # it is looking at it
            except OSError as error:
                raise JournalError(folder, error) from error
            if os.path.lexists(folder + b"/" + OWNER_LOCK):
                return EngineFolder(self, folder, token, lock)
            lock.release()
        raise JournalError(folder, OSError(errno.EBUSY, "another process holds it"))

    @contextlib.contextmanager
    def _times_kept(self) -> Iterator[None]:
        if not self.inside:
            yield
            return
        before = os.lstat(self.workspace)
        yield
        now = os.lstat(self.workspace)
        if (now.st_atime_ns, now.st_mtime_ns) != (before.st_atime_ns, before.st_mtime_ns):
            os.utime(self.workspace, ns=(before.st_atime_ns, before.st_mtime_ns))

    def _write_note(self) -> None:
        path = self.path + b"/" + _NOTE
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                os.write(descriptor, b"*\n")
            finally:
                os.close(descriptor)


class EngineFolder:
    """The journals of one engine, whose lock this process holds. A context manager, too."""

    def __init__(self, home: Home, path: bytes, token: str, lock: filelock.BaseFileLock) -> None:
        """For `Home.open_engine`."""
        self.home = home
        self.path = path
        self._token = token
        self._lock = lock
        self._number = 0
        self._reserved = False

    def __enter__(self) -> EngineFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def begin(
        self,
        label: str = "",
        roots: tuple[bytes, ...] = (),
        durability: str = "process",
        *,
        budget: Budget | None = None,
        clone: Clone = no_clone,
        disk: Disk = DISK,
    ) -> Transaction:
        """Begin a transaction. `roots` are absolute; none: the work tree alone.

        Raises:
            JournalError: its journal cannot be made.
        """
        self._reserve()
        self._number += 1
        return Transaction.begin(
            b"%s/%d" % (self.path, self._number),
            token=self._token,
            roots=roots or (self.home.workspace,),
            label=label,
            durability=durability,
            budget=budget,
            clone=clone,
            disk=disk,
        )

    def spend_reserve(self) -> bool:
        """Make room on a full disk for the end of a transaction; it is taken again before the next one. Returns whether there was any."""
        spent, self._reserved = self._reserved, False
        if spent:
            try:
                os.truncate(self._lock_path, 0)
            except OSError:  # it is not for want of room that things fail, then
                return False
        return spent

    @property
    def _lock_path(self) -> bytes:
        return self.path + b"/" + OWNER_LOCK

    def _reserve(self) -> None:
        if self._reserved or not hasattr(os, "posix_fallocate"):
            return
        try:
            descriptor = os.open(self._lock_path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.posix_fallocate(descriptor, 0, RESERVE)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise JournalError(self.path, error) from error
        self._reserved = True

    def close(self) -> None:
        """Let go of the lock, and remove what is empty. Transactions that are not ended are left to recovery. Idempotent."""
        if not self._lock.is_locked:
            return
        self.spend_reserve()
        try:
            if os.listdir(self.path) in ([OWNER_LOCK], []):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.path + b"/" + OWNER_LOCK)
                os.rmdir(self.path)
        except OSError:
            pass  # a file more, or less: recovery looks at it again
        finally:
            self._lock.release()
        self.home.remove_if_empty()


def find_home(workspace: bytes, environ: Mapping[bytes, bytes]) -> Home:
    """Where the journals of this work tree lie: the user's state directory when it is on the same file system, else the work tree.

    Nothing is made. `workspace` is absolute, and no part of it a link.
    """
    outside = _state_home(workspace, environ)
    if outside is not None and _may_link(workspace, outside):
        return Home(path=outside, workspace=workspace, inside=False)
    return Home(path=workspace.rstrip(b"/") + b"/" + INSIDE, workspace=workspace, inside=True)


def possible_homes(workspace: bytes, environ: Mapping[bytes, bytes]) -> tuple[Home, ...]:
    """The home, and the other one if that is there, too: an earlier run had another environment."""
    chosen = find_home(workspace, environ)
    homes = [chosen]
    outside = _state_home(workspace, environ)
    inside = workspace.rstrip(b"/") + b"/" + INSIDE
    other = outside if chosen.inside else inside
    if other is not None and os.path.isdir(other) and not os.path.islink(other):
        homes.append(Home(path=other, workspace=workspace, inside=not chosen.inside))
    return tuple(homes)


def _state_home(workspace: bytes, environ: Mapping[bytes, bytes]) -> bytes | None:
    """Outside of the work tree; None where there is no such place. Source: XDG Base Directory Specification."""
    base = environ.get(b"XDG_STATE_HOME", b"")
    if not base.startswith(b"/"):
        user = environ.get(b"HOME", b"")
        if not user.startswith(b"/"):
            return None
        base = user + b"/.local/state"
    base = os.path.realpath(base)
    if base == workspace or base.startswith(workspace.rstrip(b"/") + b"/"):
        return None
    digest = hashlib.blake2b(workspace, digest_size=12).hexdigest()
    return b"/".join((base, _OURS, digest.encode()))


def _may_link(workspace: bytes, path: bytes) -> bool:
    """Whether a file can have a name in both: one device, one mount (a bind mount is another, link(2) says EXDEV), ours to write."""
    there = path
    while not os.path.lexists(there):
        there = os.path.dirname(there)
    try:
        return _mount(there) == _mount(workspace) and os.access(there, os.W_OK | os.X_OK)
    except OSError:
        return False


def _mount(path: bytes) -> tuple[int, bytes]:
    """Device and number of the mount. Source: proc_pid_fdinfo(5)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        device = os.fstat(descriptor).st_dev
        try:
            with open(f"/proc/self/fdinfo/{descriptor}", "rb") as facts:
                lines = facts.read().splitlines()
        except OSError:
            lines = []
        return device, next((line for line in lines if line.startswith(b"mnt_id:")), b"")
    finally:
        os.close(descriptor)


def _make_folder(path: bytes) -> None:
    """Make a folder of ours, or find it.

    Raises:
        OSError: it is something else, or somebody else's.
    """
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, "it is not a directory; journals need one here", path)
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PermissionError(errno.EPERM, "it is another user's, or others may write it", path)
