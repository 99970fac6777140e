"""How long the scheduler takes: run `python tests/bench/bench_schedule.py`.

The lines that begin with "reach": what one call of a running task costs beside another one that holds a thousand claims.
Each other line: what, tasks, processor seconds in all, microseconds a task and an event, virtual seconds of the run.
Times are this machine's; nothing in the suite depends on them.
"""

from __future__ import annotations

import gc
import heapq
import time
from collections.abc import Callable
from random import Random

from pytest_cbx.config.model import Instances
from pytest_cbx.effects.model import Scope
from pytest_cbx.plan.model import Claim, Domain, Mode
from pytest_cbx.schedule.model import (
    Capacity,
    ClientId,
    Decision,
    Ended,
    Event,
    Reach,
    Start,
    Submit,
    Task,
    TaskId,
    Tick,
    Wake,
)
from pytest_cbx.schedule.scheduler import Scheduler
from pytest_cbx.tier import Tier

TASKS = 10_000
CAPACITY = Capacity(instances=Instances(), jobs=30, cpus=16.0, memory=2**40, spawn_rate=1e9)


def file(mode: Mode, path: str, scope: Scope = Scope.PATH) -> Claim:
    return Claim(domain=Domain.FILE, mode=mode, target=path, scope=scope)


def flood(random: Random) -> list[Task]:
    return [Task(id=TaskId(number), name="true", tier=Tier.SAFE_PARALLEL) for number in range(TASKS)]


def linters(random: Random) -> list[Task]:
    claims = (
        file(Mode.READ, ".", Scope.SOURCES),
        Claim(domain=Domain.FILE, mode=Mode.CACHE, target=".cache", scope=Scope.TREE, ignored=True),
    )
    return [Task(id=TaskId(number), name="lint", tier=Tier.SAFE_PARALLEL, claims=claims) for number in range(TASKS)]


def joined(random: Random) -> list[Task]:
    """Layers of 49 tasks and a join; five claims each: three reads from a pool of paths, two outputs of its own."""
    tasks: list[Task] = []
    gate: TaskId | None = None
    layer: list[TaskId] = []
    for number in range(TASKS):
        one = TaskId(number)
        if len(layer) == 49:
            tasks.append(Task(id=one, name="join", tier=Tier.SAFE_PARALLEL, join=True, after=tuple(layer)))
            gate, layer = one, []
            continue
        reads = [file(Mode.READ, f"src/p{random.randrange(200)}/m{random.randrange(50)}.py") for _ in range(3)]
        writes = [file(Mode.WRITE, f"build/p{number}/out{part}") for part in range(2)]
        tier = Tier.CONDITIONAL_PARALLEL if number % 3 else Tier.SAFE_PARALLEL
        after = (gate,) if gate is not None and number % 2 else ()
        tasks.append(Task(id=one, name=f"t{number}", tier=tier, claims=(*reads, *writes), after=after))
        layer.append(one)
    return tasks


def writers(random: Random) -> list[Task]:
    claims = (file(Mode.WRITE, "a"),)
    return [Task(id=TaskId(number), name="w", tier=Tier.SEQUENTIAL_REQUIRED, claims=claims) for number in range(TASKS)]


def mixed(random: Random) -> list[Task]:
    """One writer among twenty readers of everything, none ordered beforehand."""
    reads, writes = (file(Mode.READ, ".", Scope.TREE),), (file(Mode.WRITE, "a"),)
    return [
        Task(
            id=TaskId(number),
            name="m",
            tier=Tier.SEQUENTIAL_REQUIRED,
            claims=writes if random.random() < 0.05 else reads,
        )
        for number in range(TASKS)
    ]


def run(name: str, make: Callable[[Random], list[Task]]) -> None:
    random = Random(1)
    tasks = make(random)
    scheduler = Scheduler(CAPACITY, jitter=random.random)
    agenda: list[tuple[float, int, Event]] = []
    serial = events = 0
    now = spent = 0.0

    def feed(event: Event) -> None:
        nonlocal serial, spent, events
        begin = time.process_time()
        decisions: list[Decision] = scheduler.handle(event, now)
        spent += time.process_time() - begin
        events += 1
        for decision in decisions:
            serial += 1
            if isinstance(decision, Start):
                heapq.heappush(agenda, (now + random.random(), serial, Ended(task=decision.task, passed=True)))
            elif isinstance(decision, Wake):
                heapq.heappush(agenda, (decision.at, serial, Tick()))

    feed(Submit(client=ClientId(1), tasks=tuple(tasks)))
    while agenda:
        now, _, event = heapq.heappop(agenda)
        feed(event)
    print(
        f"{name:28} {len(tasks):6} tasks {spent:7.3f} s {spent / len(tasks) * 1e6:7.1f} µs a task "
        f"{spent / events * 1e6:7.1f} µs an event {now:8.0f} virtual s"
    )


def reach(name: str, mode: Mode, *, beside: bool, calls: int = 20_000) -> None:
    """A running task reaches for path after path, while another one runs, which holds claims too."""
    scheduler = Scheduler(CAPACITY, jitter=lambda: 0.5)
    tasks = [Task(id=TaskId(number), name="w", tier=Tier.SEQUENTIAL_REQUIRED) for number in range(3)]
    scheduler.handle(Submit(client=ClientId(1), tasks=tuple(tasks)), 0.0)
    for number in range(1000):
        claim = file(Mode.WRITE, f"lib/pkg{number % 10}/mod{number}.py")
        scheduler.handle(Reach(task=TaskId(1), claims=(claim,), number=number), 0.0)
    scheduler.handle(Reach(task=TaskId(2), claims=(file(Mode.WRITE, "lib/other"),), number=1), 0.0)
    if beside:  # something was changed after the task had started
        scheduler.handle(Ended(task=TaskId(2), passed=True), 1.0)
    events = [
        Reach(task=TaskId(0), claims=(file(mode, f"src/pkg{number // 100}/deep/er/mod{number}.py"),), number=number)
        for number in range(calls)
    ]
    gc.disable()  # or it would count what the lines above have left behind
    begin = time.process_time()
    for event in events:
        scheduler.handle(event, 2.0)
    spent = time.process_time() - begin
    begin = time.process_time()
    held = sum(scheduler.holds(TaskId(0), event.claims[0]) for event in events)
    asked = time.process_time() - begin
    begin = time.process_time()
    scheduler.handle(Ended(task=TaskId(0), passed=True), 3.0)
    left = time.process_time() - begin
    gc.enable()
    print(
        f"{name:28} {held:6} calls {spent:7.3f} s {spent / calls * 1e6:7.1f} µs a Reach {asked / calls * 1e6:7.1f} µs "
        f"to ask whether it is held {left / calls * 1e6:7.1f} µs a claim to let go"
    )


if __name__ == "__main__":
    run("flood without claims", flood)
    run("readers of all sources", linters)
    run("joins, five claims each", joined)
    run("writers of one file", writers)
    run("readers and writers", mixed)
    reach("reach: writes", Mode.WRITE, beside=False)
    reach("reach: writes after changes", Mode.WRITE, beside=True)
    reach("reach: creations", Mode.CREATE, beside=False)
    reach("reach: removals", Mode.DELETE, beside=False)
    reach("reach: reads", Mode.READ, beside=False)
