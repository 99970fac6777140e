"""The fast path of trapped calls, where a compiler was at hand when this was installed; `fastpath/lane.c` says what it does.

Without it everything works the same, only slower: the calls that it would answer are answered by the `Guard`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pytest_cbx.engine.receivers import ends_by_itself
from pytest_cbx.engine.watched import Watched
from pytest_cbx.execute.kernel.seccomp import Notification, notification_sizes
from pytest_cbx.execute.kernel.syscalls import table
from pytest_cbx.execute.supervision.deeds import Deed
from pytest_cbx.execute.supervision.inflight import InFlight
from pytest_cbx.transaction.disk import Disk
from pytest_cbx.transaction.transaction import State, Transaction

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Lock
    from typing import TypeAlias

    Take: TypeAlias = Callable[[Watched, Deed, bytes, bytes], bool]

try:
    from pytest_cbx.engine._fastpath import Lane
except ImportError:  # it was not built
    Lane = None  # type: ignore[assignment, misc]

DIRECT = True
"""Whether the fast path makes changing calls itself. Tests that count these have it make them by way of Python's functions."""
_DEEDS = (Deed.WRITE, Deed.CREATE, Deed.REMOVE, Deed.RENAME, Deed.METADATA)
"""In the order of the enumeration in `fastpath.h`."""


def is_built() -> bool:
    """Whether there is a fast path."""
    return Lane is not None


def lane_for(watched: Watched, turn: Lock, inflight: InFlight, take: Take, *, free: tuple[bytes, ...]) -> Lane | None:
    """The fast path of an attempt that begins; None where each call has to be seen by Python.

    `take` gets claims that nobody has to be asked for. `free`: prefixes of paths that are nobody's.
    """
    if Lane is None or watched.meet is not None or watched.reads is not None:
        return None
    calls = table()
    return Lane(
        watched,
        turn,
        inflight,
        _DEEDS,
        dict(calls.numbers),
        calls.architecture,
        max(notification_sizes()[0], 80),
        ends_by_itself(os.uname().release),
        watched.decoder.inside,
        free,
        Notification,
        take,
    )


def arm(lane: Lane, transaction: Transaction, home: bytes) -> None:
    """The attempt's transaction has begun: from now on its calls can be answered, where its journal is an ordinary one."""
    if type(transaction.disk) is Disk and transaction.header.durability != "power":
        lane.arm(transaction, State.RUNNING, home, DIRECT)
