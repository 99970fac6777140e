"""Reads another process's memory: the paths and addresses that its system calls point to.

Source: process_vm_readv(2). It needs no more right than the supervisor has over its own children: the same user, and no
program that gained privileges (which no_new_privs excludes).
"""

from __future__ import annotations

import ctypes
import errno
import os
import threading

from pytest_cbx.execute.kernel.libc import libc

PATH_LIMIT = 4096
"""Bytes of a path with its end, at most. Source: PATH_MAX in linux/limits.h."""
_PAGE = 4096
"""The smallest page: reading stops at multiples of it, since the next page may not be there."""
_NONE, _ONE = ctypes.c_ulong(0), ctypes.c_ulong(1)


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Reader:
    """The buffers of one thread. Made once: for a short read, making them takes longer than the read."""

    __slots__ = ("_call", "_local", "_remote", "_vectors", "buffer")

    def __init__(self) -> None:
        self.buffer = ctypes.create_string_buffer(_PAGE + 1)  # the last byte stays zero and ends every string
        self._local, self._remote = _Vector(ctypes.addressof(self.buffer), _PAGE), _Vector(0, 0)
        self._vectors = ctypes.byref(self._local), ctypes.byref(self._remote)
        # Declaring arguments, or keeping errno, adds half of the time again. So arguments are made beforehand, and a
        # call that fails is made once more for its error.
        self._call = ctypes.CDLL(None).process_vm_readv
        self._call.restype = ctypes.c_ssize_t

    def fetch(self, pid: int, address: int, size: int) -> int:
        """Read up to a page into the buffer; the number of bytes that came."""
        remote = self._remote
        remote.base, remote.length = address, size
        local, there = self._vectors
        came: int = self._call(pid, local, _ONE, there, _ONE, _NONE)
        return came if came > 0 else self._again(pid, address)

    def _again(self, pid: int, address: int) -> int:
        local, there = self._vectors
        call = libc().process_vm_readv
        call.restype = ctypes.c_ssize_t
        came: int = call(pid, local, _ONE, there, _ONE, _NONE)
        if came <= 0:
            number = ctypes.get_errno() if came < 0 else errno.EFAULT
            raise OSError(number, f"memory of process {pid} at {address:#x}: {os.strerror(number)}")
        return came


_own = threading.local()


def _reader() -> _Reader:
    """This thread's reader; looked up late, so that this module imports where the call does not exist."""
    try:
        reader: _Reader = _own.reader
    except AttributeError:
        if not hasattr(libc(), "process_vm_readv"):
            raise OSError(errno.ENOSYS, "process_vm_readv: this system has no such call") from None
        reader = _own.reader = _Reader()
    return reader


def read_string(pid: int, address: int, limit: int = PATH_LIMIT) -> bytes:
    """The string at an address of a process, without the zero byte at its end.

    Raises:
        OSError: EFAULT for memory that is not there, ENAMETOOLONG for a string that does not end within `limit` bytes,
            ESRCH when the process is gone, EPERM when it may not be read, ENOSYS without this system call.
    """
    reader = _reader()
    size = min(_PAGE - (address & (_PAGE - 1)), limit)
    came = reader.fetch(pid, address, size)
    text = reader.buffer.value
    if len(text) < came:  # what lies behind the bytes that came is from an earlier read
        return text
    return _read_on(reader, pid, address, limit, reader.buffer.raw[:came])


def _read_on(reader: _Reader, pid: int, address: int, limit: int, head: bytes) -> bytes:
    """The rest of a string that goes on after its first page."""
    while len(head) < limit:
        came = reader.fetch(pid, address + len(head), min(_PAGE, limit - len(head)))
        text, end, _ = reader.buffer.raw[:came].partition(b"\0")
        head += text
        if end:
            return head
    raise OSError(errno.ENAMETOOLONG, f"memory of process {pid} at {address:#x}: no string of less than {limit} bytes")


def read_bytes(pid: int, address: int, size: int) -> bytes:
    """Exactly `size` bytes at an address of a process.

    Raises:
        OSError: as `read_string`; EFAULT, too, when only a part is there.
    """
    reader = _reader()
    data = bytearray()
    while len(data) < size:
        start = address + len(data)
        came = reader.fetch(pid, start, min(size - len(data), _PAGE - (start & (_PAGE - 1))))
        data += reader.buffer.raw[:came]
    return bytes(data)
