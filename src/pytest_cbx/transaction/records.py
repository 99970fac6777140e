"""The journal's records, as bytes and as values.

A file is a sequence of records: length of the payload, scope, kind, a check of these, CRC-32 of all, payload. Numbers are
little-endian. The first record is the header.
"""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

import msgspec

from pytest_cbx.errors import JournalDamaged
from pytest_cbx.transaction import meta as metas
from pytest_cbx.transaction.meta import Meta

MAGIC = b"cbx undo journal"
VERSION = 1
_HEAD = struct.Struct("<IHBB")
"""Length of the payload, scope, kind, check."""
_CRC = struct.Struct("<I")
_PREFIX = _HEAD.size + _CRC.size
_LENGTH = struct.Struct("<H")
_KEPT = struct.Struct("<IB")
_PLACE = struct.Struct("<QI")
_PAIR = struct.Struct("<BQQQQ")
_TIMES = struct.Struct("<QQqq")
_MARK = struct.Struct("<IBQQQQ")
_SCOPE = struct.Struct("<HH")


class Kind(IntEnum):
    """What a record says. Those that can be undone are intents: the call that follows may or may not have happened."""

    HEADER = 1
    ABSENT = 2
    """Nothing was at the path."""
    CONTENT = 3
    """A regular file is about to be written in place; its content was copied."""
    LINKED = 4
    """A name of something other than a directory is about to vanish; the inode was kept."""
    DIRECTORY = 5
    """An empty directory is about to vanish."""
    RENAME = 6
    META = 7
    """Mode, owner, extended attributes or times are about to change."""
    TIMES = 8
    """The times of a directory, before the first of its entries changed."""
    UNDONE = 9
    """A record was undone, or put off."""
    SCOPE = 10
    """A nested transaction began."""
    ROLLING = 11
    """A roll back of the whole began; nothing is appended any more but marks."""
    DONE = 12
    """The roll back is complete."""
    COMMITTED = 13
    ABSENT_IN_FLIGHT = 14
    """As ABSENT, while a folder above was about to be renamed: what is made may turn up with it."""


ABSENCES = frozenset((Kind.ABSENT, Kind.ABSENT_IN_FLIGHT))
UNDOABLE = ABSENCES | {Kind.CONTENT, Kind.LINKED, Kind.DIRECTORY, Kind.RENAME, Kind.META, Kind.TIMES}


class Kept(IntEnum):
    """In which form the inode of a LINKED record was kept."""

    LINK = 0
    """A hard link in the journal's folder."""
    COPY = 1
    """A copy: the file system refused the link."""
    DATA = 2
    """In the record: target of a symbolic link, or nothing but the metadata of a special file."""
    POOL = 3
    """A copy of a small file, one behind the other in one file: making a file for each would cost more than the copy."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first record."""

    magic: bytes = MAGIC
    version: int = VERSION
    token: str
    """Of the engine."""
    roots: tuple[bytes, ...]
    """Absolute paths that the transaction covers; the first is the workspace."""
    label: str
    """The command's name, for people."""
    durability: str
    """"process" or "power"."""
    uid: int
    """Whose it is."""
    started: float
    """Seconds since the epoch."""


@dataclass(slots=True)
class Record:
    """One record, read back."""

    index: int
    scope: int
    kind: Kind
    path: bytes = b""
    """Of a RENAME its source."""
    target: bytes = b""
    """Of a RENAME; of a kept symbolic link what it points to."""
    kept: int = 0
    """Number of the kept file in the journal's folder."""
    how: Kept = Kept.LINK
    place: tuple[int, int] = (0, 0)
    """Offset and length in the pool."""
    meta: Meta | None = None
    exchange: bool = False
    identity: tuple[int, int] = (0, 0)
    """Device and inode number of a RENAME's source, or of a TIMES's directory."""
    other: tuple[int, int] = (0, 0)
    """The same of a RENAME's target, zeros for none."""
    times: tuple[int, int] = (0, 0)
    mark: Mark | None = None
    parent: int = 0
    """Of a SCOPE: the scope around it; `scope` is the new one."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One record of a roll back: that a record was undone, and which inode took the place of which."""

    index: int
    put_off: int = 0
    old: tuple[int, int] = (0, 0)
    new: tuple[int, int] = (0, 0)


def frame(kind: int, scope: int, payload: bytes) -> bytes:
    """One record as bytes."""
    length = len(payload)
    head = _HEAD.pack(
        length,
        scope,
        kind,
        (length ^ length >> 8 ^ length >> 16 ^ length >> 24 ^ scope ^ scope >> 8 ^ kind ^ 0xA5) & 0xFF,
    )
    return head + _CRC.pack(zlib.crc32(payload, zlib.crc32(head))) + payload


def text(path: bytes) -> bytes:
    """A path with its length before it."""
    return _LENGTH.pack(len(path)) + path


def header(value: Header) -> bytes:
    return frame(Kind.HEADER, 0, msgspec.msgpack.encode(value))


def content(scope: int, path: bytes, kept: int, meta: Meta) -> bytes:
    return frame(Kind.CONTENT, scope, text(path) + _KEPT.pack(kept, Kept.COPY) + metas.pack(meta))


def pooled(scope: int, path: bytes, place: tuple[int, int], meta: Meta) -> bytes:
    """A CONTENT whose copy is in the pool."""
    payload = b"".join((text(path), _KEPT.pack(0, Kept.POOL), _PLACE.pack(*place), metas.pack(meta)))
    return frame(Kind.CONTENT, scope, payload)


def linked(scope: int, path: bytes, *, kept: int, how: Kept, meta: Meta, target: bytes) -> bytes:
    return frame(Kind.LINKED, scope, b"".join((text(path), text(target), _KEPT.pack(kept, how), metas.pack(meta))))


