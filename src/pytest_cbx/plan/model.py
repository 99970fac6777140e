"""The values of planning: claims, edges, the plan."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from pytest_cbx.config.model import Priority
from pytest_cbx.effects.model import Effects, Scope
from pytest_cbx.safety.model import Assessment
from pytest_cbx.tier import Tier


class Domain(Enum):
    """What kind of resource a claim is on."""

    FILE = "file"
    LOCK = "lock"
    """A named lock."""
    PORT = "port"
    PROCESS = "process"


class Mode(Enum):
    """How a resource is used. Two claims on one resource get along if both READ or both CACHE; nothing else does."""

    READ = "read"
    CACHE = "cache"
    APPEND = "append"
    WRITE = "write"
    CREATE = "create"
    DELETE = "delete"

    def gets_along(self, other: Mode) -> bool:
        """Whether two commands may hold these modes on one resource at the same time."""
        return self is other and self in (Mode.READ, Mode.CACHE)


@dataclass(frozen=True, slots=True, kw_only=True, order=False)
class Claim:
    """One resource that a command needs while it runs.

    For Domain.FILE `target` is a path as in `effects.model.Place`; for the others `scope` is PATH and `target` the lock's name,
    the port's number (`*`: any), or the process (`*`: any).
    `ignored`: git ignores the target, so a SOURCES claim does not cover it.
    """

    domain: Domain
    mode: Mode
    target: str
    scope: Scope = Scope.PATH
    ignored: bool = False

    def __str__(self) -> str:
        target = self.target
        if self.scope in (Scope.TREE, Scope.SOURCES):
            target = "**" if target == "." else f"{target.rstrip('/')}/**"
        prefix = "" if self.domain is Domain.FILE else f"{self.domain.value}:"
        suffix = " (sources)" if self.scope is Scope.SOURCES else ""
        return f"{self.mode.value} {prefix}{target}{suffix}"


class EdgeKind(Enum):
    """Why one node waits for another."""

    NEEDS = "needs"
    """Explicit: when the first fails, the second is skipped."""
    CONFLICT = "conflict"
    """They touch the same resource: program order, whatever the first one's result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """`after` starts only when `before` has ended. Both are node numbers of the plan."""

    before: int
    after: int
    kind: EdgeKind
    reason: str
    """For people, e.g. "both write build/app" or "needs install"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The priority formula of the founding documents: each part 1–10; total = 0.30 safety + 0.25 resources + 0.25 time + 0.20 user."""

    safety: float
    resources: float
    time: float
    user: float
    total: float


@dataclass(frozen=True, slots=True)
class Pool:
    """Of all commands in it, `depth` run at once."""

    name: str
    depth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What planning starts from: one command with everything known about it. `claims` are complete (text, configuration, locks)."""

    name: str
    text: str
    tier: Tier
    claims: tuple[Claim, ...]
    needs: tuple[str, ...] = ()
    priority: Priority = Priority.NORMAL
    cpus: float = 0.5
    memory: int = 0
    """Bytes."""
    seconds: float | None = None
    """Expected wall seconds where history or configuration knows them."""
    effects: Effects | None = None
    assessment: Assessment | None = None
    place: str = "."
    """Its working directory, relative to the work tree."""
    pool: str = ""
    """The pool that it names."""
    part_of: str = ""
    """Of a shard: the command that it is a part of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One command of a plan. `number` is its position in the list that was planned, from 0."""

    number: int
    request: Request
    seconds: float
    """Expected wall seconds."""
    score: Score
    path_seconds: float
    """Seconds from its start to the end of the longest chain that hangs on it."""
    pool: Pool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """A node without work that stands for "all of these have ended", so that n readers before m writers cost n+m edges, not n·m."""

    number: int
    """Continues the commands' numbers."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The dependency graph, without circles. Commands stand as listed, `commands[n].number == n`.

    Edges between commands point from a lower to a higher number, except where a command needs one that is listed later.
    Order passes through nodes that never run: one that is skipped or cancelled counts as ended only when all before it have ended.
    """

    commands: tuple[Planned, ...]
    joins: tuple[Join, ...]
    edges: tuple[Edge, ...]
    critical_path: tuple[int, ...]
    """Command numbers, first to last, without joins."""
    critical_seconds: float
    lower_bound_seconds: float
    """max(critical path, total work / slots): no schedule is faster."""
