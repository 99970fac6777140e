"""Claims that turn up while a task runs: calls that wait, who goes first, and who has to start anew.

- *First updater wins* (`updates`): who wants to change what another changed after it had started, starts anew.
- A call waits for holders, and for calls of older tasks that want the same. Age is a task's, and it keeps it when it starts
  anew; so nobody starves. A call that another one waits for lets nobody go first.
- A circle of waits (`waits`) is broken by the youngest whose claims are in the way, families compared by their outermost tasks.
- *Program order* (`tasks.precedes`): the earlier one never waits for the later one, which starts anew, behind it. Nobody waits
  for a task that only waits to be committed either: whoever comes after it in program order starts anew, behind it,
  without a seat meanwhile; for anybody else it gives way. So whatever waits to be committed waits for tasks that can go on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Protocol

from pytest_cbx.effects.model import Scope
from pytest_cbx.errors import InternalError
from pytest_cbx.plan.claims import WHOLE_TREE
from pytest_cbx.plan.conflicts import shared
from pytest_cbx.plan.model import Claim, Domain, Mode
from pytest_cbx.schedule.holdings import Holdings
from pytest_cbx.schedule.locks import Call, LockTable, Node
from pytest_cbx.schedule.model import Decision, Grant, TaskId, Waiting
from pytest_cbx.schedule.tasks import Entry, Phase, precedes, strangers, top
from pytest_cbx.schedule.updates import Stale, Updates
from pytest_cbx.schedule.waits import Wait, Waits

EVERYTHING = (WHOLE_TREE, Claim(domain=Domain.FILE, mode=Mode.WRITE, target="/", scope=Scope.TREE))
"""What a task claims that runs alone: the work tree and all other files."""

BLOCKERS_TOLD = 8
"""At most so many blockers are named in one decision."""


class Host(Protocol):
    """What the scheduler does for this module."""

    def tell(self, decision: Decision) -> None:
        """Add a decision."""
        ...

    def restart(self, entry: Entry, reason: str, claims: tuple[Claim, ...], behind: Entry | None = None) -> None:
        """Have a running task start anew, once `behind` is over."""
        ...

    def postpone(self, entry: Entry, behind: Entry) -> None:
        """Let a task that does not run wait until `behind` is over."""
        ...


class Reaching:
    """The calls that wait."""

    def __init__(self, locks: LockTable, updates: Updates, host: Host) -> None:
        self._locks = locks
        self._updates = updates
        self._host = host
        self._waits = Waits(locks)
        self._waiting: dict[Call, None] = {}
        self._arrivals = count(1)
        self.stirred = False
        """Whether calls wait that must be looked at again."""
        self._unchecked = False

    def stir(self) -> None:
        """Who holds what, or who waits for whom, has changed."""
        if self._waiting:
            self.stirred = self._unchecked = True
        if self._locks.blocked:
            self._unchecked = True

    # --- events ---

    def reach(self, entry: Entry, claims: Iterable[Claim], number: int, now: float) -> bool:
        """A call of a running task needs these. Returns whether it was granted at once, which changes nothing for others."""
        if number in entry.calls:
            raise InternalError(f"call {number} of task {entry.id} ({entry.task.name}) waits already")
        if entry.leaving:
            return True
        _note_supervision(entry)
        wanted = self._not_held(entry, claims)
        if wanted and (stale := self._stale(entry, wanted)):
            self._restart_stale(entry, stale, wanted)
            return False
        nodes = self._locks.nodes(wanted)
        if not self._locks.rivals(entry, nodes) and not (self._waiting and self._locks.contenders(entry, nodes)):
            self._gain(entry, nodes, now)
            self._host.tell(Grant(task=entry.id, number=number))
            return True
        call = Call(entry=entry, number=number, nodes=nodes, serial=next(self._arrivals))
        entry.calls[number] = call
        self._waiting[call] = None
        self._locks.want(call)
        self.stir()
        return False

    def reached(self, entry: Entry, claims: Iterable[Claim], now: float) -> None:
        """A task that runs alone took these."""
        _note_supervision(entry)
        nodes = self._locks.nodes(self._not_held(entry, claims))
        rivals = self._locks.rivals(entry, nodes)
        if rivals:
            holder, (_, theirs) = next(iter(rivals.items()))
            raise InternalError(f"task {entry.id} took claims without asking, but {holder.task.name} holds {theirs}")
        self._gain(entry, nodes, now)

    def withdraw(self, entry: Entry, number: int) -> None:
        """The caller is gone."""
        call = entry.calls.get(number)
        if call is not None:
            self._forget(call)
            self._locks.release(call.nodes)

    def drop(self, entry: Entry) -> None:
        """A task ends or is to end: its calls wait no longer."""
        for number in list(entry.calls):
            self.withdraw(entry, number)

    def inherit(self, parent: Entry, claims: Iterable[Claim], now: float) -> None:
        """What a nested task held passes to the task around it."""
        self._gain(parent, self._locks.nodes(self._not_held(parent, claims)), now)

    # --- questions ---

    def holds(self, entry: Entry, claim: Claim) -> bool:
        """Whether a running task has it already."""
        return self._holdings(entry).cover(claim)

    def free(self, entry: Entry, claims: Iterable[Claim]) -> bool:
        """Whether a call for these would be granted at once."""
        wanted = self._not_held(entry, claims)
        nodes = self._locks.nodes(wanted)
        try:
            return not (
                self._locks.rivals(entry, nodes)
                or self._locks.contenders(entry, nodes)
                or (wanted and self._stale(entry, wanted))
            )
        finally:
            self._locks.release(nodes)

    def unseen(self, entry: Entry) -> bool:
        """Whether nothing was changed since the task (or the one it is nested in) started."""
        return self._updates.newest <= (entry.ancestors[-1] if entry.ancestors else entry).serial

    # --- looking again ---

    def settle(self, now: float) -> None:
        """Grant what has come free."""
        while self.stirred:
            self.stirred = False
            for call in sorted(self._waiting, key=_age):
                if call in self._waiting:
                    self._look(call, now)
            for call in sorted(self._waiting, key=_age):
                if call in self._waiting and not call.holders and self._take_turn(call, now):
                    break

    def _look(self, call: Call, now: float) -> None:
        """Who is in the way? May have the task start anew."""
        entry = call.entry
        stale = self._stale(entry, [node.claim for node in call.nodes])
        if stale is not None:
            self._restart_stale(entry, stale, ())
            return
        call.holders = self._locks.rivals(entry, call.nodes)
        for holder, (mine, theirs) in call.holders.items():
            if self.contest(entry, holder, mine, theirs):
                return
        blocked = any(strangers(holder, entry.client, entry.parent) for holder in call.holders)
        if blocked and call.blocked_since is None:
            call.blocked_since = now
        elif not blocked and call.blocked_since is not None:
            call.waited += now - call.blocked_since
            call.blocked_since = None
        if call.holders and call.told not in call.holders:
            call.told, (mine, theirs) = next(iter(call.holders.items()))
            self._tell_waiting(call, f"{shared(theirs, mine)}, held by {call.told.task.name}", list(call.holders))

    def _take_turn(self, call: Call, now: float) -> bool:
        """Grant a call with nobody in its way, unless another goes first. Returns whether it was granted."""
        entry = call.entry
        call.behind.clear()
        for other in self._locks.contenders(entry, call.nodes):
            if _first(other, call) and not self._waits.leads(other.entry, entry):
                call.behind[other.entry] = None
        if call.behind:
            first = next(iter(call.behind))
            if call.told is not first:
                call.told = first
                what = shared(call.nodes[0].claim, call.nodes[0].claim)
                self._tell_waiting(call, f"{what}, wanted before it by {first.task.name}", list(call.behind))
            return False
        self._forget(call)
        self._gain(entry, call.nodes, now)
        self._host.tell(Grant(task=entry.id, number=call.number))
        self.stir()
        return True

    def contest(self, entry: Entry, holder: Entry, mine: Claim, theirs: Claim) -> bool:
        """Settle what must not be waited for. Returns whether `entry` is to start anew, or waits elsewhere now."""
        one, other = top(entry, holder), top(holder, entry)
        what = shared(theirs, mine)
        if precedes(one, other):
            if may_restart(other) or other.restarting:
                reason = f"{one.task.name}, which comes before it, needs {what}"
                self._host.restart(other, reason, (theirs,), behind=one)
            return False
        if holder.phase is not Phase.COMMITTING or holder.leaving:
            return False
        if precedes(other, one):
            if not one.holding:
                self._host.postpone(one, behind=other)
                return True
            if may_restart(one):
                reason = f"{other.task.name}, which comes before it, has {what} and is not committed yet"
                self._host.restart(one, reason, (mine,), behind=other)
                return True
        elif may_restart(holder):
            self._host.restart(holder, f"{entry.task.name} needs {what}", (theirs,))
        return False

    def stale_start(self, entry: Entry) -> bool:
        """Whether a nested task that is about to start claims what was changed after the task around it had started.

        That one may have handed it what it had read before. It starts anew then.
        """
        stale = self._stale(entry, entry.task.claims, certain=True)
        if stale is not None:
            self._restart_stale(entry, stale, entry.task.claims)
        return stale is not None

    def break_circles(self) -> None:
        """Have somebody start anew in each circle of waits."""
        ignored: set[Entry] = set()
        while self._unchecked:
            starts = dict.fromkeys((*(call.entry for call in self._waiting), *self._locks.blocked))
            circle = self._waits.circle(starts, ignored)
            if not circle:
                self._unchecked = False
                return
            edges = [wait for wait in circle if wait.holder is not None]
            eligible = [wait for wait in edges if wait.holder is not None and may_restart(wait.holder)]
            if eligible:
                self._sacrifice(max(eligible, key=_youth), edges)
            else:
                ignored.update(wait.holder for wait in edges if wait.holder is not None)

    def _sacrifice(self, victim: Wait, edges: list[Wait]) -> None:
        assert victim.holder is not None
        holders = sorted(
            {wait.holder for wait in edges if wait.holder is not None}, key=lambda entry: (entry.order, entry.id)
        )
        names = dict.fromkeys(entry.task.name for entry in holders)
        what = ", ".join(sorted({shared(wait.claim, wait.claim) for wait in edges if wait.claim is not None}))
        claims = () if victim.claim is None else (victim.claim,)
        self._host.restart(_who_hears(victim.holder), f"{' and '.join(names)} waited for one another: {what}", claims)

    # --- time-outs ---

    def next_deadline(self) -> float:
        """When the next call has waited too long for other clients; infinite for never."""
        return min(map(_deadline, self._waiting), default=math.inf) if self._waiting else math.inf

    def expired(self, now: float) -> Iterator[Call]:
        """Calls that have waited too long. Each task must be stopped before the next is asked for."""
        while self.next_deadline() <= now:
            yield min(self._waiting, key=_deadline)

    # --- inside ---

    def _stale(self, entry: Entry, claims: Iterable[Claim], *, certain: bool = False) -> Stale | None:
        """Serializable tasks hold what they have read, so nobody can have changed it."""
        if entry.task.serializable or self.unseen(entry):
            return None
        found = self._updates.stale(entry, claims, certain=certain)
        return next((stale for stale in found if may_restart(stale.reader)), None)

    def _restart_stale(self, entry: Entry, stale: Stale, wanted: Iterable[Claim]) -> None:
        entry.wanted.update(dict.fromkeys(wanted))
        what = shared(stale.claim, stale.claim)
        reason = f"{stale.changer.task.name} changed {what} after it had started"
        self._host.restart(stale.reader, reason, (stale.claim,))

    def _gain(self, entry: Entry, nodes: list[Node], now: float) -> None:
        holdings = self._holdings(entry)
        for node in nodes:
            holdings.add(node.claim)
        self._locks.gain(entry, nodes, now)

    def _not_held(self, entry: Entry, claims: Iterable[Claim]) -> list[Claim]:
        holdings = self._holdings(entry)
        wanted = [claim for claim in claims if not holdings.cover(claim)]
        return wanted if len(wanted) < 2 else list(dict.fromkeys(wanted))

    def _holdings(self, entry: Entry) -> Holdings:
        if entry.holdings is None:
            entry.holdings = Holdings(entry.task.claims)
        return entry.holdings

    def _forget(self, call: Call) -> None:
        self._locks.unwant(call)
        del call.entry.calls[call.number], self._waiting[call]
        self.stir()

    def _tell_waiting(self, call: Call, reason: str, blockers: list[Entry]) -> None:
        more = f" and {len(blockers) - 1} more" if len(blockers) > 1 else ""
        ids: tuple[TaskId, ...] = tuple(one.id for one in blockers[:BLOCKERS_TOLD])
        self._host.tell(Waiting(task=call.entry.id, reason=f"{reason}{more}", blockers=ids, number=call.number))


def may_restart(entry: Entry) -> bool:
    """Whether a task may be chosen to start anew."""
    return entry.holding and entry.supervised and not (entry.alone or entry.leaving)


def _who_hears(holder: Entry) -> Entry:
    """Who is to give way, so that it happens at once.

    Whoever has a hold hears of it when it waits for a claim or for a command of its own. Else it may itself be waiting for the
    command that it runs in.
    """
    carrier = holder.carrier
    listens = holder.calls or any(child.status is None for child in holder.children)
    if not holder.task.hold or listens or carrier is None or not may_restart(carrier):
        return holder
    return carrier


def _note_supervision(entry: Entry) -> None:
    if not entry.supervised:
        for one in (entry, *entry.ancestors):
            one.supervised = True


def _age(call: Call) -> tuple[float, int, int]:
    return call.entry.ready_at, call.entry.order, call.serial


def _first(one: Call, other: Call) -> bool:
    """Whether `one` goes before `other`."""
    if precedes(one.entry, other.entry) or precedes(other.entry, one.entry):
        return precedes(one.entry, other.entry)
    return _age(one) < _age(other)


def _youth(wait: Wait) -> tuple[float, int, float, int]:
    entry = wait.holder
    assert entry is not None
    root = entry.ancestors[-1] if entry.ancestors else entry
    return root.ready_at, root.order, entry.ready_at, entry.order


def _deadline(call: Call) -> float:
    if call.blocked_since is None:
        return math.inf
    return call.blocked_since + max(0.0, call.entry.task.lock_timeout - call.waited)
