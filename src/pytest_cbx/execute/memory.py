"""How much memory the processes of an instance hold."""

from __future__ import annotations

import os
from collections.abc import Iterable

from pytest_cbx.config.model import MEGABYTE
from pytest_cbx.execute.processes import Stat

_HELD = (b"Pss_Anon", b"Pss_Shmem", b"SwapPss")


def held_bytes(stats: Iterable[Stat], limit: int) -> int:
    """Bytes that these processes hold together.

    Resident sizes count shared pages once for each process, and files that are only mapped. Looking at them is cheap
    and enough for most; only a sum above the limit is counted again exactly: what cannot be dropped (anonymous and
    shared memory, swap), shared pages by their share (/proc/PID/smaps_rollup, Linux 4.14; split up since 5.4).
    """
    found = list(stats)
    total = sum(stat.rss for stat in found)
    return total if total <= limit else sum(_proportional(stat) for stat in found)


def _proportional(stat: Stat) -> int:
    fields: dict[bytes, int] = {}
    try:
        with open(f"/proc/{stat.pid}/smaps_rollup", "rb") as file:
            for line in file:
                name, _, rest = line.partition(b":")
                if name in (*_HELD, b"Pss"):
                    fields[name] = int(rest.split()[0]) * 1024
    except OSError:
        return 0 if not os.path.exists(f"/proc/{stat.pid}") else stat.rss
    if _HELD[0] not in fields:
        return fields.get(b"Pss", stat.rss)
    return sum(fields.get(name, 0) for name in _HELD)


def too_much(held: int, limit: int) -> str:
    """The reason for stopping an instance, for people."""
    return (
        f"stopped: its processes held {held // MEGABYTE} MB of memory, its limit is {limit // MEGABYTE} MB; "
        'raise its limit in cbx.toml, e.g. memory = "2GB"'
    )
