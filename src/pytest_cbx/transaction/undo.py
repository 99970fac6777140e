"""The roll back: newest record first, each step right whether its call happened or not, and whether it was undone before or not.

After each step a mark is appended, so that a roll back that is killed goes on where it was. A step that meets what it does not expect
where a rename is still to be undone is put off until that is: calls of one command may have raced.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Mapping

from pytest_cbx.transaction import meta as metas
from pytest_cbx.transaction import records
from pytest_cbx.transaction.contents import contents_differ
from pytest_cbx.transaction.copying import Clone, copy, write_all
from pytest_cbx.transaction.disk import Disk
from pytest_cbx.transaction.journal import Journal
from pytest_cbx.transaction.meta import Meta
from pytest_cbx.transaction.model import Report
from pytest_cbx.transaction.past import kept_content
from pytest_cbx.transaction.records import ABSENCES, UNDOABLE, Kept, Kind, Mark, Record
from pytest_cbx.transaction.replacements import NONE, Identity, Replacements


def scopes_below(found: Iterable[Record], scope: int) -> frozenset[int]:
    """A scope and all that began in it."""
    scopes = {scope}
    for record in found:
        if record.kind is Kind.SCOPE and record.parent in scopes:
            scopes.add(record.scope)
    return frozenset(scopes)


class Undo:
    """One roll back, of a root transaction or (with `scopes`) of a nested one."""

    def __init__(
        self,
        journal: Journal,
        disk: Disk,
        found: list[Record],
        *,
        clone: Clone,
        foreign: Callable[[bytes], bool] | None = None,
        scopes: frozenset[int] | None = None,
    ) -> None:
        self._journal = journal
        self._disk = disk
        self._clone = clone
        self._foreign = foreign
        self._restored = 0
        self._left: dict[bytes, None] = {}
        self._replacements = Replacements(found)
        self._fresh = (NONE, NONE)
        """What the step that runs has replaced, for its mark."""
        self._dirty: dict[bytes, None] = {}
        """With `power`: what is to be flushed."""
        self._marks: list[bytes] = []
        """With `power`: what is to be noted when it has been."""
        self._folders: set[bytes] = set()
        """Known to be directories; forgotten when one moves or goes."""
        undone: set[int] = set()
        put_off: dict[int, None] = {}
        for record in found:
            if record.mark is not None:
                undone.add(record.mark.index)
                put_off.pop(record.mark.index, None)
                if record.mark.put_off:
                    put_off[record.mark.index] = None
        self._todo = [
            one
            for one in reversed(found)
            if one.kind in UNDOABLE and one.index not in undone and (scopes is None or one.scope in scopes)
        ]
        self._put_off = [found[index] for index in put_off if scopes is None or found[index].scope in scopes]
        self._renames: dict[bytes, list[Record]] = {}
        self._absent: dict[bytes, int] = {}
        """Path → its oldest ABSENT record."""
        self._ended: dict[Identity, list[int]] = {}
        """Inode → where it may have vanished: from there on, its number may be that of another one."""
        for one in self._todo:
            if one.kind is Kind.DIRECTORY or (one.kind is Kind.LINKED and one.how is not Kept.LINK):
                self._ended.setdefault(_meta(one).identity, []).append(one.index)
            if one.kind is Kind.RENAME:
                self._renames.setdefault(one.target, []).append(one)
                self._renames.setdefault(one.path, []).append(one)
            elif one.kind in ABSENCES:
                self._absent[one.path] = one.index

    def run(self) -> Report:
        """Undo all; stops at the first failure, since older records build on newer ones being undone.

        Raises:
            JournalError: a mark cannot be written.
        """
        steps = {
            Kind.ABSENT: self._absent_step,
            Kind.ABSENT_IN_FLIGHT: self._absent_step,
            Kind.CONTENT: self._content_step,
            Kind.LINKED: self._linked_step,
            Kind.DIRECTORY: self._directory_step,
            Kind.RENAME: self._rename_step,
            Kind.META: self._meta_step,
            Kind.TIMES: self._times_step,
        }
        record: Record | None = None
        try:
            for record in self._todo:
                if record.kind is Kind.RENAME:
                    self._barrier()
                done = self._is_foreign(record) or steps[record.kind](record)
                self._mark(record, put_off=not done)
                if not done:
                    self._put_off.append(record)
                elif record.kind is Kind.RENAME and not self._is_foreign(record):
                    self._barrier()
                    self._retry(steps, record)
                elif self._put_off and record.kind is Kind.LINKED:
                    self._retry(steps, record)
            for record in self._put_off:
                self._last_resort(record)
                self._mark(record)
            self._barrier()
        except OSError as error:
            where = os.fsdecode(record.path) if record is not None else os.fsdecode(self._journal.folder)
            return self._report((f"{where} could not be restored: {error}",))
        return self._report(())

    def _report(self, incomplete: tuple[str, ...]) -> Report:
        return Report(restored=self._restored, left=tuple(sorted(self._left)), incomplete=incomplete)

    # --- bookkeeping ---------------------------------------------------------------------------------------

    def _mark(self, record: Record, *, put_off: bool = False) -> None:
        mark = records.mark(Mark(record.index, int(put_off), *self._fresh))
        self._fresh = (NONE, NONE)
        if self._journal.power:
            # It must not survive a power cut that what it speaks of does not survive: be that restored, or found to be right.
            self._marks.append(mark)
            for path in (record.path, record.target) if record.kind is Kind.RENAME else (record.path,):
                self._touch(path)
                self._touch_entry(path)
        else:
            self._journal.note(mark)
        if not put_off:
            self._restored += 1

    def _retry(self, steps: Mapping[Kind, Callable[[Record], bool]], undone: Record) -> None:
        """Try again what the call, now undone, may have taken away. Nothing else: what older records will restore is not there yet."""
        sources = (undone.path, undone.target) if undone.exchange else (undone.path,)
        waiting, self._put_off = self._put_off, []
        for record in waiting:
            if any(_holds(source, record.path) for source in sources) and steps[record.kind](record):
                self._mark(record)
            else:
                self._put_off.append(record)

    def _is_foreign(self, record: Record) -> bool:
        if self._foreign is None or record.kind is Kind.TIMES:
            return False
        for path in (record.path, record.target) if record.kind is Kind.RENAME else (record.path,):
            if self._foreign(path):
                self._left[path] = None
                return True
        return False

    def _barrier(self) -> None:
        """With `power`, what was restored reaches the disk before names move: after that it could not be restored again."""
        if not self._journal.power:
            return
        for path in self._dirty:
            self._disk.flush(path)
        self._dirty.clear()
        for mark in self._marks:
            self._journal.note(mark)
        self._marks.clear()
        self._journal.flush()

    def _touch(self, path: bytes) -> None:
        if self._journal.power:
            self._dirty[path] = None

    def _touch_entry(self, path: bytes) -> None:
        if self._journal.power:
            self._dirty[_parent(path)] = None

    # --- looking -------------------------------------------------------------------------------------------

    def _look(self, path: bytes) -> os.stat_result | None:
        """What is at the path; None also when a link stands where a folder was: never reach through it to something else."""
        if not self._has_parent(path):
            return None
        try:
            return self._disk.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _has_parent(self, path: bytes) -> bool:
        return self._is_folder(_parent(path))

    def _is_folder(self, path: bytes) -> bool:
        """Whether the path is a directory, and no part of it below the root is a link."""
        if path in self._folders:
            return True
        if path != b"/" and path not in self._journal.header.roots:
            if not self._is_folder(_parent(path)):
                return False
            try:
                if not stat.S_ISDIR(self._disk.lstat(path).st_mode):
                    return False
            except (FileNotFoundError, NotADirectoryError):
                return False
        self._folders.add(path)
        return True

    def _is(self, info: os.stat_result | None, identity: Identity, index: int) -> bool:
        """Whether this is what the record of this index calls so."""
        return info is not None and (info.st_dev, info.st_ino) == self._replacements.current(identity, index)

    def _moves_back(self, path: bytes, info: os.stat_result, index: int) -> bool:
        """Whether the last rename before a record put this inode here, though told before it: it goes back by that."""
        record = next((one for one in self._renames.get(path, ()) if one.index < index), None)
        if record is None or (record.path == path and not record.exchange):
            return False
        mine, its, place = record.identity, record.other, record.path
        if record.path == path:
            mine, its, place = its, mine, record.target
        if any(record.index < ended < index for ended in self._ended.get(mine, ())):
            return False
        there = self._look(place)
        gone = self._is(there, its, record.index) if record.exchange else there is None
        return gone and self._is(info, mine, record.index)

    # --- the steps: True when done, False to put off -------------------------------------------------------

    def _absent_step(self, record: Record) -> bool:
        info = self._look(record.path)
        if info is None:
            return record.kind is Kind.ABSENT or self._has_parent(record.path)
        if self._moves_back(record.path, info, record.index):
            return True
        self._clear(record.path, info)
        return True

    def _clear(self, path: bytes, info: os.stat_result) -> bool:
        """Remove what is there; False: a directory that others have put something into."""
        if not stat.S_ISDIR(info.st_mode):
            self._disk.unlink(path)
            self._touch_entry(path)
            return True
        try:
            self._disk.rmdir(path)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY):
                raise
            self._left[path] = None
            return False
        self._folders.clear()
        self._touch_entry(path)
        return True

    def _content_step(self, record: Record) -> bool:
        meta = _meta(record)
        info = self._look(record.path)
        if info is None or not self._is(info, meta.identity, record.index) or not stat.S_ISREG(info.st_mode):
            return False
        # A power cut may lose the time of a change, and not the change.
        if self._journal.power or not meta.is_untouched(info):
            self._write_back(record, info)
        self._finish(record.path, meta)
        return True

    def _write_back(self, record: Record, info: os.stat_result) -> None:
        disk = self._disk
        flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            target = disk.open(record.path, flags)
        except PermissionError:
            disk.chmod(record.path, stat.S_IMODE(info.st_mode) | stat.S_IWUSR)
            target = disk.open(record.path, flags)
        try:
            self._fill(record, target)
        finally:
            disk.close(target)
        self._touch(record.path)

    def _fill(self, record: Record, target: int) -> None:
        """Overwritten where it lies: to cut a file to nothing and write it anew makes file systems flush it at once."""
        disk = self._disk
        if record.how is Kept.POOL:
            data = self._journal.pooled(*record.place)
            write_all(disk, target, data)
            disk.ftruncate(target, len(data))
            return
        source = disk.open(self._journal.kept_path(record.kept), os.O_RDONLY | os.O_CLOEXEC)
        try:
            info = disk.fstat(source)
            if info.st_blocks * 512 < info.st_size:
                disk.ftruncate(target, 0)  # only so do its holes become holes again
            copy(disk, source, target, self._clone)
            disk.ftruncate(target, info.st_size)
        finally:
            disk.close(source)

    def _linked_step(self, record: Record) -> bool:
        meta, path = _meta(record), record.path
        info = self._look(path)
        if record.how is not Kept.LINK and info is not None and stat.S_IFMT(info.st_mode) == meta.kind:
            # Without a link that holds it, the number of an inode may be that of a new file by now.
            self._fill_anew(record, meta, info)
        elif record.how is not Kept.LINK or not self._is(info, meta.identity, record.index):
            if info is None:
                if not self._has_parent(path):
                    return False
            elif not self._clear(path, info):
                return True
            self._bring_back(record, meta)
        self._finish(path, meta)
        return True

    def _fill_anew(self, record: Record, meta: Meta, info: os.stat_result) -> None:
        """What is there, of the kind that was there, becomes what was kept."""
        if stat.S_ISREG(meta.mode):
            if not self._is_as_kept(record, info):
                self._clear(record.path, info)
                self._bring_back(record, meta)
        elif info.st_rdev != meta.rdev or (
            stat.S_ISLNK(meta.mode) and self._disk.readlink(record.path) != record.target
        ):
            self._clear(record.path, info)
            self._bring_back(record, meta)
        self._replaced(record, meta)

    def _is_as_kept(self, record: Record, info: os.stat_result) -> bool:
        """Whether what is there has no other name and the content that was kept: then it is as good as that, be it the same or not."""
        kept = kept_content(self._journal, record)
        return info.st_nlink == 1 and kept is not None and not contents_differ(self._disk, kept, record.path)

    def _bring_back(self, record: Record, meta: Meta) -> None:
        """Give a kept inode its name again; what was kept stays, so that this can be done again after a power cut."""
        disk, path = self._disk, record.path
        self._touch_entry(path)
        if record.how is Kept.LINK:
            disk.link(self._journal.kept_path(record.kept), path, follow_symlinks=False)
            return
        if stat.S_ISREG(meta.mode):
            self._make_copy(record)
        elif stat.S_ISLNK(meta.mode):
            disk.symlink(record.target, path)
        else:
            disk.mknod(path, meta.mode, meta.rdev)
        self._replaced(record, meta)

    def _make_copy(self, record: Record) -> None:
        target = self._disk.open(record.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            self._fill(record, target)
        finally:
            self._disk.close(target)
        self._touch(record.path)

    def _replaced(self, record: Record, meta: Meta) -> None:
        info = self._disk.lstat(record.path)
        self._fresh = self._replacements.note(meta.identity, record.index, (info.st_dev, info.st_ino))

    def _directory_step(self, record: Record) -> bool:
        meta, path = _meta(record), record.path
        info = self._look(path)
        if info is not None and not stat.S_ISDIR(info.st_mode):
            self._clear(path, info)
            info = None
        if info is None:
            if not self._has_parent(path):
                return False
            self._disk.mkdir(path, 0o700)
            self._touch_entry(path)
        if not self._is(info, meta.identity, record.index):
            # The same one cannot be had again. A directory that is there already is one that a killed roll back, or the command, made.
            self._replaced(record, meta)
        self._finish(path, meta)
        return True

    def _rename_step(self, record: Record) -> bool:
        source, target = record.path, record.target
        if record.exchange:
            self._exchange_back(record)
            return True
        if self._is(self._look(target), record.identity, record.index):
            there = self._look(source)
            if there is None:
                self._folders.clear()
                self._disk.rename(target, source)
                self._touch_entry(source)
                self._touch_entry(target)
            elif self._is(there, record.identity, record.index):
                # It did not happen, or was taken back, by a link or the other way round: the target was no name of this inode before.
                self._clear(target, there)
            else:
                self._left[source] = None
        return True

    def _exchange_back(self, record: Record) -> None:
        """In three steps, each of which can be told from what lies where: Python has no exchanging rename."""
        source, target = record.path, record.target
        aside = b"%s/x%d" % (self._journal.folder, record.index)
        self._folders.clear()
        if not os.path.lexists(aside):
            if not (
                self._is(self._look(target), record.identity, record.index)
                and self._is(self._look(source), record.other, record.index)
            ):
                return
            self._disk.rename(source, aside)
        if self._look(source) is None:
            self._disk.rename(target, source)
        self._disk.rename(aside, target)
        self._folders.clear()
        self._touch_entry(source)
        self._touch_entry(target)

    def _meta_step(self, record: Record) -> bool:
        meta = _meta(record)
        if not self._is(self._look(record.path), meta.identity, record.index):
            return False
        self._finish(record.path, meta)
        return True

    def _times_step(self, record: Record) -> bool:
        if not self._is(self._look(record.path), record.identity, record.index):
            return False
        metas.restore_times(self._disk, record.path, *record.times)
        self._touch(record.path)
        return True

    def _finish(self, path: bytes, meta: Meta) -> None:
        metas.restore(self._disk, path, meta)
        self._touch(path)
        if meta.kind not in (stat.S_IFREG, stat.S_IFDIR):
            self._touch_entry(path)

    def _last_resort(self, record: Record) -> None:
        """All renames are undone, and still what the record speaks of is not where it was: others took it away."""
        if record.kind is not Kind.CONTENT or not self._has_parent(record.path):
            return
        if self._look(record.path) is not None or self._absent.get(record.path, record.index) < record.index:
            return
        meta, parent = _meta(record), _parent(record.path)
        folder = self._disk.lstat(parent)
        self._make_copy(record)
        self._replaced(record, meta)
        self._finish(record.path, meta)
        metas.restore_times(self._disk, parent, folder.st_atime_ns, folder.st_mtime_ns)
        self._touch(parent)


def _holds(folder: bytes, path: bytes) -> bool:
    return path == folder or path.startswith(folder + b"/")


def _parent(path: bytes) -> bytes:
    return path.rpartition(b"/")[0] or b"/"


def _meta(record: Record) -> Meta:
    assert record.meta is not None
    return record.meta
