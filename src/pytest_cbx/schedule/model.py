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

RESTARTS_MAX = 3
"""How often a task is restarted with the claims it was seen to need. The restart after these runs *alone*."""


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
    pool: str = ""
    """Of all tasks in it, whoever handed them in, `pool_depth` have a seat at once. Empty: none."""
    pool_depth: int = 0
    join: bool = False
    """No work: it ends as soon as everything before it has ended."""
    restartable: bool = False
    """It is supervised from its start, so it can be rolled back. Otherwise it counts as such once it, or what is nested in it, has
    reached for something. What is not restartable is never told to restart."""
    serializable: bool = False
    """Its reads are reached for, too. Implies `restartable`. Such tasks of one client and parent have the effect of their
    program order (as they were handed in, but each after what it needs or comes after), however they overlap."""
    hold: bool = False
    """No instance: from its start on it holds claims, and reaches for more, until its client lets go. It takes no seat, and neither
    does its first running child. All that it reads is reached for, so nothing of it is stale; it has no place in program order."""


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
    """An instance ended: all of its processes are dead.

    Also the answer to `Stop` and `Restart` of a task that had ended and waited for its `Commit`: it is rolled back now.
    """

    task: TaskId
    passed: bool
    retryable: bool = True
    """False: trying again cannot help (cancelled, could not be started)."""
    restarted: bool = False
    """It was stopped and rolled back, to be started anew: the answer to `Restart`, or the engine's own wish (it counts as a
    restart). False after a `Restart`: it could not be restarted, and ends as `passed` says."""
    rolled_back: bool = False
    """Nothing that it changed is left, so there is nothing to commit: no `Commit` follows."""
    written: tuple[Claim, ...] | None = None
    """What it really changed, whether it stays or was rolled back. None: unknown; then everything that it held to change."""
    claims: tuple[Claim, ...] = ()
    """With `restarted`: what it takes from its next start, beside all that it claimed, held and waited for."""
    tier: Tier | None = None
    """With `restarted`: its tier from now on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """A running task is at a call for which it needs these claims, all at once, and stays suspended until `Grant`.

    What it holds already needs no event (`Scheduler.holds`). When the task is being stopped, no decision follows.
    """

    task: TaskId
    claims: tuple[Claim, ...]
    number: int
    """Tells the suspended calls of one task apart: several of its threads and processes may wait at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """While `Scheduler.alone` was true for the task, these claims were granted to it without asking. No decision follows.

    To be told before any other event. Raises `InternalError` if one of the claims is in use.
    """

    task: TaskId
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw:
    """The caller that waited at this call is gone. Nothing happens when it does not wait (any more)."""

    task: TaskId
    number: int


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Lent:
    """So many slots are now with running commands, beside their own: they start no other meanwhile."""

    slots: int


Event: TypeAlias = Submit | Ended | Reach | Reached | Withdraw | Cancel | ClientGone | Lent | Tick


# --- decisions -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Start an instance now. `slot` counts from 0, lowest free first; `attempt` counts from 1."""

    task: TaskId
    slot: int
    attempt: int
    """A restart belongs to the attempt that it repeats."""
    restarts: int = 0
    """How often the task was restarted up to now, over all attempts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Stop a running instance; its `Ended` is still expected. The task's status is then `status`, however it ended.

    May follow a `Restart` that has not been answered (then it is not started anew), and may be for a task that has ended and
    waits for its `Commit`: it is rolled back, and a second `Ended` tells so.
    """

    task: TaskId
    reason: str
    status: Status = Status.CANCELLED
    """CANCELLED; LOCK_TIMEOUT when one of its calls waited too long for a claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The call may proceed: the task holds what it reached for, until it ends."""

    task: TaskId
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """Stop the task's instance, roll back what it changed, and answer with `Ended(restarted=True)` when all of it is dead and undone.

    The task is then ready again, with `claims` and all the claims it had; with its age, and in the same attempt. All its
    calls that wait are forgotten. May be for a task that has ended and waits for its `Commit`: roll back and answer likewise.
    """

    task: TaskId
    reason: str
    """For people: "src/a.py was changed by format after it had started"."""
    claims: tuple[Claim, ...]
    """Those of the conflict, for history: next time they can be predicted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What the task changed stays: commit it now.

    Given exactly once after each `Ended` that is neither `restarted` nor `rolled_back`, unless `Restart` or `Stop` comes instead;
    right before the `End` or `Retry`. At once, but for a serializable task: that one waits until all before it in
    program order are over. Meanwhile its claims stay taken, its seat is free.
    """

    task: TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A ready task cannot start, or a call of a running one not proceed, because of claims. Told when it begins to wait, and
    when the task it watches has left and another is in its way. (Who waits for capacity is in `Scheduler.waiting`.)"""

    task: TaskId
    reason: str
    """For people: "src/a.py, held by format"."""
    blockers: tuple[TaskId, ...]
    number: int | None = None
    """The call that waits (`Reach.number`); None: the start."""


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


Decision: TypeAlias = Start | Stop | Grant | Restart | Commit | Waiting | Retry | End | Wake
