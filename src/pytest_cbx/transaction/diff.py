"""What a transaction changed, as a text for people: a dry run shows it before all is undone."""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Iterator

from pytest_cbx.transaction import meta as metas
from pytest_cbx.transaction.changes import Before, Difference, relative
from pytest_cbx.transaction.contents import Content
from pytest_cbx.transaction.disk import Disk
from pytest_cbx.transaction.transaction import Transaction

FILE_MAX = 1 << 20
"""Bytes of a file from which on only the fact is told."""
TOTAL_MAX = 4 << 20
"""Bytes of text after which the rest is only counted."""
_WORK_MAX = 25_000_000
"""Pairs of lines that may be compared for one file."""


def unified_diff(transaction: Transaction, *, file_max: int = FILE_MAX, total_max: int = TOTAL_MAX) -> str:
    """A unified diff of text files, a line for everything else; empty when nothing changed. Call it before the end.

    Bytes that are no UTF-8 are written out (`\\xff`): it is text for people, and travels as UTF-8.

    Raises:
        OSError: something that must be compared cannot be read.
    """
    return _Diff(transaction, file_max).text(total_max)


class _Diff:
    def __init__(self, transaction: Transaction, file_max: int) -> None:
        self._transaction = transaction
        self._disk: Disk = transaction.disk
        self._file_max = file_max

    def text(self, total_max: int) -> str:
        found = list(self._transaction.differences())
        moved = _moves(found)
        arrived = set(moved.values())
        parts: list[str] = []
        size = 0
        for number, difference in enumerate(found):
            if difference.before is None and difference.path in arrived:
                continue
            for part in self._one(difference, moved):
                parts.append(part)
                size += len(part)
            if size > total_max and number + 1 < len(found):
                parts.append(f"… and {len(found) - number - 1} more changes\n")
                break
        return "".join(parts)

    def _one(self, difference: Difference, moved: dict[bytes, bytes]) -> Iterator[str]:
        path, before = difference.path, difference.before
        name = self._name(path)
        if path in moved and before is not None:
            target = moved[path]
            if moved.get(os.path.dirname(path)) != os.path.dirname(target) or os.path.basename(
                path
            ) != os.path.basename(target):
                yield f"rename from {name}\nrename to {self._name(target)}\n"
            now = self._disk.lstat(target)
            yield from self._facts(self._name(target), before, target, now)
            yield from self._content(name, self._name(target), before, target, now)
            return
        if before is not None and difference.now is not None:
            yield from self._facts(name, before, path, difference.now)
        yield from self._content(name, name, before, path, difference.now)

    def _facts(self, name: str, before: Before, path: bytes, now: os.stat_result) -> Iterator[str]:
        if stat.S_IFMT(before.mode) != stat.S_IFMT(now.st_mode):
            return
        if before.mode != now.st_mode:
            yield f"mode of {name}: {before.mode:o} became {now.st_mode:o}\n"
        if (before.uid, before.gid) != (now.st_uid, now.st_gid):
            yield f"owner of {name}: {before.uid}:{before.gid} became {now.st_uid}:{now.st_gid}\n"
        if before.meta is not None and before.meta.xattrs != metas.read_xattrs(self._disk, path):
            yield f"extended attributes of {name} changed\n"

    def _content(
        self, old: str, new: str, before: Before | None, path: bytes, now: os.stat_result | None
    ) -> Iterator[str]:
        left = self._kind(before.mode if before is not None else 0)
        right = self._kind(now.st_mode if now is not None else 0)
        if left == right == "file" or {left, right} == {"", "file"}:
            yield from self._files(old, new, before, path, now)
        elif left == right == "link":
            target, was = self._disk.readlink(path), before.target if before is not None else b""
            if target != was:
                yield f"link {new}: {_decode(was)} became {_decode(target)}\n"
        elif not left:
            yield f"{right} {new} created\n"
        elif not right:
            yield f"{left} {old} deleted\n"
        elif left != right:
            yield f"{left} {old} became a {right}\n"

    def _files(
        self, old: str, new: str, before: Before | None, path: bytes, now: os.stat_result | None
    ) -> Iterator[str]:
        what = "created" if before is None else "deleted" if now is None else "changed"
        try:
            left = self._read(before.content) if before is not None and before.content is not None else b""
            right = self._read(Content(path)) if now is not None else b""
        except PermissionError:
            yield f"Unreadable file {new} {what}\n"
            return
        if before is not None and now is not None and left is not None and left == right:
            return
        if left is None or right is None:
            yield f"Large file {new} {what}\n"
        elif b"\0" in left or b"\0" in right:
            yield f"Binary file {new} {what}\n"
        elif left == right:
            yield f"Empty file {new} {what}\n"
        else:
            a, b = _decode(left).splitlines(keepends=True), _decode(right).splitlines(keepends=True)
            if len(a) * len(b) > _WORK_MAX:
                yield f"Large file {new} {what}\n"
                return
            names = ("/dev/null" if before is None else f"a/{old}", "/dev/null" if now is None else f"b/{new}")
            for line in difflib.unified_diff(a, b, *names):
                yield line if line.endswith("\n") else line + "\n\\ No newline at end of file\n"

    def _read(self, content: Content) -> bytes | None:
        """A file's content; None when it is too large to show."""
        disk = self._disk
        descriptor = disk.open(content.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            size = content.size if content.size >= 0 else disk.fstat(descriptor).st_size
            if size > self._file_max:
                return None
            disk.lseek(descriptor, content.offset, os.SEEK_SET)
            return disk.read(descriptor, size)
        finally:
            disk.close(descriptor)

    def _kind(self, mode: int) -> str:
        if not mode:
            return ""
        if stat.S_ISREG(mode):
            return "file"
        return "directory" if stat.S_ISDIR(mode) else "link" if stat.S_ISLNK(mode) else "special file"

    def _name(self, path: bytes) -> str:
        return _decode(relative(path, self._transaction.header.roots))


def _moves(found: list[Difference]) -> dict[bytes, bytes]:
    """Renamed: path of then → path of now."""
    came = {one.path for one in found if one.before is None}
    return {
        one.path: one.before.place
        for one in found
        if one.now is None and one.before is not None and one.before.place in came
    }


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")
