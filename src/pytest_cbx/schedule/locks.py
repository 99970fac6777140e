"""The lock table: who holds which claims, who waits for them and in what order, who blocks whom.

A task takes all its claims at once or none. Each distinct claim is one node; nodes that conflict know each other, so
that what a claim overlaps with is looked up once, however many tasks make the same claim.

Order. A ready task whose claims are in use is *parked* and gets a place in the queue of its group (client and parent).
The first `places` of each group also have a ticket in the queue of all groups, first come first served. A task waits

- for every task that holds a conflicting claim, unless it is nested in that task;
- for every conflicting task of its own group with an earlier place;
- for every conflicting task of any group with an earlier ticket (a nested task only for its siblings, since the others
  may be waiting for the claims of its own parent).

A ticket is kept until the task runs, so a stream of readers cannot starve a writer: the readers that come after its
ticket wait for it. Because a group has at most `places` tickets, a client with thousands of waiting tasks does not
shut out another. Tickets rise with places, so the order is total and nobody waits in a circle, except for nested tasks
that wait for each other's parents; their lock time-out ends that.

Each parked task watches one of those it waits for, and is looked at again when that one leaves.

A task that runs may *gain* claims. Where one of them is in use, its `Call` waits: for holders only, not for parked tasks,
since these hold nothing. A parked task waits for such calls too, unless it is nested (what waits may wait for its family); so
tasks that keep starting cannot starve a call. `reaching` decides who goes first among calls, and breaks circles.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pytest_cbx.effects.model import Scope
from pytest_cbx.plan.claims import covers
from pytest_cbx.plan.conflicts import shared
from pytest_cbx.plan.index import ClaimIndex
from pytest_cbx.plan.model import Claim
from pytest_cbx.schedule.tasks import Entry, Group, Phase, family, precedes, strangers

_NONE: dict[Any, Any] = {}
"""Stands for the dictionaries that most nodes never need: a task may gain tens of thousands. Never written to."""


@dataclass(slots=True, eq=False)
class Node:
    """One distinct claim that ready or running tasks make."""

    claim: Claim
    users: int = 0
    against: dict[Node, None] = field(default_factory=dict)
    """The nodes that it conflicts with, itself among them where two tasks may not both have it."""
    holders: dict[Entry, None] = field(default_factory=dict)
    parked: dict[Group, dict[Entry, None]] = field(default_factory=lambda: _NONE)
    """By place."""
    ticketed: dict[Entry, None] = field(default_factory=lambda: _NONE)
    """Tasks with a ticket that do not run yet, parked or waiting for capacity."""
    wanted: dict[Call, None] = field(default_factory=lambda: _NONE)
    """Calls of running tasks that wait for it."""

    def add_parked(self, entry: Entry) -> None:
        """It is parked, in its place."""
        if self.parked is _NONE:
            self.parked = {}
        _insert(self.parked.setdefault(entry.group, {}), entry)

    def add_ticketed(self, entry: Entry) -> None:
        """It has a ticket."""
        if self.ticketed is _NONE:
            self.ticketed = {}
        self.ticketed[entry] = None

    def add_wanted(self, call: Call) -> None:
        """The call waits."""
        if self.wanted is _NONE:
            self.wanted = {}
        self.wanted[call] = None


@dataclass(slots=True, eq=False)
class Call:
    """A suspended call of a running task that waits for claims."""

    entry: Entry
    number: int
    nodes: list[Node]
    """What it wants and does not hold yet."""
    serial: int
    """Order of arrival."""
    holders: dict[Entry, tuple[Claim, Claim]] = field(default_factory=dict)
    """Who is in its way, with one pair (its own claim, their claim) each."""
    behind: dict[Entry, None] = field(default_factory=dict)
    """Tasks with calls that go first."""
    told: Entry | None = None
    """Whom the last `Waiting` named first."""
    waited: float = 0.0
    """Seconds blocked by strangers, up to `blocked_since`."""
    blocked_since: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Why a task cannot have its claims."""

    entry: Entry
    """In the way, and the one to watch."""
    mine: Claim
    theirs: Claim

    @property
    def holds(self) -> bool:
        """Whether it has the claim; else it only comes first."""
        return self.entry.holding and not any(
            node.claim == self.theirs for call in self.entry.calls.values() for node in call.nodes
        )

    def __str__(self) -> str:
        verb = "held by" if self.holds else "wanted before it by"
        return f"{shared(self.theirs, self.mine)}, {verb} {self.entry.task.name}"


