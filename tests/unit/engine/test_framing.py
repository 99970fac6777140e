"""Frames: whole or cut, one or many, with descriptors or without; garbage is named."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cbx.engine import framing
from pytest_cbx.engine.framing import FROM_CLIENT, Connection, peer_of
from pytest_cbx.engine.protocol import Abandon, Environment, FromClient, Hello, Leave
from pytest_cbx.errors import ProtocolError

Pair = tuple[Connection[FromClient], Connection[FromClient]]

MESSAGES: st.SearchStrategy[FromClient] = st.one_of(
    st.builds(Hello, version=st.integers(0, 9), pid=st.integers(0, 2**31), name=st.text(st.characters(codec="utf-8"))),
    st.builds(Environment, number=st.integers(0, 9), variables=st.dictionaries(st.binary(), st.binary(max_size=2000))),
    st.builds(Abandon, ids=st.none() | st.lists(st.integers(0, 2**60)), reason=st.just("x")),
    st.just(Leave()),
)


def pair() -> Pair:
    left, right = socket.socketpair()
    for sock in (left, right):
        sock.setblocking(False)
    return Connection(left, FROM_CLIENT), Connection(right, FROM_CLIENT)


@pytest.fixture
def ends() -> Iterator[Pair]:
    made = pair()
    yield made
    for end in made:
        end.close()


@given(messages=st.lists(MESSAGES, max_size=6), sizes=st.lists(st.integers(1, 500), min_size=1))
def test_messages_arrive_whole_and_in_order_however_they_are_cut(messages: list[FromClient], sizes: list[int]) -> None:
    left, right = pair()
    raw, out = socket.socketpair()
    raw.setblocking(False)
    try:
        for message in messages:
            left.queue(message)
        left.flush()
        stream = b""
        while messages and (part := _read(right.socket)):
            stream += part
        receiver: Connection[FromClient] = Connection(raw, FROM_CLIENT)
        seen: list[FromClient] = []
        position = number = 0
        while position < len(stream):
            size = sizes[number % len(sizes)]
            out.sendall(stream[position : position + size])
            seen += receiver.receive()
            position, number = position + size, number + 1
        assert seen == messages
        assert receiver.receive() == []
    finally:
        for end in (left, right):
            end.close()
        raw.close()
        out.close()


def _read(sock: socket.socket) -> bytes:
    try:
        return sock.recv(100_000)
    except BlockingIOError:
        return b""


@given(data=st.binary(min_size=4, max_size=200))
def test_what_is_no_message_is_an_error_or_is_waited_for(data: bytes) -> None:
    left, right = pair()
    try:
        left.socket.send(data)
        try:
            messages = right.receive()
        except ProtocolError:
            return
        assert all(isinstance(message, msgspec.Struct) for message in messages)
    finally:
        left.close()
        right.close()


def test_a_message_larger_than_the_sockets_buffer_goes_in_pieces(ends: Pair) -> None:
    left, right = ends
    big = Environment(number=1, variables={b"A": b"x" * 5_000_000})
    left.queue(big)
    seen: list[FromClient] = []
    while not seen:
        left.flush()
        seen = right.receive()
    assert seen == [big]
    assert not left.wants_to_write


def test_descriptors_come_with_the_frame_that_brings_them(ends: Pair) -> None:
    left, right = ends
    read, write = os.pipe()
    left.queue(Leave(), (write,))
    left.queue(Leave())
    os.close(write)
    left.flush()
    assert right.receive() == [Leave()]
    (came,) = right.descriptors
    assert not os.get_inheritable(came)
    os.write(came, b"hello")
    assert os.read(read, 10) == b"hello"
    assert right.receive() == [Leave()]
    right.close()
    assert os.read(read, 10) == b"", "whoever closes a connection closes what nobody took"
    os.close(read)


def test_too_many_descriptors_are_refused(ends: Pair) -> None:
    left, right = ends
    left.queue(Leave(), [0] * 40)
    left.flush()
    with pytest.raises(ProtocolError, match="descriptors"):
        right.receive()


def test_a_reader_that_does_not_read_is_given_up(ends: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "BACKLOG_MAX", 3_000_000)
    left, _ = ends
    piece = Environment(number=1, variables={b"A": b"x" * 1_000_000})
    for _ in range(3):
        left.queue(piece)
        left.flush()
    with pytest.raises(ProtocolError, match="does not read"):
        left.queue(piece)


def test_a_reader_that_reads_is_never_given_up(ends: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "BACKLOG_MAX", 1000)
    left, right = ends
    for number in range(2000):
        left.queue(Abandon(ids=[number]))
        left.flush()
        assert right.receive() == [Abandon(ids=[number])]
    with pytest.raises(ProtocolError, match="does not read"):
        left.queue(Environment(number=1, variables={b"A": b"x" * 1000}))


def test_end_of_file_and_a_broken_connection_close_it(ends: Pair) -> None:
    left, right = ends
    left.close()
    assert right.receive() == []
    assert right.closed
    right.closed = False
    right.queue(Leave())
    right.flush()
    assert right.closed


def test_the_peer_is_known(ends: Pair) -> None:
    pid, uid = peer_of(ends[0].socket)
    assert (pid, uid) in ((os.getpid(), os.geteuid()), (0, None))
