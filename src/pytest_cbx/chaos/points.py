"""A fault at the first call of a command, at the second, at the third …: every point at which it can strike.

As SQLite tests itself: n = 1, 2, 3 … until the command ends untouched.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from pytest_cbx.chaos.leases import Planted
from pytest_cbx.chaos.model import Operation, OperationClass, Phase, TreeState, Trial
from pytest_cbx.chaos.origin import Origin
from pytest_cbx.chaos.strays import strays
from pytest_cbx.chaos.tree import Snapshot, alike, describe, snapshot
from pytest_cbx.client.api import Cbx
from pytest_cbx.client.outcome import Outcome
from pytest_cbx.engine.recover import journal_bytes
from pytest_cbx.errors import EngineLost
from pytest_cbx.faults.model import Fault, Hit, OwnDisk, Signal

_SHOWN = 10
HANG_S = 5.0
"""Seconds beyond its time-out that a command may take to be ended."""
_LIMIT = 100_000
"""Points; a command that makes more calls is not for an exhaustive run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One strike, and what came of it."""

    number: int
    """Which call was struck, from 1."""
    lasting: bool
    """It struck again and again from there on."""
    call: str
    path: str
    status: str
    """Of the outcome; `engine lost` where the engine was killed."""
    rolled_back: bool
    incomplete: tuple[str, ...]
    state: TreeState
    fault: Fault
    hits: tuple[Hit, ...]
    seconds: float = 0.0
    recovery_s: float | None = None
    journal_bytes: int = 0
    """Seconds from a kill until the next command had passed."""
    healed_late: bool = False
    """What was undone in part at first was undone completely once the fault had healed and another engine had started."""
    accepted: bool = False
    """It passed without something that it can do without, sound by its own check."""
    wrong: str = ""
    """For people: what must not be; empty where all is well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """All points of one command under one kind of fault."""

    kind: str
    command: str
    points: tuple[Point, ...]

    @property
    def count(self) -> int:
        """How many there were."""
        return len(self.points)

    @property
    def wrong(self) -> tuple[Point, ...]:
        """Those after which something was not as it must be."""
        return tuple(point for point in self.points if point.wrong)

    def trials(self, *, work: str = "") -> tuple[Trial, ...]:
        """The same for the criteria. `work`: what sort of operation it is, by default the first word of the command."""
        return tuple(self._trial(point, work or self.command.split()[0]) for point in self.points)

    def _trial(self, point: Point, work: str) -> Trial:
        passed = point.status == "passed"
        result = OperationClass.OK if passed else OperationClass.INJECTED
        operation = Operation(
            name=self.command.splitlines()[0][:60],
            command=self.command,
            kind=work,
            result=OperationClass.WRONG if point.wrong else result,
            reason=point.wrong,
            hits=(point.fault.id,),
            status=point.status,
            seconds=point.seconds,
        )
        action = point.fault.action
        return Trial(
            number=point.number,
            seed=point.fault.trigger.seed,
            faults=(point.fault,),
            hits=point.hits,
            operations=(operation,),
            tree=TreeState.OTHER if point.wrong else point.state,
            rolled_back=not point.wrong,
            healed_late=point.healed_late,
            phase=Phase.ROLLBACK if isinstance(action, OwnDisk) and action.phase == "end" else Phase.COMMAND,
            persistent=point.lasting,
            point=point.number,
            recovery_s=point.recovery_s,
            journal_bytes=point.journal_bytes,
        )

    def __str__(self) -> str:
        calls = Counter(point.call for point in self.points)
        made = ", ".join(f"{count} × {call or 'by time'}" for call, count in calls.most_common(6))
        accepted = sum(point.accepted for point in self.points)
        sound = f", {accepted} passed without something, sound by the tool's own check" if accepted else ""
        lines = [
            f"{self.kind} at each of {self.count} points of `{self.command}` ({made}): {len(self.wrong)} wrong{sound}"
        ]
        for point in self.wrong[:_SHOWN]:
            how = "from it on" if point.lasting else "once"
            lines.append(f"  {point.number} ({point.call} {point.path}, {how}): {point.wrong}")
        return "\n".join(lines)


