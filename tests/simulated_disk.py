"""A disk whose power can be cut: what was not flushed may be lost, in any way that POSIX leaves open.

A `Platter` watches real folders. After each operation it looks what has become of them and writes that down as changes: names in
directories, contents of files, metadata. A flush of a file or directory makes that object's changes last. At a power cut
some choice of the others survives, and the folders are put into that state: same paths, and the same inodes, as a real disk would have it.

What is modelled, beyond "fsync(2) of a file saves its data and metadata, fsync(2) of a directory its names":

- changes that touch the same name, or the same file, reach the platter in their order; all others in any order;
- a rename is one change, also between directories (every journalling file system does it in one transaction);
- a content may be torn: a part of an addition, its length alone (zeros), or a mixture of old and new;
- a name may survive whose content does not (an empty file), and the other way round.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pytest_cbx.transaction.disk import Disk
from tests.inodes import LONG_AGO, Meta, Node, copy_of, empty, give_meta, restore, scan_into

Key = tuple[str, int, bytes]
_SECTOR = 16
"""Bytes. Real ones are larger; small ones cut more often."""
_CHANGING = (
    "write", "ftruncate", "link", "symlink", "rename", "unlink", "mkdir", "mknod", "chmod", "chown", "utime", "setxattr",
    "removexattr", "copy_file_range",
)  # fmt: skip


class What(Enum):
    """What a change changes."""

    NAMES = "names"
    DATA = "data"
    META = "meta"


@dataclass(slots=True, kw_only=True)
class Change:
    """One change that may or may not have reached the platter."""

    what: What
    keys: frozenset[Key]
    """Changes with a key in common keep their order."""
    savers: frozenset[int]
    """The inodes whose flush saves it."""
    names: tuple[tuple[int, bytes, int | None], ...] = ()
    """Directory, name, and what it names from now on."""
    inode: int = 0
    content: bytes = b""
    meta: Meta | None = None
    saved: bool = False

    def apply(self, nodes: dict[int, Node], born: dict[int, Node]) -> None:
        """Let it have happened."""
        for folder, name, inode in self.names:
            nodes.setdefault(folder, copy_of(born[folder]))
            if inode is None:
                nodes[folder].entries.pop(name, None)
            else:
                nodes[folder].entries[name] = inode
                nodes.setdefault(inode, copy_of(born[inode]))
        if self.what is What.DATA:
            nodes.setdefault(self.inode, copy_of(born[self.inode])).content = self.content
        elif self.meta is not None:
            nodes.setdefault(self.inode, copy_of(born[self.inode])).meta = self.meta


class Loss(Enum):
    """What a power cut does to the changes that were not flushed."""

    EVERYTHING = "everything is lost"
    NOTHING = "nothing is lost"
    CONTENTS = "names and metadata survive, contents do not"
    LENGTHS = "names and lengths survive, contents are zeros"
    NAMES = "contents survive, names do not"
    OLDEST = "the oldest half survives"
    YOUNGEST = "the youngest survive, as far as order lets them"
    TORN = "the last content is torn, all else survives"
    RANDOM = "any"


class Platter:
    """What of some folders has reached the disk. The folders themselves are there at the beginning, and stay."""

    def __init__(self, *folders: Path, graveyard: Path, ctimes: Mapping[int, int] = MappingProxyType({})) -> None:
        """`graveyard` lies on the same file system, outside of the folders: removed inodes are kept there.

        `ctimes`: what the change times (nanoseconds) of inodes are; by default all is old.
        """
        self._folders = [os.fsencode(folder) for folder in folders]
        self._graveyard = os.fsencode(graveyard)
        os.makedirs(self._graveyard, exist_ok=True)
        self._roots = {os.lstat(folder).st_ino: folder for folder in self._folders}
        self._ctimes = dict(ctimes)
        self._before = self._scan()
        self._seen = {inode: copy_of(node) for inode, node in self._before.items()}
        self._born = {inode: copy_of(node) for inode, node in self._before.items()}
        """Each inode as it was when it came up: of a file no content, of a directory no names."""
        self.changes: list[Change] = []
        self._held: dict[int, int] = {}
        """Descriptors of directories: as long as they are open, no number of an inode is used again."""
        self._hold()

    def close(self) -> None:
        """Let go of the descriptors."""
        for descriptor in self._held.values():
            os.close(descriptor)
        self._held.clear()

    def _hold(self) -> None:
        for folder in self._folders:
            for parent, _, _ in os.walk(folder):
                inode = os.lstat(parent).st_ino
                if inode not in self._held:
                    self._held[inode] = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)

    # --- watching ------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Write down what has changed since the last look."""
        found = self._scan()
        self._hold()
        self._note_names(found)
        self._note_ctimes(found)
        for inode, node in found.items():
            old = self._seen.get(inode, self._born[inode])
            single = frozenset(((What.DATA.value, inode, b""),))
            if node.kind == stat.S_IFREG and node.content != old.content:
                self._add(What.DATA, single, frozenset((inode,)), inode=inode, content=node.content)
            if node.meta != old.meta:
                keys = frozenset(((What.META.value, inode, b""),))
                self._add(What.META, keys, self._savers(inode, found), inode=inode, meta=node.meta)
        # Inodes without a name may come back by a link to what is held open: they keep what is known of them.
        self._seen.update({inode: copy_of(node) for inode, node in found.items()})
        for inode in self._seen.keys() - found.keys():
            self._seen[inode].entries = {}

    def _note_names(self, found: dict[int, Node]) -> None:
        gone: list[tuple[int, bytes, int]] = []
        come: list[tuple[int, bytes, int]] = []
        for inode in self._seen.keys() | found.keys():
            old = self._seen[inode].entries if inode in self._seen else {}
            new = found[inode].entries if inode in found else {}
            gone += [(inode, name, old[name]) for name in old if new.get(name) != old[name]]
            come += [(inode, name, new[name]) for name in new if old.get(name) != new[name]]
        for _, _, inode in come:
            self._born.setdefault(inode, self._newborn(found[inode]))
        renamed: set[tuple[int, bytes]] = set()
        for folder, name, inode in come:
            source = next((one for one in gone if one[2] == inode and one[:2] not in renamed), None)
            names: list[tuple[int, bytes, int | None]] = [(folder, name, inode)]
            if source is not None:
                renamed.add(source[:2])
                names.insert(0, (source[0], source[1], None))
            self._add_names(names)
        written = {(folder, name) for folder, name, _ in come}
        for folder, name, _ in gone:
            if (folder, name) not in renamed and (folder, name) not in written:
                self._add_names([(folder, name, None)])

    def _note_ctimes(self, found: dict[int, Node]) -> None:
        now = time.time_ns()
        for inode, node in found.items():
            if node != self._seen.get(inode):
                self._ctimes[inode] = now
                node.meta = replace(node.meta, ctime=now)

    def ctime(self, inode: int) -> int:
        """The change time of an inode, nanoseconds."""
        return self._ctimes.get(inode, LONG_AGO)

    def _newborn(self, node: Node) -> Node:
        content = node.content if node.kind != stat.S_IFREG else b""
        return Node(meta=node.meta, content=content, device=node.device)

    def _savers(self, inode: int, found: dict[int, Node]) -> frozenset[int]:
        """A symbolic link or a pipe cannot be flushed: it goes with its directory."""
        if found[inode].kind in (stat.S_IFREG, stat.S_IFDIR):
            return frozenset((inode,))
        return frozenset(folder for folder, node in found.items() if inode in node.entries.values())

    def _add_names(self, names: list[tuple[int, bytes, int | None]]) -> None:
        keys = frozenset((What.NAMES.value, folder, name) for folder, name, _ in names)
        folders = frozenset(folder for folder, _, _ in names)
        self.changes.append(Change(what=What.NAMES, keys=keys, savers=folders, names=tuple(names)))

    def _add(
        self,
        what: What,
        keys: frozenset[Key],
        savers: frozenset[int],
        *,
        inode: int,
        content: bytes = b"",
        meta: Meta | None = None,
    ) -> None:
        self.changes.append(Change(what=what, keys=keys, savers=savers, inode=inode, content=content, meta=meta))

    # --- flushing ------------------------------------------------------------------------------------------

    def flush(self, inode: int) -> None:
        """fsync(2) of one file or directory."""
        self.look()
        for number, change in enumerate(self.changes):
            if inode in change.savers and not change.saved:
                self._save(number)

    def flush_all(self) -> None:
        """sync(2)."""
        self.look()
        for change in self.changes:
            change.saved = True

    def _save(self, number: int) -> None:
        """Save a change, and what had to come before it."""
        change = self.changes[number]
        change.saved = True
        for earlier in range(number):
            if not self.changes[earlier].saved and self.changes[earlier].keys & change.keys:
                self._save(earlier)

    @property
    def tops(self) -> tuple[int, ...]:
        """The inodes of the folders."""
        return tuple(self._roots)

    # --- the power cut -------------------------------------------------------------------------------------

    def survivors(self, loss: Loss, seed: int = 0) -> dict[int, Node]:
        """What is on the platter after a power cut now. Does not look again: what was not noted did not happen."""
        choice = random.Random(seed)
        kept = self._kept(self._wishes(loss, choice))
        nodes = {inode: copy_of(node) for inode, node in self._before.items()}
        lost: dict[int, Change] = {}
        for number, change in enumerate(self.changes):
            if number in kept:
                change.apply(nodes, self._born)
            elif change.what is What.DATA:
                lost.setdefault(change.inode, change)
        for inode, change in lost.items():
            if inode in nodes:
                nodes[inode].content = _torn(nodes[inode].content, change.content, loss, choice)
        return nodes

    def _wishes(self, loss: Loss, choice: random.Random) -> set[int]:
        """The unsaved changes that shall survive, if order lets them."""
        unsaved = [number for number, change in enumerate(self.changes) if not change.saved]
        half = len(unsaved) // 2
        match loss:
            case Loss.EVERYTHING:
                return set()
            case Loss.NOTHING:
                return set(unsaved)
            case Loss.CONTENTS | Loss.LENGTHS:
                return {number for number in unsaved if self.changes[number].what is not What.DATA}
            case Loss.NAMES:
                return {number for number in unsaved if self.changes[number].what is not What.NAMES}
            case Loss.OLDEST:
                return set(unsaved[: half + 1])
            case Loss.YOUNGEST:
                return set(unsaved[half:])
            case Loss.TORN:
                data = [number for number in unsaved if self.changes[number].what is What.DATA]
                return set(unsaved) - set(data[-1:])
            case Loss.RANDOM:
                share = choice.choice((0.2, 0.5, 0.8, 0.95))
                return {number for number in unsaved if choice.random() < share}

    def _kept(self, wishes: set[int]) -> set[int]:
        """The saved, and those wishes that do not come after something lost under the same key."""
        kept: set[int] = set()
        broken: set[Key] = set()
        for number, change in enumerate(self.changes):
            if change.saved or (number in wishes and not change.keys & broken):
                kept.add(number)
            else:
                broken |= change.keys
        return kept

    def materialise(self, nodes: dict[int, Node]) -> None:
        """Put the folders into a state of this platter, or of an earlier one with the same graveyard; inodes stay the same."""
        for folder in self._folders:
            empty(folder, self._graveyard)
        made: dict[int, bytes] = {}
        for inode, folder in self._roots.items():
            restore(folder, nodes[inode], nodes, self._graveyard, made)
        for inode, folder in self._roots.items():
            give_meta(folder, nodes[inode].meta)

    @contextlib.contextmanager
    def burying(self) -> Iterator[None]:
        """Around an operation that may remove inodes: they are kept, so that a lost removal can show them again."""
        for inode, path in self._paths():
            with contextlib.suppress(OSError):
                os.link(path, self._grave(inode), follow_symlinks=False)
        try:
            yield
        finally:
            for name in os.listdir(self._graveyard):
                grave = os.path.join(self._graveyard, name)
                found = os.lstat(grave)
                if not stat.S_ISDIR(found.st_mode) and found.st_nlink > 1:
                    os.unlink(grave)

    def bury(self, path: bytes) -> None:
        """rmdir(2) of an empty directory that is kept."""
        os.rename(path, self._grave(os.lstat(path).st_ino))

    def _grave(self, inode: int) -> bytes:
        return os.path.join(self._graveyard, b"%d" % inode)

    def _paths(self) -> Iterator[tuple[int, bytes]]:
        for folder in self._folders:
            for parent, folders, files in os.walk(folder):
                for name in (*folders, *files):
                    path = os.path.join(parent, name)
                    found = os.lstat(path)
                    if not stat.S_ISDIR(found.st_mode):
                        yield found.st_ino, path

    def _scan(self) -> dict[int, Node]:
        nodes: dict[int, Node] = {}
        for folder in self._folders:
            scan_into(nodes, folder, self.ctime)
        return nodes


