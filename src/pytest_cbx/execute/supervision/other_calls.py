"""Trapped calls that are not about files: signals to other processes.

Sources: kill(2), tgkill(2), rt_sigqueueinfo(2), pidfd_send_signal(2).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping

from pytest_cbx.execute.kernel.seccomp import Notification
from pytest_cbx.execute.supervision.deeds import Deed, Trap
from pytest_cbx.execute.supervision.resolve import Fails

_INT_MAX = 0x7FFFFFFF
_PROCESS_GROUP = 4
"""PIDFD_SIGNAL_PROCESS_GROUP. Source: linux/pidfd.h."""


def _kill(n: Notification) -> Trap:
    target = _signed(n.args[0])
    if target == 0:
        target = -os.getpgid(n.pid)
    return _signal(n, "kill", target, n.args[1])


def _signal(n: Notification, call: str, target: int, number: int) -> Trap:
    return Trap(n.id, n.pid, call, Deed.SIGNAL, number=_signed(number), target=target)


def _by_descriptor(n: Notification) -> Trap:
    """The process that a pidfd stands for; -1 in its `Pid:` line means that it is dead."""
    try:
        with open(b"/proc/%d/fdinfo/%d" % (n.pid, n.args[0] & 0xFFFFFFFF), "rb") as lines:
            found = [int(line[4:]) for line in lines if line.startswith(b"Pid:")]
    except FileNotFoundError:
        raise Fails(errno.EBADF) from None
    if not found:
        raise Fails(errno.EBADF)
    if found[0] <= 0:
        raise Fails(errno.ESRCH)
    target = -os.getpgid(found[0]) if n.args[3] & _PROCESS_GROUP else found[0]
    return _signal(n, "pidfd_send_signal", target, n.args[1])


def _signed(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value > _INT_MAX else value


OTHER_CALLS: Mapping[str, Callable[[Notification], Trap]] = {
    "kill": _kill,
    "tkill": lambda n: _signal(n, "tkill", _signed(n.args[0]), n.args[1]),
    "tgkill": lambda n: _signal(n, "tgkill", _signed(n.args[0]), n.args[2]),
    "rt_sigqueueinfo": lambda n: _signal(n, "rt_sigqueueinfo", _signed(n.args[0]), n.args[1]),
    "rt_tgsigqueueinfo": lambda n: _signal(n, "rt_tgsigqueueinfo", _signed(n.args[0]), n.args[2]),
    "pidfd_send_signal": _by_descriptor,
}
"""By name."""
