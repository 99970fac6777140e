"""The values of the scheduler: tasks, what happens to them, and what it decides.

The scheduler has no clock: each event carries the time it happened, in seconds on any monotonic scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NewType, TypeAlias

from pytest_cbx.config.model import Instances, Policy, Priority
from pytest_cbx.plan.model import Claim
from pytest_cbx.tier import Tier

TaskId = NewType("TaskId", int)
"""Unique over all clients of one scheduler."""
ClientId = NewType("ClientId", int)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What there is to hand out."""

    instances: Instances
    jobs: int
    """Slots: how many instances may run at once, already min(machine, configuration, total_capacity_max)."""
    cpus: float
    """Cores. A task heavier than all of them runs when nothing else does."""
    memory: int
    """Bytes, the safety margin already taken off. A task heavier than all of it runs when nothing else does."""
    spawn_rate: float
    """How many more running instances than before each second may bring, after a first burst of that many."""
    policy: Policy = Policy.CRITICAL_PATH


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One command (or join) as the scheduler sees it."""

    id: TaskId
    name: str
    tier: Tier
    claims: tuple[Claim, ...] = ()
    needs: tuple[TaskId, ...] = ()
    """Must have passed; when one did not, this task is skipped."""
    after: tuple[TaskId, ...] = ()
    """Must have ended, passed or not."""
    cpus: float = 0.5
    memory: int = 0
    priority: Priority = Priority.NORMAL
    score: float = 5.0
    seconds: float = 1.0
    path_seconds: float = 1.0
    retries: int = 0
    lock_timeout: float = 30.0
    """Seconds it may wait for claims of *other clients*."""
    parent: TaskId | None = None
    """The running task it is nested in: their claims get along, and the first child rides on the parent's slot."""
    join: bool = False
    """No work: it ends as soon as everything before it has ended."""


class Status(Enum):
    """How a task ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    """Something it needs did not pass."""
    CANCELLED = "cancelled"
    LOCK_TIMEOUT = "lock-timeout"


# --- events ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """A client hands in tasks. `needs` and `after` name tasks of this or an earlier submission of the same client."""

    client: ClientId
    tasks: tuple[Task, ...]
    fail_fast: bool = False
    """The first failure of this submission cancels the rest of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """An instance ended. `retryable` False: trying again cannot help (cancelled, could not be started)."""

    task: TaskId
    passed: bool
    retryable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """A client gives up tasks (None: all of its own). Those not started end at once; running ones are stopped."""

    client: ClientId
    tasks: tuple[TaskId, ...] | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientGone:
    """A client left, on purpose or not: all its tasks are cancelled."""

    client: ClientId


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Time has passed: a `Wake` came due."""


Event: TypeAlias = Submit | Ended | Cancel | ClientGone | Tick


# --- decisions -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Start an instance now. `slot` counts from 0, lowest free first; `attempt` counts from 1."""

    task: TaskId
    slot: int
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Stop a running instance; its `Ended` is still expected. The task's status is then CANCELLED, however it ended."""

    task: TaskId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A ready task cannot start because of claims. Told when it begins to wait, and when the task it watches has left
    and another is in its way. (Who waits for capacity is in `Scheduler.waiting`.)"""

    task: TaskId
    reason: str
    """For people: "src/a.py, held by format"."""
    blockers: tuple[TaskId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """The task failed and will be tried again at `at`."""

    task: TaskId
    at: float
    attempt: int
    """The attempt to come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The task is over. Given exactly once for each task, joins too."""

    task: TaskId
    status: Status
    reason: str = ""
    blockers: tuple[TaskId, ...] = ()
    """For LOCK_TIMEOUT: who held what it waited for. For SKIPPED: what it needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wake:
    """Send a `Tick` at `at` (the earliest time at which waiting alone can change something).

    A later `Wake` with an earlier time replaces it. A `Tick` too many does no harm."""

    at: float


Decision: TypeAlias = Start | Stop | Waiting | Retry | End | Wake
