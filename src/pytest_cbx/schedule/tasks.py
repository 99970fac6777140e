"""What the scheduler remembers of one task while it lives. Mutable, and seen by this package only."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from pytest_cbx.plan.model import Claim, Mode
from pytest_cbx.schedule.model import ClientId, Ended, Status, Task, TaskId
from pytest_cbx.tier import Tier

if TYPE_CHECKING:
    from pytest_cbx.schedule.admission import Seat
    from pytest_cbx.schedule.holdings import Holdings
    from pytest_cbx.schedule.locks import Call, Node

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
    COMMITTING = "committing"
    """Ended, and waits to be committed in program order. Holds its claims, but no seat."""
    OVER = "over"
    """Its `End` was told."""


class Shape(NamedTuple):
    """What a task takes of the capacity. Tasks of one shape fit, or do not, at the same time."""

    tier: Tier
    cpus: int
    """Millionths of a core."""
    memory: int
    """Bytes."""
    pool: str = ""
    depth: int = 0


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
    """Its parent first."""
    rank: int = 0
    """Its place in program order among its group: as `order`, but behind what it needs or comes after."""
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
    serial: int = 0
    """Counts starts and ends together, so that what left after this one started is known exactly."""
    stop_reason: str | None = None
    """Set once its instance was told to stop."""
    stop_status: Status = Status.CANCELLED
    stop_blockers: tuple[TaskId, ...] = ()
    restarting: bool = False
    """It was told to stop and to start anew, and has not answered."""
    restarts: int = 0
    supervised: bool = False
    """It can be rolled back, because it is supervised: told by its task, or seen when it reached for something."""
    alone: bool = False
    """It was restarted too often: it claims everything, and is never chosen as a victim again."""
    behind: dict[Entry, None] = field(default_factory=dict)
    """Those that must be over before it starts anew."""
    calls: dict[int, Call] = field(default_factory=dict)
    """Its suspended calls that wait, by number."""
    gained: dict[Claim, Node] = field(default_factory=dict)
    """What it holds beside the claims that it started with."""
    wanted: dict[Claim, None] = field(default_factory=dict)
    """What its calls waited for when it was told to restart."""
    holdings: Holdings | None = None
    """All that it holds, for quick answers; made when first asked for."""
    ended: Ended | None = None
    """How it ended, while it waits to be committed."""

    seat: Seat | None = None
    rides_on: Entry | None = None
    """The task whose seat it shares."""
    rider: Entry | None = None
    """The task that shares its seat."""
    boarding: dict[Entry, None] = field(default_factory=dict)
    """Children in phase READY."""

    group: Group = (ClientId(0), None)
    nodes: list[Node] = field(default_factory=list)
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
    def carrier(self) -> Entry | None:
        """The nearest task around it that has an instance."""
        return next((one for one in self.ancestors if not one.task.hold), None)

    @property
    def running(self) -> bool:
        """Whether an instance of it may be alive."""
        return self.phase is Phase.RUNNING

    @property
    def holding(self) -> bool:
        """Whether it has its claims: it runs, or waits to be committed."""
        return self.phase is Phase.RUNNING or self.phase is Phase.COMMITTING

    @property
    def leaving(self) -> bool:
        """Whether it was told to stop or to start anew, so that its claims come free without anybody's doing."""
        return self.restarting or self.stop_reason is not None


def shape_of(task: Task) -> Shape:
    """The capacity that a task takes."""
    return Shape(task.tier, round(task.cpus * MICRO), task.memory, task.pool, task.pool_depth)


def strangers(holder: Entry, client: ClientId, parent: Entry | None) -> bool:
    """Whether a wait of tasks of this client and parent for `holder` counts towards their lock time-out.

    Waiting for one's own client's tasks does not count. A nested task counts the wait for everybody but its siblings:
    meanwhile it holds up the claims of its parent, and two such tasks may hold up each other.
    """
    return holder.client != client or (parent is not None and holder.parent is not parent)


def family(one: Entry, other: Entry) -> bool:
    """Whether one of the two is nested in the other, or they are the same: their claims get along."""
    return one is other or one in other.ancestors or other in one.ancestors


def top(one: Entry, other: Entry) -> Entry:
    """The outermost task that `one` is nested in and `other` is not; `one` itself where there is no such. Not for a family.

    Whoever waits for what `one` changed waits for that task: what a nested task holds passes to the one around it.
    """
    found = one
    for outer in one.ancestors:
        if outer is other or outer in other.ancestors:
            break
        found = outer
    return found


def stale_reader(entry: Entry, changer: Entry) -> Entry | None:
    """Whose reads nobody has seen, outermost: of `entry` and the tasks around it that are not around `changer`. None: there is none."""
    found = None
    for one in (entry, *entry.ancestors):
        if one is changer or one in changer.ancestors:
            break
        if not one.task.hold:
            found = one
    return found


def precedes(one: Entry, other: Entry) -> bool:
    """Whether `one` comes before `other` in a program order that the two must have the effect of."""
    return one.rank < other.rank and one.group == other.group and one.task.serializable and other.task.serializable


def passed_on(entry: Entry, event: Ended) -> tuple[Claim, ...]:
    """What a nested task that ended leaves to the task around it: what that one's changes, or what it learned, rest on."""
    used = entry.task.claims if entry.task.serializable or entry.task.hold else ()
    held = (*used, *entry.gained)
    if event.rolled_back:
        return tuple(claim for claim in held if claim.mode is Mode.READ)
    return (*held, *(event.written or ()))


def seen_with(entry: Entry) -> list[Claim]:
    """What a task and those nested in it hold or want beside the claims that they started with, or want to start with."""
    seen = [node.claim for call in entry.calls.values() for node in call.nodes]
    for child in entry.children:
        if child.status is None:
            seen += child.gained
            seen += seen_with(child)
            if child.phase is Phase.PARKED:
                seen += child.task.claims
    return seen
