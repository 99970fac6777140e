"""One trial: commands run at once under faults; then all faults heal, and everything has to come right."""

from __future__ import annotations

import contextlib
import stat
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_cbx.chaos.leases import Planted
from pytest_cbx.chaos.model import Operation, OperationClass, Phase, TreeState, Trial
from pytest_cbx.chaos.origin import Origin
from pytest_cbx.chaos.points import HANG_S
from pytest_cbx.chaos.schedules import Schedule, Strike, name_of
from pytest_cbx.chaos.strays import strays
from pytest_cbx.chaos.tree import Entry, Snapshot, describe, snapshot
from pytest_cbx.client.api import Cbx
from pytest_cbx.client.outcome import Outcome
from pytest_cbx.config.model import CommandConfig, Rollback
from pytest_cbx.engine.recover import journal_bytes
from pytest_cbx.errors import EngineLost
from pytest_cbx.faults.model import Hit, OwnDisk, Signal

Check = Callable[[], str]
"""Says what is wrong with the tree by a tool's own measure; empty: nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A command of a campaign, and what it was observed to do when nothing strikes."""

    text: str
    kind: str
    effect: Mapping[bytes, Entry | None]
    """Path → what is there afterwards (None: nothing), as far as it differs from before; times aside."""
    steady: bool
    """It does the same each time. Else its success is judged by its exit code, and by `check`."""


def expected(before: Snapshot, done: Sequence[Work]) -> dict[bytes, Entry]:
    """The tree after these have passed, in this order; without times."""
    tree = {path: replace(entry, mtime=0) for path, entry in before.items()}
    for work in done:
        for path, entry in work.effect.items():
            if entry is None:
                tree.pop(path, None)
            else:
                tree[path] = replace(entry, mtime=0)
    return tree


def _without_times_of_folders(tree: Snapshot) -> dict[bytes, Entry]:
    return {path: replace(entry, mtime=0) if stat.S_ISDIR(entry.mode) else entry for path, entry in tree.items()}


