"""A world in virtual time around one Scheduler, and a referee that keeps its own books.

The referee judges each decision by the contract in `schedule.model` alone: from the events, the decisions and
`plan.conflicts.conflict`. Only fairness and idleness are judged with the help of the scheduler's views (tickets, reservation).
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from random import Random

from pytest_cbx.plan.conflicts import conflict
from pytest_cbx.plan.model import Claim
from pytest_cbx.schedule.model import (
    Cancel,
    Capacity,
    ClientGone,
    ClientId,
    Decision,
    End,
    Ended,
    Event,
    Lent,
    Retry,
    Start,
    Status,
    Stop,
    Submit,
    Task,
    TaskId,
    Tick,
    Waiting,
    Wake,
)
from pytest_cbx.schedule.scheduler import Scheduler
from pytest_cbx.schedule.tasks import MICRO, Phase
from tests.unit.schedule.random_tasks import random_task


class Foul(AssertionError):
    """The scheduler broke a rule."""


@cache
def clash(a: Claim, b: Claim) -> bool:
    return conflict(a, b) is not None


def clashing(one: Task, other: Task) -> bool:
    return any(clash(a, b) for a in one.claims for b in other.claims)


@dataclass
class _Seat:
    owner: Task
    members: list[TaskId] = field(default_factory=list)


class Referee:
    """Books of its own, and a Foul for whatever does not fit them."""

    def __init__(self, capacity: Capacity) -> None:
        self.capacity = capacity
        self.tasks: dict[TaskId, Task] = {}
        self.client: dict[TaskId, ClientId] = {}
        self.before: dict[TaskId, tuple[TaskId, ...]] = {}
        self.running: dict[TaskId, int] = {}
        self.stopped: set[TaskId] = set()
        self.ends: dict[TaskId, End] = {}
        self.attempts: dict[TaskId, int] = {}
        self.backoff: dict[TaskId, float] = {}
        self.seats: dict[int, _Seat] = {}
        self.lowest = 0.0
        """Least value yet of (seats − rate · time), for the growth rule."""
        self.wake = math.inf
        self.starts = 0
        self.lent = 0
        """Slots that commands have beside their own; without any command nobody has them."""

    # --- events ---

    def submitted(self, event: Submit) -> None:
        for task in event.tasks:
            self.tasks[task.id] = task
            self.client[task.id] = event.client
        for task in event.tasks:
            self.before[task.id] = (*task.needs, *task.after)

    def instance_ended(self, task: TaskId, now: float) -> None:
        slot = self.running.pop(task)
        seat = self.seats[slot]
        seat.members.remove(task)
        if not seat.members:
            del self.seats[slot]
            self._note_growth(now)

    # --- decisions ---

    def judge(self, decision: Decision, now: float) -> None:
        match decision:
            case Start():
                self._start(decision, now)
            case End():
                self._end(decision)
            case Stop():
                self._expect(decision.task in self.running, f"{decision} of a task that does not run")
                self._expect(decision.task not in self.stopped, f"{decision} twice")
                self.stopped.add(decision.task)
            case Retry():
                self._expect(decision.task not in self.running, f"{decision} while it runs")
                self._expect(decision.attempt == self.attempts[decision.task] + 1, f"{decision}: wrong attempt")
                self._expect(decision.attempt <= self.tasks[decision.task].retries + 1, f"{decision}: one too many")
                self.backoff[decision.task] = decision.at
            case Wake():
                self._expect(decision.at > now, f"{decision} lies in the past")
                self.wake = min(self.wake, decision.at)
            case Waiting():
                self._expect(decision.task not in self.running, f"{decision} of a running task")
                self._expect(decision.blockers != (), f"{decision}: nobody in the way")

    def _expect(self, right: bool, complaint: str) -> None:
        if not right:
            raise Foul(complaint)

    def _start(self, start: Start, now: float) -> None:
        task = self.tasks[start.task]
        self._expect(task.id not in self.running, f"{start}: runs already")
        self._expect(task.id not in self.ends, f"{start}: was over")
        self._expect(not task.join, f"{start}: a join has no instance")
        self._expect(self.backoff.pop(task.id, now) <= now, f"{start}: before its back-off was over")
        self.attempts[task.id] = self.attempts.get(task.id, 0) + 1
        self._expect(start.attempt == self.attempts[task.id], f"{start}: wrong attempt")
        for need in task.needs:
            passed = need in self.ends and self.ends[need].status is Status.PASSED
            self._expect(passed, f"{start}: {need} has not passed")
        for before in self.all_before(task.id):
            self._expect(before in self.ends, f"{start}: {before} has not ended")
        for other in self.running:
            unrelated = other not in self.line(task.id)
            self._expect(not (unrelated and clashing(task, self.tasks[other])), f"{start}: conflicts with {other}")
        if task.parent is not None:
            self._expect(task.parent in self.running, f"{start}: what it is nested in does not run")
            self._expect(task.parent not in self.stopped, f"{start}: what it is nested in is being stopped")
        self._seat(start, task, now)
        self.running[task.id] = start.slot
        self.starts += 1

    def _seat(self, start: Start, task: Task, now: float) -> None:
        seat = self.seats.get(start.slot)
        if seat is not None:
            self._expect(task.parent in seat.members, f"{start}: the slot is taken")
            self._expect(task.parent == seat.members[-1], f"{start}: {seat.members[-1]} shares the seat already")
            seat.members.append(task.id)
            return
        self._expect(start.slot == self.lowest_free_slot(), f"{start}: {self.lowest_free_slot()} is free")
        why = self.full(task)
        self._expect(not why, f"{start}: {why}")
        self.seats[start.slot] = _Seat(owner=task, members=[task.id])
        self._note_growth(now)
        rate = self.capacity.spawn_rate
        grown = len(self.seats) - rate * now - self.lowest
        self._expect(grown <= max(1.0, rate) + 1e-3, f"{start}: instances multiply too fast")

    def _end(self, end: End) -> None:
        task = self.tasks[end.task]
        self._expect(end.task not in self.ends, f"{end}: a second end")
        self._expect(end.task not in self.running, f"{end}: it runs")
        self.ends[end.task] = end
        if end.status is Status.SKIPPED:
            failed = [need for need in task.needs if need in self.ends and self.ends[need].status is not Status.PASSED]
            self._expect(bool(failed) and set(end.blockers) <= set(failed), f"{end}: nothing it needs has failed")
        if task.join and end.status is Status.PASSED:
            for before in self.all_before(task.id):
                self._expect(before in self.ends, f"{end}: {before} has not ended")

    # --- books ---

    def all_before(self, task: TaskId) -> set[TaskId]:
        """Everything before a task, through joins, skipped and cancelled ones too."""
        seen: set[TaskId] = set()
        todo = [task]
        while todo:
            for before in self.before[todo.pop()]:
                if before not in seen:
                    seen.add(before)
                    todo.append(before)
        return seen

    def line(self, task: TaskId) -> set[TaskId]:
        """What a task is nested in."""
        found: set[TaskId] = set()
        parent = self.tasks[task].parent
        while parent is not None:
            found.add(parent)
            parent = self.tasks[parent].parent
        return found

    def lowest_free_slot(self) -> int:
        return next(slot for slot in range(len(self.seats) + 1) if slot not in self.seats)

    def heavy(self, task: Task) -> bool:
        return task.cpus > self.capacity.cpus or task.memory > self.capacity.memory

    def full(self, task: Task) -> str:
        """Why there is no seat for the task; empty when there is one."""
        owners = [seat.owner for seat in self.seats.values()]
        instances = self.capacity.instances
        if len(owners) + (self.lent if owners else 0) >= min(self.capacity.jobs, instances.total_capacity_max):
            return "no slot is free"
        if task.pool and sum(1 for owner in owners if owner.pool == task.pool) >= task.pool_depth:
            return "its pool is full"
        if sum(1 for owner in owners if owner.tier is task.tier) >= instances.cap(task.tier):
            return "its tier is full"
        if owners and (self.heavy(task) or any(self.heavy(owner) for owner in owners)):
            return "it, or one that runs, must run alone"
        if self.heavy(task):
            return ""
        if sum(round(one.cpus * MICRO) for one in (*owners, task)) > round(self.capacity.cpus * MICRO):
            return "not enough cores"
        if sum(one.memory for one in (*owners, task)) > self.capacity.memory:
            return "not enough memory"
        return ""

    def _note_growth(self, now: float) -> None:
        self.lowest = min(self.lowest, len(self.seats) - self.capacity.spawn_rate * now)

    @property
    def open(self) -> list[TaskId]:
        return [task for task in self.tasks if task not in self.ends]


class World:
    """A scheduler with virtual time, judged at each step. `strict`: also look for idleness, which costs a look at all that waits."""

    def __init__(self, capacity: Capacity, *, jitter: Random | None = None, strict: bool = True) -> None:
        random = jitter or Random(0)
        self.scheduler = Scheduler(capacity, jitter=random.random)
        self.referee = Referee(capacity)
        self.now = 0.0
        self.strict = strict
        self.gone: set[ClientId] = set()
        self._tickets: dict[TaskId, int] = {}
        self._events = 0

    def send(self, event: Event) -> list[Decision]:
        referee = self.referee
        if isinstance(event, Submit):
            referee.submitted(event)
        elif isinstance(event, Ended):
            referee.instance_ended(event.task, self.now)
        elif isinstance(event, Lent):
            referee.lent = event.slots
        elif isinstance(event, ClientGone):
            self.gone.add(event.client)
        if referee.wake <= self.now:
            referee.wake = math.inf
        decisions = self.scheduler.handle(event, self.now)
        for decision in decisions:
            if isinstance(decision, Start):
                self._judge_fairness(decision)
            if isinstance(decision, Start | End):
                self._tickets.pop(decision.task, None)
            referee.judge(decision, self.now)
        self._events += 1
        if self.strict or self._events % 50 == 0:
            self.scheduler.check()
        if self.strict:
            self._judge_waiting()
        return decisions

    def tick(self, at: float) -> list[Decision]:
        self.now = max(self.now, at)
        return self.send(Tick())

    def drain(self, random: Random) -> None:
        """End all instances in some order, with the ticks that were asked for, until nothing is left."""
        for _ in range(100_000):
            if self.referee.running:
                self.now += 0.1
                self.send(Ended(task=random.choice(list(self.referee.running)), passed=random.random() < 0.8))
            elif not self.referee.open:
                return
            elif self.referee.wake < math.inf:
                self.tick(self.referee.wake)
            else:
                raise Foul(f"{self.referee.open} wait for ever: {self.scheduler.waiting()}")
        raise Foul("it does not come to an end")

    def _judge_fairness(self, start: Start) -> None:
        """Nobody overtakes a task that had a ticket before this event, unless nested or with an earlier ticket."""
        tasks = self.referee.tasks
        if tasks[start.task].parent is not None:
            return
        mine = self._tickets.get(start.task, math.inf)
        for other, ticket in self._tickets.items():
            if (
                ticket < mine
                and other != start.task
                and other not in self.referee.backoff
                and clashing(tasks[start.task], tasks[other])
            ):
                raise Foul(f"{start}: overtakes {other}, whose ticket is {ticket}")

    def _judge_waiting(self) -> None:
        referee = self.referee
        waiting = self.scheduler.waiting()
        if {one.task for one in waiting} | set(referee.running) != set(referee.open) | set(referee.running):
            raise Foul("the views do not show what waits")
        self._tickets = {one.task: one.ticket for one in waiting if one.ticket}
        if any(one.reserved for one in waiting) or self.capacity_grows():
            return
        parked = [one for one in waiting if one.phase is Phase.PARKED]
        for one in waiting:
            if one.phase not in (Phase.PARKED, Phase.READY):
                continue
            task = referee.tasks[one.task]
            rivals = [
                other.task
                for other in waiting
                if other.task != one.task
                and (task.parent is None or referee.tasks[other.task].parent == task.parent)
                and (
                    (other.ticket and (not one.ticket or other.ticket < one.ticket))
                    or (other in parked and other.client == one.client and not one.ticket)
                )
            ]
            in_the_way = [other for other in referee.running if other not in referee.line(one.task)] + rivals
            if not any(clashing(task, referee.tasks[other]) for other in in_the_way) and self._seat_free(task):
                raise Foul(f"{one} could start")

    def capacity_grows(self) -> bool:
        """Whether the spawn rate is small enough to keep something from starting."""
        return self.referee.capacity.spawn_rate < 1000

    def _seat_free(self, task: Task) -> bool:
        referee = self.referee
        if not referee.full(task):
            return True
        if task.parent is None:
            return False
        seat = referee.seats[referee.running[task.parent]]
        return seat.members[-1] == task.parent


class Simulation:
    """Runs submissions with random durations, failures, cancels, nested runs and clients that die, until nothing is left."""

    def __init__(self, world: World, random: Random, submissions: Iterator[Submit], *, fail: float) -> None:
        self.world = world
        self._random = random
        self._submissions = submissions
        self._fail = fail
        self._agenda: list[tuple[float, int, Event | None]] = []
        """None: the next submission."""
        self._serial = 0
        self._nested = count(1_000_000)

    def run(self) -> None:
        self._plan(0.0, None)
        while self._agenda:
            self.world.now, _, event = heapq.heappop(self._agenda)
            if event is None:
                event = next(self._submissions, None)
                if event is None:
                    continue
                self._plan(self.world.now + self._random.expovariate(1 / 200), None)
            if self._is_stale(event):
                continue
            if isinstance(event, Submit):
                self._plan_the_end_of(event)
            elif isinstance(event, Lent):
                event = self._lend(event)
            for decision in self.world.send(event):
                self._follow(decision)
        if self.world.referee.open:
            raise Foul(f"{self.world.referee.open} wait for ever")

    def _plan(self, at: float, event: Event | None) -> None:
        self._serial += 1
        heapq.heappush(self._agenda, (at, self._serial, event))

    def _is_stale(self, event: Event) -> bool:
        if isinstance(event, Ended):
            return event.task not in self.world.referee.running
        return isinstance(event, Submit | Cancel | ClientGone) and event.client in self.world.gone

    def _plan_the_end_of(self, submit: Submit) -> None:
        """A few clients give up, a few die."""
        at = self.world.now + self._random.uniform(0, 100)
        chance = self._random.random()
        if chance < 0.05:
            self._plan(at, Cancel(client=submit.client, tasks=None, reason="given up"))
        elif chance < 0.10:
            self._plan(at, ClientGone(client=submit.client))

    def _follow(self, decision: Decision) -> None:
        random, now = self._random, self.world.now
        if isinstance(decision, Start):
            seconds = self.world.referee.tasks[decision.task].seconds * random.uniform(0.2, 3.0)
            self._plan(now + seconds, Ended(task=decision.task, passed=random.random() >= self._fail))
            if random.random() < 0.2:
                self._plan(now + seconds * random.random(), Lent(slots=1))
            if random.random() < 0.1:
                self._plan(now + seconds * random.random(), self._nest(decision.task))
        elif isinstance(decision, Stop) and random.random() < 0.9:
            self._plan(now + random.uniform(0.0, 0.5), Ended(task=decision.task, passed=False, retryable=False))
        elif isinstance(decision, Wake):
            self._plan(decision.at, Tick())

    def _lend(self, event: Lent) -> Lent:
        """Of what may be lent now some, for a while; 0 is the giving back."""
        if not event.slots:
            return event
        self._plan(self.world.now + self._random.uniform(0, 20), Lent(slots=0))
        return Lent(slots=self._random.randint(0, self.world.scheduler.spare()))

    def _nest(self, parent: TaskId) -> Submit:
        numbers = [next(self._nested) for _ in range(self._random.randint(1, 4))]
        tasks = tuple(random_task(self._random, number, [], parent) for number in numbers)
        return Submit(client=ClientId(numbers[0]), tasks=tasks)
