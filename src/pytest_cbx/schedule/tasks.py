"""What the scheduler remembers of one task while it lives. Mutable, and seen by this package only."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from pytest_cbx.schedule.model import ClientId, Status, Task, TaskId
from pytest_cbx.tier import Tier

if TYPE_CHECKING:
    from pytest_cbx.schedule.admission import Seat
    from pytest_cbx.schedule.locks import Node

MICRO = 1_000_000
"""Cores are counted in millionths, so that adding and taking away leaves no rounding behind."""


class Phase(Enum):
    """Where a task is in its life."""

    PENDING = "pending"
    """Something before it has not ended."""
    PARKED = "parked"
    """Ready, but its claims are in use."""
    READY = "ready"
    """Waits for capacity and its turn only."""
    BACKOFF = "back-off"
    """Failed, and waits to be tried again; holds nothing."""
    RUNNING = "running"
    OVER = "over"
    """Its `End` was told."""


class Shape(NamedTuple):
    """What a task takes of the capacity. Tasks of one shape fit, or do not, at the same time."""

    tier: Tier
    cpus: int
    """Millionths of a core."""
    memory: int
    """Bytes."""


Group: TypeAlias = tuple[ClientId, TaskId | None]
"""Client and parent: tasks of one group queue for a resource strictly one after the other."""


@dataclass(slots=True, eq=False)
class Submission:
    """The tasks that came together, as far as they need to know of each other."""

    fail_fast: bool
    entries: list[Entry] = field(default_factory=list)
    failed: bool = False


@dataclass(slots=True, eq=False)
class Entry:
    """One task and its state."""

    task: Task
    client: ClientId
    order: int
    """Position in which the scheduler first saw it; breaks all ties."""
    submission: Submission
    shape: Shape
    parent: Entry | None = None
    ancestors: tuple[Entry, ...] = ()
    phase: Phase = Phase.PENDING
    status: Status | None = None
    root: str = ""
    """For a task that did not pass: what went wrong first, e.g. "build failed"."""
    settled: bool = False
    """Over, and so is everything before it: what comes after it need not wait for it any more."""
    prerequisites: int = 0
    """How many of the tasks before it are not settled."""
    needed_by: list[Entry] = field(default_factory=list)
    followed_by: list[Entry] = field(default_factory=list)
    children: list[Entry] = field(default_factory=list)

    attempt: int = 0
    """Attempts begun."""
    ready_at: float = -1.0
    """When it first was ready; below 0 before. Kept over retries: this is its age."""
    started_at: float = 0.0
    retry_at: float = 0.0
    stop_reason: str | None = None
    """Set once its instance was told to stop."""

    seat: Seat | None = None
    rides_on: Entry | None = None
    """The task whose seat it shares."""
    rider: Entry | None = None
    """The task that shares its seat."""
    boarding: dict[Entry, None] = field(default_factory=dict)
    """Children in phase READY."""

    group: Group = (ClientId(0), None)
    nodes: tuple[Node, ...] = ()
    place: int = 0
    """Number in the queue of its group, 0 for none."""
    ticket: int = 0
    """Number in the queue of all groups, 0 for none: who has one is not overtaken by those who come later."""
    watching: Entry | None = None
    """The task whose end is the next time at which its claims can be free."""
    watchers: dict[Entry, None] = field(default_factory=dict)
    strangers: int = 0
    """How often a task of another client holds something that one of its claims conflicts with."""
    waited: float = 0.0
    """Seconds blocked by strangers, up to `blocked_since`."""
    blocked_since: float | None = None
    stamp: int = 0
    """Counts its stays in the ready queue, so that remains of an earlier stay are known as such."""
    aged_at: float = 0.0
    """When its present stay in the ready queue began."""

    @property
    def id(self) -> TaskId:
        """The task's number."""
        return self.task.id

    @property
    def running(self) -> bool:
        """Whether an instance of it may be alive."""
        return self.phase is Phase.RUNNING


def shape_of(task: Task) -> Shape:
    """The capacity that a task takes."""
    return Shape(task.tier, round(task.cpus * MICRO), task.memory)


def strangers(holder: Entry, client: ClientId, parent: Entry | None) -> bool:
    """Whether a wait of tasks of this client and parent for `holder` counts towards their lock time-out.

    Waiting for one's own client's tasks does not count. A nested task counts the wait for everybody but its siblings:
    meanwhile it holds up the claims of its parent, and two such tasks may hold up each other.
    """
    return holder.client != client or (parent is not None and holder.parent is not parent)
