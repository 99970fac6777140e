"""Calls that were let go and may not have happened yet.

The kernel does not tell when a call that was let go has returned, and two threads of a command may race each other for one name. A
pre-image that is taken between the two may then be that of neither order. So a call is told to a transaction only when no call of
another thread that concerns the same name, or a folder above or below, may still be outstanding. A thread has one call at a time: its
next one, or its end, shows that the one before has returned.
"""

from __future__ import annotations


class InFlight:
    """The last call of each thread of one command."""

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        self._calls: dict[int, tuple[int, tuple[bytes, ...]]] = {}

    def let_go(self, thread: int, number: int, *paths: bytes) -> None:
        """A call goes on: its system call number, and all paths that it names. What this thread did before has returned."""
        self._calls[thread] = (number, paths)

    def returned(self, thread: int) -> None:
        """The thread's call has returned, or the thread is gone."""
        self._calls.pop(thread, None)

    def in_the_way(self, thread: int, *paths: bytes) -> tuple[tuple[int, int], ...]:
        """(thread, call number) of the others whose call may still be outstanding and concerns one of the paths."""
        calls = self._calls
        if not calls or (len(calls) == 1 and thread in calls):
            return ()
        return tuple(
            (other, number)
            for other, (number, theirs) in calls.items()
            if other != thread and any(_touch(mine, path) for mine in paths for path in theirs)
        )


def has_returned(thread: int, number: int) -> bool:
    """Whether a thread is seen outside of the call that it was let go for. False also where that cannot be told: ask again, for a time.

    Source: proc_pid_syscall(5).
    """
    try:
        with open(f"/proc/{thread}/syscall", "rb") as file:
            word = file.read().split(b" ", 1)[0].strip()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return word != b"running" and word != b"%d" % number


def _touch(one: bytes, other: bytes) -> bool:
    """Whether they are the same path, or one lies below the other."""
    return one == other or one.startswith(other + b"/") or other.startswith(one + b"/")
