"""What a transaction changed in the end: its records, undone on paper, against what is on the disk."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from pytest_cbx.transaction import meta as metas
from pytest_cbx.transaction.contents import Content, contents_differ
from pytest_cbx.transaction.disk import Disk
from pytest_cbx.transaction.meta import Meta
from pytest_cbx.transaction.model import Changes
from pytest_cbx.transaction.past import Node, Past, Was


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One path that differs."""

    path: bytes
    """Absolute."""
    before: Before | None
    """None: nothing was there."""
    now: os.stat_result | None
    """None: nothing is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What was at a path."""

    mode: int
    uid: int
    gid: int
    rdev: int
    content: Content | None
    """Of a regular file."""
    target: bytes = b""
    """Of a symbolic link."""
    meta: Meta | None = None
    """As kept; None: the inode itself lies at `place` now."""
    place: bytes = b""


def differences(disk: Disk, past: Past) -> Iterator[Difference]:
    """Every path that differs, parents first.

    Raises:
        OSError: something that must be compared cannot be read.
    """
    return _Comparison(disk, past).below(b"", past.root, walk=False)


def net_changes(disk: Disk, roots: tuple[bytes, ...], past: Past) -> Changes:
    """As lists of paths."""
    created, modified, deleted = [], [], []
    for found in differences(disk, past):
        path = relative(found.path, roots)
        if found.before is None:
            created.append(path)
        elif found.now is None:
            deleted.append(path)
        else:
            modified.append(path)
    return Changes(created=tuple(sorted(created)), modified=tuple(sorted(modified)), deleted=tuple(sorted(deleted)))


def relative(path: bytes, roots: tuple[bytes, ...]) -> bytes:
    """A path relative to the first root; absolute outside of it."""
    if roots and path == roots[0]:
        return b"."
    if roots and path.startswith(roots[0].rstrip(b"/") + b"/"):
        return path[len(roots[0].rstrip(b"/")) + 1 :]
    return path


class _Comparison:
    def __init__(self, disk: Disk, past: Past) -> None:
        self._disk = disk
        self._past = past

    def below(self, path: bytes, node: Node, *, walk: bool) -> Iterator[Difference]:
        """The differences at and below a path. `walk`: what no record names may differ there, too."""
        walk = walk or node.walk
        moved = node.was is Was.AS_NOW and node.place != path
        if node.was is not Was.AS_NOW or node.meta is not None or moved or walk:
            now = self._past.present.look(path)
            before = self._before(node)
            if before is None or now is None:
                if before is not None or now is not None:
                    yield Difference(path=path, before=before, now=now)
            elif self._differs(before, path, now):
                yield Difference(path=path, before=before, now=now)
            names = self._names(path, now, node, before, walk or moved)
        else:
            names = sorted(node.children)
        for name in names:
            yield from self.below(path + b"/" + name, node.child(name), walk=walk or moved)

    def _names(
        self, path: bytes, now: os.stat_result | None, node: Node, before: Before | None, walk: bool
    ) -> list[bytes]:
        names = set(node.children)
        if walk:
            if now is not None and stat.S_ISDIR(now.st_mode):
                names.update(self._past.present.list(path))
            if node.was is Was.AS_NOW and before is not None and stat.S_ISDIR(before.mode):
                names.update(self._past.present.list(node.place))
        return sorted(names)

    def _before(self, node: Node) -> Before | None:
        if node.was is Was.ABSENT:
            return None
        meta = node.meta
        content: Content | None
        if node.was is Was.AS_NOW:
            info = self._past.present.look(node.place)
            if info is None:
                return None
            content = self._past.contents.get((info.st_dev, info.st_ino), Content(node.place))
            target = self._disk.readlink(node.place) if stat.S_ISLNK(info.st_mode) else b""
            if meta is None:
                return Before(
                    mode=info.st_mode, uid=info.st_uid, gid=info.st_gid, rdev=info.st_rdev,
                    content=content, target=target, place=node.place,
                )  # fmt: skip
            return Before(
                mode=meta.mode, uid=meta.uid, gid=meta.gid, rdev=meta.rdev,
                content=content, target=target, meta=meta, place=node.place,
            )  # fmt: skip
        assert meta is not None
        content = self._past.contents.get(meta.identity) or node.content
        target = node.target
        if not target and node.content is not None and stat.S_ISLNK(meta.mode):
            target = self._disk.readlink(node.content.path)
        return Before(
            mode=meta.mode, uid=meta.uid, gid=meta.gid, rdev=meta.rdev, content=content, target=target, meta=meta
        )  # fmt: skip

    def _differs(self, before: Before, path: bytes, now: os.stat_result) -> bool:
        if (before.mode, before.uid, before.gid) != (now.st_mode, now.st_uid, now.st_gid):
            return True
        kind = stat.S_IFMT(before.mode)
        if kind in (stat.S_IFBLK, stat.S_IFCHR) and before.rdev != now.st_rdev:
            return True
        if kind == stat.S_IFLNK and self._disk.readlink(path) != before.target:
            return True
        if before.meta is not None and before.meta.is_untouched(now):
            return False
        xattrs = before.meta.xattrs if before.meta is not None else metas.read_xattrs(self._disk, before.place)
        if xattrs != metas.read_xattrs(self._disk, path):
            return True
        if kind != stat.S_IFREG or before.content is None or before.content.path == path:
            return False
        return contents_differ(self._disk, before.content, path)
