"""How much memory the processes of an instance hold."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_cbx.config.model import MEGABYTE
from pytest_cbx.execute.processes import Stat


def held_bytes(stats: Iterable[Stat], limit: int) -> int:
    """Bytes that these processes hold together.

    Resident sizes count shared pages once for each process. That is cheap and right for most; only a sum above the
    limit is counted again by proportional sizes (Pss of /proc/PID/smaps_rollup), which share them out.
    """
    found = list(stats)
    total = sum(stat.rss for stat in found)
    return total if total <= limit else sum(_proportional(stat) for stat in found)


def _proportional(stat: Stat) -> int:
    try:
        with open(f"/proc/{stat.pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return stat.rss


def too_much(held: int, limit: int) -> str:
    """The reason for stopping an instance, for people."""
    return (
        f"stopped: it held {held // MEGABYTE} MB of its {limit // MEGABYTE} MB of memory; "
        'give the command more, e.g. memory = "2GB"'
    )
