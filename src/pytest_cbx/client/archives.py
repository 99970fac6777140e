"""What an archive would put where it is unpacked: the lists of tar and zip files, read with bounds."""

from __future__ import annotations

import os
import stat
import tarfile
import zipfile
from collections.abc import Iterable

LONGEST = 16 * 1024 * 1024
"""Bytes of a tar file, which must be read from end to end for its list."""

MOST = 20_000
"""Members. An archive with more is not followed."""

WIDEST = 64
"""Entries at the top. With more, the directory as a whole is the better answer."""


def top_of(path: str) -> tuple[str, ...] | None:
    """The entries at the top of the archive, sorted, directories with a slash at the end.

    None: no regular file, no archive, too large, or a member that would leave the directory.
    """
    try:
        facts = os.stat(path)
        if not stat.S_ISREG(facts.st_mode):
            return None
        if zipfile.is_zipfile(path):
            return _top(_zipped(path))
        return _top(_tarred(path)) if facts.st_size <= LONGEST else None
    except (OSError, EOFError, ValueError, NotImplementedError, tarfile.TarError, zipfile.BadZipFile):
        return None


def _zipped(path: str) -> Iterable[tuple[str, bool]]:
    with zipfile.ZipFile(path) as archive:
        return [(item.filename, item.is_dir()) for item in archive.infolist()[: MOST + 1]]


def _tarred(path: str) -> Iterable[tuple[str, bool]]:
    found = []
    with tarfile.open(path) as archive:
        for item in archive:
            found.append((item.name, item.isdir()))
            # Compressed, it may be far longer than the file.
            if len(found) > MOST or archive.offset > 16 * LONGEST:
                break
        else:
            return found
    raise ValueError("too long")


def _top(members: Iterable[tuple[str, bool]]) -> tuple[str, ...] | None:
    entries: dict[str, bool] = {}
    for count, (name, directory) in enumerate(members):
        parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
        if count >= MOST or name.startswith("/") or ".." in parts:
            return None
        if parts:
            entries[parts[0]] = entries.get(parts[0], False) or directory or len(parts) > 1
    if len(entries) > WIDEST:
        return None
    return tuple(sorted(f"{name}/" if directory else name for name, directory in entries.items()))
