"""Seccomp user notification: a filter on the calling thread, and the descriptor by which its calls are answered.

Sources: seccomp(2), seccomp_unotify(2), linux/seccomp.h.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
from dataclasses import dataclass
from functools import cache

from pytest_cbx.execute.kernel.filter import Program
from pytest_cbx.execute.kernel.libc import failure, libc, system_call

_SET_MODE_FILTER, _GET_NOTIFICATION_SIZES = 1, 3
_SPEC_ALLOW, _NEW_LISTENER, _WAIT_KILLABLE = 1 << 2, 1 << 3, 1 << 5
_PR_SET_NO_NEW_PRIVS = 38

# The ioctls of the listener; the numbers are the same on x86-64 and aarch64.
_RECEIVE, _SEND, _ID_VALID, _ADD_DESCRIPTOR, _SET_FLAGS = 0xC0502100, 0xC0182101, 0x40082102, 0x40182103, 0x40082104
_SYNC_WAKE_UP = 1
_CONTINUE = 1
_ADD_AND_SEND = 1 << 1

_NOTIFICATION = struct.Struct("=QIIiIQ6Q")
"""id, pid, flags; number, architecture, instruction pointer, arguments."""
_RESPONSE = struct.Struct("=QqiI")
"""id, value, negative error number, flags."""
_DESCRIPTOR = struct.Struct("=QIIII")
"""id, flags, our descriptor, its number there (0: any free one), its flags there."""


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


@dataclass(slots=True)
class Notification:
    """A call that waits for an answer. Not frozen only because that would double the time to make one."""

    id: int
    pid: int
    """Of the calling thread (its thread id), in our pid namespace; 0 where it cannot be seen from here."""
    arch: int
    number: int
    args: tuple[int, ...]
    """Six registers, unsigned."""


def install(program: Program) -> int:
    """Put a filter on the calling thread, for good, and on all that it starts from now on.

    The thread gets no_new_privs, too: programs that it starts gain no privileges. Returns the listener's descriptor, which
    is not inherited by programs. From now on, a trapped call of this very thread waits for an answer, too.

    Raises:
        OSError: what failed: EBUSY under a filter that has a listener, ENOSYS or EINVAL without seccomp notification,
            EPERM or EACCES where a container forbids it.
    """
    if libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise failure("no_new_privs cannot be set")
    code = ctypes.create_string_buffer(program.code, len(program.code))
    given = _Filter(program.length, ctypes.cast(code, ctypes.c_char_p))
    what = "the seccomp filter cannot be installed"
    # Without WAIT_KILLABLE, any signal interrupts a call that waits for its answer, and it is trapped once more.
    # SPEC_ALLOW: the filter is no boundary against attackers, so kernels before 5.16 need not slow the command down.
    flags = _NEW_LISTENER | _SPEC_ALLOW
    address = ctypes.addressof(given)
    try:
        return system_call("seccomp", _SET_MODE_FILTER, flags | _WAIT_KILLABLE, address, what=what)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    return system_call("seccomp", _SET_MODE_FILTER, flags, address, what=what)  # Linux before 5.19


@cache
def notification_sizes() -> tuple[int, int]:
    """Bytes of a notification and of a response, as this kernel counts them.

    Raises:
        OSError: EINVAL or ENOSYS without seccomp notification (Linux before 5.0).
    """
    sizes = ctypes.create_string_buffer(6)
    system_call(
        "seccomp", _GET_NOTIFICATION_SIZES, 0, ctypes.addressof(sizes), what="seccomp notification cannot be had"
    )
    notification, response, _ = struct.unpack("=HHH", sizes.raw)
    return notification, response


class Listener:
    """Receives the trapped calls of one filter, and answers them. Owns the descriptor.

    One thread receives; any thread may answer. `receive` waits when there is nothing, on kernels before 6.11 even when all processes
    of the filter are gone (POLLHUP says that).
    """

    __slots__ = ("_buffer", "_early", "_fd", "_zeros", "sync_wake_up")

    def __init__(self, fd: int, early: list[Notification] | None = None) -> None:
        """`early`: calls that were received before, and still wait for an answer; they come first."""
        self._fd = fd
        self._early = early or []
        notification, response = notification_sizes()
        if response != _RESPONSE.size:
            raise OSError(errno.EINVAL, f"this kernel's seccomp responses have {response} bytes instead of 24")
        self._zeros = bytes(max(notification, _NOTIFICATION.size))
        self._buffer = bytearray(self._zeros)
        self.sync_wake_up = False
        """Whether caller and answerer share a processor: see `wake_up_synchronously`."""

    def wake_up_synchronously(self, wanted: bool) -> bool:
        """Whether to hand the processor straight to the other side, at a call and at its answer (Linux 6.6). Returns whether it is so.

        A third of the time for one caller that makes call after call; but of two that run at once, one has to wait for the other.
        """
        if wanted != self.sync_wake_up:
            try:
                fcntl.ioctl(self._fd, _SET_FLAGS, _SYNC_WAKE_UP if wanted else 0)
            except OSError:
                return False
            self.sync_wake_up = wanted
        return self.sync_wake_up

    def fileno(self) -> int:
        """The descriptor, for `poll`: POLLIN when a call waits, POLLHUP when no process of the filter is left."""
        return self._fd

    @property
    def has_early(self) -> bool:
        """Whether the next call is at hand."""
        return bool(self._early)

    def receive(self) -> Notification | None:
        """The next call that waits; None when its caller died meanwhile, or a signal came.

        Raises:
            OSError: the listener is closed, or the kernel refuses.
        """
        if self._early:
            return self._early.pop(0)
        buffer = self._buffer
        buffer[:] = self._zeros  # the kernel insists on zeros
        try:
            fcntl.ioctl(self._fd, _RECEIVE, buffer, True)
        except (FileNotFoundError, InterruptedError):
            return None
        found = _NOTIFICATION.unpack_from(buffer)
        return Notification(found[0], found[1], found[4], found[3], found[6:])

    def proceed(self, call: int) -> bool:
        """Let the call run as it is. False: the caller is gone."""
        return self._ioctl(_SEND, _RESPONSE.pack(call, 0, 0, _CONTINUE))

    def refuse(self, call: int, error: int) -> bool:
        """Let the call fail with a (positive) error number, unrun. False: the caller is gone."""
        return self._ioctl(_SEND, _RESPONSE.pack(call, 0, -error, 0))

    def answer(self, call: int, value: int) -> bool:
        """Let the call return a value, unrun. False: the caller is gone."""
        return self._ioctl(_SEND, _RESPONSE.pack(call, value, 0, 0))

    def add_descriptor(self, call: int, descriptor: int, *, close_on_exec: bool = True) -> bool:
        """Give the caller a copy of a descriptor of ours and let the call return its number there (Linux 5.14).

        False: the caller is gone.
        """
        flags = os.O_CLOEXEC if close_on_exec else 0
        return self._ioctl(_ADD_DESCRIPTOR, _DESCRIPTOR.pack(call, _ADD_AND_SEND, descriptor, 0, flags))

    def valid(self, call: int) -> bool:
        """Whether the caller still waits, so that what was read under its pid was its own."""
        return self._ioctl(_ID_VALID, struct.pack("=Q", call))

    def close(self) -> None:
        """Close the descriptor: calls that wait, and all trapped ones from now on, fail with ENOSYS."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _ioctl(self, request: int, value: bytes) -> bool:
        # A new bytearray each time: `ioctl` with bytes takes twice as long, and a shared one is not for several threads.
        try:
            fcntl.ioctl(self._fd, request, bytearray(value))
        except FileNotFoundError:
            return False
        except InterruptedError:
            return self._ioctl(request, value)
        return True
