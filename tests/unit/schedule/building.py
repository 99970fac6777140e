"""Short ways to write tasks, claims and capacities."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pytest_cbx.config.model import Instances, Policy
from pytest_cbx.effects.model import Scope
from pytest_cbx.plan.model import Claim, Domain, Mode
from pytest_cbx.schedule.model import Capacity, ClientId, Decision, End, Start, Submit, Task, TaskId
from pytest_cbx.schedule.scheduler import Scheduler
from pytest_cbx.tier import Tier

A, B, C = ClientId(1), ClientId(2), ClientId(3)
SAFE, CONDITIONAL = Tier.SAFE_PARALLEL, Tier.CONDITIONAL_PARALLEL
SEQUENTIAL, DANGEROUS = Tier.SEQUENTIAL_REQUIRED, Tier.DANGEROUS_ISOLATED
GIGABYTE = 2**30
TIGHT = Instances(
    safe_parallel_max=3, conditional_parallel_max=2, sequential_max=2, dangerous_isolated_max=1, total_capacity_max=6
)


def read(path: str, scope: Scope = Scope.PATH) -> Claim:
    return Claim(domain=Domain.FILE, mode=Mode.READ, target=path, scope=scope)


def write(path: str, scope: Scope = Scope.PATH) -> Claim:
    return Claim(domain=Domain.FILE, mode=Mode.WRITE, target=path, scope=scope)


def lock(name: str, mode: Mode = Mode.WRITE) -> Claim:
    return Claim(domain=Domain.LOCK, mode=mode, target=name)


def task(
    number: int,
    *claims: Claim,
    needs: Iterable[int] = (),
    after: Iterable[int] = (),
    parent: int | None = None,
    **more: Any,
) -> Task:
    return Task(
        id=TaskId(number),
        name=more.pop("name", f"t{number}"),
        tier=more.pop("tier", SAFE),
        claims=claims,
        needs=tuple(map(TaskId, needs)),
        after=tuple(map(TaskId, after)),
        parent=None if parent is None else TaskId(parent),
        **more,
    )


def capacity(
    *,
    jobs: int = 30,
    cpus: float = 64.0,
    memory: int = 64 * GIGABYTE,
    spawn_rate: float = 1e6,
    policy: Policy = Policy.CRITICAL_PATH,
    instances: Instances | None = None,
) -> Capacity:
    return Capacity(
        instances=instances or Instances(), jobs=jobs, cpus=cpus, memory=memory, spawn_rate=spawn_rate, policy=policy
    )


def scheduler(**more: Any) -> Scheduler:
    return Scheduler(capacity(**more), jitter=lambda: 0.5)


def submit(*tasks: Task, client: ClientId = A, fail_fast: bool = False) -> Submit:
    return Submit(client=client, tasks=tasks, fail_fast=fail_fast)


def started(decisions: Iterable[Decision]) -> list[int]:
    return [one.task for one in decisions if isinstance(one, Start)]


def ended(decisions: Iterable[Decision]) -> dict[int, str]:
    return {one.task: one.status.value for one in decisions if isinstance(one, End)}
