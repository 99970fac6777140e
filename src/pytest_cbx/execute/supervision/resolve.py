"""Where a path of another process leads, as the kernel would find it for that process.

The directory part is resolved by the kernel itself (`O_PATH`, then its name in `/proc/self/fd`). Only when that shows that
links, dots or double slashes are on the way is the path walked here, name by name: `/proc/self` and what leads through it
means another process to the caller than to us, so the kernel's answer to us would be wrong.

A `trail` takes the names on the way whose being or kind decided where it led: links, and what ended it.

Sources: path_resolution(7), symlink(7), proc(5) on `cwd`, `fd` and `self`.
"""

from __future__ import annotations

import errno
import os
import stat

HERE = 0xFFFFFF9C
"""AT_FDCWD as a register holds it: the path is relative to the current directory."""
_DELETED = b" (deleted)"
_SPECIAL = frozenset({b"", b".", b".."})
_LINKS_MAX = 40
"""Source: MAXSYMLINKS in linux/namei.h."""
_NAME_MAX = 255
_DIRECTORY = getattr(os, "O_PATH", 0) | os.O_DIRECTORY | os.O_CLOEXEC

Found = tuple[bytes, os.stat_result | None, bool]
"""The path, what is there (None: nothing), and whether the text ended with a slash."""


class Fails(Exception):
    """The call can only fail. With number 0 it does so in a way that only the kernel can tell."""

    def __init__(self, number: int, path: bytes = b"") -> None:
        super().__init__(number)
        self.number = number
        self.path = path
        """The first name on the way that is missing, or empty."""


class Nameless(Exception):
    """The call is about something that no path leads to: a pipe, a socket, a deleted file."""


class Unreachable(Exception):
    """The path is longer than a path may be, so we could not name it either."""


def entry(pid: int, descriptor: int, text: bytes, trail: list[bytes] | None = None) -> Found:
    """The name that a call makes, moves or removes: a link at the end is not followed.

    Raises:
        Fails: there is no such place.
        Unreachable: see there.
        OSError: the caller is gone, or may not be looked at.
    """
    directory = _directory(pid, descriptor, text)
    if directory is not None:
        path = directory + b"/" + text.rpartition(b"/")[2]
        return path, _look(path), False
    bare = text.rstrip(b"/")
    head, slash, name = bare.rpartition(b"/")
    if not text:
        raise Fails(errno.ENOENT)
    if name in _SPECIAL:
        raise Fails(0)
    try:
        path, info, _ = _walk(pid, descriptor, head + slash or b".", follow=True, trail=trail)
    except Nameless:
        raise Fails(errno.ENOENT) from None  # a directory that is deleted has no names
    if info is None:
        raise Fails(errno.ENOENT, path)
    if not stat.S_ISDIR(info.st_mode):
        if trail is not None:
            trail.append(path)
        raise Fails(errno.ENOTDIR)
    path = _below(path, name)
    return path, _look(path), len(bare) < len(text)


def thing(pid: int, descriptor: int, text: bytes, follow: bool = True, trail: list[bytes] | None = None) -> Found:
    """What a call acts on; a link at the end is followed if the call does so. What is missing may be made there.

    Raises:
        Fails, Unreachable, OSError: as `entry`.
        Nameless: the path leads through `/proc/PID/fd` to something without a name.
    """
    directory = _directory(pid, descriptor, text)
    if directory is not None:
        path = directory + b"/" + text.rpartition(b"/")[2]
        info = _look(path)
        if info is None or not (follow and stat.S_ISLNK(info.st_mode)):
            return path, info, False
    if not text:
        raise Fails(errno.ENOENT)
    return _walk(pid, descriptor, text, follow=follow, trail=trail)


def open_thing(pid: int, descriptor: int) -> Found:
    """What a descriptor of the caller is open on.

    Raises:
        Fails: it is not open.
        Nameless: no path leads there.
        OSError: as `entry`.
    """
    if descriptor & 0xFFFFFFFF == HERE:
        return _walk(pid, HERE, b".", follow=True)
    path, info = _jump(b"/proc/%d/fd/%d" % (pid, descriptor & 0xFFFFFFFF), errno.EBADF)
    return path, info, False


def _directory(pid: int, descriptor: int, text: bytes) -> bytes | None:
    """The canonical directory of a path, without a slash at its end; None where the path must be walked."""
    if b"/" not in text:
        if text in _SPECIAL:
            return None
        base = _base(pid, descriptor)
        return None if base.endswith(_DELETED) else base if base != b"/" else b""
    head, _, name = text.rpartition(b"/")
    if name in _SPECIAL:
        return None
    if text.startswith(b"/"):
        full = head
        if not full:
            return b""
    else:
        base = _base(pid, descriptor)
        full = base + b"/" + head if base != b"/" else b"/" + head
    try:
        handle = os.open(full, _DIRECTORY)
    except OSError:
        return None
    try:
        return full if os.readlink(b"/proc/self/fd/%d" % handle) == full else None
    except OSError:
        return None
    finally:
        os.close(handle)


def _base(pid: int, descriptor: int) -> bytes:
    """The directory that relative paths start from, as the kernel names it."""
    number = descriptor & 0xFFFFFFFF
    if number == HERE:
        return os.readlink(b"/proc/%d/cwd" % pid)
    try:
        base = os.readlink(b"/proc/%d/fd/%d" % (pid, number))
    except FileNotFoundError:
        if not os.path.exists(b"/proc/%d" % pid):
            raise
        raise Fails(errno.EBADF) from None
    if not base.startswith(b"/"):
        raise Fails(errno.ENOTDIR)
    return base