def _torn(old: bytes, new: bytes, loss: Loss, choice: random.Random) -> bytes:
    """What a content that was not flushed may have become."""
    grown = len(new) > len(old) and new.startswith(old)
    how = {Loss.LENGTHS: "zeros", Loss.TORN: "part"}.get(loss, "old")
    if loss is Loss.RANDOM:
        how = choice.choice(("old", "old", "part", "zeros", "sectors"))
    if how == "old" or old.startswith(new):
        return old
    if how == "zeros" and grown:
        return old + bytes(len(new) - len(old))
    where = choice.randrange(len(old) if grown else 0, len(new) + 1)
    if how == "sectors" and grown:
        where = max(where // _SECTOR * _SECTOR, len(old))
        return new[:where] + bytes(len(new) - where)
    return new[:where] if grown else new[:where] + old[where:]


class SimulatedDisk(Disk):
    """Performs each operation on the real folders, and counts it. The program whose changes are undone works through it, too.

    Looking is not counted. `after` is called after each operation: a power cut there leaves one of `platter.survivors`.
    """

    def __init__(self, platter: Platter, *, after: Callable[[], None] | None = None) -> None:
        """Without `after` nothing is noted for a power cut either, which is faster."""
        self.platter = platter
        self.operations: list[str] = []
        """Their names."""
        self._after = after
        for name in _CHANGING:
            if hasattr(os, name):
                setattr(self, name, self._counted(name, getattr(os, name)))
        setattr(self, "open", self._open)  # noqa: B010
        setattr(self, "rmdir", self._counted("rmdir", self._rmdir))  # noqa: B010
        setattr(self, "fsync", self._fsync)  # noqa: B010
        setattr(self, "sync", self._sync)  # noqa: B010
        setattr(self, "lstat", lambda path: self._seen(os.lstat(path)))  # noqa: B010
        setattr(self, "fstat", lambda descriptor: self._seen(os.fstat(descriptor)))  # noqa: B010

    def _counted(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **keywords: Any) -> Any:
            with self._step(name):
                return call(*arguments, **keywords)

        return counted

    @contextlib.contextmanager
    def _step(self, name: str) -> Iterator[None]:
        self.operations.append(name)
        with self.platter.burying() if name in ("unlink", "rename") else contextlib.nullcontext():
            yield
        if self._after is not None:
            self.platter.look()
            self._after()

    def _open(self, path: bytes, flags: int, mode: int = 0o777) -> int:
        if not flags & (os.O_CREAT | os.O_TRUNC):
            return os.open(path, flags, mode)
        with self._step("open"):
            return os.open(path, flags, mode)

    def _rmdir(self, path: bytes) -> None:
        if os.listdir(path):
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), path)
        self.platter.bury(path)

    def _fsync(self, descriptor: int) -> None:
        with self._step("fsync"):
            found = os.fstat(descriptor)
            if stat.S_IFMT(found.st_mode) not in (stat.S_IFREG, stat.S_IFDIR):
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            if self._after is not None:
                self.platter.flush(found.st_ino)

    def _sync(self) -> None:
        with self._step("sync"):
            if self._after is not None:
                self.platter.flush_all()

    def _seen(self, found: os.stat_result) -> os.stat_result:
        """With the platter's change time."""
        ctime = self.platter.ctime(found.st_ino)
        times = {"st_atime_ns": found.st_atime_ns, "st_mtime_ns": found.st_mtime_ns, "st_ctime_ns": ctime}
        more = {name: getattr(found, name) for name in ("st_blksize", "st_blocks", "st_rdev")}
        return os.stat_result(tuple(found), {**times, **more})
