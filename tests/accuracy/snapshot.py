"""What lies in a directory, and what became of it."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One path. Of a directory only that it is there and its mode count: its time changes with what lies in it."""

    kind: str
    mode: int
    size: int = 0
    content: str = ""
    """Digest of a file, target of a symbolic link."""
    mtime: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Paths relative to the directory, sorted."""

    created: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()

    def all(self) -> tuple[tuple[str, str], ...]:
        """Each as (kind, path)."""
        return tuple((kind, path) for kind in ("created", "modified", "deleted") for path in getattr(self, kind))


def snapshot(root: str, *, unread: str = "") -> dict[str, Entry]:
    """Every path below `root`, links not followed. Files below `unread` (relative) are known by size and time alone."""
    entries: dict[str, Entry] = {}
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            found = list(os.scandir(os.path.join(root, folder)))
        except PermissionError:
            continue
        for item in found:
            path = f"{folder}/{item.name}" if folder else item.name
            entries[path] = _entry(item, read=not (unread and path.startswith(unread)))
            if entries[path].kind == "directory":
                folders.append(path)
    return entries


def _entry(item: os.DirEntry[str], *, read: bool) -> Entry:
    info = item.stat(follow_symlinks=False)
    mode = stat.S_IMODE(info.st_mode)
    if stat.S_ISLNK(info.st_mode):
        return Entry(kind="link", mode=mode, content=os.readlink(item.path), mtime=info.st_mtime_ns)
    if stat.S_ISDIR(info.st_mode):
        return Entry(kind="directory", mode=mode)
    if not stat.S_ISREG(info.st_mode):
        return Entry(kind="other", mode=mode, mtime=info.st_mtime_ns)
    content = ""
    if read:
        with open(item.path, "rb") as file:
            content = hashlib.file_digest(file, "blake2b").hexdigest()
    return Entry(kind="file", mode=mode, size=info.st_size, content=content, mtime=info.st_mtime_ns)


def changes(before: Mapping[str, Entry], after: Mapping[str, Entry]) -> Changes:
    """What differs. A path that became another kind of thing is modified."""
    return Changes(
        created=tuple(sorted(after.keys() - before.keys())),
        modified=tuple(sorted(path for path in after.keys() & before.keys() if after[path] != before[path])),
        deleted=tuple(sorted(before.keys() - after.keys())),
    )
