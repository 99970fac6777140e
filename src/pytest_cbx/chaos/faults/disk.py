"""Faults of the disk, as a command sees them."""

from __future__ import annotations

import errno
from typing import Unpack

from pytest_cbx.chaos.faults.kinds import Family, Kind, Planned, When, planned
from pytest_cbx.faults.model import CHANGING, Fail

WRITING = ("write", "pwrite64", "writev", "pwritev", "pwritev2", "fallocate", "copy_file_range", "sendfile")
"""Calls that give an open file more bytes."""


def disk_full(**when: Unpack[When]) -> Planned:
    """ENOSPC: what would change something, or write, fails."""
    return planned(Fail(error=errno.ENOSPC), when, calls=(CHANGING, *WRITING))


def disk_error(error: int = errno.EIO, **when: Unpack[When]) -> Planned:
    """EIO, or another error of the disk."""
    return planned(Fail(error=error), when, calls=(CHANGING, *WRITING))


KINDS = (
    Kind(name="disk_full", family=Family.DISK, about="ENOSPC", build=disk_full),
    Kind(name="disk_error", family=Family.DISK, about="EIO", build=disk_error),
)
