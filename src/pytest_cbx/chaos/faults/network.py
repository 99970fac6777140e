"""Faults of the network, as a command sees it. The `path` of a trigger is the other end: `127.0.0.1:5432`, `[::1]:80`, `unix:/run/x`."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Unpack

from pytest_cbx.chaos.faults.kinds import Family, Kind, Planned, When, planned
from pytest_cbx.faults.model import Delay, Fail

ANYBODY = "*:*"
"""Every end that has a port: no sockets within the machine."""
NAME_SERVERS = "*:53"
CONNECTING = ("connect",)
TALKING = ("connect", "sendto", "sendmsg", "sendmmsg", "write", "writev")


def refused(**when: Unpack[When]) -> Planned:
    """ECONNREFUSED: nobody listens there."""
    return planned(Fail(error=errno.ECONNREFUSED), when, calls=CONNECTING, path=ANYBODY)


def timed_out(seconds: float = 0.2, **when: Unpack[When]) -> Planned:
    """ETIMEDOUT, after so many seconds."""
    return planned(Delay(seconds=seconds, error=errno.ETIMEDOUT), when, calls=CONNECTING, path=ANYBODY)


def no_route(**when: Unpack[When]) -> Planned:
    """EHOSTUNREACH."""
    return planned(Fail(error=errno.EHOSTUNREACH), when, calls=CONNECTING, path=ANYBODY)


def no_name(**when: Unpack[When]) -> Planned:
    """No name server can be reached (port 53), from the n-th try on. What stands in /etc/hosts is still found."""
    return planned(Fail(error=errno.ECONNREFUSED), when, calls=TALKING, path=NAME_SERVERS, lasting=True)


def partition(commands: Sequence[str] = ("*",), peers: str = ANYBODY, **when: Unpack[When]) -> Planned:
    """A set of commands, by globs on their names, reaches nobody any more: to connect fails, and so does sending on what is connected
    (EHOSTUNREACH, as when the kernel has given up). `peers`: only these ends are cut off."""
    return planned(
        Fail(error=errno.EHOSTUNREACH), when, calls=TALKING, path=peers, lasting=True, command="|".join(commands)
    )


def latency(seconds: float = 0.05, *, jitter: float = 0.0, **when: Unpack[When]) -> Planned:
    """To connect and to send takes so much longer, from the n-th call on, and up to `jitter` seconds more, drawn by `seed`."""
    return planned(Delay(seconds=seconds, jitter=jitter), when, calls=TALKING, path=ANYBODY, lasting=True)


KINDS = (
    Kind(name="refused", family=Family.NETWORK, about="a connection is refused", build=refused),
    Kind(name="timed_out", family=Family.NETWORK, about="a connection times out", build=timed_out),
    Kind(name="no_route", family=Family.NETWORK, about="no route to the other end", build=no_route),
    Kind(name="no_name", family=Family.NETWORK, about="no name can be looked up", build=no_name),
    Kind(name="partition", family=Family.NETWORK, about="a set of commands is cut off", build=partition),
    Kind(name="latency", family=Family.NETWORK, about="a slow network", build=latency),
)
