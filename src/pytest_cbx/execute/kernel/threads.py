"""What a thread can have for itself instead of sharing it with the whole process."""

from __future__ import annotations

from pytest_cbx.execute.kernel.libc import system_call

_CLONE_FS = 0x200
"""Source: linux/sched.h."""


def own_filesystem_context() -> None:
    """Give the calling thread its own current directory, root and umask; what it starts inherits these.

    Raises:
        OSError: ENOSYS or EPERM where the system cannot or may not do it; the thread must not `chdir` then, since that
            would move every thread.
    """
    system_call("unshare", _CLONE_FS, what="no file system context of its own for a thread")
