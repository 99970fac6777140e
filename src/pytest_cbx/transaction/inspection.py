"""Whether a journal's folder is what we would have written: asked before anything is undone by it."""

from __future__ import annotations

import os
import re
import stat

from pytest_cbx.errors import JournalDamaged
from pytest_cbx.transaction import journal as journals
from pytest_cbx.transaction import records
from pytest_cbx.transaction.disk import DISK
from pytest_cbx.transaction.records import UNDOABLE, Kept, Kind, Record

_HEADER_MAX = 1 << 20
"""Bytes; no header is longer."""
_HEADS = b"\0\0" + bytes((Kind.HEADER,))
"""Scope and kind of a header, as `records` writes them behind the length."""
_FRAME = 12
"""Bytes before a payload."""
_KEPT_NAME = re.compile(rb"x?[0-9]+|" + re.escape(journals.POOL))


def half_made(folder: bytes) -> bool:
    """Whether its process died before the journal's first record was whole: then no call had been let go under it."""
    names = os.listdir(folder)
    if not names:
        return True
    if names != [journals.FILE]:
        return False
    path = os.path.join(folder, journals.FILE)
    if not stat.S_ISREG(os.lstat(path).st_mode):
        return False
    data = journals.read_file(DISK, path)
    try:
        records.read(data, os.fsdecode(path))
    except JournalDamaged:
        return _is_torn_header(data)
    return False


def _is_torn_header(data: bytes) -> bool:
    """Nothing that goes on behind a header: then no record was written, and no call let go."""
    if not any(data):
        return len(data) < _HEADER_MAX
    length = int.from_bytes(data[:4], "little")
    if length > _HEADER_MAX or not _HEADS.startswith(data[4:7]):
        return False
    return _FRAME + length >= len(data)


def faults_of(folder: bytes, *, token: str, workspace: bytes) -> str:
    """What forbids to undo by this journal; empty when nothing does.

    Raises:
        JournalDamaged: the file itself is none, or damaged.
        OSError: it cannot be read.
    """
    path = os.path.join(folder, journals.FILE)
    if not os.path.lexists(path):
        return "it holds no journal"
    info = os.lstat(path)
    if not stat.S_ISREG(info.st_mode) or info.st_uid != os.geteuid():
        return "its journal is no file of yours"
    header, found, _ = records.read(journals.read_file(DISK, path), os.fsdecode(path))
    if header.uid != os.geteuid():
        return f"it was written by the user with id {header.uid}"
    if header.token != token:
        return f"it was written for {header.token}, and lies in the folder of {token}"
    if not header.roots or header.roots[0] != workspace:
        first = os.fsdecode(header.roots[0]) if header.roots else "nothing"
        return f"it covers {first}, and this work tree is {os.fsdecode(workspace)}: the tree was moved or copied"
    kinds = {record.kind for record in found}
    if Kind.COMMITTED in kinds or Kind.DONE in kinds:
        return ""  # what it kept may be gone already
    return _fault_of_records(folder, header.roots, found)


def _fault_of_records(folder: bytes, roots: tuple[bytes, ...], found: list[Record]) -> str:
    tops = tuple(root.rstrip(b"/") + b"/" for root in roots)
    for record in found:
        if record.kind not in UNDOABLE:
            continue
        for path in (record.path, record.target) if record.kind is Kind.RENAME else (record.path,):
            if not (path in roots or path.startswith(tops)) or b".." in path.split(b"/"):
                return f"record {record.index} names {os.fsdecode(path)}, which lies outside of what it covers"
        fault = _fault_of_kept(folder, record)
        if fault:
            return fault
    strange = [name for name in os.listdir(folder) if name != journals.FILE and not _KEPT_NAME.fullmatch(name)]
    return f"it holds {os.fsdecode(strange[0])}, which is none of ours" if strange else ""


def _fault_of_kept(folder: bytes, record: Record) -> str:
    """Every kept file was complete before its record was written."""
    if record.meta is None or record.kind not in (Kind.CONTENT, Kind.LINKED) or record.how is Kept.DATA:
        return ""
    if record.how is Kept.POOL:
        try:
            size = os.lstat(folder + b"/" + journals.POOL).st_size
        except FileNotFoundError:
            size = 0
        return "" if sum(record.place) <= size else f"its pool lacks what it kept of {os.fsdecode(record.path)}"
    try:
        info = os.lstat(b"%s/%d" % (folder, record.kept))
    except FileNotFoundError:
        return f"the file {record.kept} that it kept of {os.fsdecode(record.path)} is missing"
    copied = record.how is Kept.COPY
    if copied and info.st_size < record.meta.size:
        return f"the file {record.kept} that it kept of {os.fsdecode(record.path)} has {info.st_size} bytes, not {record.meta.size}"
    if not copied and (info.st_dev, info.st_ino) != record.meta.identity:
        return f"the file {record.kept} is not the one that it kept of {os.fsdecode(record.path)}"
    return ""
