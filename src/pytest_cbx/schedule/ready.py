"""Tasks that wait for capacity and their turn only.

Four bands, one before the other:

1. those that waited for claims and have them free now: others wait for these claims behind them;
2. the user's `critical`;
3. all others;
4. the user's `deferred`.

Within a band the clients take turns, one start each. Within a client the policy ranks.
Nobody starves: once the longest waiting task of a lower band has waited `PATIENCE` seconds, one start in `SHARE` goes to
its band; and the policies themselves count waiting.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from pytest_cbx.config.model import Priority
from pytest_cbx.schedule.admission import Free
from pytest_cbx.schedule.model import ClientId
from pytest_cbx.schedule.policies import Head, Key, Ordering
from pytest_cbx.schedule.tasks import Entry, Shape

PATIENCE = 60.0
"""Seconds after which a task of a lower band counts as passed over."""

SHARE = 8
"""One start in so many goes to a band that was passed over."""

_BANDS = 4
_LANE_ITEM = tuple[Key, int, int, Entry]


@dataclass(slots=True)
class _Lanes:
    """What one client has waiting in one band: a heap of (key, order, stamp, task) for each shape and bucket."""

    heaps: dict[tuple[Shape, int], list[_LANE_ITEM]] = field(default_factory=dict)


@dataclass(slots=True)
class _Band:
    clients: OrderedDict[ClientId, _Lanes] = field(default_factory=OrderedDict)
    """The first one has the turn."""
    oldest: deque[tuple[int, Entry]] = field(default_factory=deque)
    """(stamp, task) as they came, with remains of those that left."""
    passed_over: int = 0
    """Starts from bands above since the last one from here."""


class ReadyQueue:
    """Holds tasks in phase READY and says which to start next."""

    def __init__(self, ordering: Ordering) -> None:
        self._ordering = ordering
        self._bands = [_Band() for _ in range(_BANDS)]
        self._size = 0
        self._rivals: list[int] = []
        """Buckets of the tasks between which the last pick chose."""

    def __len__(self) -> int:
        return self._size

    def add(self, entry: Entry, now: float) -> None:
        """Take a task in. `entry.ready_at` says how old it is."""
        entry.stamp += 1
        entry.aged_at = now
        band = self._bands[_band_of(entry)]
        lanes = band.clients.get(entry.client)
        if lanes is None:
            lanes = band.clients[entry.client] = _Lanes()
        lane = (entry.shape, self._ordering.bucket(entry.task))
        item = (self._ordering.key(entry.task, entry.ready_at), entry.order, entry.stamp, entry)
        heapq.heappush(lanes.heaps.setdefault(lane, []), item)
        band.oldest.append((entry.stamp, entry))
        self._size += 1

    def discard(self, entry: Entry) -> None:
        """Forget a task that is here: it started, is parked, or was given up."""
        entry.stamp += 1
        self._size -= 1

    def pick(
        self, fits: Callable[[Shape], bool], deny: Callable[[Entry], bool], free: Free, now: float
    ) -> Entry | None:
        """The task to start next; it stays here until it is discarded.

        `deny` is told of a task that would be next but does not fit. It answers True to hold the capacity for it: then
        nothing is picked, and the caller asks again with another `fits`.
        """
        if not self._size:
            return None
        for number in self._bands_in_turn(now):
            band = self._bands[number]
            for client in list(band.clients):
                heads = self._heads(band, client)
                if not heads:
                    continue
                best = heads[self._ordering.best([head for head, _ in heads], free, now)]
                fitting = [pair for pair in heads if fits(pair[0].shape)]
                if not fits(best[0].shape):
                    if deny(best[1]):
                        return None
                    if not fitting:
                        continue
                    best = fitting[self._ordering.best([head for head, _ in fitting], free, now)]
                self._rivals = [head.bucket for head, _ in fitting]
                return best[1]
        return None

    def started(self, entry: Entry) -> None:
        """A task that is still here starts: the one picked last, or one for which capacity was held.

        Its client's turn is over, and the policy's counts move on.
        """
        number = _band_of(entry)
        band = self._bands[number]
        self._ordering.started(self._ordering.bucket(entry.task), self._rivals)
        self._rivals = []
        band.clients.move_to_end(entry.client)
        band.passed_over = 0
        for lower in self._bands[number + 1 :]:
            if lower.oldest:
                lower.passed_over += 1

    def _heads(self, band: _Band, client: ClientId) -> list[tuple[Head, Entry]]:
        heaps = band.clients[client].heaps
        heads = []
        for lane in list(heaps):
            heap = heaps[lane]
            while heap and heap[0][3].stamp != heap[0][2]:
                heapq.heappop(heap)
            if not heap:
                del heaps[lane]
                continue
            key, order, _, entry = heap[0]
            head = Head(shape=lane[0], bucket=lane[1], key=key, order=order, ready_at=entry.ready_at)
            heads.append((head, entry))
        if not heads:
            del band.clients[client]
        return heads

    def _bands_in_turn(self, now: float) -> list[int]:
        numbers = list(range(_BANDS))
        for number in range(_BANDS - 1, 1, -1):
            band = self._bands[number]
            while band.oldest and band.oldest[0][1].stamp != band.oldest[0][0]:
                band.oldest.popleft()
            if not band.oldest:
                band.passed_over = 0
            elif band.passed_over >= SHARE - 1 and now - band.oldest[0][1].aged_at > PATIENCE:
                numbers.remove(number)
                numbers.insert(0, number)
        return numbers


def _band_of(entry: Entry) -> int:
    if entry.ticket:
        return 0
    if entry.task.priority is Priority.CRITICAL:
        return 1
    return 3 if entry.task.priority is Priority.DEFERRED else 2
