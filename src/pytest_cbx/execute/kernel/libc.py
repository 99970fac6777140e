"""The C library, looked up when it is first needed: modules that only name kernel facilities import everywhere."""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache

from pytest_cbx.execute.kernel.syscalls import table


@cache
def libc() -> ctypes.CDLL:
    """The C library of this process. Calls release the interpreter's lock and keep `errno` per thread."""
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    return library


def system_call(name: str, *arguments: int | bytes | None, what: str = "") -> int:
    """Make a system call by its name. Every integer is passed as a whole register.

    Raises:
        OSError: the call failed, with `what` (or the name) in its text; ENOSYS where it does not exist.
    """
    number = call_number(name)
    answer = int(libc().syscall(ctypes.c_long(number), *map(_register, arguments)))
    if answer < 0:
        raise failure(what or name)
    return answer


def call_number(name: str) -> int:
    """The number of a system call on this machine.

    Raises:
        OSError: ENOSYS on another system than Linux, or on a machine without a table of system calls.
    """
    if sys.platform != "linux":
        raise OSError(38, f"{name}: only Linux has this system call")
    return table().numbers[name]


def failure(what: str) -> OSError:
    """An error for a call through `libc()` that has just failed in this thread."""
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")


def _register(argument: int | bytes | None) -> ctypes.c_long | bytes | None:
    return ctypes.c_long(argument) if isinstance(argument, int) else argument
