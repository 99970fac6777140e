"""Finding and killing what an engine left behind: every process carries its engine's token in CBX_INSTANCE."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from types import MappingProxyType

from pytest_cbx.execute import processes
from pytest_cbx.execute.processes import Stat

PATIENCE = 5.0


def kill_of_engine(token: str, *, leaders: Mapping[int, int] = MappingProxyType({})) -> list[Stat]:
    """Kill every process that carries this engine's token, or is in a session of one of these leaders (pid to start).

    A pid whose process started at another time has been used again, and is left alone.
    """
    sessions = frozenset(pid for pid, ticks in leaders.items() if processes.start_ticks(pid) in (0, ticks))
    return _kill(lambda marker: any(part.startswith(f"{token}.") for part in marker.split(":")), sessions)


def kill_of_dead_engines(tree: str, living: str) -> list[Stat]:
    """Kill what engines of a work tree left behind that live no more.

    Only the holder of the work tree's lock may ask for it: every engine but its own, `living`, is dead then.
    """

    return _kill(_orphaned(tree, living), frozenset())


def left_by_dead_engines(tree: str, living: str) -> list[Stat]:
    """What `kill_of_dead_engines` would kill."""
    return _find(_orphaned(tree, living), frozenset())


def _orphaned(tree: str, living: str) -> Callable[[str], bool]:
    def orphaned(marker: str) -> bool:
        return any(part.startswith(f"{tree}-") and not part.startswith(f"{living}.") for part in marker.split(":"))

    return orphaned


def _kill(is_ours: Callable[[str], bool], sessions: frozenset[int]) -> list[Stat]:
    """Returns what could not be killed."""
    return processes.kill_all(lambda: _find(is_ours, sessions), PATIENCE)


def _find(is_ours: Callable[[str], bool], sessions: frozenset[int]) -> list[Stat]:
    # Not ourselves, and nobody that we run inside of.
    spared = set(_ancestors(os.getpid()))
    return [
        stat
        for stat in processes.all_processes()
        if stat.pid not in spared and (stat.session in sessions or is_ours(processes.marker_of(stat.pid)))
    ]


def _ancestors(pid: int) -> list[int]:
    found = [pid]
    while (stat := processes.stat_of(found[-1])) is not None and stat.parent > 1:
        found.append(stat.parent)
    return found
