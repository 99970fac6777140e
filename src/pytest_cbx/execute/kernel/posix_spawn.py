"""`posix_spawn(3)` without the interpreter's lock, prepared by one thread and called by another.

`os.posix_spawn` holds the lock until the new program has been loaded. A start from a thread under a filter must not: when
loading the program is itself a trapped call, another thread has to answer it meanwhile.

Sources: posix_spawn(3), posix_spawnattr_setflags(3); the structures are opaque and smaller than the room given here.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from pytest_cbx.execute.kernel.libc import libc

_SET_DEFAULT_SIGNALS, _SET_SIGNAL_MASK, _SET_SESSION = 0x04, 0x08, 0x80
"""Source: spawn.h of glibc and of musl."""
_ROOM = 1024
"""Bytes for each of the opaque structures; glibc and musl need at most 336."""


class Launch:
    """A program to be started in a session of its own, with nothing blocked and the given signals at their defaults.

    `descriptors` become 0, 1 and 2. Everything is checked and laid out here; `start` makes a single call.

    Raises:
        ValueError: a word or a variable cannot be handed to a program.
        OSError: no memory.
    """

    def __init__(
        self,
        program: bytes,
        argv: Sequence[bytes],
        environment: Mapping[bytes, bytes],
        descriptors: Iterable[int],
        default_signals: tuple[int, ...],
    ) -> None:
        variables = [name + b"=" + value for name, value in environment.items()]
        if not argv or b"\0" in b"".join([program, *argv, *variables]):
            raise ValueError("embedded null byte" if argv else "no words")
        if b"" in environment or b"=" in b"".join(environment):
            raise ValueError("illegal environment variable name")
        self.program = program
        self.pid = 0
        self._pid = ctypes.c_int(0)
        self._actions = ctypes.create_string_buffer(_ROOM)
        self._argv = (ctypes.c_char_p * (len(argv) + 1))(*argv, None)
        self._environment = (ctypes.c_char_p * (len(variables) + 1))(*variables, None)
        self._attributes = _attributes(default_signals)
        self._spawn = libc().posix_spawn
        _check(libc().posix_spawn_file_actions_init(self._actions))
        for number, descriptor in enumerate(descriptors):
            _check(libc().posix_spawn_file_actions_adddup2(self._actions, descriptor, number))
        self._arguments = (
            ctypes.byref(self._pid),
            program,
            self._actions,
            self._attributes,
            self._argv,
            self._environment,
        )

    def start(self) -> int:
        """Start it; returns 0, or the error number. `pid` is set then. It raises nothing, opens nothing and imports nothing."""
        error: int = self._spawn(*self._arguments)
        self.pid = self._pid.value
        return error

    def close(self) -> None:
        """Give the memory back that the C library holds."""
        libc().posix_spawn_file_actions_destroy(self._actions)


@cache
def _attributes(default_signals: tuple[int, ...]) -> ctypes.Array[ctypes.c_char]:
    """Made once: a start only reads them."""
    library = libc()
    attributes, defaults, none = (ctypes.create_string_buffer(_ROOM) for _ in range(3))
    _check(library.posix_spawnattr_init(attributes))
    library.sigemptyset(defaults)
    library.sigemptyset(none)
    for number in default_signals:
        library.sigaddset(defaults, ctypes.c_int(number))
    flags = _SET_DEFAULT_SIGNALS | _SET_SIGNAL_MASK | _SET_SESSION
    _check(library.posix_spawnattr_setflags(attributes, ctypes.c_short(flags)))
    _check(library.posix_spawnattr_setsigdefault(attributes, defaults))
    _check(library.posix_spawnattr_setsigmask(attributes, none))
    return attributes


def _check(error: int) -> None:
    if error:
        raise OSError(error, os.strerror(error) if error != errno.ENOMEM else "no memory to start a program")
