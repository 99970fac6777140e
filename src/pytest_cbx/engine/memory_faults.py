"""Bounds on the memory of commands, as faults."""

from __future__ import annotations

import contextlib
import os
import resource

from pytest_cbx.execute import cgroups
from pytest_cbx.execute.cgroups import MemoryGroup
from pytest_cbx.faults.model import Memory


class MemoryBounds:
    """The groups of one engine's commands, by command."""

    def __init__(self) -> None:
        self._groups: dict[int, list[MemoryGroup]] = {}

    def put(self, task: int, leader: int, action: Memory) -> None:
        """Bound a command that has just been started, and waits at its first call.

        Raises:
            OSError: this machine cannot do it.
        """
        if action.by == "rlimit":
            resource.prlimit(leader, resource.RLIMIT_AS, (action.limit, action.limit))
            return
        hierarchy = cgroups.here()
        if isinstance(hierarchy, str):
            raise OSError(95, hierarchy)
        name = f"{os.getpid()}-{task}-{len(self._groups.get(task, ()))}"
        group = MemoryGroup(hierarchy, name, limit=action.limit, throttle=action.by == "pressure")
        self._groups.setdefault(task, []).append(group)
        group.add(leader)

    def end(self, task: int) -> int:
        """A command has ended; returns how often it reached its bounds."""
        reached = 0
        for group in self._groups.pop(task, ()):
            with contextlib.suppress(OSError):
                reached += group.reached
            with contextlib.suppress(OSError):
                group.close()
        return reached

    def lift(self, task: int) -> None:
        """Its bounds are no more, while it goes on. A limit on address space stays: only the process itself could lift it."""
        self.end(task)

    def close(self) -> None:
        """Remove all."""
        for task in list(self._groups):
            self.end(task)
