"""Copies of file contents: shared extents where the file system can, holes stay holes."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator

from pytest_cbx.transaction.disk import Disk

Clone = Callable[[int, int], bool]
"""Shares the extents of a source descriptor with a target descriptor; False where that is not possible."""
_SMALL = 1 << 16
_CHUNK = 1 << 20
_LARGE = 1 << 26
"""Bytes that are copied without a look whether to go on."""
_NOT_HERE = frozenset((errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF, errno.EPERM))


def no_clone(source: int, target: int) -> bool:
    """For file systems without reflinks, and where the call is not known."""
    return False


def copy(
    disk: Disk, source: int, target: int, clone: Clone = no_clone, go_on: Callable[[], bool] = lambda: True
) -> None:
    """Copy what `source` holds into `target`, which is empty; both are descriptors of regular files.

    Raises:
        OSError: a part could not be read or written, or `go_on` said no.
    """
    info = disk.fstat(source)
    if info.st_size <= _SMALL and info.st_blocks * 512 >= info.st_size:
        while data := disk.read(source, _SMALL + 1):
            write_all(disk, target, data)
        return
    if clone(source, target):
        return
    for start, end in _extents(disk, source, info.st_size):
        disk.lseek(source, start, os.SEEK_SET)
        disk.lseek(target, start, os.SEEK_SET)
        _copy_extent(disk, source, target, end - start, go_on)
    disk.ftruncate(target, disk.fstat(source).st_size)


def _extents(disk: Disk, source: int, size: int) -> Iterator[tuple[int, int]]:
    """Where data is, holes left out. Source: lseek(2), SEEK_DATA."""
    if not hasattr(os, "SEEK_DATA"):
        yield 0, size
        return
    end = 0
    while end < size:
        try:
            start = disk.lseek(source, end, os.SEEK_DATA)
            end = disk.lseek(source, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole up to the end
                return
            if error.errno == errno.EINVAL:
                yield end, size
                return
            raise
        yield start, end


def _copy_extent(disk: Disk, source: int, target: int, size: int, go_on: Callable[[], bool]) -> None:
    fast = disk.copy_file_range
    while size > 0:
        if not go_on():
            raise OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))
        if fast is not None:
            try:
                done = fast(source, target, min(size, _LARGE))
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                fast = None
                continue
            if done == 0:
                return
            size -= done
            continue
        data = disk.read(source, min(size, _CHUNK))
        if not data:
            return
        write_all(disk, target, data)
        size -= len(data)


def write_all(disk: Disk, target: int, data: bytes) -> None:
    """write(2) until all is written."""
    view = memoryview(data)
    while view:
        view = view[disk.write(target, view) :]
