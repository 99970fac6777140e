"""A small database under one Scheduler: programs that read, change and hand on numbers, with undo, in virtual time.

It plays the engine: it suspends each change until it is granted, keeps the values from before, and undoes them when told to.
It judges by its own books: who holds what, what was committed, in which order.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

from pytest_cbx.plan.model import Claim
from pytest_cbx.schedule.model import (
    RESTARTS_MAX,
    Cancel,
    ClientId,
    Commit,
    Decision,
    End,
    Ended,
    Event,
    Grant,
    Reach,
    Reached,
    Restart,
    Retry,
    Start,
    Status,
    Stop,
    Submit,
    Task,
    TaskId,
    Tick,
    Wake,
    Withdraw,
)
from pytest_cbx.schedule.scheduler import Scheduler
from tests.unit.schedule.building import CONDITIONAL, SAFE, SEQUENTIAL, read, write
from tests.unit.schedule.simulator import Foul, clash


@dataclass(frozen=True)
class Read:
    """Remember a number."""

    name: str


@dataclass(frozen=True)
class Add:
    """Write the number that was remembered, plus one."""

    name: str


@dataclass(frozen=True)
class Mix:
    """Write something that depends on all that was read, and on who writes."""

    name: str


@dataclass(frozen=True)
class Run:
    """Run programs nested in this one, and wait for their end. They remember what this one remembers."""

    programs: tuple[Program, ...]


Step = Read | Add | Mix | Run
TIERS = (SAFE, CONDITIONAL, SEQUENTIAL)


@dataclass(frozen=True)
class Program:
    """What a task does. `fails`: its attempts end badly, and are undone."""

    steps: tuple[Step, ...]
    claims: tuple[Claim, ...] = ()
    label: int = 0
    fickle: bool = False
    """It takes other numbers after each restart, so that what it was seen to need helps little."""
    fails: bool = False
    retries: int = 0
    lock_timeout: float = math.inf
    hold: bool = False
    """It is no command: it reaches for what it reads, too, and when told to give way it is undone and over."""


@dataclass(eq=False)
class Instance:
    """An attempt that runs, or has ended and is not committed."""

    task: TaskId
    program: Program
    parent: Instance | None
    steps: tuple[Step, ...]
    memory: dict[str, int]
    at: int = 0
    batch: int = 0
    """Which `Run` of its parent it belongs to."""
    done: list[Instance] = field(default_factory=list)
    """What was nested in it and is committed, in that order."""
    undo: dict[str, int] = field(default_factory=dict)
    """Values from before the first change."""
    added: Counter[str] = field(default_factory=Counter)
    held: list[Claim] = field(default_factory=list)
    suspended: Claim | None = None
    children: set[TaskId] = field(default_factory=set)
    """Nested tasks that are not over."""
    leaving: Restart | Stop | None = None
    ended: bool = False


class Database:
    """See the module."""

    def __init__(self, scheduler: Scheduler, random: Random, *, serializable: bool, names: Iterable[str]) -> None:
        self.scheduler = scheduler
        self.random = random
        self.serializable = serializable
        self.numbers = dict.fromkeys(names, 0)
        self.now = 0.0
        self.wake = math.inf
        self.tasks: dict[TaskId, Task] = {}
        self.programs: dict[TaskId, Program] = {}
        self.client: dict[TaskId, ClientId] = {}
        self.alive: dict[TaskId, Instance] = {}
        self.uncommitted: set[TaskId] = set()
        """Ended attempts of which a Commit must be told before anything else."""
        self.ends: dict[TaskId, End] = {}
        self.committed: list[Instance] = []
        self.added: Counter[str] = Counter()
        self.restarts: Counter[TaskId] = Counter()
        self.reasons: list[str] = []
        self.taken: dict[TaskId, list[Claim]] = {}
        """Granted to a task that is alone, without asking, and not told yet."""
        self._ids = 0

    # --- the engine's side ---

    def submit(self, client: int, programs: Iterable[Program], parent: Instance | None = None) -> None:
        tasks = []
        for program in programs:
            number = TaskId(self._ids)
            self._ids += 1
            task = Task(
                id=number,
                name=f"t{number}",
                tier=self.random.choice(TIERS),
                claims=program.claims,
                retries=program.retries,
                lock_timeout=program.lock_timeout,
                parent=None if parent is None else parent.task,
                restartable=True,
                serializable=self.serializable and not program.hold,
                cpus=0.0 if program.hold else 0.5,
                hold=program.hold,
                path_seconds=self.random.uniform(0, 60),
            )
            self.tasks[number] = task
            self.programs[number] = program
            self.client[number] = ClientId(client)
            if parent is not None:
                parent.children.add(number)
            tasks.append(task)
        self.send(Submit(client=ClientId(client), tasks=tuple(tasks)))

    def run(self, cancel: float = 0.0) -> None:
        """Until all is over."""
        for _ in range(200_000):
            if len(self.ends) == len(self.tasks):
                return
            self.now += 0.01
            if self.now >= self.wake:
                self.wake = math.inf
                self.send(Tick())
            elif self.random.random() < cancel:
                one = self.random.choice(list(self.tasks))
                self.send(Cancel(client=self.client[one], tasks=(one,), reason="given up"))
            else:
                able = [one for one in self.alive.values() if self._able(one)]
                waiting = [one for one in self.alive.values() if one.suspended and one.leaving is None]
                if waiting and self.random.random() < 0.02:
                    self._give_up(self.random.choice(waiting))
                elif able:
                    self._step(self.random.choice(able))
                elif self.wake < math.inf:
                    self.now = self.wake
                else:
                    raise Foul(f"all wait for ever: {self.scheduler.waiting()} {self.alive}")
        raise Foul("it does not come to an end")

    def _able(self, one: Instance) -> bool:
        if one.leaving is not None:
            return not any(child in self.alive for child in self._below(one))
        return not (one.ended or one.suspended or one.children)

    def _below(self, one: Instance) -> list[TaskId]:
        return [task for task, other in self.alive.items() if other.parent is one]

    def _step(self, one: Instance) -> None:
        if one.leaving is not None:
            self._undo(one)
            del self.alive[one.task]
            self.uncommitted.discard(one.task)
            restarted = isinstance(one.leaving, Restart) and not one.program.hold
            written = tuple(write(name) for name in one.undo)
            self.send(Ended(task=one.task, passed=False, restarted=restarted, rolled_back=True, written=written))
        elif one.at == len(one.steps):
            self._end(one)
        else:
            self._do(one, one.steps[one.at])

    def _do(self, one: Instance, step: Step) -> None:
        if isinstance(step, Run):
            one.at += 1
            self.submit(1000 + one.task, step.programs, one)
        elif isinstance(step, Read) and not (self.serializable or one.program.hold):
            one.memory[step.name] = self.numbers[step.name]
            one.at += 1
        else:
            claim = read(step.name) if isinstance(step, Read) else write(step.name)
            if self.scheduler.holds(one.task, claim):
                self._carry_out(one)
                return
            if not one.program.hold and self.scheduler.alone(one.task) and self.random.random() < 0.5:
                self.taken.setdefault(one.task, []).append(claim)
                self._hold(one, (claim,))
                self._carry_out(one)
                return
            one.suspended = claim
            self.send(Reach(task=one.task, claims=(claim,), number=7))

    def _give_up(self, one: Instance) -> None:
        """Its caller dies, and it tries again."""
        one.suspended = None
        self.send(Withdraw(task=one.task, number=7))

    def _carry_out(self, one: Instance) -> None:
        step = one.steps[one.at]
        one.at += 1
        if isinstance(step, Read):
            one.memory[step.name] = self.numbers[step.name]
            return
        assert not isinstance(step, Run)
        one.undo.setdefault(step.name, self.numbers[step.name])
        if isinstance(step, Add):
            one.added[step.name] += 1
            self.numbers[step.name] = one.memory[step.name] + 1
        else:
            self.numbers[step.name] = mixed(one.program, one.memory)
        one.memory[step.name] = self.numbers[step.name]

    def _end(self, one: Instance) -> None:
        fails = one.program.fails
        written = tuple(write(name) for name in one.undo)
        one.ended = True
        if fails:
            self._undo(one)
            if not self.serializable:
                del self.alive[one.task]
        else:
            self.uncommitted.add(one.task)
        self.send(Ended(task=one.task, passed=not fails, rolled_back=fails, written=written))

    def _undo(self, one: Instance) -> None:
        self.numbers.update(one.undo)

    # --- decisions ---

    def send(self, event: Event) -> None:
        taken, self.taken = self.taken, {}
        for task, claims in taken.items():
            if self.scheduler.handle(Reached(task=task, claims=tuple(claims)), self.now):
                raise Foul("what was told needs no decision")
        for decision in self.scheduler.handle(event, self.now):
            self._obey(decision)
        self.scheduler.check()

    def _obey(self, decision: Decision) -> None:
        match decision:
            case Start():
                self._start(decision)
            case Grant():
                self._grant(self.alive[decision.task])
            case Restart():
                self.reasons.append(decision.reason)
                self._leave(decision)
                if self.restarts[decision.task] > RESTARTS_MAX + 1:
                    raise Foul(f"{decision}: it runs alone")
            case Stop():
                self._leave(decision)
            case Commit():
                self._commit(decision.task)
            case Retry() | End():
                self._over(decision)
            case Wake():
                self.wake = min(self.wake, decision.at)

    def _start(self, start: Start) -> None:
        task = self.tasks[start.task]
        if start.task in self.alive:
            raise Foul(f"{start}: it runs already")
        if start.restarts != self.restarts[start.task]:
            raise Foul(f"{start}: it was restarted {self.restarts[start.task]} times")
        parent = None if task.parent is None else self.alive[task.parent]
        memory = {} if parent is None else dict(parent.memory)
        program = self.programs[start.task]
        steps = shifted(program.steps, list(self.numbers), start.restarts) if program.fickle else program.steps
        one = Instance(task=start.task, program=program, parent=parent, steps=steps, memory=memory)
        one.batch = 0 if parent is None else parent.at
        self.alive[start.task] = one
        self._hold(one, task.claims)
        if start.restarts > RESTARTS_MAX:
            for other in self.alive.values():
                if other.held and not related(one, other):
                    raise Foul(f"{start}: {other.task} is not alone")

    def _grant(self, one: Instance) -> None:
        if one.leaving is not None or one.suspended is None:
            raise Foul(f"{one.task} was granted what it does not wait for")
        claim, one.suspended = one.suspended, None
        self._hold(one, (claim,))
        self._carry_out(one)

    def _hold(self, one: Instance, claims: tuple[Claim, ...]) -> None:
        for other in self.alive.values():
            if not related(one, other) and any(clash(mine, theirs) for mine in claims for theirs in other.held):
                raise Foul(f"{one.task} was given {claims}, but {other.task} holds {other.held}")
        one.held += claims

    def _leave(self, decision: Restart | Stop) -> None:
        one = self.alive[decision.task]
        if isinstance(one.leaving, Stop) or (one.leaving is not None and isinstance(decision, Restart)):
            raise Foul(f"{decision}: it was told already")
        if isinstance(decision, Restart):
            self.restarts[decision.task] += 1
        elif one.leaving is not None:
            self.restarts[decision.task] -= 1
        one.leaving = decision
        one.suspended = None

    def _commit(self, task: TaskId) -> None:
        if task not in self.uncommitted:
            raise Foul(f"{task} is to be committed, but it has not ended, or is committed")
        self.uncommitted.remove(task)
        one = self.alive.pop(task)
        if one.parent is None:
            self.committed.append(one)
            self.added += one.added
            return
        one.parent.done.append(one)
        one.parent.added += one.added
        # What it claimed and did not change is nobody's any more, but what it read for sure.
        kept = one.held if self.serializable or one.program.hold else one.held[len(self.tasks[task].claims) :]
        one.parent.held += [*kept, *(write(name) for name in one.undo)]
        for name, before in one.undo.items():
            one.parent.undo.setdefault(name, before)

    def _over(self, decision: Retry | End) -> None:
        if decision.task in self.uncommitted:
            raise Foul(f"{decision}: it was not committed")
        self.alive.pop(decision.task, None)
        if isinstance(decision, Retry):
            return
        if decision.task in self.ends:
            raise Foul(f"{decision}: a second end")
        self.ends[decision.task] = decision
        parent = self.tasks[decision.task].parent
        if parent in self.alive:
            self.alive[parent].children.discard(decision.task)

    def passed(self) -> list[TaskId]:
        return [task for task, end in self.ends.items() if end.status is Status.PASSED]


def shifted(steps: tuple[Step, ...], names: list[str], by: int) -> tuple[Step, ...]:
    """The same with other numbers."""
    return tuple(
        step if isinstance(step, Run) else type(step)(names[(names.index(step.name) + by) % len(names)])
        for step in steps
    )


def mixed(program: Program, memory: dict[str, int]) -> int:
    """A number that tells who wrote it and what it had read."""
    number = program.label
    for name, value in sorted(memory.items()):
        number = (number * 31 + ord(name[-1]) * 7919 + value) % 1_000_003
    return number


def related(one: Instance, other: Instance) -> bool:
    """Whether one is nested in the other."""
    return other in line(one) or one in line(other)


def line(one: Instance) -> list[Instance]:
    found: list[Instance] = []
    at: Instance | None = one
    while at is not None:
        found.append(at)
        at = at.parent
    return found


def replay(one: Instance, numbers: dict[str, int], memory: dict[str, int]) -> None:
    """What a program that was committed does when nothing runs beside it; what is nested in it, one after the other."""
    for at, step in enumerate(one.steps, 1):
        if isinstance(step, Run):
            for child in one.done:
                if child.batch == at:
                    replay(child, numbers, dict(memory))
            continue
        if not isinstance(step, Read):
            numbers[step.name] = mixed(one.program, memory)
        memory[step.name] = numbers[step.name]
