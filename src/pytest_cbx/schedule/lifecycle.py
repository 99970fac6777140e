"""How tasks end: in good order, for another attempt, to start anew, by being given up; and what their end brings with it."""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from pytest_cbx.plan.model import Claim
from pytest_cbx.schedule import graph
from pytest_cbx.schedule.holdings import distinct
from pytest_cbx.schedule.locks import LockTable
from pytest_cbx.schedule.model import (
    RESTARTS_MAX,
    Capacity,
    ClientId,
    Commit,
    Decision,
    End,
    Ended,
    Restart,
    Retry,
    Status,
    Stop,
    TaskId,
)
from pytest_cbx.schedule.order import ProgramOrder
from pytest_cbx.schedule.reaching import EVERYTHING, Reaching
from pytest_cbx.schedule.seats import Seats
from pytest_cbx.schedule.tasks import Entry, Phase, Submission, passed_on, seen_with, shape_of
from pytest_cbx.schedule.updates import Updates
from pytest_cbx.schedule.verdicts import VERBS, Verdict, skipped

BACKOFF_BASE = 0.5
"""Seconds before the first retry; doubled for each further one."""
BACKOFF_MAX = 30.0
"""Seconds, before jitter."""
BACKOFF_JITTER = 0.5
"""Up to this share more or less."""


@dataclass(slots=True)
class Client:
    """Who handed in tasks."""

    entries: dict[TaskId, Entry] = field(default_factory=dict)
    live: dict[TaskId, Entry] = field(default_factory=dict)
    """Those whose `End` has not been told."""
    gone: bool = False