@dataclass(slots=True, eq=False)
class _Queue:
    """The parked tasks of one group."""

    tickets: int = 0
    """How many of its tasks hold a ticket and do not run."""
    untold: list[tuple[int, int, Entry]] = field(default_factory=list)
    """Heap by place of parked tasks without a ticket, with remains of those that left."""


class LockTable:
    """Claims of ready and running tasks. Times are those of the events."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._index: ClaimIndex[Node] = ClaimIndex()
        self._nodes: dict[Claim, Node] = {}
        self._queues: dict[Group, _Queue] = {}
        self._last_place = 0
        self._last_ticket = 0
        self._deadlines: list[tuple[float, int, float, Entry]] = []
        self.blocked: dict[Entry, None] = {}
        """Parked nested tasks that wait for somebody else than their siblings."""
        self.freed: dict[Entry, None] = {}
        """Parked tasks whose watched task has left: to be looked at again."""

    def __len__(self) -> int:
        """How many distinct claims are made."""
        return len(self._nodes)

    # --- coming and going ---

    def enter(self, entry: Entry) -> None:
        """A task became ready, or ready again: then a ticket that it had is good again."""
        entry.nodes = [self._node(claim) for claim in dict.fromkeys(entry.task.claims)]
        if entry.ticket:
            self._queues.setdefault(entry.group, _Queue()).tickets += 1
            for node in entry.nodes:
                node.add_ticketed(entry)

    def obstacle(self, entry: Entry) -> Obstacle | None:
        """One of those that keep a ready task from its claims; None when it could have them all now.

        Its predecessor in its own group comes first, so that a long queue moves up by one look each.
        """
        found: Obstacle | None = None
        for node in entry.nodes:
            for other in node.against:
                if entry.group in other.parked and (one := _predecessor(entry, other.parked[entry.group])):
                    return Obstacle(entry=one, mine=node.claim, theirs=other.claim)
                if found is None and (one := _first(entry, other)):
                    found = Obstacle(entry=one, mine=node.claim, theirs=other.claim)
        return found

    def park(self, entry: Entry, obstacle: Obstacle, now: float) -> None:
        """The task waits for its claims from now on, or goes on waiting, behind `obstacle`."""
        if entry.watching is not None:
            entry.watching.watchers.pop(entry, None)
        entry.watching = obstacle.entry
        obstacle.entry.watchers[entry] = None
        if entry.phase is Phase.PARKED:
            return
        entry.phase = Phase.PARKED
        queue = self._queues.setdefault(entry.group, _Queue())
        if not entry.place:
            self._last_place += 1
            entry.place = self._last_place
        for node in entry.nodes:
            node.add_parked(entry)
        if not entry.ticket:
            heapq.heappush(queue.untold, (entry.place, entry.order, entry))
            self._hand_out(queue)
        entry.strangers = sum(1 for _ in self._strangers_in_the_way(entry))
        if entry.strangers:
            self._start_clock(entry, now)

    def unpark(self, entry: Entry, now: float) -> None:
        """The task could have its claims now. With a ticket it keeps its turn; without one it blocks nobody any more."""
        if entry.phase is not Phase.PARKED:
            return
        self._forget_parked(entry, now)
        entry.phase = Phase.READY
        if not entry.ticket:
            entry.place = 0
            self._free_watchers(entry)

    def acquire(self, entry: Entry, now: float) -> None:
        """The task starts: it holds its claims. Call only while it has no `obstacle`."""
        self._drop_ticket(entry)
        entry.waited = 0.0
        for node in entry.nodes:
            node.holders[entry] = None
        self._count_stranger(entry, entry.nodes, now)

    def leave(self, entry: Entry, now: float) -> None:
        """The task holds and wants nothing any more: it ended, was withdrawn, or waits to be tried again."""
        if entry.holding:
            self._discount_stranger(entry, entry.nodes, now)
        elif entry.phase is Phase.PARKED:
            self._forget_parked(entry, now)
        self._drop_ticket(entry)
        for node in entry.nodes:
            node.holders.pop(entry, None)
            self._release(node)
        if not entry.ticket:
            entry.place = 0  # others may get a ticket meanwhile, and then stand before it
        entry.nodes = []
        entry.gained.clear()
        entry.holdings = None
        self.freed.pop(entry, None)
        self._free_watchers(entry)

    # --- claims that turn up while a task runs ---

    def nodes(self, claims: Iterable[Claim]) -> list[Node]:
        """Nodes for distinct claims, to be handed to `gain` or to a call that waits."""
        return [self._node(claim) for claim in claims]

    def gain(self, entry: Entry, nodes: Iterable[Node], now: float) -> None:
        """A running task holds these from now on. They must be free for it (`rivals`)."""
        new: list[Node] = []
        for node in nodes:
            if entry in node.holders:
                self._release(node)
                continue
            node.holders[entry] = None
            entry.gained[node.claim] = node
            entry.nodes.append(node)
            new.append(node)
        self._count_stranger(entry, new, now)
        for node in new:
            if node.claim.scope is Scope.TREE:
                self._let_go_below(entry, node.claim, now)

    def want(self, call: Call) -> None:
        """The call waits from now on."""
        for node in call.nodes:
            node.add_wanted(call)

    def unwant(self, call: Call) -> None:
        """It waits no longer. Its nodes are still to be gained, or to be given up by `release`."""
        for node in call.nodes:
            del node.wanted[call]

    def release(self, nodes: Iterable[Node]) -> None:
        """Nobody needs these nodes any more."""
        for node in nodes:
            self._release(node)

    def rivals(self, entry: Entry, nodes: Iterable[Node]) -> dict[Entry, tuple[Claim, Claim]]:
        """Who holds what keeps a running task from these, with one pair (its own claim, their claim) each."""
        found: dict[Entry, tuple[Claim, Claim]] = {}
        for node in nodes:
            for other in node.against:
                for holder in other.holders:
                    if holder is not entry and holder not in found and not family(entry, holder):
                        found[holder] = (node.claim, other.claim)
        return found

    def contenders(self, entry: Entry, nodes: Iterable[Node]) -> dict[Call, None]:
        """Waiting calls, not of its family, that conflict with these."""
        return {
            call: None
            for node in nodes
            for other in node.against
            for call in other.wanted
            if not family(entry, call.entry)
        }

    def stir(self, entry: Entry) -> None:
        """What a holder is has changed: those who watch it are to be looked at again."""
        self._free_watchers(entry)

    def _let_go_below(self, entry: Entry, tree: Claim, now: float) -> None:
        """A tree takes the place of what was gained in it, so that a flood of paths can be cut short."""
        covered = [node for claim, node in entry.gained.items() if claim != tree and covers(tree, claim)]
        if not covered:
            return
        self._discount_stranger(entry, covered, now)
        for node in covered:
            del entry.gained[node.claim], node.holders[entry]
            self._release(node)
        gone = set(covered)
        entry.nodes = [node for node in entry.nodes if node not in gone]

    # --- time-outs ---

    def next_deadline(self) -> float:
        """When the next lock time-out is due; infinite for none."""
        heap = self._deadlines
        while heap:
            deadline, _, since, entry = heap[0]
            if entry.phase is Phase.PARKED and entry.blocked_since == since:
                return deadline
            heapq.heappop(heap)
        return math.inf

    def expired(self, now: float) -> Iterator[Entry]:
        """Tasks whose lock time-out is over. Each must be withdrawn before the next is asked for."""
        while self.next_deadline() <= now:
            yield heapq.heappop(self._deadlines)[3]

    # --- who blocks whom ---

    def holders_in_the_way(self, entry: Entry) -> dict[Entry, tuple[Claim, Claim]]:
        """Every running task that keeps a ready one from its claims, with one pair (its own claim, their claim) each."""
        found: dict[Entry, tuple[Claim, Claim]] = {}
        for node in entry.nodes:
            for other in node.against:
                for holder in other.holders:
                    if holder not in entry.ancestors:
                        found.setdefault(holder, (node.claim, other.claim))
        return found

    # --- inside ---

    def _node(self, claim: Claim) -> Node:
        node = self._nodes.get(claim)
        if node is None:
            node = self._nodes[claim] = Node(claim=claim)
            for other, _ in self._index.join(node, claim):
                node.against[other] = None
                other.against[node] = None
        node.users += 1
        return node

    def _release(self, node: Node) -> None:
        node.users -= 1
        if node.users:
            return
        del self._nodes[node.claim]
        self._index.remove(node)
        for other in node.against:
            if other is not node:
                del other.against[node]

    def _hand_out(self, queue: _Queue) -> None:
        while queue.untold and queue.tickets < self._places:
            place, _, entry = heapq.heappop(queue.untold)
            if entry.phase is not Phase.PARKED or entry.place != place or entry.ticket:
                continue
            queue.tickets += 1
            self._last_ticket += 1
            entry.ticket = self._last_ticket
            for node in entry.nodes:
                node.add_ticketed(entry)

    def _drop_ticket(self, entry: Entry) -> None:
        if not entry.ticket:
            return
        if any(entry in node.ticketed for node in entry.nodes):
            for node in entry.nodes:
                node.ticketed.pop(entry, None)
            queue = self._queues[entry.group]
            queue.tickets -= 1
            self._hand_out(queue)
            if not queue.tickets and not queue.untold:
                del self._queues[entry.group]

    def _forget_parked(self, entry: Entry, now: float) -> None:
        self._stop_clock(entry, now)
        entry.strangers = 0
        if entry.watching is not None:
            entry.watching.watchers.pop(entry, None)
            entry.watching = None
        for node in entry.nodes:
            members = node.parked[entry.group]
            del members[entry]
            if not members:
                del node.parked[entry.group]

    def _free_watchers(self, entry: Entry) -> None:
        for watcher in entry.watchers:
            watcher.watching = None
            self.freed[watcher] = None
        entry.watchers.clear()

    def _strangers_in_the_way(self, entry: Entry) -> Iterator[Entry]:
        for node in entry.nodes:
            for other in node.against:
                for holder in other.holders:
                    if strangers(holder, entry.client, entry.parent) and holder not in entry.ancestors:
                        yield holder

    def _count_stranger(self, holder: Entry, nodes: Iterable[Node], now: float) -> None:
        for other in self._parked_strangers(holder, nodes):
            other.strangers += 1
            if other.strangers == 1:
                self._start_clock(other, now)

    def _discount_stranger(self, holder: Entry, nodes: Iterable[Node], now: float) -> None:
        for other in self._parked_strangers(holder, nodes):
            other.strangers -= 1
            if other.strangers == 0:
                self._stop_clock(other, now)

    def _parked_strangers(self, holder: Entry, nodes: Iterable[Node]) -> Iterator[Entry]:
        for node in nodes:
            for other in node.against:
                for members in other.parked.values():
                    one = next(iter(members))
                    if strangers(holder, one.client, one.parent) and holder not in one.ancestors:
                        yield from members

    def _start_clock(self, entry: Entry, now: float) -> None:
        entry.blocked_since = now
        if entry.parent is not None:
            self.blocked[entry] = None
        deadline = now + max(0.0, entry.task.lock_timeout - entry.waited)
        if deadline < math.inf:
            heapq.heappush(self._deadlines, (deadline, entry.order, now, entry))

    def _stop_clock(self, entry: Entry, now: float) -> None:
        if entry.blocked_since is not None:
            entry.waited += now - entry.blocked_since
            entry.blocked_since = None
            self.blocked.pop(entry, None)


def _predecessor(entry: Entry, group: dict[Entry, None]) -> Entry | None:
    """A parked task of the same group with an earlier place, the nearest one where that is cheap to see."""
    if not entry.place:
        return next(reversed(group))
    for one in (next(reversed(group)), next(iter(group))):
        if one.place < entry.place:
            return one
    return None


def _first(entry: Entry, other: Node) -> Entry | None:
    """A holder of `other`, or a task with an earlier ticket on it, that the task has to wait for."""
    for holder in other.holders:
        if holder not in entry.ancestors:
            return holder
    for one in other.ticketed:
        earlier = one.ticket < entry.ticket or not entry.ticket
        if earlier and one is not entry and (entry.parent is None or one.parent is entry.parent):
            return one
    if other.wanted and entry.parent is None:
        for call in other.wanted:
            if not precedes(entry, call.entry):
                return call.entry
    return None


def _insert(group: dict[Entry, None], entry: Entry) -> None:
    """Add to a group that is in order of places. Out of turn comes only a task that is tried again with its old place."""
    last = next(reversed(group), None)
    group[entry] = None
    if last is not None and last.place > entry.place:
        ordered = sorted(group, key=lambda one: one.place)
        group.clear()
        group.update(dict.fromkeys(ordered))
