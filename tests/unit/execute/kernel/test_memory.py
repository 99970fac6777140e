"""Strings out of another process's memory, at the edges of its pages."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from pytest_cbx.execute.kernel.libc import libc
from pytest_cbx.execute.kernel.memory import PATH_LIMIT, read_bytes, read_string
from tests.unit.execute.kernel.supervised import needs_guard

pytestmark = needs_guard
PAGE = mmap.PAGESIZE


class Pages:
    """Three pages of this process: two that can be read, and one that cannot."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 3 * PAGE)
        self._view = ctypes.c_char.from_buffer(self._memory)
        self.start = ctypes.addressof(self._view)
        self.end = self.start + 2 * PAGE
        assert libc().mprotect(ctypes.c_void_p(self.end), PAGE, 0) == 0

    def put(self, text: bytes, address: int) -> int:
        at = address - self.start
        self._memory[at : at + len(text)] = text
        return address

    def close(self) -> None:
        libc().mprotect(ctypes.c_void_p(self.end), PAGE, 3)
        del self._view
        self._memory.close()


@pytest.fixture
def pages() -> Iterator[Pages]:
    pages = Pages()
    yield pages
    pages.close()


def test_a_string_of_another_process() -> None:
    code = (
        "import ctypes, sys; text = ctypes.create_string_buffer(b'/some/path');"
        "print(ctypes.addressof(text), flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert read_string(child.pid, int(child.stdout.readline())) == b"/some/path"
        child.communicate("")


@pytest.mark.parametrize("before", [0, 1, 2, 9, 10, 11, 100, 4000])
def test_a_string_across_a_page(pages: Pages, before: int) -> None:
    """`before`: how many of its bytes are on the first page."""
    text = bytes(range(1, 256)) * 16
    for length in {0, before - 1, before, before + 1, before + 90} - {-1}:
        given = text[:length]
        address = pages.put(given + b"\0", pages.start + PAGE - before)
        assert read_string(os.getpid(), address) == given


def test_a_string_at_the_very_end_of_what_can_be_read(pages: Pages) -> None:
    for length in (0, 1, 50, 4090, PATH_LIMIT - 1):
        address = pages.put(b"x" * length + b"\0", pages.end - length - 1)
        assert read_string(os.getpid(), address) == b"x" * length


def test_a_string_that_runs_into_nothing(pages: Pages) -> None:
    address = pages.put(b"x" * 10, pages.end - 10)
    with pytest.raises(OSError, match="memory of process") as caught:
        read_string(os.getpid(), address)
    assert caught.value.errno == errno.EFAULT


def test_nothing_of_an_earlier_read_is_left(pages: Pages) -> None:
    """A short read must not find the end of a longer string that was there before."""
    read_string(os.getpid(), pages.put(b"earlier, and longer\0", pages.start))
    address = pages.put(b"abc", pages.end - 3)
    with pytest.raises(OSError, match="memory"):
        read_string(os.getpid(), address)
    pages.put(b"ab\0", pages.end - 3)
    assert read_string(os.getpid(), address) == b"ab"


def test_a_string_without_an_end(pages: Pages) -> None:
    for address, limit in (
        (pages.start, PATH_LIMIT),
        (pages.start + 5, PATH_LIMIT),
        (pages.start, 8),
        (pages.start + PAGE - 3, 8),
    ):
        pages.put(b"x" * (limit - 1) + b"\0", address)
        assert read_string(os.getpid(), address, limit) == b"x" * (limit - 1)
        pages.put(b"x" * limit, address)
        with pytest.raises(OSError, match="no string") as caught:
            read_string(os.getpid(), address, limit)
        assert caught.value.errno == errno.ENAMETOOLONG


@pytest.mark.parametrize("address", [0, 1, 4096, (1 << 64) - 1, 1 << 63])
def test_addresses_that_lead_nowhere(address: int) -> None:
    with pytest.raises(OSError, match="memory") as caught:
        read_string(os.getpid(), address)
    assert caught.value.errno == errno.EFAULT


def test_a_process_that_is_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    with pytest.raises(ProcessLookupError):
        read_string(child.pid, 4096)


def test_bytes(pages: Pages) -> None:
    data = bytes(range(256)) * (2 * PAGE // 256)
    pages.put(data, pages.start)
    for start, size in ((0, 0), (0, 16), (PAGE - 5, 110), (1, PAGE), (PAGE, PAGE), (PAGE - 1, 2)):
        assert read_bytes(os.getpid(), pages.start + start, size) == data[start : start + size]
    with pytest.raises(OSError, match="memory") as caught:
        read_bytes(os.getpid(), pages.end - 4, 8)
    assert caught.value.errno == errno.EFAULT


def test_threads_do_not_share_buffers(pages: Pages) -> None:
    one, two = pages.put(b"one\0", pages.start), pages.put(b"another\0", pages.start + 100)
    wrong: list[bytes] = []

    def read(address: int, expected: bytes) -> None:
        for _ in range(3000):
            found = read_string(os.getpid(), address)
            if found != expected:
                wrong.append(found)

    threads = [threading.Thread(target=read, args=each) for each in ((one, b"one"), (two, b"another"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
