"""A tree as strictly as it can be seen, so that two of them are equal only if nothing at all differs."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One path. Inode numbers do not count, but which paths share one does."""

    mode: int
    """Type and permission bits."""
    uid: int
    gid: int
    mtime: int
    """Nanoseconds; directories' too."""
    content: str
    """Digest of a file, target of a link (with lost bytes kept), device number."""
    xattrs: tuple[tuple[str, bytes], ...]
    same_as: bytes
    """The first path, in order, that is the same inode: its own where there is none before."""
    sparse: tuple[tuple[int, int], ...]
    """Where the data of a file with holes lies."""


Snapshot = Mapping[bytes, Entry]


def snapshot(root: bytes | str | os.PathLike[str], *, ignore: tuple[bytes, ...] = ()) -> dict[bytes, Entry]:
    """Every path of a tree, b"" for the root itself, links not followed. `ignore`: relative paths left out with what is below.

    Reading leaves no access time behind where the system lets us.
    """
    top = os.fsencode(root)
    entries: dict[bytes, Entry] = {}
    first: dict[tuple[int, int], bytes] = {}
    waiting = [b""]
    while waiting:
        path = waiting.pop()
        if path in ignore:
            continue
        full = top + b"/" + path if path else top
        info = os.lstat(full)
        entries[path] = _entry(full, info, first.setdefault((info.st_dev, info.st_ino), path))
        if stat.S_ISDIR(info.st_mode):
            waiting += sorted((path + b"/" + name if path else name for name in os.listdir(full)), reverse=True)
    return entries


def _entry(path: bytes, info: os.stat_result, same_as: bytes) -> Entry:
    content = ""
    sparse: tuple[tuple[int, int], ...] = ()
    if stat.S_ISREG(info.st_mode):
        content, sparse = _content(path, info)
    elif stat.S_ISLNK(info.st_mode):
        content = os.readlink(path).decode("utf-8", "backslashreplace")
    elif stat.S_ISCHR(info.st_mode) or stat.S_ISBLK(info.st_mode):
        content = str(info.st_rdev)
    return Entry(
        mode=info.st_mode,
        uid=info.st_uid,
        gid=info.st_gid,
        mtime=info.st_mtime_ns,
        content=content,
        xattrs=_xattrs(path),
        same_as=same_as,
        sparse=sparse,
    )


def _content(path: bytes, info: os.stat_result) -> tuple[str, tuple[tuple[int, int], ...]]:
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOATIME", 0))
    except PermissionError:
        descriptor = os.open(path, os.O_RDONLY)
    with open(descriptor, "rb") as file:
        digest = hashlib.file_digest(file, "blake2b").hexdigest()
        if not hasattr(os, "SEEK_DATA") or info.st_blocks * 512 >= info.st_size:
            return digest, ()
        return digest, tuple(_extents(file.fileno(), info.st_size))


def _extents(descriptor: int, size: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    end = 0
    while end < size:
        try:
            start = os.lseek(descriptor, end, os.SEEK_DATA)
        except OSError:
            break
        end = os.lseek(descriptor, start, os.SEEK_HOLE)
        found.append((start, end))
    return found


def _xattrs(path: bytes) -> tuple[tuple[str, bytes], ...]:
    if not hasattr(os, "listxattr"):
        return ()
    try:
        names = sorted(os.listxattr(path, follow_symlinks=False))
        return tuple((name, os.getxattr(path, name, follow_symlinks=False)) for name in names)
    except OSError:
        return ()


def alike(one: Snapshot, other: Snapshot) -> bool:
    """Whether two trees are the same but for times: what two runs of one command agree in."""
    return {path: replace(entry, mtime=0) for path, entry in one.items()} == {
        path: replace(entry, mtime=0) for path, entry in other.items()
    }


def describe(before: Snapshot, after: Snapshot) -> list[str]:
    """Each difference as a line for people; empty when the trees are identical."""
    lines = []
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path), after.get(path)
        if old is None:
            lines.append(f"{path!r} came up: {new}")
        elif new is None:
            lines.append(f"{path!r} is gone: {old}")
        elif old != new:
            names = [name for name in Entry.__slots__ if getattr(old, name) != getattr(new, name)]
            lines += [f"{path!r}: {name} {_short(old, name)} became {_short(new, name)}" for name in names]
    return lines


def _short(entry: Entry, name: str) -> str:
    value = getattr(entry, name)
    return f"{value[:12]}…" if name == "content" and stat.S_ISREG(entry.mode) else repr(value)


def assert_same(before: Snapshot, after: Snapshot) -> None:
    """Fail with the differences."""
    lines = describe(before, after)
    assert not lines, "\n".join(lines[:40])
