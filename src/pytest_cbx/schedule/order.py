"""Program order of serializable tasks: they commit one after the other, as if they had run so."""

from __future__ import annotations

import heapq

from pytest_cbx.schedule.tasks import Entry, Group


class ProgramOrder:
    """The serializable tasks of each group that are not over, by rank.

    A task may commit when it is the first of them. Until then an earlier one, whether it runs or not, could still want what
    this one has read or changed, and must find it as it was.
    """

    def __init__(self) -> None:
        self._waiting: dict[Group, list[tuple[int, Entry]]] = {}
        """Heaps, with remains of tasks that are over."""

    def __bool__(self) -> bool:
        """Whether there are such tasks."""
        return bool(self._waiting)

    def add(self, entry: Entry) -> None:
        """A task was handed in."""
        if entry.task.serializable:
            heapq.heappush(self._waiting.setdefault(entry.group, []), (entry.rank, entry))

    def first(self, entry: Entry) -> Entry | None:
        """The first of its group that is not over."""
        heap = self._waiting.get(entry.group)
        while heap:
            if heap[0][1].status is None:
                return heap[0][1]
            heapq.heappop(heap)
        self._waiting.pop(entry.group, None)
        return None

    def before(self, entry: Entry) -> list[Entry]:
        """All those before it that are not over."""
        heap = self._waiting.get(entry.group, ())
        return [one for rank, one in heap if rank < entry.rank and one.status is None]