class Bench:
    """Runs trials in one tree, which is put back after each."""

    def __init__(
        self,
        cbx: Cbx,
        plant: Callable[[Strike], Planted],
        origin: Origin,
        works: Sequence[Work],
        *,
        renew: Callable[[], None],
        timeout: float = 20.0,
        check: Check | None = None,
    ) -> None:
        self._cbx = cbx
        self._plant = plant
        self._origin = origin
        self._works = works
        self._renew = renew
        self._timeout = timeout
        self._check = check

    def run(self, schedule: Schedule) -> Trial:
        """One trial, from the tree as it was to the tree as it was."""
        planted = [self._plant(strike) for strike in schedule.strikes]
        outcomes: dict[int, Outcome] | None
        try:
            outcomes = self._at_once(schedule.commands)
        except EngineLost:
            outcomes = None
        finally:
            hits = tuple(hit for one in planted for hit in one.hits[:3])
            for one in planted:
                one.heal()
        late = self._settle(outcomes)
        journal = 0
        if outcomes is None:
            journal = journal_bytes(self._cbx.root)
            self._cbx.run("true")  # the next engine puts the tree right when it starts
        left = strays(self._cbx.path)
        operations, wrong = self._judge(schedule, outcomes, snapshot(self._cbx.path))
        converged, recovered_at, again = self._converge(schedule.commands, operations)
        kills = [hit.at for hit in hits if self._killed(planted, hit)]
        trial = Trial(
            number=schedule.number,
            seed=schedule.seed,
            faults=tuple(one.fault for one in planted),
            hits=hits,
            operations=(*operations, *again),
            tree=TreeState.OTHER if wrong else self._state(operations),
            converged=not converged and not left,
            rolled_back=not wrong,
            healed_late=late,
            recovery_s=recovered_at - max(kills) if kills else None,
            journal_bytes=journal,
            phase=Phase.ROLLBACK if any(_late_phase(one) for one in planted) else Phase.COMMAND,
            persistent=any(one.fault.trigger.lasting for one in planted),
        )
        self._origin.restore()
        return trial

    def _at_once(self, commands: Sequence[int]) -> dict[int, Outcome]:
        configs = [
            CommandConfig(
                name=name_of(place),
                run=self._works[place].text,
                line=0,
                timeout=self._timeout,
                rollback=Rollback.ON_FAILURE,
            )
            for place in commands
        ]
        return dict(zip(commands, self._cbx.run_all(configs), strict=True))

    def _settle(self, outcomes: Mapping[int, Outcome] | None) -> bool:
        """What was undone in part is undone completely by the next engine. Whether there was any."""
        if outcomes is None or not any(outcome.rollback_incomplete for outcome in outcomes.values()):
            return False
        self._renew()
        self._cbx.run("true")
        return True

    def _judge(
        self, schedule: Schedule, outcomes: Mapping[int, Outcome] | None, now: Snapshot
    ) -> tuple[tuple[Operation, ...], str]:
        """The class of each operation, and what is wrong with the tree."""
        passed = [place for place in schedule.commands if outcomes is not None and outcomes[place].ok]
        wrong = self._differs(now, passed, schedule.commands)
        found = []
        for place in schedule.commands:
            work = self._works[place]
            outcome = outcomes[place] if outcomes is not None else None
            result, reason = _class_of(outcome, wrong, self._timeout)
            found.append(
                Operation(
                    name=name_of(place),
                    command=work.text,
                    kind=work.kind,
                    result=result,
                    reason=reason,
                    hits=outcome.faults if outcome is not None else (),
                    status=outcome.status if outcome is not None else "engine lost",
                    exit_code=outcome.exit_code if outcome is not None else None,
                    seconds=outcome.duration if outcome is not None else 0.0,
                )
            )
        return tuple(found), wrong

    def _differs(self, now: Snapshot, passed: Sequence[int], ran: Sequence[int]) -> str:
        """What is not as it must be after these have passed, and the others of those that ran have not."""
        before = self._origin.before
        if not passed and len(ran) == 1:
            return "; ".join(describe(before, now)[:3])
        if not passed:
            # Whose work the times of a folder are that both have changed cannot be told.
            return "; ".join(describe(_without_times_of_folders(before), _without_times_of_folders(now))[:3])
        if not all(self._works[place].steady for place in passed):
            return self._check() if self._check is not None else ""
        wanted = expected(before, [self._works[place] for place in passed])
        seen = {path: replace(entry, mtime=0) for path, entry in now.items()}
        return "; ".join(describe(wanted, seen)[:3])

    def _converge(self, commands: Sequence[int], operations: Sequence[Operation]) -> tuple[str, float, list[Operation]]:
        """Without faults, what has not passed passes now. Returns what is wrong, when the first one had passed, and these operations."""
        first = 0.0
        again = [place for place, one in zip(commands, operations, strict=True) if one.status != "passed"]
        problems = []
        made: list[Operation] = []
        for place in again:
            with contextlib.suppress(EngineLost):
                outcome = self._cbx.run(
                    self._works[place].text, name=name_of(place), timeout=60, rollback=Rollback.ON_FAILURE
                )
                if outcome.ok:
                    first = first or time.time()
                    made.append(self._healed(place, OperationClass.OK))
                    continue
            made.append(self._healed(place, OperationClass.COLLATERAL))
            problems.append(f"{self._works[place].text!r} does not pass once all faults have healed")
        if not again:
            first = time.time()
        wrong = self._differs(snapshot(self._cbx.path), commands, commands)
        return "; ".join([*problems, *([wrong] if wrong else [])]), first or float("inf"), made

    def _healed(self, place: int, result: OperationClass) -> Operation:
        work = self._works[place]
        reason = "" if result is OperationClass.OK else "it failed after all faults had healed"
        return Operation(
            name=f"{name_of(place)} healed",
            command=work.text,
            kind=work.kind,
            result=result,
            reason=reason,
            healed=True,
        )

    def _state(self, operations: Sequence[Operation]) -> TreeState:
        return TreeState.POST if any(one.status == "passed" for one in operations) else TreeState.PRE

    @staticmethod
    def _killed(planted: Sequence[Planted], hit: Hit) -> bool:
        return any(one.id == hit.fault and isinstance(one.fault.action, Signal) for one in planted)


def _class_of(outcome: Outcome | None, wrong: str, timeout: float) -> tuple[OperationClass, str]:
    if wrong:
        return OperationClass.WRONG, wrong
    if outcome is not None and outcome.duration > timeout + HANG_S:
        return OperationClass.WRONG, f"it hung: {outcome.duration:.1f} s, where its time-out was {timeout:g} s"
    if outcome is None:
        return OperationClass.INJECTED, "its engine was killed"
    if outcome.ok:
        return OperationClass.OK, ""
    if outcome.faults:
        return OperationClass.INJECTED, ""
    if outcome.status in ("cancelled", "skipped", "failed", "lock-timeout"):
        return (
            OperationClass.COLLATERAL,
            f"it {outcome.status} though no fault hit it: {outcome.reason or outcome.exit_code}",
        )
    return OperationClass.UNKNOWN, f"its status is {outcome.status!r}"


def _late_phase(planted: Planted) -> bool:
    action = planted.fault.action
    return isinstance(action, OwnDisk) and action.phase == "end"
