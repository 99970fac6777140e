"""What a call looks at beside the path that it is about. Matters where reads are claims, too (isolation "serializable").

How a call ends is decided by more than its path: links on the way, the name that is there already when something is to be
made, the entries of a directory that is to be removed, the program that the first line of a script names. Whoever is to find
these as they were must claim them. (That a directory on the way is there needs no claim of its own: who makes, moves or
removes one claims what is below, too.)

Names of one file are different paths to the claims, so a file with several names is claimed by its inode as well.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator

from pytest_cbx.execute.supervision.deeds import Deed, Trap
from pytest_cbx.execute.supervision.resolve import HERE, Fails, Found, Nameless, entry, open_thing, thing

_INTERPRETERS_MAX = 5
"""How many scripts may run one another. Source: execve(2), "Interpreter scripts"."""
_FIRST_LINE_MAX = 256
"""Bytes of a script's first line that count. Source: BINPRM_BUF_SIZE in linux/binfmts.h."""


class Looks:
    """Resolves the paths of one call after the other, and remembers for each what it came upon."""

    __slots__ = ("_ends", "_is_inside", "_trail")

    def __init__(self, is_inside: Callable[[bytes], bool]) -> None:
        self._is_inside = is_inside
        self._trail: list[bytes] = []
        self._ends: list[Found] = []

    def clear(self) -> None:
        """Another call comes."""
        self._trail.clear()
        self._ends.clear()

    # --- resolving: as in `resolve` ---

    def entry(self, pid: int, descriptor: int, text: bytes) -> Found:
        """See `resolve.entry`."""
        found = entry(pid, descriptor, text, self._trail)
        self._ends.append(found)
        return found

    def thing(self, pid: int, descriptor: int, text: bytes, follow: bool = True) -> Found:
        """See `resolve.thing`."""
        found = thing(pid, descriptor, text, follow, self._trail)
        self._ends.append(found)
        return found

    def open_thing(self, pid: int, descriptor: int) -> Found:
        """See `resolve.open_thing`."""
        found = open_thing(pid, descriptor)
        self._ends.append(found)
        return found

    def listed(self, directory: bytes) -> None:
        """Whether there is anything in that directory decides."""
        self._trail.append(directory + b"/")

    def interpreters(self, pid: int, script: bytes) -> None:
        """The programs that run a script: the kernel opens them unasked."""
        for _ in range(_INTERPRETERS_MAX):
            name = _interpreter(script)
            if not name:
                return
            try:
                script, info, _ = self.thing(pid, HERE, name)
            except (Fails, Nameless):
                return
            if info is None:
                return

    # --- telling ---

    def tell(self, trap: Trap) -> None:
        """Add what was looked at to what the call would do."""
        trap.looked = tuple(dict.fromkeys(path for path in self._looked(trap) if self._is_inside(path)))
        trap.inodes = tuple(
            dict.fromkeys(
                b"%d:%d" % (info.st_dev, info.st_ino)
                for path, info, _ in self._ends
                if info is not None and info.st_nlink > 1 and not stat.S_ISDIR(info.st_mode) and self._is_inside(path)
            )
        )

    def _looked(self, trap: Trap) -> Iterator[bytes]:
        # What is moved or changed is claimed for that; the rest is only looked at.
        about = (trap.path, trap.other) if trap.deed is not Deed.NONE else ()
        yield from (path for path in self._trail if path not in about)
        for path, _, _ in self._ends:
            if path not in about:
                yield path


def _interpreter(script: bytes) -> bytes:
    """What the first line of a script names; empty where there is no such line, or where it may not be read."""
    try:
        # It may be a pipe, which nobody writes to.
        handle = os.open(script, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return b""
    try:
        line = os.read(handle, _FIRST_LINE_MAX).partition(b"\n")[0] if stat.S_ISREG(os.fstat(handle).st_mode) else b""
    except OSError:
        return b""
    finally:
        os.close(handle)
    words = line[2:].split(None, 1) if line.startswith(b"#!") else []
    return words[0] if words else b""
