"""The journal of one root transaction: a file of records, and beside it the files that were kept."""

from __future__ import annotations

import contextlib
import errno
import os

from pytest_cbx.errors import JournalDamaged, JournalError
from pytest_cbx.transaction import records
from pytest_cbx.transaction.disk import Disk
from pytest_cbx.transaction.records import Header, Kind, Record

FILE = b"journal"
POOL = b"pool"
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


class Journal:
    """Appends. A record is with the kernel when `append` returns, and with `power` on the disk: it survives our death at any point."""

    def __init__(self, folder: bytes, header: Header, disk: Disk, descriptor: int, kept: int) -> None:
        """For `create` and `load`."""
        self.folder = folder
        self.header = header
        self.disk = disk
        self.power = header.durability == "power"
        self._descriptor = descriptor
        self._kept = kept
        self._size = 0
        self.unflushed: OSError | None = None
        """Why a flush failed: the kernel may have dropped what it could not write, and says so only once."""
        self._torn = False
        """There may be more in the file than was appended."""
        self._pool = -1
        self._pool_torn = False
        self._pool_size = 0
        self._read: tuple[int, list[Record]] = (0, [])

    @classmethod
    def create(cls, folder: bytes, header: Header, disk: Disk) -> Journal:
        """Make the folder (its parent is there) and the file in it.

        Raises:
            JournalError: it cannot be made.
        """
        try:
            disk.mkdir(folder, 0o700)
            try:
                descriptor = disk.open(folder + b"/" + FILE, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
            except OSError:
                with contextlib.suppress(OSError):
                    disk.rmdir(folder)
                raise
        except OSError as error:
            raise JournalError(folder, error) from error
        journal = cls(folder, header, disk, descriptor, 0)
        try:
            journal.append(records.header(header))
            if journal.power:
                journal.flush_folder()
                disk.flush(os.path.dirname(folder))
        except (JournalError, OSError) as error:
            with contextlib.suppress(OSError):  # nothing was changed under it; what stays is removed by recovery
                journal.remove()
            raise error if isinstance(error, JournalError) else JournalError(folder, error) from error
        return journal

    @classmethod
    def load(cls, folder: bytes, disk: Disk) -> tuple[Journal, list[Record]]:
        """What a dead process left. A torn tail is cut off.

        Raises:
            JournalDamaged: it is no journal of ours, or damaged before its end.
            JournalError: it cannot be read.
        """
        path = folder + b"/" + FILE
        try:
            data = read_file(disk, path)
            header, found, whole = records.read(data, os.fsdecode(path))
            descriptor = disk.open(path, _FLAGS)
            if whole < len(data):
                disk.ftruncate(descriptor, whole)
        except OSError as error:
            raise JournalError(folder, error) from error
        kept = max((record.kept for record in found), default=0)
        journal = cls(folder, header, disk, descriptor, kept)
        journal._size = whole
        return journal, found

    def append(self, data: bytes) -> None:
        """Write one or more records.

        Raises:
            JournalError: they cannot be written; none of them is in the journal then.
        """
        try:
            self._cut()
            written = self.disk.write(self._descriptor, data)
            if written != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if self.power:
                self.flush()
        except OSError as error:
            self._torn = True
            with contextlib.suppress(OSError):
                self._cut()
            raise JournalError(self.folder, error) from error
        self._size += written

    def _cut(self) -> None:
        """Take away what a failed `append` has left behind the last whole record; tried again until it can be done."""
        if self._torn:
            self.disk.ftruncate(self._descriptor, self._size)
            self._torn = False

    def note(self, data: bytes) -> None:
        """Write one record without waiting for the disk, also with `power`."""
        power, self.power = self.power, False
        try:
            self.append(data)
        finally:
            self.power = power

    def state(self, kind: Kind) -> None:
        """Write a record that has no payload."""
        self.append(records.frame(kind, 0, b""))

    def next_kept(self) -> int:
        """A fresh number for a kept file."""
        self._kept += 1
        return self._kept

    def kept_path(self, number: int) -> bytes:
        """Where a kept file lies."""
        return b"%s/%d" % (self.folder, number)

    @property
    def size(self) -> int:
        """Bytes that were appended so far."""
        return self._size

    @property
    def pool_path(self) -> bytes:
        """Where the copies of small files lie, one behind the other."""
        return self.folder + b"/" + POOL

    def pool(self, data: bytes) -> int:
        """Keep the content of a small file; returns its offset. With `power` it is on the disk then.

        Raises:
            OSError: it cannot be written; nothing is kept then.
        """
        disk, start = self.disk, self._pool_size
        if self._pool < 0:
            self._pool = disk.open(self.pool_path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
            if self.power:
                self.flush_folder()
        if self._pool_torn:
            disk.ftruncate(self._pool, start)
            self._pool_torn = False
        try:
            if disk.write(self._pool, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if self.power:
                disk.fsync(self._pool)
        except OSError:
            self._pool_torn = True
            disk.ftruncate(self._pool, start)
            self._pool_torn = False
            raise
        self._pool_size = start + len(data)
        return start

    def pooled(self, offset: int, size: int) -> bytes:
        """What `pool` kept.

        Raises:
            OSError: it cannot be read, or is not all there.
        """
        disk = self.disk
        descriptor = disk.open(self.pool_path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            disk.lseek(descriptor, offset, os.SEEK_SET)
            data = disk.read(descriptor, size)
        finally:
            disk.close(descriptor)
        if len(data) != size:
            raise OSError(errno.EIO, "a kept copy is cut off", os.fsdecode(self.pool_path))
        return data

    def records(self) -> list[Record]:
        """All that was appended so far; not to be changed."""
        if self._read[0] == self._size:
            return self._read[1]
        path = self.folder + b"/" + FILE
        try:
            data = read_file(self.disk, path)
        except OSError as error:
            raise JournalError(self.folder, error) from error
        _, found, whole = records.read(data[: self._size] if self._torn else data, os.fsdecode(path))
        if whole != self._size:
            raise JournalDamaged(os.fsdecode(path), f"{self._size} bytes were written, {whole} can be read")
        self._read = (whole, found)
        return found

    def flush(self) -> None:
        """fsync(2) of the file.

        Raises:
            OSError: it failed, and is remembered in `unflushed`.
        """
        try:
            self.disk.fsync(self._descriptor)
        except OSError as error:
            self.unflushed = error
            raise

    def flush_folder(self) -> None:
        """fsync(2) of the folder: names of kept files."""
        self.disk.flush(self.folder)

    def close(self) -> None:
        """Let go of the descriptor; idempotent."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                self._cut()
            self.disk.close(self._descriptor)
            self._descriptor = -1
        if self._pool >= 0:
            self.disk.close(self._pool)
            self._pool = -1

    def remove(self) -> None:
        """Drop file and folder: the kept files first, so that the journal says to the last what the folder is.

        Raises:
            OSError: something could not be removed.
        """
        self.close()
        try:
            names = self.disk.listdir(self.folder)
        except FileNotFoundError:
            return
        for name in names:
            if name != FILE:
                self.disk.unlink(self.folder + b"/" + name)
        if self.power:
            self.flush_folder()
        with contextlib.suppress(FileNotFoundError):
            self.disk.unlink(self.folder + b"/" + FILE)
        self.disk.rmdir(self.folder)


def read_file(disk: Disk, path: bytes) -> bytes:
    """The whole of a file."""
    descriptor = disk.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        parts = []
        while part := disk.read(descriptor, 1 << 20):
            parts.append(part)
        return b"".join(parts)
    finally:
        disk.close(descriptor)
