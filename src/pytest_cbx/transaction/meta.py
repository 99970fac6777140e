"""What an inode says of itself besides its content: taken before a change, put back after."""

from __future__ import annotations

import errno
import os
import stat
import struct
import time
from dataclasses import dataclass

from pytest_cbx.transaction.disk import Disk

_FIXED = struct.Struct("<IIIQQQQqqqBH")
_ATTRIBUTE = struct.Struct("<HI")
_NO_XATTRS = frozenset((errno.ENOTSUP, errno.EPERM, errno.EACCES, errno.ENODATA, errno.ELOOP, errno.EBADF))
_RACY = 1_000_000_000
"""Nanoseconds. A change time this young may stay the same through another change: clocks of file systems tick in milliseconds,
on some in seconds."""

Xattrs = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Meta:
    """One inode as lstat(2) and listxattr(2) show it. Times in nanoseconds."""

    mode: int
    uid: int
    gid: int
    rdev: int
    device: int
    inode: int
    size: int
    atime: int
    mtime: int
    ctime: int
    racy: int
    """1: an equal change time later does not prove that nothing changed."""
    xattrs: Xattrs = ()

    @property
    def identity(self) -> tuple[int, int]:
        """Device and inode number."""
        return self.device, self.inode

    @property
    def kind(self) -> int:
        """The type, as `stat.S_IFMT` gives it."""
        return stat.S_IFMT(self.mode)

    def is_untouched(self, now: os.stat_result) -> bool:
        """Whether the change time proves that the inode was not written since."""
        return (
            not self.racy
            and now.st_ctime_ns == self.ctime
            and now.st_mtime_ns == self.mtime
            and now.st_size == self.size
            and now.st_ino == self.inode
            and now.st_dev == self.device
        )


def take(disk: Disk, path: bytes, info: os.stat_result) -> Meta:
    """The metadata of `path`, whose lstat is `info`."""
    return Meta(
        info.st_mode,
        info.st_uid,
        info.st_gid,
        getattr(info, "st_rdev", 0),
        info.st_dev,
        info.st_ino,
        info.st_size,
        info.st_atime_ns,
        info.st_mtime_ns,
        info.st_ctime_ns,
        1 if info.st_ctime_ns > time.time_ns() - _RACY else 0,
        read_xattrs(disk, path),
    )


def read_xattrs(disk: Disk, path: bytes) -> Xattrs:
    """All extended attributes that we may see, sorted; POSIX ACLs are among them. Links are not followed."""
    if not hasattr(disk, "listxattr"):
        return ()
    try:
        names = disk.listxattr(path, follow_symlinks=False)
        if not names:
            return ()
        return tuple((name, disk.getxattr(path, name, follow_symlinks=False)) for name in sorted(names))
    except OSError as error:
        if error.errno in _NO_XATTRS:
            return ()
        raise


def pack(meta: Meta) -> bytes:
    """As bytes for the journal."""
    head = _FIXED.pack(
        meta.mode,
        meta.uid,
        meta.gid,
        meta.rdev,
        meta.device,
        meta.inode,
        meta.size,
        meta.atime,
        meta.mtime,
        meta.ctime,
        meta.racy,
        len(meta.xattrs),
    )
    if not meta.xattrs:
        return head
    parts = [head]
    for name, value in meta.xattrs:
        raw = os.fsencode(name)
        parts += (_ATTRIBUTE.pack(len(raw), len(value)), raw, value)
    return b"".join(parts)


def unpack(data: bytes, offset: int) -> tuple[Meta, int]:
    """The value at `offset`, and where it ends.

    Raises:
        struct.error: there is none.
    """
    mode, uid, gid, rdev, device, inode, size, atime, mtime, ctime, racy, count = _FIXED.unpack_from(data, offset)
    offset += _FIXED.size
    xattrs: list[tuple[str, bytes]] = []
    for _ in range(count):
        name, value = _ATTRIBUTE.unpack_from(data, offset)
        start = offset + _ATTRIBUTE.size
        offset = start + name + value
        if offset > len(data):
            raise struct.error("an extended attribute is cut off")
        xattrs.append((os.fsdecode(data[start : start + name]), data[start + name : offset]))
    return Meta(mode, uid, gid, rdev, device, inode, size, atime, mtime, ctime, racy, tuple(xattrs)), offset


def restore(disk: Disk, path: bytes, meta: Meta) -> None:
    """Put mode, owner, extended attributes and times back; what is right already is not touched.

    The order matters: chown(2) clears set-user-id bits and capabilities, all of them change times.

    Raises:
        OSError: one of them could not be put back.
    """
    now = disk.lstat(path)
    if stat.S_IFMT(now.st_mode) != meta.kind:
        return
    if (now.st_uid, now.st_gid) != (meta.uid, meta.gid):
        disk.chown(path, meta.uid, meta.gid, follow_symlinks=False)
        now = disk.lstat(path)
    _restore_xattrs(disk, path, meta, now)
    if not stat.S_ISLNK(meta.mode) and stat.S_IMODE(disk.lstat(path).st_mode) != stat.S_IMODE(meta.mode):
        disk.chmod(path, stat.S_IMODE(meta.mode))
    restore_times(disk, path, meta.atime, meta.mtime)


def restore_times(disk: Disk, path: bytes, atime: int, mtime: int) -> None:
    """Put both times (nanoseconds) back where they differ."""
    now = disk.lstat(path)
    if (now.st_atime_ns, now.st_mtime_ns) != (atime, mtime):
        try:
            disk.utime(path, ns=(atime, mtime), follow_symlinks=False)
        except PermissionError:
            if now.st_uid == os.geteuid():
                raise
            # Whoever may write to another user's file may not choose its times.


def _restore_xattrs(disk: Disk, path: bytes, meta: Meta, now: os.stat_result) -> None:
    found = read_xattrs(disk, path)
    if found == meta.xattrs:
        return
    if not stat.S_ISLNK(now.st_mode) and not now.st_mode & stat.S_IWUSR:
        disk.chmod(path, stat.S_IMODE(now.st_mode) | stat.S_IWUSR)  # user.* may be set on what is writable only
    have, want = dict(found), dict(meta.xattrs)
    for name in have.keys() - want.keys():
        disk.removexattr(path, name, follow_symlinks=False)
    for name, value in want.items():
        if have.get(name) != value:
            disk.setxattr(path, name, value, follow_symlinks=False)
