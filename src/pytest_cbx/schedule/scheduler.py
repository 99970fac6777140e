"""The scheduler: a state machine without clock, processes or chance. Events go in with their time, decisions come out.

How a task gets to run, each step of its own:

1. what it needs or comes after has ended (`graph`, `lifecycle`);
2. its claims are free and nobody waits for them in front of it (`locks`);
3. it is its turn (`ready`, `policies`) and there is capacity (`admission`); `seats` joins the two.

What a running task turns out to need beside its claims is dealt with in `reaching`.

Whenever an event changed something, `_fill` starts whatever can start. The one exception is a reservation: a task that
is first in its client's turn, does not fit for want of cores or memory, and has waited long enough (`seats`) has the
capacity held for it; until it starts, nothing starts that would delay it.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable

from pytest_cbx.errors import InternalError, ProtocolError
from pytest_cbx.plan.model import Claim
from pytest_cbx.schedule import graph, views
from pytest_cbx.schedule.admission import Seat
from pytest_cbx.schedule.lifecycle import Client, Lifecycle
from pytest_cbx.schedule.locks import Obstacle
from pytest_cbx.schedule.model import (
    Cancel,
    Capacity,
    ClientGone,
    ClientId,
    Decision,
    Ended,
    Event,
    Lent,
    Reach,
    Reached,
    Start,
    Status,
    Submit,
    TaskId,
    Tick,
    Waiting,
    Wake,
    Withdraw,
)
from pytest_cbx.schedule.reaching import BLOCKERS_TOLD
from pytest_cbx.schedule.tasks import Entry, Phase, family
from pytest_cbx.schedule.verdicts import Verdict, skipped, waited_too_long


class Scheduler(Lifecycle):
    """Decides what runs when.

    `jitter` returns a number from 0 to 1 (chance is the caller's). Time is seconds on any scale that does not run
    backwards; an event older than the last one counts as of the last one's time.
    """

    def __init__(self, capacity: Capacity, *, jitter: Callable[[], float]) -> None:
        super().__init__(capacity, jitter)
        self._orders = 0
        self._told_wake = math.inf

    def handle(self, event: Event, now: float) -> list[Decision]:
        """What to do now that `event` has happened, in order.

        Raises `ProtocolError` for a `Submit` or `Cancel` that makes no sense (ids used twice, unknown or another
        client's, a circle), `InternalError` for an `Ended` or `Reach` of a task that does not run and for a `Submit` of a
        client that left. Nothing has changed then. A `Cancel` of tasks that are over, a `ClientGone` of a client that never
        handed anything in and a `Tick` too early are no errors; they race with ends.
        """
        now = max(now, self._now)
        if isinstance(event, Reach | Reached | Withdraw):
            if self._on_claims(event, now):
                out, self._out = self._out, []
                return out
        else:
            self._on_event(event, now)
        while True:
            self._on_time(now)
            self._reaching.settle(now)
            self._fill(now)
            self._reaching.break_circles()
            # A lock time-out of 0 s ends as soon as it begins.
            if not self._reaching.stirred and self._next_deadline() > now:
                break
        self._wake()
        if self._leaving:
            self._forget_clients()
        out, self._out = self._out, []
        return out

    def _on_claims(self, event: Reach | Reached | Withdraw, now: float) -> bool:
        """Returns whether that changed nothing for anybody else."""
        if isinstance(event, Withdraw):
            self._now = now
            if event.task in self._entries:
                self._reaching.withdraw(self._entries[event.task], event.number)
            return False
        entry = self._entries.get(event.task)
        if entry is None or not entry.holding or isinstance(event, Reach):
            entry = self._checked_running(event.task, "reached for claims")
        self._now = now
        if isinstance(event, Reach):
            return self._reaching.reach(entry, event.claims, event.number, now)
        self._reaching.reached(entry, event.claims, now)
        return True

    def _on_event(self, event: Submit | Ended | Cancel | ClientGone | Lent | Tick, now: float) -> None:
        match event:
            case Ended():
                running = self._checked_ending(event)
                self._now = now
                self._on_ended(running, event, now)
            case Submit():
                self._check_submit(event)
                self._now = now
                self._on_submit(event, now)
            case Cancel():
                entries = self._checked_cancel(event)
                self._now = now
                self._cancel(entries, event.reason, now)
            case ClientGone():
                self._now = now
                self._on_gone(event.client, now)
            case Lent():
                self._now = now
                self._seats.admission.lent = event.slots
            case Tick():
                self._now = now

    # --- questions between events ---

    def spare(self) -> int:
        """Slots that may be lent, those that are included; none while a command waits to be started or nobody runs."""
        admission = self._seats.admission
        return 0 if self._seats.waits or not admission.total else max(0, admission.jobs - admission.total)

    def alone(self, task: TaskId) -> bool:
        """Whether the task may take any claim without asking: nothing else holds any, but what it is nested in or what is
        nested in it, and nothing was changed since it started. True until the next event but `Reached`."""
        entry = self._entries[task]
        others = (other for holders in (self._running, self._committing) for other in holders)
        if not entry.running or entry.leaving or not all(family(entry, other) for other in others):
            return False
        return entry.task.serializable or self._reaching.unseen(entry)

    def holds(self, task: TaskId, claim: Claim) -> bool:
        """Whether a running task has the claim, so that a call under it need not be told."""
        entry = self._entries[task]
        return entry.running and not entry.leaving and self._reaching.holds(entry, claim)

    def free(self, task: TaskId, claims: tuple[Claim, ...]) -> bool:
        """Whether a running task would be granted these at once. For a tree instead of many paths: ask before reaching for it."""
        entry = self._entries[task]
        return entry.running and not entry.leaving and self._reaching.free(entry, claims)

    # --- for observers ---

    def running(self) -> tuple[views.Running, ...]:
        """The tasks that run, in order of their slots."""
        return views.running(self._running)

    def waiting(self) -> tuple[views.Queued, ...]:
        """The tasks that have not ended and do not run, in the order they came, each with why. Costs a look at each."""
        return views.waiting(self._live(), self._locks, self._seats.admission, self._seats.reserved)

    def usage(self) -> views.Usage:
        """What is handed out, and how many tasks wait."""
        return views.usage(self._seats.admission, self._running, self._live())

    def check(self) -> None:
        """Raise `InternalError` if the state contradicts itself. Slow; for tests."""
        views.check(self._live(), self._running, self._seats.admission)

    def _live(self) -> list[Entry]:
        live = [entry for client in self._clients.values() for entry in client.live.values()]
        return sorted(live, key=lambda entry: entry.order)

    # --- events ---

    def _checked_running(self, task: TaskId, what: str) -> Entry:
        entry = self._entries.get(task)
        if entry is None or not entry.running:
            state = "is unknown" if entry is None else f"is {entry.phase.value}"
            raise InternalError(f"task {task} {what}, but it {state} and does not run")
        return entry

    def _checked_ending(self, event: Ended) -> Entry:
        entry = self._entries.get(event.task)
        if entry is not None and entry.phase is Phase.COMMITTING and entry.leaving:
            return entry
        return self._checked_running(event.task, "ended")

    def _check_submit(self, event: Submit) -> None:
        client = self._clients.get(event.client)
        if client is not None and client.gone:
            raise InternalError(f"client {event.client} handed in tasks after it had left")
        graph.check(event, self._entries)

    def _checked_cancel(self, event: Cancel) -> list[Entry]:
        client = self._clients.get(event.client, Client())
        if event.tasks is None:
            return list(client.live.values())
        unknown = [task for task in event.tasks if task not in client.entries]
        if unknown:
            raise ProtocolError(f"client {event.client} gives up task {unknown[0]}, which is not one of its own")
        return [client.entries[task] for task in event.tasks]

    def _on_submit(self, event: Submit, now: float) -> None:
        client = self._clients.setdefault(event.client, Client())
        submission = graph.link(event, self._entries, self._orders)
        self._orders += len(event.tasks)
        for entry in submission.entries:
            client.entries[entry.id] = client.live[entry.id] = entry
            self._order.add(entry)
        hopeless: list[Verdict] = []
        joins: list[Verdict] = []
        for entry in submission.entries:
            verdict = self._refusal(entry)
            if verdict is not None:
                hopeless.append(verdict)
            elif not entry.prerequisites:
                if entry.task.join:
                    joins.append(Verdict(entry, Status.PASSED))
                else:
                    self._fresh.append(entry)
        if hopeless or joins:
            self._conclude([*hopeless, *joins], now)

    def _refusal(self, entry: Entry) -> Verdict | None:
        """Why a task that just came can never run."""
        if entry.task.parent is not None:
            if entry.parent is None or not entry.parent.running or entry.parent.leaving:
                return Verdict(entry, Status.CANCELLED, "the command it was nested in has ended")
            depth = sum(not one.task.hold for one in entry.ancestors)
            if depth > graph.DEPTH_MAX and not entry.task.hold:
                reason = f"nested {depth} deep; at most {graph.DEPTH_MAX} are allowed"
                return Verdict(entry, Status.FAILED, reason)
        need = graph.failed_need(entry, self._entries)
        return None if need is None else skipped(entry, need)

    def _on_gone(self, number: ClientId, now: float) -> None:
        client = self._clients.get(number)
        if client is None or client.gone:
            return
        client.gone = True
        self._leaving[number] = client
        self._cancel(list(client.live.values()), "its client left", now)

    def _on_time(self, now: float) -> None:
        while self._retries and self._retries[0][0] <= now:
            _, _, entry = heapq.heappop(self._retries)
            if entry.phase is Phase.BACKOFF:
                self._fresh.append(entry)
        for entry in self._locks.expired(now):
            self._conclude([waited_too_long(entry, self._locks.holders_in_the_way(entry))], now)
        for call in self._reaching.expired(now):
            verdict = waited_too_long(call.entry, call.holders)
            call.entry.stop_status, call.entry.stop_blockers = verdict.status, verdict.blockers
            self._conclude(self._stop(call.entry, verdict.reason), now)

    # --- starts ---

    def _fill(self, now: float) -> None:
        """Start whatever can start."""
        while True:
            self._look_at_claims(now)
            entry = self._seats.next(now)
            if entry is None:
                return
            if self._contested(entry):
                continue
            obstacle = self._locks.obstacle(entry)
            if obstacle is None:
                if entry.parent is None or not self._reaching.stale_start(entry):
                    self._start(entry, now)
            else:
                self._seats.unqueue(entry)
                self._park(entry, obstacle, now)

    def _look_at_claims(self, now: float) -> None:
        """Sort tasks that are newly ready, and parked ones that may have become free, into parked and ready."""
        while self._fresh or self._locks.freed:
            fresh, self._fresh = self._fresh, []
            for entry in fresh:
                if entry.status is not None:
                    continue
                if entry.ready_at < 0:
                    entry.ready_at = now
                entry.phase = Phase.PENDING
                self._locks.enter(entry)
                self._sort(entry, now)
            freed = sorted(self._locks.freed, key=lambda entry: entry.place)
            self._locks.freed.clear()
            for entry in freed:
                if entry.phase is Phase.PARKED:
                    self._sort(entry, now)

    def _sort(self, entry: Entry, now: float) -> None:
        if self._contested(entry):
            return
        obstacle = self._locks.obstacle(entry)
        if obstacle is not None:
            self._park(entry, obstacle, now)
            return
        self._locks.unpark(entry, now)
        if entry.task.hold:
            entry.phase = Phase.PENDING  # it queues for no seat
            if entry.parent is None or not self._reaching.stale_start(entry):
                self._begin(entry, self._seats.hold(entry), now)
            return
        entry.phase = Phase.READY
        self._seats.queue(entry, now)

    def _contested(self, entry: Entry) -> bool:
        """Settle by program order what must not be waited for. Returns whether the task waits elsewhere now, or is over."""
        if not self._order:
            return False
        holders = self._locks.holders_in_the_way(entry)
        return any(self._reaching.contest(entry, holder, *claims) for holder, claims in holders.items())

    def _park(self, entry: Entry, obstacle: Obstacle, now: float) -> None:
        self._locks.park(entry, obstacle, now)
        holders = self._locks.holders_in_the_way(entry)
        if holders:
            first, claims = next(iter(holders.items()))
            obstacle = Obstacle(entry=first, mine=claims[0], theirs=claims[1])
        blockers = [one.id for one in holders][:BLOCKERS_TOLD] or [obstacle.entry.id]
        more = f" and {len(holders) - 1} more" if len(holders) > 1 else ""
        self._out.append(Waiting(task=entry.id, reason=f"{obstacle}{more}", blockers=tuple(blockers)))
        if entry.parent is not None:
            self._reaching.stir()

    def _start(self, entry: Entry, now: float) -> None:
        self._begin(entry, self._seats.take(entry), now)

    def _begin(self, entry: Entry, seat: Seat, now: float) -> None:
        self._locks.acquire(entry, now)
        entry.phase = Phase.RUNNING
        entry.attempt += 1
        entry.started_at = now
        self._serial += 1
        entry.serial = self._serial
        self._running[entry] = None
        self._reaching.stir()
        self._out.append(Start(task=entry.id, slot=seat.slot, attempt=entry.attempt, restarts=entry.restarts))

    def _wake(self) -> None:
        at = min(self._next_deadline(), self._next_retry(), self._seats.opens_at())
        if self._told_wake <= self._now:
            self._told_wake = math.inf
        if at < self._told_wake:
            self._told_wake = at
            self._out.append(Wake(at=at))

    def _next_deadline(self) -> float:
        return min(self._locks.next_deadline(), self._reaching.next_deadline())

    def _next_retry(self) -> float:
        while self._retries and self._retries[0][2].phase is not Phase.BACKOFF:
            heapq.heappop(self._retries)
        return self._retries[0][0] if self._retries else math.inf