def _look(path: bytes) -> os.stat_result | None:
    """What is at a path, or None. Raises `Fails` or `Unreachable` where nothing can be."""
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG and len(path.rpartition(b"/")[2]) <= _NAME_MAX:
            raise Unreachable from None
        if error.errno in (errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP):
            raise Fails(error.errno) from None
        if error.errno == errno.EACCES:
            # The caller has no more rights than we have. It must not look again, when another thread has changed the mode.
            raise Fails(errno.EACCES) from None
        if b"\0" in path:
            raise Fails(errno.ENOENT) from None
        raise


def _below(directory: bytes, name: bytes) -> bytes:
    return directory + b"/" + name if directory != b"/" else b"/" + name


def _walk(pid: int, descriptor: int, text: bytes, *, follow: bool, trail: list[bytes] | None = None) -> Found:
    """Resolve name by name, as the kernel does for the caller."""
    passed: list[bytes] = [] if trail is None else trail
    at, deleted = _start(pid, descriptor, text)
    todo = text.split(b"/")
    todo.reverse()
    info: os.stat_result | None = None
    links = 0
    while todo:
        name = todo.pop()
        if name in (b"", b"."):
            continue
        if name == b"..":
            # A deleted directory has nothing in it but its way up.
            at, deleted, info = at.rpartition(b"/")[0], False, None
            continue
        if deleted:
            raise Fails(errno.ENOENT)
        path, last = at + b"/" + name, not todo
        info = _look(path)
        if info is None:
            passed.append(path)
            return _missing(path, todo)
        if stat.S_ISLNK(info.st_mode) and (follow or not last):
            passed.append(path)
            links += 1
            if links > _LINKS_MAX:
                raise Fails(errno.ELOOP)
            if not _is_magic(path):
                target = _target(pid, path)
                at = b"" if target.startswith(b"/") else at
                todo.extend(reversed(target.split(b"/")))
                info = None  # a link to `.` adds no name
                continue
            path, info = _pass(path) if todo else _jump(path, errno.ENOENT)
        if not last and not stat.S_ISDIR(info.st_mode):
            passed.append(path)
            raise Fails(errno.ENOTDIR)
        at = path if path != b"/" else b""
    if deleted:
        raise Nameless
    if info is None:
        info = _look(at or b"/")
    return at or b"/", info, text.endswith(b"/")


def _missing(path: bytes, todo: list[bytes]) -> Found:
    """Nothing is there; where only slashes follow, the caller may make it."""
    if any(todo):
        raise Fails(errno.ENOENT, path)
    return path, None, bool(todo)


def _start(pid: int, descriptor: int, text: bytes) -> tuple[bytes, bool]:
    """Where a path starts, without a slash at its end, and whether that directory is deleted."""
    if text.startswith(b"/"):
        return b"", False
    base = _base(pid, descriptor)
    if base.endswith(_DELETED):
        link = b"/proc/%d/cwd" % pid if descriptor & 0xFFFFFFFF == HERE else b"/proc/%d/fd/%d" % (pid, descriptor)
        if not _is_same(base, os.stat(link)):
            return base.removesuffix(_DELETED), True
    return base if base != b"/" else b"", False


def _target(pid: int, path: bytes) -> bytes:
    """What a link says, to the caller."""
    if path == b"/proc/self":
        return b"%d" % _process_of(pid)
    if path == b"/proc/thread-self":
        return b"%d/task/%d" % (_process_of(pid), pid)
    try:
        return os.readlink(path)
    except FileNotFoundError:
        raise Fails(errno.ENOENT) from None


def _process_of(pid: int) -> int:
    """The process that a thread belongs to."""
    with open(b"/proc/%d/status" % pid, "rb") as status:
        for line in status:
            if line.startswith(b"Tgid:"):
                return int(line[5:])
    raise ProcessLookupError(errno.ESRCH, f"process {pid} is gone")


def _is_magic(path: bytes) -> bool:
    """Whether a link leads straight to an open file or directory, whatever its text says."""
    return path.startswith(b"/proc/") and path[6:7].isdigit()


def _jump(link: bytes, missing: int) -> tuple[bytes, os.stat_result]:
    """Follow a magic link. `missing` is the error of one that is not there."""
    try:
        text, info = os.readlink(link), os.stat(link)
    except FileNotFoundError:
        owner = b"/".join(link.split(b"/")[:3])
        if os.path.exists(owner):
            raise Fails(missing) from None
        raise
    if not text.startswith(b"/"):
        raise Nameless
    if _is_same(text, info) or not text.endswith(_DELETED):
        return text, info
    if info.st_nlink == 0:
        raise Nameless
    # This name of it is gone, another one is left: its inode, and so its mode and content, still are somebody's.
    return text.removesuffix(_DELETED), info


def _pass(link: bytes) -> tuple[bytes, os.stat_result]:
    """Follow a magic link on the way to something below it."""
    try:
        return _jump(link, errno.ENOENT)
    except Nameless:
        raise Fails(0) from None


def _is_same(path: bytes, info: os.stat_result) -> bool:
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return (found.st_ino, found.st_dev) == (info.st_ino, info.st_dev)
