"""Capacity: slots, tier caps, cores, memory, and how fast the number of running instances may grow."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from dataclasses import dataclass

from pytest_cbx.errors import UsageError
from pytest_cbx.schedule.model import Capacity
from pytest_cbx.schedule.tasks import MICRO, Shape
from pytest_cbx.tier import Tier

_ALMOST_ONE = 1.0 - 1e-6
"""A token that is due now may be short of one by rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Capacity handed to one instance."""

    slot: int
    shape: Shape
    lone: bool
    """Heavier than the whole machine: nothing else runs."""
    counted: bool = True
    """It takes something of the capacity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Free:
    """Shares (0–1) of the capacity that are not handed out."""

    cpus: float
    memory: float


class Admission:
    """Hands out seats and takes them back.

    A seat takes one of `jobs` slots, one place of its tier and of its pool, and its cores and memory. What is heavier than all cores
    or all memory gets a seat only when there is no other, and none is given beside it.

    Growth is a token bucket: it holds `max(1, spawn_rate)` tokens, gains `spawn_rate` a second; a seat costs one, and
    giving a seat back returns one. So in any period of t seconds the number of seats grows by at most
    `max(1, spawn_rate) + spawn_rate · t`, and replacing an instance that ended is free.
    """

    def __init__(self, capacity: Capacity) -> None:
        _validate(capacity)
        self._capacity = capacity
        self.jobs = min(capacity.jobs, capacity.instances.total_capacity_max)
        self._caps = {tier: capacity.instances.cap(tier) for tier in Tier}
        self._cpus = round(capacity.cpus * MICRO)
        self._memory = capacity.memory
        self._slots: list[int] = []
        self._slots_made = 0
        self.total = 0
        self.by_tier = dict.fromkeys(Tier, 0)
        self.by_pool: Counter[str] = Counter()
        self.lent = 0
        """Slots that running commands have beside their own."""
        self.cpus_used = 0
        self.memory_used = 0
        self._lone = False
        self._bucket = max(1.0, capacity.spawn_rate)
        self._tokens = self._bucket
        self._filled_at = -math.inf

    @property
    def full(self) -> bool:
        """Whether no slot is left."""
        return self.total + self._away >= self.jobs

    @property
    def _away(self) -> int:
        """Lent slots. Who borrowed them has ended where nobody runs: some died with theirs in hand."""
        return self.lent if self.total else 0

    def too_heavy(self, shape: Shape) -> bool:
        """Whether the shape is heavier than the whole machine."""
        return shape.cpus > self._cpus or shape.memory > self._memory

    def fits(self, shape: Shape) -> bool:
        """Whether a seat of this shape is free now. Growth is not looked at: see `may_grow`."""
        if self._lone or self.full or self.by_tier[shape.tier] >= self._caps[shape.tier]:
            return False
        if self.pool_full(shape):
            return False
        if self.too_heavy(shape):
            return self.total == 0
        return self.cpus_used + shape.cpus <= self._cpus and self.memory_used + shape.memory <= self._memory

    def pool_full(self, shape: Shape, more: int = 1) -> bool:
        """Whether its pool has not so many places left."""
        return bool(shape.pool) and self.by_pool[shape.pool] + more > shape.depth

    def short_of_weight(self, shape: Shape) -> bool:
        """Whether cores or memory are what is missing. (Slots and places of a tier come free one by one, so whoever is
        first gets the next; cores and memory may come free in portions too small, time and again.)"""
        if self._lone or self.too_heavy(shape):
            return self.total > 0
        return self.cpus_used + shape.cpus > self._cpus or self.memory_used + shape.memory > self._memory

    def fits_beside(self, shape: Shape, reserved: Shape) -> bool:
        """Whether a seat is free that does not delay the one that `reserved` waits for.

        Of each resource that the shape takes, what `reserved` needs must still be free afterwards.
        """
        if self.too_heavy(reserved) or not self.fits(shape):
            return False
        if self.total + self._away + 2 > self.jobs:
            return False
        if shape.tier is reserved.tier and self.by_tier[shape.tier] + 2 > self._caps[shape.tier]:
            return False
        if shape.pool == reserved.pool and self.pool_full(reserved, 2):
            return False
        cpus_ok = not shape.cpus or self.cpus_used + shape.cpus + reserved.cpus <= self._cpus
        return cpus_ok and (not shape.memory or self.memory_used + shape.memory + reserved.memory <= self._memory)

    def free(self) -> Free:
        """What is left, as shares of all."""
        return Free(
            cpus=max(0.0, 1.0 - self.cpus_used / self._cpus), memory=max(0.0, 1.0 - self.memory_used / self._memory)
        )

    def weight(self, shape: Shape) -> Free:
        """The shape as shares of the whole capacity."""
        return Free(cpus=shape.cpus / self._cpus, memory=shape.memory / self._memory)

    def may_grow(self, now: float) -> bool:
        """Whether one more instance may start now."""
        self._refill(now)
        return self._tokens >= _ALMOST_ONE

    def grows_at(self) -> float:
        """When the next instance may start, as things are."""
        return self._filled_at + max(0.0, 1.0 - self._tokens) / self._capacity.spawn_rate

    def take(self, shape: Shape) -> Seat:
        """A seat for the shape, which must fit, with the lowest free slot."""
        lone = self.too_heavy(shape)
        self._count(shape, 1)
        self._lone = lone
        self._tokens = max(0.0, self._tokens - 1.0)
        if self._slots:
            slot = heapq.heappop(self._slots)
        else:
            slot = self._slots_made
            self._slots_made += 1
        return Seat(slot=slot, shape=shape, lone=lone)

    def give_back(self, seat: Seat, now: float) -> None:
        """Take the seat back."""
        self._refill(now)
        self._count(seat.shape, -1)
        if seat.lone:
            self._lone = False
        self._tokens = min(self._bucket, self._tokens + 1.0)
        heapq.heappush(self._slots, seat.slot)

    def _count(self, shape: Shape, sign: int) -> None:
        self.total += sign
        self.by_tier[shape.tier] += sign
        if shape.pool:
            self.by_pool[shape.pool] += sign
        self.cpus_used += sign * shape.cpus
        self.memory_used += sign * shape.memory

    def _refill(self, now: float) -> None:
        if now > self._filled_at:
            gained = (now - self._filled_at) * self._capacity.spawn_rate
            self._tokens = min(self._bucket, self._tokens + gained)
            self._filled_at = now


def _validate(capacity: Capacity) -> None:
    wrong = [
        f"{name} is {value}"
        for name, value in (
            ("jobs", capacity.jobs),
            ("cpus", capacity.cpus),
            ("memory", capacity.memory),
            ("spawn_rate", capacity.spawn_rate),
            ("total_capacity_max", capacity.instances.total_capacity_max),
            *((f"the cap of {tier.value}", capacity.instances.cap(tier)) for tier in Tier),
        )
        if not value > 0
    ]
    if wrong:
        raise UsageError(f"nothing could ever run: {', '.join(wrong)}; each must be above 0")
