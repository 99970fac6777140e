"""Pre-images: what is kept in the journal's folder before a call may go on."""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from pytest_cbx.errors import JournalError, PreimageLimit
from pytest_cbx.transaction import meta as metas
from pytest_cbx.transaction import records
from pytest_cbx.transaction.copying import Clone, copy
from pytest_cbx.transaction.disk import Disk
from pytest_cbx.transaction.journal import Journal
from pytest_cbx.transaction.meta import Meta
from pytest_cbx.transaction.model import Budget
from pytest_cbx.transaction.records import Kept

_NO_LINK = frozenset((errno.EMLINK, errno.EXDEV, errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.ENOSYS))
_CHECK_SPACE = 1 << 16
"""Bytes from which on the file system is asked for its free space beforehand."""
POOLED = 1 << 15
"""Bytes up to which a file is kept in the pool."""
_NO_ATIME = getattr(os, "O_NOATIME", 0)
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class Preparation:
    """A copy that is to be made before a file is written in place."""

    __slots__ = ("_clone", "_disk", "_given_up", "_kept", "cost", "meta", "number", "path", "power")

    def __init__(self, path: bytes, meta: Meta, cost: int, keeper: Keeper) -> None:
        """For `Keeper.prepare`."""
        self.path = path
        self.number = keeper.journal.next_kept()
        self.meta = meta
        self.cost = cost
        """Bytes."""
        self.power = keeper.journal.power
        self._kept = keeper.journal.kept_path(self.number)
        self._disk = keeper.disk
        self._clone = keeper.clone
        self._given_up = False

    def give_up(self) -> None:
        """Have a copy that is being made end soon, with an error."""
        self._given_up = True

    def _go_on(self) -> bool:
        return not self._given_up

    def copy(self) -> None:
        """Copy the content, in any thread.

        Raises:
            JournalError: it cannot be read or written; nothing is left behind.
        """
        disk = self._disk
        try:
            source = _open_unseen(disk, self.path, self.meta.mode)
            try:
                target = disk.open(self._kept, _MAKE, 0o600)
                try:
                    copy(disk, source, target, self._clone, go_on=self._go_on)
                    if self.power:
                        disk.fsync(target)
                finally:
                    disk.close(target)
            finally:
                disk.close(source)
        except OSError as error:
            self.discard()
            raise JournalError(self.path, error) from error

    def discard(self) -> None:
        """Remove the copy."""
        with contextlib.suppress(OSError):
            self._disk.unlink(self._kept)


class Keeper:
    """Keeps inodes for one root transaction, and counts what that costs."""

    def __init__(self, journal: Journal, disk: Disk, clone: Clone, budget: Budget | None) -> None:
        self.clone = clone
        self.taken = 0
        """Bytes charged to the budget."""
        self.journal = journal
        self.disk = disk
        self._budget = budget

    def must_unlock(self, info: os.stat_result) -> bool:
        """Whether reading needs the mode changed for a moment: a file of ours that we may not read."""
        return not info.st_mode & stat.S_IRUSR and os.geteuid() != 0

    def prepare(self, path: bytes, info: os.stat_result) -> Preparation:
        """Take the metadata and the room for a copy.

        Raises:
            PreimageLimit: there is no room.
        """
        cost = min(info.st_size, info.st_blocks * 512)
        self._charge(path, cost)
        return Preparation(path, self._meta(path, info), cost, self)

    def pool(self, path: bytes, info: os.stat_result) -> tuple[tuple[int, int], Meta] | None:
        """Keep a small file at once; None: it is not small. Returns where in the pool it is, and its metadata.

        Raises:
            PreimageLimit, JournalError: it cannot be kept.
        """
        if info.st_size > POOLED or info.st_blocks * 512 < info.st_size:
            return None
        disk = self.disk
        meta = self._meta(path, info)
        self._charge(path, info.st_size)
        try:
            source = _open_unseen(disk, path, info.st_mode)
            try:
                data = disk.read(source, POOLED + 1)
            finally:
                disk.close(source)
            return (self.journal.pool(data), len(data)), meta
        except OSError as error:
            raise JournalError(path, error) from error

    def settle(self, preparation: Preparation) -> None:
        """The copy is complete: make its name last, where power may fail."""
        if preparation.power:
            self.journal.flush_folder()

    def abandon(self, preparation: Preparation) -> None:
        """The copy is not needed."""
        preparation.discard()
        self._refund(preparation.cost)

    def keep(self, scope: int, path: bytes, info: os.stat_result) -> bytes:
        """Keep what is about to lose its name, and return the record.

        Raises:
            PreimageLimit, JournalError: it cannot be kept.
        """
        journal, disk = self.journal, self.disk
        number = journal.next_kept()
        meta = self._meta(path, info)
        how, target = Kept.LINK, b""
        try:
            disk.link(path, journal.kept_path(number), follow_symlinks=False)
        except FileNotFoundError:
            return b""
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise JournalError(path, error) from error
            how, target, number = self._keep_otherwise(path, info, meta)
        if journal.power and how is not Kept.DATA:
            journal.flush_folder()
        return records.linked(scope, path, kept=number, how=how, meta=meta, target=target)

    def release(self) -> None:
        """Give back all that was charged."""
        self._refund(self.taken)

    def _meta(self, path: bytes, info: os.stat_result) -> Meta:
        try:
            return metas.take(self.disk, path, info)
        except OSError as error:
            raise JournalError(path, error) from error

    def _keep_otherwise(self, path: bytes, info: os.stat_result, meta: Meta) -> tuple[Kept, bytes, int]:
        require_owner(path, info)
        if stat.S_ISLNK(info.st_mode):
            try:
                return Kept.DATA, self.disk.readlink(path), 0
            except OSError as error:
                raise JournalError(path, error) from error
        if not stat.S_ISREG(info.st_mode):
            return Kept.DATA, b"", 0
        cost = min(info.st_size, info.st_blocks * 512)
        self._charge(path, cost)
        preparation = Preparation(path, meta, cost, self)
        preparation.copy()
        return Kept.COPY, b"", preparation.number

    def _charge(self, path: bytes, size: int) -> None:
        budget = self._budget
        if budget is None or size == 0:
            return
        if size >= _CHECK_SPACE:
            space = self.disk.statvfs(self.journal.folder)
            free = space.f_bavail * space.f_frsize - budget.free_reserve
            if size > free:
                raise PreimageLimit(path, size, max(free, 0))
        if not budget.take(size):
            raise PreimageLimit(path, size, max(budget.limit - budget.used, 0))
        self.taken += size

    def _refund(self, size: int) -> None:
        if self._budget is not None and size:
            self._budget.give_back(size)
            self.taken -= size


def require_owner(path: bytes, info: os.stat_result) -> None:
    """For what would have to be made anew.

    Raises:
        JournalError: it belongs to somebody else, and only root can give a file away.
    """
    if info.st_uid != os.geteuid() and os.geteuid() != 0:
        raise JournalError(
            path, PermissionError(errno.EPERM, "it belongs to another user, so it could not be brought back")
        )


def _open_unseen(disk: Disk, path: bytes, mode: int) -> int:
    """Open for reading without leaving an access time, where we may."""
    try:
        return disk.open(path, _READ | _NO_ATIME)
    except PermissionError:
        pass
    try:
        return disk.open(path, _READ)
    except PermissionError:
        if mode & stat.S_IRUSR:
            raise
    # A file of ours that we may not read; the journal has its mode already.
    disk.chmod(path, stat.S_IMODE(mode) | stat.S_IRUSR)
    try:
        return disk.open(path, _READ)
    finally:
        disk.chmod(path, stat.S_IMODE(mode))
