"""The scheduler: a state machine without clock, processes or chance. Events go in with their time, decisions come out.

How a task gets to run, each step of its own:

1. what it needs or comes after has ended (`graph`, and `_conclude` and `_settle` here);
2. its claims are free and nobody waits for them in front of it (`locks`);
3. it is its turn (`ready`, `policies`) and there is capacity (`admission`); `seats` joins the two.

Whenever an event changed something, `_fill` starts whatever can start. The one exception is a reservation: a task that
is first in its client's turn, does not fit for want of cores or memory, and has waited long enough (`seats`) has the
capacity held for it; until it starts, nothing starts that would delay it.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pytest_cbx.errors import InternalError, ProtocolError
from pytest_cbx.schedule import graph, views
from pytest_cbx.schedule.locks import LockTable, Obstacle
from pytest_cbx.schedule.model import (
    Cancel,
    Capacity,
    ClientGone,
    ClientId,
    Decision,
    End,
    Ended,
    Event,
    Retry,
    Start,
    Status,
    Stop,
    Submit,
    TaskId,
    Tick,
    Waiting,
    Wake,
)
from pytest_cbx.schedule.seats import Seats
from pytest_cbx.schedule.tasks import Entry, Phase, Submission

BACKOFF_BASE = 0.5
"""Seconds before the first retry; doubled for each further one."""
BACKOFF_MAX = 30.0
"""Seconds, before jitter."""
BACKOFF_JITTER = 0.5
"""Up to this share more or less."""

BLOCKERS_TOLD = 8
"""At most so many blockers are named in one decision."""

_VERBS = {
    Status.FAILED: "failed",
    Status.SKIPPED: "was skipped",
    Status.CANCELLED: "was cancelled",
    Status.LOCK_TIMEOUT: "could not get its claims",
}


@dataclass(slots=True)
class _Client:
    entries: dict[TaskId, Entry] = field(default_factory=dict)
    live: dict[TaskId, Entry] = field(default_factory=dict)
    """Those whose `End` has not been told."""
    gone: bool = False


@dataclass(frozen=True, slots=True)
class _Verdict:
    """A task ends, and how."""

    entry: Entry
    status: Status
    reason: str = ""
    root: str = ""
    blockers: tuple[TaskId, ...] = ()


class Scheduler:
    """Decides what runs when.

    `jitter` returns a number from 0 to 1 (chance is the caller's). Time is seconds on any scale that does not run
    backwards; an event older than the last one counts as of the last one's time.
    """

    def __init__(self, capacity: Capacity, *, jitter: Callable[[], float]) -> None:
        self.capacity = capacity
        self._jitter = jitter
        self._seats = Seats(capacity)
        self._locks = LockTable(places=self._seats.admission.jobs)
        self._entries: dict[TaskId, Entry] = {}
        self._clients: dict[ClientId, _Client] = {}
        self._leaving: dict[ClientId, _Client] = {}
        self._orders = 0
        self._running: dict[Entry, None] = {}
        self._retries: list[tuple[float, int, Entry]] = []
        self._fresh: list[Entry] = []
        """Ready tasks whose claims have not been looked at yet."""
        self._told_wake = math.inf
        self._now = -math.inf
        self._out: list[Decision] = []

    def handle(self, event: Event, now: float) -> list[Decision]:
        """What to do now that `event` has happened, in order.

        Raises `ProtocolError` for a `Submit` or `Cancel` that makes no sense (ids used twice, unknown or another
        client's, a circle), `InternalError` for an `Ended` of a task that does not run and for a `Submit` of a client
        that left. Nothing has changed then. A `Cancel` of tasks that are over, a `ClientGone` of a client that never
        handed anything in and a `Tick` too early are no errors; they race with ends.
        """
        now = max(now, self._now)
        match event:
            case Ended():
                running = self._checked_running(event)
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
            case Tick():
                self._now = now
        self._on_time(now)
        self._fill(now)
        while self._locks.next_deadline() <= now:  # a lock time-out of 0 s ends as soon as it begins
            self._on_time(now)
            self._fill(now)
        self._wake()
        if self._leaving:
            self._forget_clients()
        out, self._out = self._out, []
        return out

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

    def _checked_running(self, event: Ended) -> Entry:
        entry = self._entries.get(event.task)
        if entry is None or not entry.running:
            state = "is unknown" if entry is None else f"is {entry.phase.value}"
            raise InternalError(f"task {event.task} ended, but it {state} and does not run")
        return entry

    def _check_submit(self, event: Submit) -> None:
        client = self._clients.get(event.client)
        if client is not None and client.gone:
            raise InternalError(f"client {event.client} handed in tasks after it had left")
        graph.check(event, self._entries)

    def _checked_cancel(self, event: Cancel) -> list[Entry]:
        client = self._clients.get(event.client, _Client())
        if event.tasks is None:
            return list(client.live.values())
        unknown = [task for task in event.tasks if task not in client.entries]
        if unknown:
            raise ProtocolError(f"client {event.client} gives up task {unknown[0]}, which is not one of its own")
        return [client.entries[task] for task in event.tasks]

    def _on_submit(self, event: Submit, now: float) -> None:
        client = self._clients.setdefault(event.client, _Client())
        submission = graph.link(event, self._entries, self._orders)
        self._orders += len(event.tasks)
        for entry in submission.entries:
            client.entries[entry.id] = client.live[entry.id] = entry
        hopeless: list[_Verdict] = []
        joins: list[_Verdict] = []
        for entry in submission.entries:
            verdict = self._refusal(entry)
            if verdict is not None:
                hopeless.append(verdict)
            elif not entry.prerequisites:
                if entry.task.join:
                    joins.append(_Verdict(entry, Status.PASSED))
                else:
                    self._fresh.append(entry)
        if hopeless or joins:
            self._conclude([*hopeless, *joins], now)

    def _refusal(self, entry: Entry) -> _Verdict | None:
        """Why a task that just came can never run."""
        if entry.task.parent is not None:
            if entry.parent is None or not entry.parent.running or entry.parent.stop_reason is not None:
                return _Verdict(entry, Status.CANCELLED, "the command it was nested in has ended")
            if len(entry.ancestors) > graph.DEPTH_MAX:
                reason = f"nested {len(entry.ancestors)} deep; at most {graph.DEPTH_MAX} are allowed"
                return _Verdict(entry, Status.FAILED, reason)
        need = graph.failed_need(entry, self._entries)
        return None if need is None else _skipped(entry, need)

    def _on_ended(self, entry: Entry, event: Ended, now: float) -> None:
        verdicts = self._orphan(entry, f"{entry.task.name}, which it was nested in, has ended")
        self._withdraw(entry, now)
        task = entry.task
        if entry.stop_reason is not None:
            # Whatever its exit status says: it was told to stop, and may have done so in good order but half-way.
            verdicts.append(_Verdict(entry, Status.CANCELLED, entry.stop_reason))
        elif event.passed:
            verdicts.append(_Verdict(entry, Status.PASSED))
        elif event.retryable and entry.attempt <= task.retries:
            self._back_off(entry, now)
        else:
            tries = f"failed {entry.attempt} times" if entry.attempt > 1 else ""
            verdicts.append(_Verdict(entry, Status.FAILED, tries))
        self._conclude(verdicts, now)

    def _back_off(self, entry: Entry, now: float) -> None:
        """Exponential, with jitter: 0.5 · 2^(n-1) s, at most 30 s, ±50 %."""
        pause = min(BACKOFF_MAX, BACKOFF_BASE * 2.0 ** min(entry.attempt - 1, 60))
        entry.retry_at = now + pause * (1.0 + BACKOFF_JITTER * (2.0 * self._jitter() - 1.0))
        entry.phase = Phase.BACKOFF
        heapq.heappush(self._retries, (entry.retry_at, entry.order, entry))
        self._out.append(Retry(task=entry.id, at=entry.retry_at, attempt=entry.attempt + 1))

    def _cancel(self, entries: Iterable[Entry], reason: str, now: float) -> None:
        verdicts: list[_Verdict] = []
        for entry in entries:
            if entry.running:
                verdicts += self._stop(entry, reason)
            elif entry.status is None:
                verdicts.append(_Verdict(entry, Status.CANCELLED, reason))
        self._conclude(verdicts, now)

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
            holders = list(self._locks.holders_in_the_way(entry).items())
            names = ", ".join(one.task.name for one, _ in holders[:BLOCKERS_TOLD])
            first, claims = holders[0]
            what = str(Obstacle(entry=first, mine=claims[0], theirs=claims[1])).partition(",")[0]
            verdict = _Verdict(
                entry,
                Status.LOCK_TIMEOUT,
                f"waited {entry.task.lock_timeout:g} s for {what}, held by {names}",
                blockers=tuple(one.id for one, _ in holders[:BLOCKERS_TOLD]),
            )
            self._conclude([verdict], now)

    # --- ends ---

    def _conclude(self, verdicts: Iterable[_Verdict], now: float) -> None:
        """End these tasks and whatever ends with them."""
        todo = deque(verdicts)
        failed: list[Submission] = []
        while todo:
            verdict = todo.popleft()
            entry = verdict.entry
            if entry.status is not None:
                continue
            self._withdraw(entry, now)
            self._end(verdict)
            if verdict.status is not Status.PASSED:
                todo.extend(_skipped(one, entry) for one in entry.needed_by)
            if verdict.status in (Status.FAILED, Status.LOCK_TIMEOUT) and entry.submission.fail_fast:
                failed.append(entry.submission)
            if not entry.prerequisites:
                todo.extend(self._settle(entry))
        for submission in failed:
            if not submission.failed:
                submission.failed = True
                self._cancel(submission.entries, "another command failed first (fail-fast)", now)

    def _end(self, verdict: _Verdict) -> None:
        entry = verdict.entry
        entry.status = verdict.status
        entry.phase = Phase.OVER
        if verdict.status is not Status.PASSED:
            entry.root = verdict.root or f"{entry.task.name} {_VERBS[verdict.status]}"
        del self._clients[entry.client].live[entry.id]
        self._out.append(End(task=entry.id, status=verdict.status, reason=verdict.reason, blockers=verdict.blockers))

    def _settle(self, first: Entry) -> list[_Verdict]:
        """Release what comes after a task that is over, as all before it is. Returns the joins that end by that.

        A task that is over before its turn (skipped, cancelled) is settled only when all before it is, because what
        comes after it may rest on that order without an edge of its own.
        """
        joins = []
        todo = [first]
        while todo:
            entry = todo.pop()
            entry.settled = True
            for after in entry.followed_by:
                after.prerequisites -= 1
                if after.prerequisites:
                    continue
                if after.status is not None:
                    todo.append(after)
                elif after.task.join:
                    joins.append(_Verdict(after, Status.PASSED))
                else:
                    self._fresh.append(after)
            entry.followed_by = []
            entry.needed_by = []
        return joins

    def _forget_clients(self) -> None:
        """Forget clients that left and have nothing any more."""
        for number, client in list(self._leaving.items()):
            if client.live:
                continue
            for task in client.entries:
                del self._entries[task]
            del self._clients[number], self._leaving[number]

    def _withdraw(self, entry: Entry, now: float) -> None:
        """Take back whatever a task holds or waits for. It may come again for another attempt."""
        match entry.phase:
            case Phase.RUNNING:
                self._locks.leave(entry, now)
                self._seats.leave(entry, now)
                del self._running[entry]
            case Phase.PARKED:
                self._locks.leave(entry, now)
            case Phase.READY:
                self._locks.leave(entry, now)
                self._seats.unqueue(entry)
            case _:
                pass
        entry.phase = Phase.PENDING

    def _orphan(self, parent: Entry, reason: str) -> list[_Verdict]:
        """Stop what is nested in a task, at any depth; the verdicts end what does not run yet."""
        verdicts: list[_Verdict] = []
        for child in parent.children:
            if child.running:
                verdicts += self._stop(child, reason)
            elif child.status is None:
                verdicts.append(_Verdict(child, Status.CANCELLED, reason))
        return verdicts

    def _stop(self, entry: Entry, reason: str) -> list[_Verdict]:
        """Have an instance stopped, and with it what is nested in it."""
        if entry.stop_reason is not None:
            return []
        entry.stop_reason = reason
        self._out.append(Stop(task=entry.id, reason=reason))
        return self._orphan(entry, f"{entry.task.name}, which it was nested in, is stopped: {reason}")

    # --- starts ---

    def _fill(self, now: float) -> None:
        """Start whatever can start."""
        while True:
            self._look_at_claims(now)
            entry = self._seats.next(now)
            if entry is None:
                return
            obstacle = self._locks.obstacle(entry)
            if obstacle is None:
                self._start(entry, now)
            else:
                self._seats.unqueue(entry)
                self._park(entry, obstacle, now)

    def _look_at_claims(self, now: float) -> None:
        """Sort tasks that are newly ready, and parked ones that may have become free, into parked and ready."""
        fresh, self._fresh = self._fresh, []
        for entry in fresh:
            if entry.status is not None:
                continue
            if entry.ready_at < 0:
                entry.ready_at = now
            entry.phase = Phase.READY
            self._locks.enter(entry)
            self._sort(entry, now)
        while self._locks.freed:
            freed = sorted(self._locks.freed, key=lambda entry: entry.place)
            self._locks.freed.clear()
            for entry in freed:
                self._sort(entry, now)

    def _sort(self, entry: Entry, now: float) -> None:
        obstacle = self._locks.obstacle(entry)
        if obstacle is not None:
            self._park(entry, obstacle, now)
            return
        self._locks.unpark(entry, now)
        self._seats.queue(entry, now)

    def _park(self, entry: Entry, obstacle: Obstacle, now: float) -> None:
        self._locks.park(entry, obstacle, now)
        holders = self._locks.holders_in_the_way(entry)
        if holders:
            first, claims = next(iter(holders.items()))
            obstacle = Obstacle(entry=first, mine=claims[0], theirs=claims[1])
        blockers = [one.id for one in holders][:BLOCKERS_TOLD] or [obstacle.entry.id]
        more = f" and {len(holders) - 1} more" if len(holders) > 1 else ""
        self._out.append(Waiting(task=entry.id, reason=f"{obstacle}{more}", blockers=tuple(blockers)))

    def _start(self, entry: Entry, now: float) -> None:
        seat = self._seats.take(entry)
        self._locks.acquire(entry, now)
        entry.phase = Phase.RUNNING
        entry.attempt += 1
        entry.started_at = now
        self._running[entry] = None
        self._out.append(Start(task=entry.id, slot=seat.slot, attempt=entry.attempt))

    def _wake(self) -> None:
        at = min(self._locks.next_deadline(), self._next_retry(), self._seats.opens_at())
        if self._told_wake <= self._now:
            self._told_wake = math.inf
        if at < self._told_wake:
            self._told_wake = at
            self._out.append(Wake(at=at))

    def _next_retry(self) -> float:
        while self._retries and self._retries[0][2].phase is not Phase.BACKOFF:
            heapq.heappop(self._retries)
        return self._retries[0][0] if self._retries else math.inf


def _skipped(entry: Entry, need: Entry) -> _Verdict:
    assert need.status is not None
    direct = f"{need.task.name} {_VERBS[need.status]}"
    reason = f"needs {need.task.name}, which {_VERBS[need.status]}"
    if need.root != direct:
        reason += f" ({need.root})"
    return _Verdict(entry, Status.SKIPPED, reason, root=need.root, blockers=(need.id,))
