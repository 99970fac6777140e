"""The file operations of a transaction, in one place, so that a simulation can stand in for them."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable


class Disk:
    """The system's own calls. A subclass may count, refuse or lose them.

    Attributes, not methods that call on: a lookup costs nothing on the way of a trapped call.
    """

    lstat = staticmethod(os.lstat)
    open = staticmethod(os.open)
    close = staticmethod(os.close)
    write = staticmethod(os.write)
    read = staticmethod(os.read)
    lseek = staticmethod(os.lseek)
    fstat = staticmethod(os.fstat)
    fsync = staticmethod(os.fsync)
    sync = staticmethod(os.sync)
    ftruncate = staticmethod(os.ftruncate)
    link = staticmethod(os.link)
    symlink = staticmethod(os.symlink)
    readlink = staticmethod(os.readlink)
    rename = staticmethod(os.rename)
    unlink = staticmethod(os.unlink)
    mkdir = staticmethod(os.mkdir)
    rmdir = staticmethod(os.rmdir)
    mknod = staticmethod(os.mknod)
    chmod = staticmethod(os.chmod)
    chown = staticmethod(os.chown)
    utime = staticmethod(os.utime)
    statvfs = staticmethod(os.statvfs)
    if hasattr(os, "listxattr"):  # Linux
        listxattr = staticmethod(os.listxattr)
        getxattr = staticmethod(os.getxattr)
        setxattr = staticmethod(os.setxattr)
        removexattr = staticmethod(os.removexattr)
    copy_file_range: Callable[[int, int, int], int] | None = (
        staticmethod(os.copy_file_range) if hasattr(os, "copy_file_range") else None
    )

    def listdir(self, path: bytes) -> list[bytes]:
        """Names in a directory."""
        return os.listdir(path)

    def flush(self, path: bytes) -> None:
        """fsync(2) of a regular file or a directory by its name.

        What is not there has nothing to flush; links, sockets and the like cannot be opened for it: their directory carries them.
        """
        try:
            if stat.S_IFMT(self.lstat(path).st_mode) not in (stat.S_IFREG, stat.S_IFDIR):
                return
            descriptor = self.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return
        except PermissionError:
            self.sync()  # a file of ours that we may not read: all that there is, then
            return
        try:
            self.fsync(descriptor)
        finally:
            self.close(descriptor)


DISK = Disk()
"""The real one."""
