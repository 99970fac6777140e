"""From messages to the scheduler's and the executor's values, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_cbx.config.model import Priority
from pytest_cbx.engine.ledger import Command, Session
from pytest_cbx.engine.protocol import CHANGES_MAX, ChangeList, CommandSpec, Finished, HoldSpec, JoinSpec, Settle
from pytest_cbx.execute.machine import Machine
from pytest_cbx.execute.model import Cause, Guard, InstanceSpec
from pytest_cbx.schedule.model import Capacity, End, Status, Task, TaskId
from pytest_cbx.tier import Tier
from pytest_cbx.transaction.model import Changes

NICENESS = {Priority.LOW: 5, Priority.DEFERRED: 10}
"""How far a command of low priority stands back for the others at the processor."""


def capacity_of(settle: Settle, machine: Machine) -> Capacity:
    """What an engine with these settings hands out on this machine."""
    fitting = int(machine.cpus / settle.limits.cpu_cores_per_instance)
    jobs = settle.jobs or max(1, fitting)
    return Capacity(
        instances=settle.instances,
        jobs=min(jobs, settle.instances.total_capacity_max),
        cpus=max(machine.cpus, settle.jobs * settle.limits.cpu_cores_per_instance),
        memory=int(machine.memory * (1 - settle.limits.safety_margin)),
        spawn_rate=settle.limits.spawn_rate,
        policy=settle.policy,
    )


def task_of(command: Command, known: Mapping[int, TaskId], parent: TaskId | None) -> Task:
    """The scheduler's view of a command. `known` are the tasks of the client's ids, `parent` what its client runs in."""
    spec = command.spec
    needs, after = (tuple(known[number] for number in numbers) for numbers in (spec.needs, spec.after))
    if isinstance(spec, JoinSpec):
        return Task(
            id=command.id, name=spec.name, tier=Tier.SAFE_PARALLEL, needs=needs, after=after, join=True, cpus=0.0
        )
    if isinstance(spec, HoldSpec):
        return Task(
            id=command.id, name=spec.name, tier=Tier.SAFE_PARALLEL, claims=tuple(spec.claims), needs=needs, after=after,
            cpus=0.0, lock_timeout=spec.lock_timeout, parent=parent, restartable=True, hold=True,
        )  # fmt: skip
    return Task(
        id=command.id,
        name=spec.name,
        tier=spec.tier,
        claims=tuple(spec.claims),
        needs=needs,
        after=after,
        cpus=spec.cpus,
        memory=spec.memory,
        priority=spec.priority,
        score=spec.score,
        seconds=spec.seconds,
        path_seconds=spec.path_seconds,
        pool=spec.pool,
        pool_depth=spec.pool_depth,
        retries=spec.retries,
        restartable=command.isolation != "off",
        serializable=command.isolation == "serializable",
        lock_timeout=spec.lock_timeout,
        parent=parent,
    )


def instance_of(
    command: Command,
    spec: CommandSpec,
    session: Session,
    marker: str,
    settle: Settle,
    *,
    guard: Guard | None,
    variables: Mapping[bytes, bytes],
) -> InstanceSpec:
    """What the executor is to start. `variables` are the engine's own, on top of what the client says."""
    environment = {**session.environments[spec.environment], **spec.extra_env, **variables}
    outer = environment.get(b"CBX_INSTANCE", b"")
    environment[b"CBX_INSTANCE"] = marker.encode() + (b":" + outer if outer else b"")
    return InstanceSpec(
        argv=tuple(spec.argv),
        cwd=spec.cwd,
        umask=spec.umask,
        environment=environment,
        marker=marker,
        stdout=spec.stdout,
        stderr=spec.stderr,
        descriptors=command.descriptors,
        memory=spec.memory,
        open_files=settle.limits.file_descriptors_max,
        niceness=NICENESS.get(spec.priority, 0),
        timeout=spec.timeout,
        grace=spec.grace,
        guard=guard,
    )


def finished(command: Command, spec: CommandSpec, decision: End, holders: list[str]) -> Finished:
    """The message that ends a command."""
    done = command.exit
    reason = decision.reason if decision.status is not Status.FAILED else ""
    if command.failure:
        reason = command.failure
    elif done is not None and decision.status is not Status.PASSED and done.cause is not Cause.EXIT:
        reason = done.reason
    elif not reason and decision.status is Status.FAILED and done is None:
        reason = decision.reason
    settled = command.settlement
    facts: dict[str, Any] = {}
    if settled is not None:
        facts = {
            "changes": settled.changes,
            "rolled_back": settled.rolled_back,
            "rollback_incomplete": list(settled.incomplete),
            "refused": list(settled.refused),
            "observed": list(settled.observed),
            "outside": list(settled.outside),
            "diff": settled.diff,
        }
    return Finished(
        id=spec.id,
        status=decision.status.value,
        reason=reason,
        exit_code=done.exit_code if done else None,
        signal=done.signal if done else 0,
        cause=done.cause.value if done else ("start-failed" if command.failure else ""),
        attempts=command.attempts,
        started_at=command.started_at,
        ended_at=command.started_at + done.wall_s if done else command.started_at,
        queued_s=command.queued,
        wall_s=done.wall_s if done else 0.0,
        cpu_s=done.cpu_s if done else 0.0,
        max_rss=done.max_rss if done else 0,
        slot=command.slot,
        waited_for=list(dict.fromkeys([*command.waited_for, *holders])),
        leaks=list(done.leaks) if done else [],
        restarts=command.restarts,
        restart_reasons=list(command.reasons),
        surprises=list(command.surprises),
        isolation=command.isolation,
        faults=list(command.hits),
        **facts,
    )


def change_list(changes: Changes) -> ChangeList:
    """At most `CHANGES_MAX` of all that a command changed."""
    room = CHANGES_MAX
    lists = []
    for paths in (changes.created, changes.modified, changes.deleted):
        lists.append(list(paths[:room]))
        room -= len(lists[-1])
    total = len(changes.created) + len(changes.modified) + len(changes.deleted)
    return ChangeList(created=lists[0], modified=lists[1], deleted=lists[2], truncated=total > CHANGES_MAX)
