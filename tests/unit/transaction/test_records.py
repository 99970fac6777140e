"""The journal's bytes: what is whole is read, what a crash cut off is ignored, what is damaged is never guessed at."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cbx.errors import JournalDamaged
from pytest_cbx.transaction import records
from pytest_cbx.transaction.meta import Meta
from pytest_cbx.transaction.records import Header, Kept, Kind, Mark
from pytest_cbx.transaction.transaction import Transaction

HEADER = Header(token="t", roots=(b"/w",), label="x", durability="process", uid=0, started=1.5)
PATHS = st.binary(min_size=1, max_size=4096).map(lambda name: b"/" + name.replace(b"\0", b"-"))
NUMBERS = st.integers(0, 2**63 - 1)
SMALL = st.integers(0, 2**32 - 1)
XATTRS = st.lists(st.tuples(st.sampled_from(["user.a", "user.\udcff"]), st.binary(max_size=300)), max_size=3).map(tuple)
METAS = st.builds(
    Meta, SMALL, SMALL, SMALL, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.integers(0, 1), XATTRS
)
PAIRS = st.tuples(NUMBERS, NUMBERS)
SCOPES = st.integers(0, 2**16 - 1)


@given(
    paths=st.tuples(PATHS, PATHS),
    meta=METAS,
    numbers=st.tuples(SCOPES, SMALL),
    pairs=st.tuples(PAIRS, PAIRS),
    exchange=st.booleans(),
)
def test_what_is_written_is_read(
    paths: tuple[bytes, bytes],
    meta: Meta,
    numbers: tuple[int, int],
    pairs: tuple[tuple[int, int], tuple[int, int]],
    exchange: bool,
) -> None:
    (path, target), (scope, kept) = paths, numbers
    data = records.header(HEADER)
    data += records.frame(Kind.ABSENT, scope, path)
    data += records.content(scope, path, kept, meta)
    data += records.pooled(scope, path, (pairs[0][0], kept), meta)
    data += records.linked(scope, path, kept=kept, how=Kept.DATA, meta=meta, target=target)
    data += records.with_meta(Kind.DIRECTORY, scope, path, meta)
    data += records.rename(scope, path, target, identity=pairs[0], other=pairs[1], exchange=exchange)
    data += records.mark(Mark(kept, 1, *pairs))
    data += records.begin_scope(scope, 7)
    header, found, whole = records.read(data, "here")
    assert header == HEADER
    assert whole == len(data)
    absent, content, pooled, linked, folder, rename, mark, begun = found
    assert [one.index for one in found] == list(range(8))
    assert {one.path for one in found[:6]} == {path}
    assert {one.scope for one in found[:6]} == {scope}
    assert absent.kind is Kind.ABSENT
    assert content.meta == linked.meta == folder.meta == pooled.meta == meta
    assert (content.kept, content.how, linked.how, pooled.how) == (kept, Kept.COPY, Kept.DATA, Kept.POOL)
    assert pooled.place == (pairs[0][0], kept)
    assert (linked.target, rename.target) == (target, target)
    assert (rename.identity, rename.other, rename.exchange) == (*pairs, exchange)
    assert mark.mark == Mark(kept, 1, *pairs)
    assert (begun.scope, begun.parent) == (scope, 7)


def _journal() -> tuple[bytes, list[int]]:
    """Some records, and where each ends."""
    data, ends = records.header(HEADER), []
    ends.append(len(data))
    for number in range(5):
        data += records.frame(Kind.ABSENT, 0, b"/w/%d" % number * (number + 1))
        ends.append(len(data))
    return data, ends


def test_a_torn_tail_is_no_record_at_any_length() -> None:
    data, ends = _journal()
    for length in range(ends[0], len(data)):
        _, found, whole = records.read(data[:length], "here")
        assert len(found) == sum(end <= length for end in ends[1:])
        assert whole == max(end for end in ends if end <= length)


def test_zeros_behind_the_last_record_are_a_torn_tail() -> None:
    data, _ = _journal()
    for count in (1, 11, 12, 13, 5000):
        assert records.read(data + b"\0" * count, "here")[2] == len(data)


def test_each_flipped_bit_is_noticed() -> None:
    """Also in a length: a record that reaches past the end by damage must not pass for a torn tail."""
    data, ends = _journal()
    for place in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[place] ^= 1 << bit
            try:
                _, found, whole = records.read(bytes(damaged), "here")
            except JournalDamaged:
                continue
            pytest.fail(f"bit {bit} of byte {place}: {len(found)} records, {whole} of {ends[-1]} bytes")


def test_what_is_no_journal_is_refused(tmp_path: Path) -> None:
    for text in (b"", b"hello, this is something else altogether", records.frame(Kind.ABSENT, 0, b"/w")):
        folder = tmp_path / str(len(text))
        folder.mkdir()
        (folder / "journal").write_bytes(text)
        with pytest.raises(JournalDamaged, match="left as it is"):
            Transaction.load(os.fsencode(folder))
        assert (folder / "journal").read_bytes() == text


def test_another_version_is_refused() -> None:
    other = records.header(Header(version=2, token="t", roots=(), label="", durability="process", uid=0, started=0.0))
    with pytest.raises(JournalDamaged, match="version 2"):
        records.read(other, "here")
