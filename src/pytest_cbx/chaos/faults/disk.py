"""Faults of the disk, as a command sees them."""

from __future__ import annotations

import errno
from typing import Unpack

from pytest_cbx.chaos.faults.kinds import Family, Kind, Planned, When, planned
from pytest_cbx.faults.model import CHANGING, Delay, Fail, FailThenPretend, Part

WRITING = ("write", "pwrite64", "writev", "pwritev", "pwritev2", "fallocate", "copy_file_range", "sendfile")
"""Calls that give an open file more bytes."""
IN_PARTS = ("write", "pwrite64", "writev", "pwritev", "pwritev2")
"""Calls of which a part can be done on the caller's behalf."""
FLUSHING = ("fsync", "fdatasync", "sync_file_range", "msync", "syncfs")


def disk_full(**when: Unpack[When]) -> Planned:
    """ENOSPC: what would change something, or write, fails."""
    return planned(Fail(error=errno.ENOSPC), when, calls=(CHANGING, *WRITING))


def disk_error(error: int = errno.EIO, **when: Unpack[When]) -> Planned:
    """EIO, or another error of the disk."""
    return planned(Fail(error=error), when, calls=(CHANGING, *WRITING))


def read_only(**when: Unpack[When]) -> Planned:
    """EROFS from the n-th change on: the file system was mounted anew, for reading only. What is open can still be written."""
    return planned(Fail(error=errno.EROFS), when, calls=(CHANGING,), lasting=True)


def quota(**when: Unpack[When]) -> Planned:
    """EDQUOT: the user's share of the disk is used up."""
    return planned(Fail(error=errno.EDQUOT), when, calls=(CHANGING, *WRITING))


def short_write(share: float = 0.5, **when: Unpack[When]) -> Planned:
    """A write writes only a share of its bytes, and says so: right programs write the rest."""
    return planned(Part(share=share), when, calls=IN_PARTS)


def torn_write(share: float = 0.5, **when: Unpack[When]) -> Planned:
    """A write writes a share of its bytes, then the caller is killed."""
    return planned(Part(share=share, kill=True), when, calls=IN_PARTS)


def slow(seconds: float = 0.1, **when: Unpack[When]) -> Planned:
    """Calls that change something, write or flush take so much longer, from the n-th on."""
    return planned(Delay(seconds=seconds), when, calls=(CHANGING, *WRITING, *FLUSHING), lasting=True)


def fsync_lies(error: int = errno.EIO, **when: Unpack[When]) -> Planned:
    """A flush fails once; each later one succeeds without doing anything, as after a lost write-back."""
    return planned(FailThenPretend(error=error), when, calls=FLUSHING, lasting=True)


KINDS = (
    Kind(name="disk_full", family=Family.DISK, about="no space left (ENOSPC)", build=disk_full),
    Kind(name="disk_error", family=Family.DISK, about="an error of the disk (EIO)", build=disk_error),
    Kind(name="read_only", family=Family.DISK, about="a file system that became read-only (EROFS)", build=read_only),
    Kind(name="quota", family=Family.DISK, about="the quota is used up (EDQUOT)", build=quota),
    Kind(name="short_write", family=Family.DISK, about="a write that writes less", build=short_write),
    Kind(name="torn_write", family=Family.DISK, about="a write cut by a kill", build=torn_write),
    Kind(name="slow", family=Family.DISK, about="a slow disk", build=slow),
    Kind(
        name="fsync_lies", family=Family.DISK, about="a flush that fails once and lies from then on", build=fsync_lies
    ),
)
