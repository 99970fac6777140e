"""How a task ends, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_cbx.plan.conflicts import shared
from pytest_cbx.plan.model import Claim
from pytest_cbx.schedule.model import Status, TaskId
from pytest_cbx.schedule.reaching import BLOCKERS_TOLD
from pytest_cbx.schedule.tasks import Entry

VERBS = {
    Status.FAILED: "failed",
    Status.SKIPPED: "was skipped",
    Status.CANCELLED: "was cancelled",
    Status.LOCK_TIMEOUT: "could not get its claims",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A task ends, and how."""

    entry: Entry
    status: Status
    reason: str = ""
    root: str = ""
    """For a task that did not pass: what went wrong first."""
    blockers: tuple[TaskId, ...] = ()


def skipped(entry: Entry, need: Entry) -> Verdict:
    """It needs something that did not pass."""
    assert need.status is not None
    direct = f"{need.task.name} {VERBS[need.status]}"
    reason = f"needs {need.task.name}, which {VERBS[need.status]}"
    if need.root != direct:
        reason += f" ({need.root})"
    return Verdict(entry, Status.SKIPPED, reason, root=need.root, blockers=(need.id,))


def waited_too_long(entry: Entry, in_the_way: Mapping[Entry, tuple[Claim, Claim]]) -> Verdict:
    """It, or one of its calls, waited too long for what these hold, with its own claim and theirs."""
    holders = list(in_the_way.items())
    names = ", ".join(one.task.name for one, _ in holders[:BLOCKERS_TOLD])
    mine, theirs = holders[0][1]
    return Verdict(
        entry,
        Status.LOCK_TIMEOUT,
        f"waited {entry.task.lock_timeout:g} s for {shared(theirs, mine)}, held by {names}",
        blockers=tuple(one.id for one, _ in holders[:BLOCKERS_TOLD]),
    )
