"""Four ways to order ready tasks. They only rank; whether a task fits is not theirs to know.

In all of them the user's `critical` comes before and `deferred` after everything else: `ready` keeps those apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from pytest_cbx.config.model import Policy
from pytest_cbx.schedule.admission import Free
from pytest_cbx.schedule.model import Task
from pytest_cbx.schedule.tasks import Shape

Key: TypeAlias = tuple[float, ...]

RESOURCE_PATIENCE = 30.0
"""Seconds after which RESOURCE_AWARE starts a task whatever it weighs."""

_SHARES = (60, 30, 10)
"""Parts of the starts for scores 8–10, 5–7 and 1–4. Source: founding documents, "Round-Robin with Priority"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The first task of its shape and bucket."""

    shape: Shape
    bucket: int
    key: Key
    order: int
    ready_at: float


class Ordering(Protocol):
    """Ranks ready tasks. Tasks of one client, shape and bucket are ranked by `key` (lowest first), then by order; `best`
    chooses between the first ones of different shapes and buckets."""

    def bucket(self, task: Task) -> int:
        """Which queue it stands in."""
        ...

    def key(self, task: Task, ready_at: float) -> Key:
        """Its rank in the queue, which never changes. Ageing is in it: see each policy."""
        ...

    def best(self, heads: Sequence[Head], free: Free, now: float) -> int:
        """Position of the one to start first. `heads` is not empty."""
        ...

    def started(self, bucket: int, waiting: Sequence[int]) -> None:
        """A task of `bucket` was started; `waiting` lists the buckets that had tasks to choose from, it included."""
        ...


def _lowest(heads: Sequence[Head]) -> int:
    if len(heads) == 1:
        return 0
    return min(range(len(heads)), key=lambda i: (heads[i].key, heads[i].order))


class _Ranked:
    """Base of the policies for which the key says it all."""

    def bucket(self, task: Task) -> int:
        return 0

    def best(self, heads: Sequence[Head], free: Free, now: float) -> int:
        return _lowest(heads)

    def started(self, bucket: int, waiting: Sequence[int]) -> None:
        pass


class CriticalPath(_Ranked):
    """Longest way to the end first, then score. A second of waiting counts as a second of way."""

    def key(self, task: Task, ready_at: float) -> Key:
        return (ready_at - task.path_seconds, -task.score)


class ShortestFirst(_Ranked):
    """Shortest expected time first. A second of waiting counts as a second less."""

    def key(self, task: Task, ready_at: float) -> Key:
        return (ready_at + task.seconds, -task.score)


class RoundRobin:
    """High, medium and low score take turns, 60 : 30 : 10, first come first served in each.

    Smooth weighted round-robin (as in nginx's upstream module): each start gives every bucket that has tasks its share, and
    takes the sum of these from the bucket that was served. So the shares are exact over each full round, and those of
    an empty bucket fall to the others.
    """

    def __init__(self) -> None:
        self._credit = [0, 0, 0]

    def bucket(self, task: Task) -> int:
        if task.score >= 7.5:
            return 0
        return 1 if task.score >= 4.5 else 2

    def key(self, task: Task, ready_at: float) -> Key:
        return (ready_at,)

    def best(self, heads: Sequence[Head], free: Free, now: float) -> int:
        if len(heads) == 1:
            return 0
        credit = self._credit
        return min(
            range(len(heads)),
            key=lambda i: (
                -(credit[heads[i].bucket] + _SHARES[heads[i].bucket]),
                heads[i].bucket,
                heads[i].key,
                heads[i].order,
            ),
        )

    def started(self, bucket: int, waiting: Sequence[int]) -> None:
        present = {bucket, *waiting}
        for one in present:
            self._credit[one] += _SHARES[one]
        self._credit[bucket] -= sum(_SHARES[one] for one in present)
        for other in {0, 1, 2} - present:
            self._credit[other] = 0  # who was away brings no old claims back


class ResourceAware:
    """What makes best use of what is free: the largest dot product of the task's demand and the free capacity, both as
    shares of the machine (Grandl et al., "Multi-resource packing for cluster schedulers", SIGCOMM 2014). So heavy tasks
    start while there is room, light ones fill the rest. After 30 s of waiting the oldest comes first."""

    def __init__(self, weigh: Callable[[Shape], Free]) -> None:
        self._weigh = weigh

    def bucket(self, task: Task) -> int:
        return 0

    def key(self, task: Task, ready_at: float) -> Key:
        return (ready_at, -task.path_seconds, -task.score)

    def best(self, heads: Sequence[Head], free: Free, now: float) -> int:
        if len(heads) == 1:
            return 0
        aged = [i for i, head in enumerate(heads) if now - head.ready_at > RESOURCE_PATIENCE]
        if aged:
            return min(aged, key=lambda i: (heads[i].ready_at, heads[i].order))
        return min(
            range(len(heads)), key=lambda i: (-self._alignment(heads[i].shape, free), heads[i].key, heads[i].order)
        )

    def started(self, bucket: int, waiting: Sequence[int]) -> None:
        pass

    def _alignment(self, shape: Shape, free: Free) -> float:
        demand = self._weigh(shape)
        return demand.cpus * free.cpus + demand.memory * free.memory


def ordering(policy: Policy, weigh: Callable[[Shape], Free]) -> Ordering:
    """The ordering that a policy names. `weigh` gives a shape as shares of the machine."""
    match policy:
        case Policy.CRITICAL_PATH:
            return CriticalPath()
        case Policy.SHORTEST_FIRST:
            return ShortestFirst()
        case Policy.ROUND_ROBIN:
            return RoundRobin()
        case Policy.RESOURCE_AWARE:
            return ResourceAware(weigh)
