"""Who gets a seat next: the ready queue, the capacity, what is held for a heavy task, and seats that nested tasks share."""

from __future__ import annotations

import math

from pytest_cbx.schedule.admission import Admission, Seat
from pytest_cbx.schedule.model import Capacity
from pytest_cbx.schedule.policies import ordering
from pytest_cbx.schedule.ready import ReadyQueue
from pytest_cbx.schedule.tasks import Entry, Shape

RESERVE_AFTER = 5.0
"""Seconds of waiting after which capacity is held for a heavy task, or twice its expected seconds if that is sooner."""


class Seats:
    """Tasks in phase READY come in, tasks that start go out with a seat, and give it back.

    The first running child of a task shares its seat. When the owner of a shared seat ends, whoever shares it keeps it, so
    that its slot and weight stay taken until the last has ended.
    """

    def __init__(self, capacity: Capacity) -> None:
        self.admission = Admission(capacity)
        self.reserved: Entry | None = None
        """The task for which capacity is held."""
        self._ready = ReadyQueue(ordering(capacity.policy, self.admission.weight))
        self._to_board: dict[Entry, None] = {}
        """Running tasks that may have a child to share their seat with."""
        self._held_up = False
        """Something could start but for the spawn rate."""

    def queue(self, entry: Entry, now: float) -> None:
        """A task waits for a seat from now on."""
        self._ready.add(entry, now)
        if entry.parent is not None:
            entry.parent.boarding[entry] = None
            self._to_board[entry.parent] = None

    def unqueue(self, entry: Entry) -> None:
        """It waits no longer: it starts, is parked, or was given up."""
        self._ready.discard(entry)
        if entry.parent is not None:
            entry.parent.boarding.pop(entry, None)
        if self.reserved is entry:
            self.reserved = None

    @property
    def waits(self) -> bool:
        """Whether a task waits for a seat."""
        return bool(self._ready)

    def next(self, now: float) -> Entry | None:
        """The task that a seat is free for and whose turn it is. It stays in the queue."""
        self._held_up = False
        for parent in list(self._to_board):
            if parent.running and not parent.leaving and parent.rider is None and parent.boarding:
                return next(iter(parent.boarding))
            del self._to_board[parent]
        if not self._ready or self.admission.full:
            return None
        if not self.admission.may_grow(now):
            self._held_up = True
            return None
        if self.reserved is not None and self.admission.fits(self.reserved.shape):
            return self.reserved
        free = self.admission.free()
        found = self._ready.pick(self._fits, lambda entry: self._deny(entry, now), free, now)
        if found is None and self.reserved is not None:
            found = self._ready.pick(self._fits, lambda entry: False, free, now)
        return found

    def take(self, entry: Entry) -> Seat:
        """The seat for a task that `next` gave."""
        parent = entry.parent
        if parent is not None and parent.rider is None and parent.seat is not None:
            entry.seat = parent.seat
            entry.rides_on = parent
            parent.rider = entry
        else:
            entry.seat = self.admission.take(entry.shape)
            self._ready.started(entry)
        self.unqueue(entry)
        return entry.seat

    def hold(self, entry: Entry) -> Seat:
        """One that takes nothing of the capacity, for a task without an instance. Its slot is that of the task around it, or -1.

        Whoever runs may be waiting for what such a task holds; then the command that is run in it must not wait for their seats.
        """
        around = entry.parent.seat if entry.parent is not None else None
        slot = around.slot if around is not None else -1
        entry.seat = Seat(slot=slot, shape=entry.shape, lone=False, counted=False)
        return entry.seat

    def leave(self, entry: Entry, now: float) -> None:
        """A running task has ended."""
        base, rider = entry.rides_on, entry.rider
        if rider is not None:
            rider.rides_on = base
        if base is not None:
            base.rider = rider
            if rider is None:
                self._to_board[base] = None
        elif rider is None and entry.seat is not None and entry.seat.counted:
            self.admission.give_back(entry.seat, now)
        entry.seat = entry.rides_on = entry.rider = None

    def opens_at(self) -> float:
        """When time alone lets something start; infinite for never."""
        return self.admission.grows_at() if self._held_up else math.inf

    def _fits(self, shape: Shape) -> bool:
        if self.reserved is None:
            return self.admission.fits(shape)
        return self.admission.fits_beside(shape, self.reserved.shape)

    def _deny(self, entry: Entry, now: float) -> bool:
        """Hold the capacity for a task that would be next but does not fit?"""
        if self.reserved is not None or not self.admission.short_of_weight(entry.shape):
            return False
        if entry.parent is not None:
            return False  # it gets its parent's seat when a sibling leaves it
        if now - entry.aged_at <= min(RESERVE_AFTER, 2.0 * entry.task.seconds):
            return False
        self.reserved = entry
        return True
