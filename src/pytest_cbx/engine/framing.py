"""Frames on a socket: a 4-byte big-endian length and that many bytes of MessagePack; descriptors beside them."""

from __future__ import annotations

import array
import contextlib
import itertools
import os
import socket
import struct
from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

import msgspec

from pytest_cbx.engine.protocol import FRAME_MAX, FromClient, FromEngine, Message
from pytest_cbx.errors import ProtocolError

_LENGTH = struct.Struct(">I")
_CREDENTIALS = struct.Struct("3i")
_CHUNK = 256 * 1024
_DESCRIPTORS_MAX = 12
_PARTS_MAX = 64
BACKLOG_MAX = 64 * 1024 * 1024
"""Bytes that may wait for a reader that does not read."""

T = TypeVar("T")
_ENCODER = msgspec.msgpack.Encoder()
FROM_CLIENT: msgspec.msgpack.Decoder[FromClient] = msgspec.msgpack.Decoder(FromClient)
FROM_ENGINE: msgspec.msgpack.Decoder[FromEngine] = msgspec.msgpack.Decoder(FromEngine)


def peer_of(sock: socket.socket) -> tuple[int, int | None]:
    """Process and user at the other end; 0 and None where the platform does not tell (the directory's mode keeps others out)."""
    if not hasattr(socket, "SO_PEERCRED"):
        return 0, None
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(raw)
    return int(pid), int(uid)


class Connection(Generic[T]):
    """One end of a socket, with buffers of its own. `receive` and `flush` follow the socket's blocking mode."""

    def __init__(self, sock: socket.socket, decoder: msgspec.msgpack.Decoder[T]) -> None:
        self.socket = sock
        self.closed = False
        """The other end has gone."""
        self.descriptors: deque[int] = deque()
        """Descriptors that came and have not been taken."""
        self._decoder = decoder
        self._in = bytearray()
        self._out: deque[tuple[memoryview, tuple[int, ...]]] = deque()
        self._waiting = 0

    def fileno(self) -> int:
        """For selectors."""
        return self.socket.fileno()

    @property
    def wants_to_write(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._out)

    def queue(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        """Put a message in line; `flush` sends it. Descriptors are duplicated, the caller keeps its own.

        Raises:
            ProtocolError: the other end has not read for so long that its backlog is full.
        """
        body = _ENCODER.encode(message)
        if len(body) > FRAME_MAX:
            raise ProtocolError(f"a message of {len(body)} bytes is longer than {FRAME_MAX}")
        self._waiting += _LENGTH.size + len(body)
        if self._waiting > BACKLOG_MAX:
            raise ProtocolError(f"{self._waiting} bytes wait for a reader that does not read")
        kept = tuple(os.dup(descriptor) for descriptor in descriptors)
        self._out.append((memoryview(_LENGTH.pack(len(body)) + body), kept))

    def flush(self) -> None:
        """Send what waits, as far as the socket takes it. A broken connection sets `closed`."""
        while self._out:
            data, descriptors = self._out[0]
            try:
                sent = self._send(data, descriptors)
            except BlockingIOError:
                return
            except OSError:
                self.closed = True
                return
            for descriptor in descriptors:
                os.close(descriptor)
            self._waiting -= sent
            self._drop_sent(sent)

    def _drop_sent(self, sent: int) -> None:
        while sent:
            data, _ = self._out.popleft()
            if sent < len(data):
                # Its descriptors went with its first byte.
                self._out.appendleft((data[sent:], ()))
                return
            sent -= len(data)

    def _send(self, data: memoryview, descriptors: tuple[int, ...]) -> int:
        if not descriptors:
            # Everything up to the next one with descriptors at once: the reader then wakes up once.
            parts = itertools.takewhile(lambda part: not part[1], itertools.islice(self._out, _PARTS_MAX))
            return self.socket.sendmsg([data for data, _ in parts])
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
        return self.socket.sendmsg([data], [rights])

    def receive(self) -> list[T]:
        """Read once and give the messages that are complete. End of file sets `closed`.

        Raises:
            ProtocolError: what came is no message; the connection is of no use any more.
        """
        try:
            data, ancillary, flags, _ = self.socket.recvmsg(_CHUNK, socket.CMSG_SPACE(_DESCRIPTORS_MAX * 4))
        except BlockingIOError:
            return []
        except OSError:
            self.closed = True
            return []
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                received = array.array("i")
                received.frombytes(content[: len(content) - len(content) % received.itemsize])
                for descriptor in received:
                    os.set_inheritable(descriptor, False)
                self.descriptors.extend(received)
        if flags & socket.MSG_CTRUNC or len(self.descriptors) > _DESCRIPTORS_MAX:
            raise ProtocolError(f"more than {_DESCRIPTORS_MAX} descriptors came at once")
        if not data:
            self.closed = True
            return []
        self._in += data
        return self._complete()

    def _complete(self) -> list[T]:
        messages: list[T] = []
        position = 0
        while len(self._in) - position >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._in, position)
            if length > FRAME_MAX:
                raise ProtocolError(f"a frame of {length} bytes was announced, more than {FRAME_MAX}")
            start = position + _LENGTH.size
            if len(self._in) - start < length:
                break
            try:
                messages.append(self._decoder.decode(memoryview(self._in)[start : start + length]))
            except (msgspec.MsgspecError, ValueError) as error:
                raise ProtocolError(f"what came is no message of protocol: {error}") from error
            position = start + length
        del self._in[:position]
        return messages

    def close(self) -> None:
        """Close the socket and every descriptor that nobody took."""
        self.closed = True
        for _, descriptors in self._out:
            self.descriptors.extend(descriptors)
        self._out.clear()
        while self.descriptors:
            with contextlib.suppress(OSError):
                os.close(self.descriptors.popleft())
        self.socket.close()
