"""The tree as it was when a transaction began, as far as its records tell: an overlay on the disk as it is now."""

from __future__ import annotations

import os
import stat
from enum import Enum

from pytest_cbx.transaction.contents import Content
from pytest_cbx.transaction.disk import Disk
from pytest_cbx.transaction.journal import Journal
from pytest_cbx.transaction.meta import Meta
from pytest_cbx.transaction.records import ABSENCES, UNDOABLE, Kept, Kind, Record

Identity = tuple[int, int]


class Present:
    """The tree as it is now, seen without ever reaching through a link that stands where a folder was. Nothing may change meanwhile."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self._folders: dict[bytes, bool] = {b"": True}

    def look(self, path: bytes) -> os.stat_result | None:
        """What is at the path; b"" is the root of all. None: nothing, or what the command has closed to its own user."""
        if not self._is_folder(path.rpartition(b"/")[0]):
            return None
        try:
            return self.disk.lstat(path or b"/")
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return None

    def list(self, path: bytes) -> list[bytes]:
        """The names in a directory; none where that may not be read."""
        try:
            return self.disk.listdir(path)
        except PermissionError:
            return []

    def _is_folder(self, path: bytes) -> bool:
        known = self._folders.get(path)
        if known is None:
            info = self.look(path)
            known = self._folders[path] = info is not None and stat.S_ISDIR(info.st_mode)
        return known


class Was(Enum):
    """What was at a path."""

    AS_NOW = "what lies at `place` now"
    ABSENT = "nothing"
    KEPT = "what a record kept"
    FOLDER = "a directory of which only the named children were there"


class Node:
    """One path of the past; its children are those that records name."""

    __slots__ = ("children", "content", "meta", "place", "target", "walk", "was")

    def __init__(self, was: Was, place: bytes = b"") -> None:
        self.was = was
        self.place = place
        self.children: dict[bytes, Node] = {}
        self.meta: Meta | None = None
        self.content: Content | None = None
        """The kept inode or copy."""
        self.target = b""
        self.walk = False
        """A rename concerned it: what lies below was not named one by one."""

    def child(self, name: bytes) -> Node:
        """A child, which is made when no record named it; it is not stored."""
        found = self.children.get(name)
        if found is None:
            found = Node(Was.AS_NOW, self.place + b"/" + name) if self.was is Was.AS_NOW else Node(Was.ABSENT)
        return found

    def become(self, was: Was, meta: Meta | None = None, content: Content | None = None, target: bytes = b"") -> None:
        """Be something else; the children stay named."""
        self.was, self.meta, self.content, self.target, self.place = was, meta, content, target, b""


def kept_content(journal: Journal, record: Record) -> Content | None:
    """Where a record kept what it speaks of; None: in itself."""
    if record.how is Kept.DATA:
        return None
    if record.how is Kept.POOL:
        return Content(journal.pool_path, *record.place)
    return Content(journal.kept_path(record.kept))


class Past:
    """All records undone on paper, newest first."""

    def __init__(self, disk: Disk, journal: Journal, found: list[Record]) -> None:
        self.root = Node(Was.AS_NOW)
        self.contents: dict[Identity, Content] = {}
        """Inode → copy of its oldest content."""
        self.present = Present(disk)
        self._journal = journal
        undone = {one.mark.index for one in found if one.mark is not None}
        for record in reversed(found):
            if record.kind in UNDOABLE and record.kind is not Kind.TIMES and record.index not in undone:
                self._undo(record)

    def find(self, path: bytes) -> Node:
        """The node of a path, made on the way."""
        node = self.root
        for name in path.split(b"/")[1:]:
            below = node.children.get(name)
            if below is None:
                below = node.children[name] = node.child(name)
            node = below
        return node

    def _undo(self, record: Record) -> None:
        node, meta = self.find(record.path), record.meta
        if record.kind in ABSENCES:
            node.become(Was.ABSENT)
        elif record.kind is Kind.DIRECTORY:
            if node.was is not Was.AS_NOW or not self._is(node, meta):
                node.become(Was.FOLDER, meta)
            else:
                node.meta = meta
        elif record.kind is Kind.META:
            if self._is(node, meta):
                node.meta = meta
        elif record.kind is Kind.CONTENT:
            kept = kept_content(self._journal, record)
            if meta is not None and kept is not None:
                self.contents[meta.identity] = kept
            if self._is(node, meta):
                node.meta = meta
            elif self._identity(node) is None:
                node.become(Was.KEPT, meta, kept)
        elif record.kind is Kind.LINKED:
            self._vanished(record, node)
        else:
            self._rename(record, node, self.find(record.target))

    def _vanished(self, record: Record, node: Node) -> None:
        meta = record.meta
        if record.how is not Kept.LINK and meta is not None:
            self.contents.pop(meta.identity, None)  # of a later file, which got the same number
        node.become(Was.KEPT, meta, kept_content(self._journal, record), record.target)

    def _identity(self, node: Node) -> Identity | None:
        if node.was is Was.AS_NOW:
            info = self.present.look(node.place)
            return None if info is None else (info.st_dev, info.st_ino)
        return node.meta.identity if node.meta is not None else None

    def _is(self, node: Node, meta: Meta | None) -> bool:
        """Whether it is the inode of the record. The number alone does not tell: it may be another's by now."""
        if meta is None or self._identity(node) != meta.identity:
            return False
        if node.was is not Was.AS_NOW:
            return True
        info = self.present.look(node.place)
        return info is not None and stat.S_IFMT(info.st_mode) == meta.kind

    def _rename(self, record: Record, source: Node, target: Node) -> None:
        if self._identity(target) != record.identity:
            return  # it did not happen
        if record.exchange:
            if self._identity(source) == record.other:
                _swap(source, target)
        elif self._identity(source) is None:
            _swap(source, target)
            target.become(Was.ABSENT)
            target.children.clear()


def _swap(one: Node, other: Node) -> None:
    for name in ("was", "place", "children", "meta", "content", "target"):
        mine = getattr(one, name)
        setattr(one, name, getattr(other, name))
        setattr(other, name, mine)
    one.walk = other.walk = True
