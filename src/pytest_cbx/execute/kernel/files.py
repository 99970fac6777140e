"""File operations of the kernel that Python does not offer.

Sources: ioctl_ficlone(2), rename(2).
"""

from __future__ import annotations

import enum
import errno
import fcntl
import sys

from pytest_cbx.execute.kernel.libc import system_call

_FICLONE = 0x40049409
_HERE = -100
"""AT_FDCWD: paths are relative to the current directory."""
_NOT_HERE = frozenset(
    {errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.ETXTBSY}
)


class RenameFlag(enum.IntFlag):
    """What a rename does about a name that exists."""

    NONE = 0
    NOREPLACE = 1
    """Fail with EEXIST."""
    EXCHANGE = 2
    """Swap the two."""


def clone(source: int, target: int) -> bool:
    """Let one file share the other's data until one of them is written (a reflink). Descriptors.

    False where the file system cannot; nothing was changed then.

    Raises:
        OSError: the disk is full or broken.
    """
    if sys.platform != "linux":
        return False
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno in _NOT_HERE:
            return False
        raise
    return True


def rename(old: bytes, new: bytes, flags: RenameFlag = RenameFlag.NONE) -> None:
    """Rename with flags.

    Raises:
        OSError: as rename(2), with both paths; EINVAL where the file system lacks the flag.
    """
    try:
        system_call("renameat2", _HERE, old, _HERE, new, flags)
    except OSError as error:
        number = error.errno or 0
        raise OSError(number, error.strerror, old, None, new) from None