def with_meta(kind: Kind, scope: int, path: bytes, meta: Meta) -> bytes:
    """META or DIRECTORY."""
    return frame(kind, scope, text(path) + metas.pack(meta))


def times(scope: int, path: bytes, info: os.stat_result) -> bytes:
    packed = _TIMES.pack(info.st_dev, info.st_ino, info.st_atime_ns, info.st_mtime_ns)
    return frame(Kind.TIMES, scope, text(path) + packed)


def rename(
    scope: int, source: bytes, target: bytes, *, identity: tuple[int, int], other: tuple[int, int], exchange: bool
) -> bytes:
    return frame(Kind.RENAME, scope, text(source) + text(target) + _PAIR.pack(exchange, *identity, *other))


def mark(value: Mark) -> bytes:
    return frame(Kind.UNDONE, 0, _MARK.pack(value.index, value.put_off, *value.old, *value.new))


def begin_scope(scope: int, parent: int) -> bytes:
    return frame(Kind.SCOPE, scope, _SCOPE.pack(scope, parent))


def read(data: bytes, where: str) -> tuple[Header, list[Record], int]:
    """The header, the records after it, and how many bytes are whole; what lies behind these is a torn tail.

    A tail is torn when a crash cut the last write short: the call it stood before never went on.

    Raises:
        JournalDamaged: the file is no journal of ours, or damaged before its end.
    """
    records: list[Record] = []
    head: Header | None = None
    offset, end = 0, len(data)
    while offset < end:
        if end - offset < _PREFIX or not (rest := _whole(data, offset, where)):
            break
        length, scope, number, _ = _HEAD.unpack_from(data, offset)
        payload = data[offset + _PREFIX : offset + _PREFIX + length]
        offset = rest
        if head is None:
            head = _read_header(payload, number, where)
            continue
        try:
            records.append(_parse(len(records), scope, Kind(number), payload))
        except (ValueError, struct.error) as error:
            raise JournalDamaged(where, f"record {len(records)} makes no sense: {error}") from None
    if head is None:
        raise JournalDamaged(where, "it has no header")
    return head, records, offset


def _whole(data: bytes, offset: int, where: str) -> int:
    """Where the record at `offset` ends; 0 when it is a torn tail."""
    length, scope, kind, check = _HEAD.unpack_from(data, offset)
    end: int = offset + _PREFIX + length
    if (length ^ length >> 8 ^ length >> 16 ^ length >> 24 ^ scope ^ scope >> 8 ^ kind ^ 0xA5) & 0xFF != check:
        if not any(data[offset + _HEAD.size - 1 :]):
            return 0  # a power cut left the length of the file, not its content, or not all of it
        raise JournalDamaged(where, f"the head of the record at byte {offset} is wrong")
    if end > len(data):
        return 0
    found = _CRC.unpack_from(data, offset + _HEAD.size)[0]
    head = data[offset : offset + _HEAD.size]
    if zlib.crc32(data[offset + _PREFIX : end], zlib.crc32(head)) != found:
        if not any(data[end - 1 :]):
            return 0
        raise JournalDamaged(where, f"the checksum of the record at byte {offset} is wrong")
    return end


def _read_header(payload: bytes, number: int, where: str) -> Header:
    if number != Kind.HEADER:
        raise JournalDamaged(where, "it does not begin with a header")
    try:
        found = msgspec.msgpack.decode(payload, type=Header)
    except msgspec.MsgspecError as error:
        raise JournalDamaged(where, f"its header cannot be read: {error}") from None
    if found.magic != MAGIC or found.version != VERSION:
        raise JournalDamaged(where, f"it is of version {found.version}, this pytest-cbx knows version {VERSION}")
    return found


def _parse(index: int, scope: int, kind: Kind, payload: bytes) -> Record:
    record = Record(index, scope, kind)
    if kind is Kind.UNDONE:
        number, put_off, *numbers = _MARK.unpack(payload)
        record.mark = Mark(number, put_off, (numbers[0], numbers[1]), (numbers[2], numbers[3]))
        return record
    if kind is Kind.SCOPE:
        record.scope, record.parent = _SCOPE.unpack(payload)
        return record
    if kind not in UNDOABLE:
        return record
    if kind in ABSENCES:
        record.path = payload
        return record
    record.path, offset = _text(payload, 0)
    if kind is Kind.TIMES:
        device, inode, atime, mtime = _TIMES.unpack_from(payload, offset)
        record.identity, record.times = (device, inode), (atime, mtime)
        return record
    if kind in (Kind.RENAME, Kind.LINKED):
        record.target, offset = _text(payload, offset)
    if kind is Kind.RENAME:
        exchange, *numbers = _PAIR.unpack_from(payload, offset)
        record.exchange = bool(exchange)
        record.identity, record.other = (numbers[0], numbers[1]), (numbers[2], numbers[3])
        return record
    if kind in (Kind.CONTENT, Kind.LINKED):
        record.kept, how = _KEPT.unpack_from(payload, offset)
        record.how = Kept(how)
        offset += _KEPT.size
        if record.how is Kept.POOL:
            start, length = _PLACE.unpack_from(payload, offset)
            record.place = (start, length)
            offset += _PLACE.size
    record.meta, _ = metas.unpack(payload, offset)
    return record


def _text(data: bytes, offset: int) -> tuple[bytes, int]:
    (length,) = _LENGTH.unpack_from(data, offset)
    end = offset + 2 + length
    if end > len(data):
        raise struct.error("a path is cut off")
    return data[offset + 2 : end], end