def every_point(
    cbx: Cbx,
    plant: Callable[[int, bool], Planted],
    command: str,
    *,
    kind: str,
    lasting: tuple[bool, ...] = (False,),
    accept: Callable[[], str] | None = None,
    step: int = 1,
    most: int = 0,
    timeout: float = 60.0,
    renew: Callable[[], None] = lambda: None,
) -> Points:
    """Strike a command at its first call, its second, and so on, each in the same tree.

    After a strike the command has failed and the tree is exactly as before, or it has passed and the tree is as it makes it unstruck
    (times aside). `plant` puts the fault at the n-th call in force. `accept`: asked where a command passed although something is
    missing, since it can do without; returns what is wrong with the tree, by the tool's own check. `step`: every so many points only.
    `most`: no more points than that, evenly spread.
    `renew`: leaves the engine, so that the next command starts another one, which finishes what was undone in part.
    """
    with Origin(cbx.path) as origin:
        passed: list[tuple[Point, Snapshot]] = []
        found: list[Point] = []
        post: Snapshot | None = None
        for again in lasting:
            for number in _numbers(cbx, plant, command, step=step, most=most, timeout=timeout, origin=origin):
                with plant(number, again) as fault:
                    began = time.monotonic()
                    outcome, journal = _run(cbx, command, timeout)
                    took = time.monotonic() - began
                    hits = fault.hits
                    recovered = _recovered(cbx, fault.fault, hits)
                late = outcome is not None and bool(outcome.rollback_incomplete)
                if late:
                    renew()
                    cbx.run("true")
                now = snapshot(cbx.path)
                if not hits:
                    post = now
                    break
                point = _judged(number, again, fault.fault, hits, outcome, describe(origin.before, now))
                point = replace(point, healed_late=late, seconds=took, recovery_s=recovered, journal_bytes=journal)
                point = replace(point, wrong=point.wrong or _untrue(cbx, point, outcome, timeout))
                if point.state is TreeState.PRE and not (outcome is not None and outcome.ok):
                    found.append(point)
                else:
                    wrong = accept() if accept is not None and outcome is not None and outcome.ok else ""
                    passed.append((replace(point, wrong=point.wrong or wrong), now))
                    origin.restore()
            origin.restore()
    for point, then in passed:
        found.append(_compared(point, then, post, accepted=accept is not None))
    return Points(kind=kind, command=command, points=tuple(sorted(found, key=lambda one: (one.lasting, one.number))))


def _numbers(
    cbx: Cbx,
    plant: Callable[[int, bool], Planted],
    command: str,
    *,
    step: int,
    most: int,
    timeout: float,
    origin: Origin,
) -> Iterator[int]:
    """Which calls are struck, until the caller has had enough."""
    if not most:
        yield from range(1, _LIMIT, step)
        return
    high = 1
    while True:  # how many there are: double until the fault does not strike any more
        with plant(high, False) as fault:
            _run(cbx, command, timeout)
            fired = fault.fired
        origin.restore()
        if not fired:
            break
        high *= 2
    stride = max(step, -(-high // (2 * most)))
    yield from range(1, high, stride)
    yield high  # does not strike


def _run(cbx: Cbx, command: str, timeout: float) -> tuple[Outcome | None, int]:
    """None, and the bytes of the journal: the engine was lost; the next one has put the tree right when this returns."""
    try:
        return cbx.run(command, timeout=timeout, rollback="on-failure"), 0
    except EngineLost:
        journal = journal_bytes(cbx.root)
        cbx.run("true")
        return None, journal


def _recovered(cbx: Cbx, fault: Fault, hits: tuple[Hit, ...]) -> float | None:
    """Seconds from a kill to the success of the next command; None: nobody was killed."""
    if not hits or not isinstance(fault.action, Signal) or fault.action.number != signal.SIGKILL:
        return None
    return time.time() - hits[0].at if cbx.run("true").ok else float("inf")


def _judged(  # noqa: PLR0917 - what there is to judge by
    number: int,
    lasting: bool,
    fault: Fault,
    hits: tuple[Hit, ...],
    outcome: Outcome | None,
    differences: list[str],
) -> Point:
    point = Point(
        number=number,
        lasting=lasting,
        call=hits[0].call,
        path=hits[0].path,
        fault=fault,
        hits=hits[:1],
        status=outcome.status if outcome is not None else "engine lost",
        rolled_back=outcome is None or outcome.rolled_back,
        incomplete=outcome.rollback_incomplete if outcome is not None else (),
        state=TreeState.OTHER if differences else TreeState.PRE,
    )
    if differences and (outcome is None or not outcome.ok):
        return replace(point, wrong=f"it {point.status}, and the tree is not as before: {'; '.join(differences[:3])}")
    return point


def _untrue(cbx: Cbx, point: Point, outcome: Outcome | None, timeout: float) -> str:
    """What else must not be, whatever the tree looks like."""
    left = strays(cbx.path)
    if left:
        return f"it {point.status}, and is still at work: {', '.join(left)}"
    if outcome is not None and outcome.duration > timeout + HANG_S:
        return f"it hung: {outcome.duration:.1f} s, where its time-out was {timeout:g} s"
    if isinstance(point.fault.action, OwnDisk) and point.call == "fsync" and outcome is not None and outcome.ok:
        return "it passed, though the disk did not confirm what was to be kept"
    return ""


def _compared(point: Point, now: Snapshot, post: Snapshot | None, *, accepted: bool) -> Point:
    """A strike that the command survived."""
    if point.wrong:
        return point
    if post is None:
        return replace(point, wrong="it passed, and never ended unstruck, so that nobody knows what is right")
    if alike(now, post):
        return replace(point, state=TreeState.POST)
    if accepted:
        return replace(point, state=TreeState.POST, accepted=True)
    return replace(point, wrong="it passed, and the tree is not as it makes it unstruck")
