"""File operations of the kernel that Python does not offer.

Source: ioctl_ficlone(2).
"""

from __future__ import annotations

import errno
import fcntl
import sys

_FICLONE = 0x40049409
_NOT_HERE = frozenset(
    {errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.ETXTBSY}
)


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
