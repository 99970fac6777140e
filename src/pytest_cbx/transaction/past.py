"""The tree as it was when a transaction began, as far as its records tell: an overlay on the disk as it is now."""

from __future__ import annotations

from enum import Enum

from pytest_cbx.transaction.disk import Disk
from pytest_cbx.transaction.journal import Journal
from pytest_cbx.transaction.meta import Meta
from pytest_cbx.transaction.records import ABSENCES, UNDOABLE, Kept, Kind, Record

Identity = tuple[int, int]


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
        self.content = b""
        """Path of the kept inode or copy."""
        self.target = b""
        self.walk = False
        """A rename concerned it: what lies below was not named one by one."""

    def child(self, name: bytes) -> Node:
        """A child, which is made when no record named it; it is not stored."""
        found = self.children.get(name)
        if found is None:
            found = Node(Was.AS_NOW, self.place + b"/" + name) if self.was is Was.AS_NOW else Node(Was.ABSENT)
        return found

    def become(self, was: Was, meta: Meta | None = None, content: bytes = b"", target: bytes = b"") -> None:
        """Be something else; the children stay named."""
        self.was, self.meta, self.content, self.target, self.place = was, meta, content, target, b""


class Past:
    """All records undone on paper, newest first."""

    def __init__(self, disk: Disk, journal: Journal, found: list[Record]) -> None:
        self.root = Node(Was.AS_NOW)
        self.contents: dict[Identity, bytes] = {}
        """Inode → copy of its oldest content."""
        self._disk = disk
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
            if node.was is not Was.AS_NOW or self._identity(node) != (meta.identity if meta else None):
                node.become(Was.FOLDER, meta)
            else:
                node.meta = meta
        elif record.kind is Kind.META:
            if meta is not None and self._identity(node) == meta.identity:
                node.meta = meta
        elif record.kind is Kind.CONTENT:
            kept = self._journal.kept_path(record.kept)
            if meta is not None:
                self.contents[meta.identity] = kept
            if self._identity(node) in (None, meta.identity if meta else None):
                node.become(Was.KEPT, meta, kept)
        elif record.kind is Kind.LINKED:
            kept = b"" if record.how is Kept.DATA else self._journal.kept_path(record.kept)
            node.become(Was.KEPT, meta, kept, record.target)
        else:
            self._rename(record, node, self.find(record.target))

    def _identity(self, node: Node) -> Identity | None:
        if node.was is Was.AS_NOW:
            try:
                info = self._disk.lstat(node.place or b"/")
            except OSError:
                return None
            return info.st_dev, info.st_ino
        return node.meta.identity if node.meta is not None else None

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
