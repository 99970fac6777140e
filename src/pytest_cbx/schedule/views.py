"""What observers may see of the scheduler, as values; and a check that its state agrees with itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pytest_cbx.errors import InternalError
from pytest_cbx.schedule.admission import Admission
from pytest_cbx.schedule.locks import LockTable
from pytest_cbx.schedule.model import ClientId, TaskId
from pytest_cbx.schedule.tasks import MICRO, Entry, Phase
from pytest_cbx.tier import Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A task with an instance."""

    task: TaskId
    client: ClientId
    slot: int
    attempt: int
    started_at: float
    stopping: bool
    riding: bool
    """It shares the seat of the task it is nested in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """A task that has not ended and does not run."""

    task: TaskId
    client: ClientId
    phase: Phase
    reason: str
    """For people."""
    blockers: tuple[TaskId, ...] = ()
    """Running tasks that hold what it claims."""
    ticket: int = 0
    """Its number in the queue for claims; 0 for none."""
    reserved: bool = False
    """Capacity is held for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What is handed out. `cpus` in cores, `memory` in bytes."""

    seats: int
    by_tier: Mapping[Tier, int]
    """Seats, without those that nested tasks share."""
    running: int
    waiting: int
    cpus: float
    memory: int


def running(entries: Iterable[Entry]) -> tuple[Running, ...]:
    """See `Scheduler.running`."""
    seen = [
        Running(
            task=entry.id,
            client=entry.client,
            slot=entry.seat.slot,
            attempt=entry.attempt,
            started_at=entry.started_at,
            stopping=entry.stop_reason is not None,
            riding=entry.rides_on is not None,
        )
        for entry in entries
        if entry.seat is not None and not entry.task.hold
    ]
    return tuple(sorted(seen, key=lambda one: (one.slot, one.started_at, one.task)))


def waiting(
    live: Iterable[Entry], locks: LockTable, admission: Admission, reserved: Entry | None
) -> tuple[Queued, ...]:
    """See `Scheduler.waiting`."""
    return tuple(_queued(entry, locks, admission, reserved) for entry in live if not entry.running)


def _queued(entry: Entry, locks: LockTable, admission: Admission, reserved: Entry | None) -> Queued:
    blockers: tuple[TaskId, ...] = ()
    match entry.phase:
        case Phase.PENDING:
            reason = f"{entry.prerequisites} before it not ended"
        case Phase.BACKOFF:
            reason = "failed, to be tried again"
        case Phase.COMMITTING:
            reason = "has ended, and is committed when what comes before it is over"
        case Phase.PARKED:
            blockers = tuple(one.id for one in locks.holders_in_the_way(entry))
            reason = str(locks.obstacle(entry) or "claims are coming free")
        case _:
            reason = _capacity_reason(entry, admission, reserved)
    return Queued(
        task=entry.id,
        client=entry.client,
        phase=entry.phase,
        reason=reason,
        blockers=blockers,
        ticket=entry.ticket,
        reserved=entry is reserved,
    )


def _capacity_reason(entry: Entry, admission: Admission, reserved: Entry | None) -> str:
    if admission.full:
        lent = f", {admission.lent} of them by jobs of what runs" if admission.lent else ""
        return f"all {admission.jobs} slots are taken{lent}"
    if admission.too_heavy(entry.shape):
        return "heavier than the machine: waits to run alone"
    if admission.short_of_weight(entry.shape):
        return "not enough free cores or memory"
    if admission.pool_full(entry.shape):
        return f"all {entry.shape.depth} places of the pool {entry.shape.pool} are taken"
    if not admission.fits(entry.shape):
        return f"all places for {entry.task.tier.value} are taken"
    if reserved is not None and reserved is not entry:
        return f"capacity is held for {reserved.task.name}"
    return "instances may not start faster"


def usage(admission: Admission, running: Collection[Entry], live: Collection[Entry]) -> Usage:
    """See `Scheduler.usage`."""
    return Usage(
        seats=admission.total,
        by_tier=MappingProxyType(dict(admission.by_tier)),
        running=len(running),
        waiting=len(live) - len(running),
        cpus=admission.cpus_used / MICRO,
        memory=admission.memory_used,
    )


def check(live: Iterable[Entry], running: Collection[Entry], admission: Admission) -> None:
    """Count the seats anew and compare; slots must differ, and whoever shares a seat must be tied to its owner."""
    owners = [one for one in running if one.rides_on is None and (one.seat is None or one.seat.counted)]
    seats = [entry.seat for entry in owners if entry.seat is not None]
    if len(seats) != len(owners) or len({seat.slot for seat in seats}) != len(seats):
        raise InternalError("two seats have one slot, or a running task has no seat")
    if Counter(seat.shape.tier for seat in seats) != Counter(admission.by_tier):
        raise InternalError("the places of the tiers are counted wrongly")
    if Counter(seat.shape.pool for seat in seats if seat.shape.pool) != +admission.by_pool:
        raise InternalError("the places of the pools are counted wrongly")
    totals = (len(seats), sum(seat.shape.cpus for seat in seats), sum(seat.shape.memory for seat in seats))
    if totals != (admission.total, admission.cpus_used, admission.memory_used):
        raise InternalError("seats, cores or memory are counted wrongly")
    for entry in running:
        if entry.rides_on is not None and (entry.rides_on.rider is not entry or entry.seat is not entry.rides_on.seat):
            raise InternalError(f"task {entry.id} shares a seat that is not its own")
    if {entry for entry in live if entry.running} != set(running):
        raise InternalError("what runs and what has not ended do not agree")
