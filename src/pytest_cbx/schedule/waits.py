"""The wait-for graph of running tasks: who cannot end before whom.

- Who waits at a call waits for those who hold what it wants. What a nested task holds passes to the task around it, so the
  wait is for the outermost task around the holder that is not around the waiter (`tasks.top`).
- Whoever has a nested task waits for it. A nested task that has not started waits for those who hold what it claims
  (its siblings left out: the task around it waits for them anyway).
- Tasks that were told to stop or to start anew wait for nobody, and their claims come free by themselves.

Parked tasks that are not nested are not in it: nobody who runs waits for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pytest_cbx.plan.model import Claim
from pytest_cbx.schedule.locks import LockTable
from pytest_cbx.schedule.tasks import Entry, top


class Wait(NamedTuple):
    """One edge."""

    waiter: Entry
    on: Entry
    holder: Entry | None
    """Whose claim is in the way: it, or a task around it, must give way to end this wait. None: waits for a nested task."""
    claim: Claim | None = None
    """What the holder holds."""


class Waits:
    """Reads the graph off the lock table."""

    def __init__(self, locks: LockTable) -> None:
        self._locks = locks

    def circle(self, starts: Iterable[Entry], ignored: set[Entry]) -> list[Wait]:
        """The edges of some circle that can be reached from `starts`, without edges for claims of `ignored`; empty for none."""
        done: set[Entry] = set()
        path: list[Wait] = []
        on_path: dict[Entry, int] = {}

        def visit(entry: Entry) -> list[Wait]:
            on_path[entry] = len(path)
            for wait in self.of(entry):
                if wait.on in done or wait.holder in ignored:
                    continue
                path.append(wait)
                found = path[on_path[wait.on] :] if wait.on in on_path else visit(wait.on)
                if found:
                    return found
                path.pop()
            del on_path[entry]
            done.add(entry)
            return []

        for start in starts:
            if start not in done and (found := visit(start)):
                return found
        return []

    def leads(self, start: Entry, goal: Entry) -> bool:
        """Whether `start` waits for `goal` in the end, be it because another call goes first."""
        seen: set[Entry] = set()
        todo = [start]
        while todo:
            entry = todo.pop()
            if entry is goal:
                return True
            if entry in seen:
                continue
            seen.add(entry)
            todo += [wait.on for wait in self.of(entry)]
            for call in entry.calls.values():
                todo += [top(one, entry) for one in call.behind]
        return False

    def of(self, entry: Entry) -> Iterator[Wait]:
        """The edges that begin at a task."""
        if entry.leaving:
            return
        for call in entry.calls.values():
            for holder, (_, theirs) in call.holders.items():
                if not holder.leaving:
                    yield Wait(entry, top(holder, entry), holder, theirs)
        if entry in self._locks.blocked:
            for holder, (_, theirs) in self._locks.holders_in_the_way(entry).items():
                if not holder.leaving:
                    yield Wait(entry, top(holder, entry), holder, theirs)
        for child in entry.children:
            if child.running or child in self._locks.blocked:
                yield Wait(entry, child, None)
