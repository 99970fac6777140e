"""Inodes as values: taken from real folders, put back into them with the same numbers, compared."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

LONG_AGO = 1_000_000_000 * 1_000_000_000
"""Nanoseconds: a change time that proves that nothing changed since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """What chmod, chown, utimensat and setxattr change."""

    mode: int
    uid: int
    gid: int
    mtime: int
    """Nanoseconds."""
    xattrs: tuple[tuple[str, bytes], ...]
    ctime: int = 0
    """Nanoseconds, by the platter's own clock: nobody can set the real one."""


@dataclass(slots=True, kw_only=True)
class Node:
    """One inode."""

    meta: Meta
    content: bytes = b""
    """Of a file; the target of a symbolic link."""
    device: int = 0
    entries: dict[bytes, int] = field(default_factory=dict)

    @property
    def kind(self) -> int:
        """Its type, as `stat.S_IFMT` gives it."""
        return stat.S_IFMT(self.meta.mode)


def copy_of(node: Node) -> Node:
    """One that may be changed."""
    return replace(node, entries=dict(node.entries))


def scan_into(nodes: dict[int, Node], path: bytes, ctime: Callable[[int], int]) -> int:
    """Add what lies at and below a path; returns its inode's number. `ctime`: the change time of an inode."""
    found = os.lstat(path)
    inode = found.st_ino
    if inode in nodes:
        return inode
    kind = stat.S_IFMT(found.st_mode)
    node = nodes[inode] = Node(meta=_meta(path, found, ctime(inode)), device=found.st_rdev)
    if kind == stat.S_IFDIR:
        for name in sorted(os.listdir(path)):
            node.entries[name] = scan_into(nodes, os.path.join(path, name), ctime)
    elif kind == stat.S_IFREG:
        node.content = _read(path)
    elif kind == stat.S_IFLNK:
        node.content = os.readlink(path)
    return inode


def _read(path: bytes) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _meta(path: bytes, found: os.stat_result, ctime: int = 0) -> Meta:
    xattrs: tuple[tuple[str, bytes], ...] = ()
    if hasattr(os, "listxattr"):
        with contextlib.suppress(OSError):
            names = sorted(os.listxattr(path, follow_symlinks=False))
            xattrs = tuple((name, os.getxattr(path, name, follow_symlinks=False)) for name in names)
    return Meta(
        mode=found.st_mode, uid=found.st_uid, gid=found.st_gid, mtime=found.st_mtime_ns, xattrs=xattrs, ctime=ctime
    )


def empty(folder: bytes, graveyard: bytes) -> None:
    """Bring all inodes in a folder into the graveyard, each under its number."""
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        found = os.lstat(path)
        grave = os.path.join(graveyard, b"%d" % found.st_ino)
        if stat.S_ISDIR(found.st_mode):
            empty(path, graveyard)
            os.rename(path, grave)
        elif os.path.lexists(grave):
            os.unlink(path)
        else:
            os.rename(path, grave)


def restore(path: bytes, node: Node, nodes: dict[int, Node], graveyard: bytes, made: dict[int, bytes]) -> None:
    """Give a directory its entries, from the graveyard where they lie there. `made`: a path of each inode that has one already."""
    for name, inode in node.entries.items():
        target = os.path.join(path, name)
        child = nodes[inode]
        grave = os.path.join(graveyard, b"%d" % inode)
        if inode in made and child.kind != stat.S_IFDIR:
            os.link(made[inode], target, follow_symlinks=False)
            continue
        if os.path.lexists(grave):
            os.rename(grave, target)
        else:
            _make(target, child)
        made[inode] = target
        if child.kind == stat.S_IFREG:
            if _read(target) != child.content:
                with open(target, "r+b") as file:
                    file.truncate(0)
                    file.write(child.content)
        elif child.kind == stat.S_IFDIR:
            restore(target, child, nodes, graveyard, made)
        give_meta(target, child.meta)


def _make(path: bytes, node: Node) -> None:
    if node.kind == stat.S_IFDIR:
        os.mkdir(path)
    elif node.kind == stat.S_IFLNK:
        os.symlink(node.content, path)
    else:
        os.mknod(path, node.kind | 0o600, node.device)


def give_meta(path: bytes, meta: Meta) -> None:
    """Put owner, mode, attributes and times in place."""
    found = os.lstat(path)
    if (found.st_uid, found.st_gid) != (meta.uid, meta.gid):
        os.chown(path, meta.uid, meta.gid, follow_symlinks=False)
    if not stat.S_ISLNK(meta.mode):
        os.chmod(path, stat.S_IMODE(meta.mode))
        have = dict(_meta(path, found).xattrs)
        for name in have.keys() - dict(meta.xattrs).keys():
            os.removexattr(path, name)
        for name, value in meta.xattrs:
            if have.get(name) != value:
                os.setxattr(path, name, value)
    os.utime(path, ns=(found.st_atime_ns, meta.mtime), follow_symlinks=False)


def fingerprint(nodes: dict[int, Node], tops: Iterable[int]) -> str:
    """Equal for states that look alike from these directories on."""
    shown: list[object] = []
    todo = list(tops)
    known: set[int] = set()
    while todo:
        inode = todo.pop()
        if inode not in known:
            known.add(inode)
            node = nodes[inode]
            shown.append(
                (
                    inode,
                    replace(node.meta, ctime=int(node.meta.ctime == LONG_AGO)),
                    node.content,
                    sorted(node.entries.items()),
                )
            )
            todo += node.entries.values()
    return hashlib.sha256(repr(shown).encode()).hexdigest()


def portrait(folders: Iterable[Path], *, times: bool = True, without: str = ".cbx") -> dict[str, object]:
    """All that people can see of some folders, as a value: kinds, contents, modes, owners, times, xattrs, which names are one file."""
    shown: dict[str, object] = {}
    first: dict[int, str] = {}
    for folder in folders:
        for path in [folder, *sorted(folder.rglob("*"))]:
            if without in path.parts:
                continue
            raw = os.fsencode(path)
            found = os.lstat(raw)
            meta = _meta(raw, found)
            name = os.fspath(path)
            same = first.setdefault(found.st_ino, name) if not stat.S_ISDIR(found.st_mode) else name
            content = b""
            if stat.S_ISREG(found.st_mode):
                content = _read(raw)
            elif stat.S_ISLNK(found.st_mode):
                content = os.readlink(raw)
            shown[name] = (meta if times else replace(meta, mtime=0), content, found.st_rdev, same)
    return shown
