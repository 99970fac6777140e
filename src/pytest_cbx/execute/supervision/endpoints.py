"""Whom a socket call is about: `127.0.0.1:80`, `[::1]:80`, `unix:/run/name`.

Sources: ip(7), ipv6(7), unix(7), sendmsg(2) for the layout of addresses and messages.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Mapping

from pytest_cbx.execute.kernel.memory import read_bytes
from pytest_cbx.execute.kernel.seccomp import Notification
from pytest_cbx.execute.supervision.strikes import copy_of_descriptor

_ADDRESS_IN: Mapping[str, tuple[int, int]] = {
    "connect": (1, 2), "bind": (1, 2), "sendto": (4, 5),
}  # fmt: skip
"""Which arguments are the address and its size."""
_MESSAGE_IN = ("sendmsg", "sendmmsg")
"""Calls whose second argument is a message that may hold an address."""
SOCKET_CALLS = frozenset({
    "connect", "bind", "accept", "accept4", "listen", "shutdown", "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg",
})  # fmt: skip
_SIZE_MAX = 128
"""Bytes of an address. Source: sockaddr_storage."""


def endpoint_of(call: str, notification: Notification) -> str:
    """Whom a call of a process is about; empty where nobody can be told."""
    pid, args = notification.pid, notification.args
    try:
        if call in _ADDRESS_IN:
            address, size = (args[at] for at in _ADDRESS_IN[call])
            if address:
                return shown(read_bytes(pid, address, min(size & 0xFFFFFFFF, _SIZE_MAX)))
        elif call in _MESSAGE_IN and args[1]:
            address, size = struct.unpack("=QI", read_bytes(pid, args[1], 12))
            if address:
                return shown(read_bytes(pid, address, min(size, _SIZE_MAX)))
        return peer_of(pid, args[0] & 0xFFFFFFFF)
    except OSError:
        return ""


def peer_of(pid: int, descriptor: int) -> str:
    """Whom a connected socket of a process is connected to; empty where it is not, or is no socket."""
    try:
        mine = copy_of_descriptor(pid, descriptor)
    except OSError:
        return ""
    try:
        with socket.socket(fileno=mine) as copy:
            mine = -1
            found = copy.getpeername()
            family = copy.family
    except OSError:
        if mine >= 0:
            os.close(mine)
        return ""
    if family == socket.AF_UNIX:
        return f"unix:{os.fsdecode(found)}"
    if family == socket.AF_INET6:
        return f"[{found[0]}]:{found[1]}"
    return f"{found[0]}:{found[1]}" if family == socket.AF_INET else ""


def shown(address: bytes) -> str:
    """An address as the kernel has it, for people and patterns."""
    if len(address) < 2:
        return ""
    (family,) = struct.unpack_from("=H", address)
    if family == socket.AF_INET and len(address) >= 8:
        (port,) = struct.unpack_from("!H", address, 2)
        return f"{socket.inet_ntop(socket.AF_INET, address[4:8])}:{port}"
    if family == socket.AF_INET6 and len(address) >= 24:
        (port,) = struct.unpack_from("!H", address, 2)
        return f"[{socket.inet_ntop(socket.AF_INET6, address[8:24])}]:{port}"
    if family == socket.AF_UNIX:
        name = address[2:]
        return "unix:" + os.fsdecode(name[1:] if name[:1] == b"\0" else name.split(b"\0")[0])
    return ""
