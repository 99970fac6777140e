"""Submissions from a seed: joins, diamonds, few resources that many want, nested tasks, heavy ones."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from pytest_cbx.config.model import Priority
from pytest_cbx.effects.model import Scope
from pytest_cbx.plan.model import Claim, Domain, Mode
from pytest_cbx.schedule.model import ClientId, Submit, Task, TaskId
from pytest_cbx.tier import Tier
from tests.unit.schedule.building import GIGABYTE, lock, read, write

RESOURCES: tuple[Claim, ...] = (
    read("src/a.py"),
    read("src", Scope.SOURCES),
    read(".", Scope.SOURCES),
    write("src/a.py"),
    write("build/out"),
    write("build", Scope.TREE),
    write("src/*.py", Scope.GLOB),
    write(".", Scope.TREE),
    lock("database"),
    lock("database", Mode.READ),
    Claim(domain=Domain.PORT, mode=Mode.WRITE, target="8080"),
    Claim(domain=Domain.PORT, mode=Mode.WRITE, target="*"),
)

POOLS = {"net": 2, "database": 1}


def random_task(random: Random, number: int, earlier: list[TaskId], parent: TaskId | None = None) -> Task:
    before = random.sample(earlier, k=min(len(earlier), random.choice((0, 0, 1, 2))))
    hard = random.random() < 0.5
    join = parent is None and random.random() < 0.1
    pool = "" if join else random.choice(("", "", "", "net", "database"))
    return Task(
        id=TaskId(number),
        name=f"t{number}",
        tier=random.choices(list(Tier), weights=(5, 4, 3, 1))[0],
        claims=() if join else tuple(random.sample(RESOURCES, k=random.choice((0, 0, 1, 1, 2, 3)))),
        needs=tuple(before) if hard else (),
        after=() if hard else tuple(before),
        cpus=random.choice((0.0, 0.5, 0.5, 1.0, 2.0, 3.3, 20.0)),
        memory=random.choice((0, 0, GIGABYTE, 3 * GIGABYTE, 100 * GIGABYTE)),
        priority=random.choice(list(Priority)),
        score=random.uniform(1, 10),
        seconds=random.choice((0.1, 1.0, 10.0)),
        path_seconds=random.uniform(0, 60),
        retries=random.choice((0, 0, 0, 1, 3)),
        lock_timeout=random.choice((0.0, 5.0, 30.0, 1e9)),
        parent=parent,
        join=join,
        pool=pool,
        pool_depth=POOLS.get(pool, 0),
    )


def submissions(random: Random, count: int, size: int) -> Iterator[Submit]:
    """From clients 0, 1, 2, … each with a few submissions."""
    number = 0
    seen: dict[int, list[TaskId]] = {}
    for turn in range(count):
        client = max(0, turn // 3 - random.randrange(3))
        earlier = seen.setdefault(client, [])
        tasks = []
        for _ in range(random.randint(1, size)):
            tasks.append(random_task(random, number, earlier[-20:]))
            earlier.append(TaskId(number))
            number += 1
        yield Submit(client=ClientId(client), tasks=tuple(tasks), fail_fast=random.random() < 0.1)