class Lifecycle:
    """The state of the scheduler, and the part of it that deals with ends. `scheduler` adds events and starts."""

    def __init__(self, capacity: Capacity, jitter: Callable[[], float]) -> None:
        self.capacity = capacity
        self._jitter = jitter
        self._seats = Seats(capacity)
        self._locks = LockTable(places=self._seats.admission.jobs)
        self._updates = Updates()
        self._reaching = Reaching(self._locks, self._updates, self)
        self._order = ProgramOrder()
        self._serial = 0
        self._entries: dict[TaskId, Entry] = {}
        self._clients: dict[ClientId, Client] = {}
        self._leaving: dict[ClientId, Client] = {}
        self._running: dict[Entry, None] = {}
        """In the order they started."""
        self._committing: dict[Entry, None] = {}
        self._retries: list[tuple[float, int, Entry]] = []
        self._fresh: list[Entry] = []
        """Ready tasks whose claims have not been looked at yet."""
        self._now = -math.inf
        self._out: list[Decision] = []

    # --- instances that ended ---

    def _on_ended(self, entry: Entry, event: Ended, now: float) -> None:
        verdicts = self._orphan(entry, f"{entry.task.name}, which it was nested in, has ended")
        entry.restarting = False
        if entry.stop_reason is not None:
            verdicts += self._finish(entry, event, now)
        elif event.restarted:
            self._put_back(entry, event, now)
        elif entry.task.serializable and self._order.first(entry) is not entry:
            self._await_turn(entry, event, now)
        else:
            verdicts += self._finish(entry, event, now)
        self._conclude(verdicts, now)

    def _await_turn(self, entry: Entry, event: Ended, now: float) -> None:
        """Keep the claims of a task that has ended until those before it in program order are over."""
        entry.ended = event
        if entry.phase is Phase.COMMITTING:
            return
        self._seats.leave(entry, now)
        self._reaching.drop(entry)
        del self._running[entry]
        entry.phase = Phase.COMMITTING
        self._committing[entry] = None
        self._locks.stir(entry)
        self._reaching.stir()

    def _put_back(self, entry: Entry, event: Ended, now: float) -> None:
        """Make a task that was stopped and rolled back ready again, with all that it was seen to need."""
        claims = [*entry.task.claims, *entry.gained, *entry.wanted, *event.claims]
        self._release(entry, event, now)
        entry.restarts += 1
        entry.attempt -= 1
        if entry.restarts > RESTARTS_MAX:
            entry.alone = True
            claims += EVERYTHING
            entry.behind.update(dict.fromkeys(self._order.before(entry)))
        entry.task = replace(entry.task, claims=distinct(claims), tier=event.tier or entry.task.tier)
        entry.shape = shape_of(entry.task)
        for before in entry.behind:
            graph.follow(entry, before)
        entry.behind.clear()
        entry.wanted.clear()
        if not entry.prerequisites:
            self._fresh.append(entry)

    def _finish(self, entry: Entry, event: Ended, now: float) -> list[Verdict]:
        """An attempt is over, and what it changed stays as it is."""
        self._release(entry, event, now)
        if not (event.restarted or event.rolled_back):
            self._out.append(Commit(task=entry.id))
        task = entry.task
        if entry.stop_reason is not None:
            # Whatever its exit status says: it was told to stop, and may have done so in good order but half-way.
            return [Verdict(entry, entry.stop_status, entry.stop_reason, blockers=entry.stop_blockers)]
        if event.passed:
            return [Verdict(entry, Status.PASSED)]
        if event.retryable and entry.attempt <= task.retries:
            self._back_off(entry, now)
            return []
        tries = f"failed {entry.attempt} times" if entry.attempt > 1 else ""
        return [Verdict(entry, Status.FAILED, tries)]

    def _back_off(self, entry: Entry, now: float) -> None:
        """Exponential, with jitter: 0.5 · 2^(n-1) s, at most 30 s, ±50 %."""
        pause = min(BACKOFF_MAX, BACKOFF_BASE * 2.0 ** min(entry.attempt - 1, 60))
        entry.retry_at = now + pause * (1.0 + BACKOFF_JITTER * (2.0 * self._jitter() - 1.0))
        entry.phase = Phase.BACKOFF
        heapq.heappush(self._retries, (entry.retry_at, entry.order, entry))
        self._out.append(Retry(task=entry.id, at=entry.retry_at, attempt=entry.attempt + 1))

    # --- ends ---

    def _cancel(self, entries: Iterable[Entry], reason: str, now: float) -> None:
        verdicts: list[Verdict] = []
        for entry in entries:
            if entry.holding:
                verdicts += self._stop(entry, reason)
            elif entry.status is None:
                verdicts.append(Verdict(entry, Status.CANCELLED, reason))
        self._conclude(verdicts, now)

    def _conclude(self, verdicts: Iterable[Verdict], now: float) -> None:
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
                todo.extend(skipped(one, entry) for one in entry.needed_by)
            if entry.task.serializable:
                todo.extend(self._commit_next(entry, now))
            if verdict.status in (Status.FAILED, Status.LOCK_TIMEOUT) and entry.submission.fail_fast:
                failed.append(entry.submission)
            if not entry.prerequisites:
                todo.extend(self._settle(entry))
        for submission in failed:
            if not submission.failed:
                submission.failed = True
                self._cancel(submission.entries, "another command failed first (fail-fast)", now)

    def _commit_next(self, over: Entry, now: float) -> list[Verdict]:
        """Finish the task whose turn in program order it is now, if it waits for that."""
        entry = self._order.first(over)
        if entry is None or entry.ended is None or entry.phase is not Phase.COMMITTING or entry.leaving:
            return []
        return self._finish(entry, entry.ended, now)

    def _end(self, verdict: Verdict) -> None:
        entry = verdict.entry
        entry.status = verdict.status
        entry.phase = Phase.OVER
        if verdict.status is not Status.PASSED:
            entry.root = verdict.root or f"{entry.task.name} {VERBS[verdict.status]}"
        del self._clients[entry.client].live[entry.id]
        self._out.append(End(task=entry.id, status=verdict.status, reason=verdict.reason, blockers=verdict.blockers))

    def _settle(self, first: Entry) -> list[Verdict]:
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
                    joins.append(Verdict(after, Status.PASSED))
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
        """Take back whatever a task that does not run waits for. It may come again."""
        if entry.phase is Phase.READY:
            self._seats.unqueue(entry)
        if entry.phase in (Phase.READY, Phase.PARKED) or entry.nodes:
            self._locks.leave(entry, now)
            self._reaching.stir()
        entry.phase = Phase.PENDING

    def _release(self, entry: Entry, event: Ended, now: float) -> None:
        """Take back whatever a task holds that ran. It may come again for another attempt."""
        self._serial += 1
        # Holds are never stale, so that one that stays for long keeps no notes.
        oldest = next((one.serial for one in self._running if one is not entry and not one.task.hold), 0)
        self._updates.note(entry, self._serial, event.written, oldest)
        if entry.parent is not None and entry.parent.holding and not event.restarted:
            self._reaching.inherit(entry.parent, passed_on(entry, event), now)
        self._reaching.drop(entry)
        self._locks.leave(entry, now)
        if entry.phase is Phase.RUNNING:
            self._seats.leave(entry, now)
            del self._running[entry]
        self._committing.pop(entry, None)
        self._reaching.stir()
        entry.ended = None
        entry.phase = Phase.PENDING

    def _orphan(self, parent: Entry, reason: str) -> list[Verdict]:
        """Stop what is nested in a task, at any depth; the verdicts end what does not run yet."""
        verdicts: list[Verdict] = []
        for child in parent.children:
            if child.holding:
                verdicts += self._stop(child, reason)
            elif child.status is None:
                verdicts.append(Verdict(child, Status.CANCELLED, reason))
        return verdicts

    def _stop(self, entry: Entry, reason: str) -> list[Verdict]:
        """Have an instance stopped, and with it what is nested in it."""
        if entry.stop_reason is not None:
            return []
        entry.stop_reason = reason
        self._reaching.drop(entry)
        self._reaching.stir()
        self._out.append(Stop(task=entry.id, reason=reason, status=entry.stop_status))
        return self._orphan(entry, f"{entry.task.name}, which it was nested in, is stopped: {reason}")

    # --- what `reaching` asks for ---

    def tell(self, decision: Decision) -> None:
        """Add a decision. (See `reaching.Host`, also for the next two.)"""
        self._out.append(decision)

    def restart(self, entry: Entry, reason: str, claims: tuple[Claim, ...], behind: Entry | None = None) -> None:
        """Have a task that holds its claims start anew, once `behind` is over."""
        if behind is not None:
            entry.behind[behind] = None
        if entry.leaving:
            return
        entry.restarting = True
        entry.wanted.update(dict.fromkeys((*seen_with(entry), *claims)))
        self._reaching.drop(entry)
        self._reaching.stir()
        self._out.append(Restart(task=entry.id, reason=reason, claims=claims))
        self._conclude(
            self._orphan(entry, f"{entry.task.name}, which it was nested in, starts anew: {reason}"), self._now
        )

    def postpone(self, entry: Entry, behind: Entry) -> None:
        """Let a task that does not run wait until `behind` is over."""
        self._withdraw(entry, self._now)
        graph.follow(entry, behind)
