"""The file operations of `atomic.py`: each is told to the journal before it happens, and other readers see it whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator

from pytest_cbx.transaction.transaction import Transaction

_NEW_FILE = 0o666
_ALL_BITS = 0o7777


def write(transaction: Transaction, path: bytes, data: bytes, mode: int | None) -> None:
    """Give a file this content. Its mode, owner and extended attributes stay, unless a mode is given."""
    found = _look(path)
    if found is not None and stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if found is not None and (found.st_nlink > 1 or not stat.S_ISREG(found.st_mode)):
        # Its other names are to show the new content, too.
        _write_in_place(transaction, path, data)
        if mode is not None:
            chmod(transaction, path, mode)
        return
    with _beside(transaction, path) as temporary:
        _fill(transaction, temporary, data, _NEW_FILE)
        if found is not None:
            _give(temporary, path, found)
        if mode is not None:
            os.chmod(temporary, mode)
        _move(transaction, temporary, path)


def _write_in_place(transaction: Transaction, path: bytes, data: bytes) -> None:
    transaction.write(path)
    descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC)
    _write_all(descriptor, data)


def append(transaction: Transaction, path: bytes, data: bytes) -> None:
    """Add to the end of a file, which is made if need be."""
    if _look(path) is None:
        create(transaction, path, data, None)
        return
    transaction.write(path)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
    _write_all(descriptor, data)


def create(transaction: Transaction, path: bytes, data: bytes, mode: int | None) -> None:
    """Make a file that was not there.

    Raises:
        FileExistsError: something of this name is there.
    """
    refuse_existing(path)
    _fill(transaction, path, data, _NEW_FILE)
    if mode is not None:
        os.chmod(path, mode)


def copy(transaction: Transaction, source: bytes, target: bytes, *, replace: bool) -> None:
    """Copy a file, a link, or a tree with its metadata. The target appears when the copy is complete.

    Raises:
        FileExistsError: the target is there and is not to be replaced.
    """
    os.lstat(source)
    if not replace:
        refuse_existing(target)
    if _is_below(target, source):
        raise OSError(errno.EINVAL, "a tree cannot be copied into itself", source, None, target)
    with _beside(transaction, target) as temporary:
        _copy_one(transaction, source, temporary, {})
        _put(transaction, temporary, target)


def move(transaction: Transaction, source: bytes, target: bytes, *, replace: bool) -> None:
    """Give a file or a tree another name; to another file system it is copied and deleted.

    Raises:
        FileExistsError: the target is there and is not to be replaced.
    """
    found = os.lstat(source)
    if not replace:
        refuse_existing(target)
    if _is_below(target, source):
        raise OSError(errno.EINVAL, "a tree cannot be moved into itself", source, None, target)
    if os.lstat(os.path.dirname(target)).st_dev == found.st_dev:
        _put(transaction, source, target)
    else:
        copy(transaction, source, target, replace=replace)
        delete(transaction, source)


def delete(transaction: Transaction, path: bytes) -> None:
    """Remove a file or a tree. It lies in the journal until the commit."""
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        transaction.remove(path)
        os.unlink(path)
        return
    for name in os.listdir(path):
        delete(transaction, os.path.join(path, name))
    transaction.remove(path)
    os.rmdir(path)


def chmod(transaction: Transaction, path: bytes, mode: int) -> None:
    """Change the permissions, and see that they are what was asked for.

    Raises:
        PermissionError: the kernel kept other bits (a set-group-ID bit for a group that is not ours).
    """
    os.lstat(path)
    transaction.metadata(path)
    os.chmod(path, mode)
    got = stat.S_IMODE(os.lstat(path).st_mode)
    if got != mode:
        raise PermissionError(errno.EPERM, f"the mode became {got:04o}, not {mode:04o}", path)


def chown(transaction: Transaction, path: bytes, user: int, group: int) -> None:
    """Change the owner; -1 leaves user or group as they are."""
    os.lstat(path)
    transaction.metadata(path)
    os.chown(path, user, group, follow_symlinks=False)


def mkdir(transaction: Transaction, path: bytes, mode: int) -> None:
    """Make one directory."""
    refuse_existing(path)
    transaction.create(path)
    os.mkdir(path, mode)


def symlink(transaction: Transaction, target: bytes, path: bytes) -> None:
    """Make a symbolic link."""
    refuse_existing(path)
    transaction.create(path)
    os.symlink(target, path)


def refuse_existing(path: bytes) -> None:
    """Raises: FileExistsError, if anything of this name is there."""
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)


# --- parts -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _beside(transaction: Transaction, path: bytes) -> Iterator[bytes]:
    """A name for something that is made whole before it gets its own; gone again when that fails."""
    temporary = os.path.join(os.path.dirname(path), b".cbx-" + secrets.token_hex(8).encode())
    try:
        yield temporary
    except BaseException:
        with contextlib.suppress(OSError):
            delete(transaction, temporary)
        raise


def _put(transaction: Transaction, source: bytes, target: bytes) -> None:
    """Rename onto a name that may be taken by something that rename(2) does not replace."""
    found, there = os.lstat(source), _look(target)
    if there is not None and (stat.S_ISDIR(there.st_mode) or stat.S_ISDIR(found.st_mode)):
        delete(transaction, target)
    _move(transaction, source, target)


def _move(transaction: Transaction, source: bytes, target: bytes) -> None:
    transaction.rename(source, target)
    os.rename(source, target)


def _fill(transaction: Transaction, path: bytes, data: bytes, mode: int) -> None:
    transaction.create(path)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    _write_all(descriptor, data)


def _write_all(descriptor: int, data: bytes) -> None:
    with open(descriptor, "wb", buffering=0) as file:
        rest = memoryview(data)
        while rest:
            rest = rest[file.write(rest) :]


def _give(path: bytes, model: bytes, found: os.stat_result) -> None:
    """Mode, owner and extended attributes of another file."""
    made = os.lstat(path)
    if (made.st_uid, made.st_gid) != (found.st_uid, found.st_gid):
        os.chown(path, found.st_uid, found.st_gid, follow_symlinks=False)
    _give_xattrs(path, model)
    os.chmod(path, stat.S_IMODE(found.st_mode))


def _give_xattrs(path: bytes, model: bytes) -> None:
    if hasattr(os, "listxattr"):
        with contextlib.suppress(OSError):
            for name in os.listxattr(model, follow_symlinks=False):
                os.setxattr(path, name, os.getxattr(model, name, follow_symlinks=False), follow_symlinks=False)


def _copy_one(transaction: Transaction, source: bytes, target: bytes, known: dict[tuple[int, int], bytes]) -> None:
    """`known`: the copies of files with several names, so that these stay names of one file."""
    found = os.lstat(source)
    kind = stat.S_IFMT(found.st_mode)
    first = known.setdefault((found.st_dev, found.st_ino), target)
    transaction.create(target)
    if kind == stat.S_IFDIR:
        os.mkdir(target, 0o700)
        for name in os.listdir(source):
            _copy_one(transaction, os.path.join(source, name), os.path.join(target, name), known)
    elif first is not target and found.st_nlink > 1:
        os.link(first, target, follow_symlinks=False)
        return
    elif kind == stat.S_IFREG:
        # The link that a race would put here is not followed: O_EXCL.
        with open(source, "rb") as reader, open(target, "xb") as writer:
            shutil.copyfileobj(reader, writer, 1 << 20)
    elif kind == stat.S_IFLNK:
        os.symlink(os.readlink(source), target)
    elif kind == stat.S_IFIFO:
        os.mkfifo(target, 0o600)
    else:
        raise OSError(errno.ENOTSUP, "only files, directories, symbolic links and named pipes can be copied", source)
    _copy_metadata(source, target, found)


def _copy_metadata(source: bytes, target: bytes, found: os.stat_result) -> None:
    made = os.lstat(target)
    if (made.st_uid, made.st_gid) != (found.st_uid, found.st_gid):
        with contextlib.suppress(PermissionError):  # as `cp -a` does for those who are not root
            os.chown(target, found.st_uid, found.st_gid, follow_symlinks=False)
    if not stat.S_ISLNK(found.st_mode):
        _give_xattrs(target, source)
        os.chmod(target, stat.S_IMODE(found.st_mode))
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns), follow_symlinks=False)


def _look(path: bytes) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None


def _is_below(path: bytes, folder: bytes) -> bool:
    return path.startswith(folder.rstrip(b"/") + b"/")
