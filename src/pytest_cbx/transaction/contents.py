"""Where the content of a file lies, and whether two are the same."""

from __future__ import annotations

import os
from dataclasses import dataclass

from pytest_cbx.transaction.disk import Disk

_CHUNK = 1 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


@dataclass(frozen=True, slots=True)
class Content:
    """Where the content of a file that was is found now."""

    path: bytes
    offset: int = 0
    size: int = -1
    """-1: the whole file."""


def contents_differ(disk: Disk, one: Content, other: bytes) -> bool:
    """Byte by byte, unless they are the same file or differ in size. What may not be read is told to differ.

    Raises:
        OSError: one of them cannot be read for another reason.
    """
    try:
        return _bytes_differ(disk, one, other)
    except PermissionError:
        return True


def _bytes_differ(disk: Disk, one: Content, other: bytes) -> bool:
    second = disk.open(other, _READ)
    try:
        if one.size >= 0 and one.size != disk.fstat(second).st_size:
            return True
        first = disk.open(one.path, _READ)
        try:
            left, right = disk.fstat(first), disk.fstat(second)
            if (left.st_dev, left.st_ino) == (right.st_dev, right.st_ino):
                return False
            if one.size < 0 and left.st_size != right.st_size:
                return True
            if one.offset:
                disk.lseek(first, one.offset, os.SEEK_SET)
            rest = right.st_size
            while rest > 0:
                data = disk.read(second, min(rest, _CHUNK))
                if not data or data != disk.read(first, len(data)):
                    return True
                rest -= len(data)
            return False
        finally:
            disk.close(first)
    finally:
        disk.close(second)
