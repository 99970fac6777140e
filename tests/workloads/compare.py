"""Two runs of a workload never agree in times and inode numbers; in everything else they have to."""

from __future__ import annotations

import fnmatch
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.workloads.model import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One entry of a tree."""

    mode: int
    """Kind and permissions."""
    owner: tuple[int, int]
    content: str
    """A digest, a link's target, a device's number."""
    size: int
    """Bytes; of directories nothing is told."""
    linked: bytes
    """The first path, in order, of the same inode; of directories and of files with one name their own."""
    xattrs: tuple[tuple[str, bytes], ...]
    modified_ns: int


def look(tree: bytes) -> dict[bytes, Seen]:
    """Everything in a tree, itself included as `.`, by path. Works past the longest path that a call takes."""
    first: dict[tuple[int, int], bytes] = {}
    return dict(sorted(_walk(tree, b".", first)))


def _walk(tree: bytes, root: bytes, first: dict[tuple[int, int], bytes]) -> Iterator[tuple[bytes, Seen]]:
    folder = os.open(tree, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    pending = [(root, folder)]
    info = os.stat(folder)
    yield root, _seen(root, info, "", _xattrs(folder), first)
    while pending:
        path, folder = pending.pop()
        for name in sorted(os.fsencode(entry) for entry in os.listdir(folder)):
            below = name if path == b"." else path + b"/" + name
            info = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISDIR(info.st_mode):
                opened = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
                pending.append((below, opened))
                yield below, _seen(below, info, "", _xattrs(opened), first)
            elif stat.S_ISREG(info.st_mode):
                opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NOATIME, dir_fd=folder)
                with open(opened, "rb") as file:
                    content = hashlib.file_digest(file, "sha256").hexdigest()
                    yield below, _seen(below, info, content, _xattrs(opened), first)
            else:
                content = (
                    os.fsdecode(os.readlink(name, dir_fd=folder)) if stat.S_ISLNK(info.st_mode) else str(info.st_rdev)
                )
                yield below, _seen(below, info, content, (), first)
        os.close(folder)


def _seen(
    path: bytes,
    info: os.stat_result,
    content: str,
    xattrs: tuple[tuple[str, bytes], ...],
    first: dict[tuple[int, int], bytes],
) -> Seen:
    folder = stat.S_ISDIR(info.st_mode)
    linked = path if folder or info.st_nlink == 1 else first.setdefault((info.st_dev, info.st_ino), path)
    return Seen(
        mode=info.st_mode,
        owner=(info.st_uid, info.st_gid),
        content=content,
        size=0 if folder else info.st_size,
        linked=linked,
        xattrs=xattrs,
        modified_ns=info.st_mtime_ns,
    )


def _xattrs(descriptor: int) -> tuple[tuple[str, bytes], ...]:
    try:
        return tuple((name, os.getxattr(descriptor, name)) for name in sorted(os.listxattr(descriptor)))
    except OSError:
        return ()  # this file system has none


def without_times(tree: dict[bytes, Seen], workload: Workload) -> dict[bytes, Seen]:
    """What two runs of a workload have in common: no times, and no content where it says so."""
    ignored = [pattern for pattern, _ in workload.ignore]
    return {path: _timeless(path, seen, ignored) for path, seen in tree.items()}


def _timeless(path: bytes, seen: Seen, ignored: list[str]) -> Seen:
    seen = replace(seen, modified_ns=0)
    if any(fnmatch.fnmatchcase(os.fsdecode(path), pattern) for pattern in ignored):
        return replace(seen, content="", size=0)
    return seen


def differences(expected: dict[bytes, Seen], found: dict[bytes, Seen]) -> list[str]:
    """One line for each entry that is not as expected."""
    told: list[str] = []
    for path in sorted(expected.keys() | found.keys()):
        old, new = expected.get(path), found.get(path)
        shown = ascii(path)[1:]
        if old is None:
            told.append(f"{shown} is new: {new}")
        elif new is None:
            told.append(f"{shown} is missing: {old}")
        elif old != new:
            parts = [
                f"{name} {getattr(old, name)!r} -> {getattr(new, name)!r}"
                for name in Seen.__dataclass_fields__
                if getattr(old, name) != getattr(new, name)
            ]
            told.append(f"{shown}: {', '.join(parts)}")
    return told
