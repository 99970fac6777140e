"""Campaigns: many trials, all drawn from one seed. What they find is evidence for the criteria; what fails is shrunk.

Before the first trial each command is run alone, twice, to see what it does when nothing strikes, and once for each kind of fault, to see
how many of its calls that could strike. So a planned fault does strike: one that does not makes the run invalid.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from pytest_cbx.chaos.faults.kinds import Family, Kind, Planned
from pytest_cbx.chaos.leases import Leases, Planted
from pytest_cbx.chaos.model import Evidence, OperationClass, TreeState, Trial
from pytest_cbx.chaos.origin import Origin
from pytest_cbx.chaos.schedules import Applicable, Schedule, Strike, draw, name_of
from pytest_cbx.chaos.shrinking import Shrunk, paste, shrink
from pytest_cbx.chaos.tree import Entry, Snapshot, alike, snapshot
from pytest_cbx.chaos.trial import Bench, Check, Work
from pytest_cbx.client.api import Cbx
from pytest_cbx.errors import UsageError
from pytest_cbx.faults.model import Clock, Delay, Exit, Memory, NoStart, OwnDisk, Trigger

_MB = 1024 * 1024
_NEEDS: Mapping[str, tuple[tuple[str, Any], ...]] = {
    "clock_jump": (("seconds", 86400.0),),
    "exit_code": (("code", 3),),
    "latency": (("seconds", 0.01),),
    "memory_limit": (("by", "rlimit"), ("limit", 1024 * _MB)),
    "memory_pressure": (("limit", 64 * _MB),),
    "slow": (("seconds", 0.005),),
    "stop": (("seconds", 0.02),),
    "timed_out": (("seconds", 0.02),),
}
"""Keywords with which a kind takes part in campaigns."""
_ONCE = frozenset({"kill", "stop", "torn_write", "exit_code", "no_start", "memory_limit", "memory_pressure"})
"""Kinds that make no sense from the n-th call on: the first strike ends the command, or lasts by itself."""
_NOT_IN_TRIALS = frozenset({"hang"})
"""Ends by a time-out only, and so costs its length each time."""
_OWN_CALLS = 3
"""Disk calls of its own that the engine makes at least, for any command: they are not counted, as any of them may be struck."""
_PROBE = 1e-6
"""Seconds that a call is held up to be counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a campaign found."""

    evidence: Evidence
    schedules: tuple[Schedule, ...]
    """Of all trials, in order."""
    shrunk: Shrunk | None
    """The least form of the first schedule that failed; None: none did."""
    commands: tuple[str, ...]
    seconds: float

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All of them."""
        return self.evidence.trials

    @property
    def failed(self) -> tuple[Trial, ...]:
        """Those after which something was wrong."""
        return tuple(trial for trial in self.trials if _failed(trial))

    @property
    def ok(self) -> bool:
        """Whether nothing was wrong, and every planned fault struck."""
        return not self.failed and not self.evidence.invalid and not any(trial.unfired for trial in self.trials)

    def __str__(self) -> str:
        hits = sum(len(trial.hits) for trial in self.trials)
        made = f"{len(self.trials)} trials with seed {self.evidence.seed} in {self.seconds:.1f} s, {hits} strikes"
        lines = [f"{made}: {len(self.failed)} failed", *(f"  {reason}" for reason in self.evidence.invalid)]
        for trial in self.failed[:3]:
            why = "; ".join(one.reason for one in trial.operations if one.reason) or "it did not come right once healed"
            ended = ", ".join(f"{one.name} {one.status}" for one in trial.operations if one.status)
            lines.append(f"  trial {trial.number} ({ended}): {why}")
        unfired = [trial for trial in self.trials if trial.unfired]
        if unfired:
            lines.append(
                f"  INVALID: in {len(unfired)} trials a planned fault did not strike, in trial {unfired[0].number} for the first time"
            )
        if self.shrunk is not None:
            steady = "each time" if self.shrunk.steady else f"{self.shrunk.confirmed} times of 3: it depends on chance"
            count = len(self.shrunk.schedule.strikes)
            lines += [
                f"the least schedule that fails, {steady}, with {count} fault{'s' if count != 1 else ''}:",
                "",
                paste(self.shrunk.schedule, self.commands),
                f"or again: --cbx-chaos-seed {self.evidence.seed}",
            ]
        return "\n".join(lines)


def campaign(
    cbx: Cbx,
    leases: Leases,
    kinds: Mapping[str, Kind],
    commands: Sequence[str | tuple[str, str]],
    *,
    faults: Sequence[str] = (),
    trials: int = 100,
    seed: int = 1,
    seconds: float = 600.0,
    together: int = 2,
    check: Check | None = None,
    renew: Callable[[], None] = lambda: None,
    progress: Callable[[int, int], None] = lambda done, all_: None,
) -> Result:
    """Run a campaign in the directory of `cbx`, which is put back after each trial. See `Chaos.campaign`."""
    chosen = _chosen(kinds, faults)
    texts = [(command, command.split()[0]) if isinstance(command, str) else command for command in commands]
    if not texts:
        raise UsageError("chaos.campaign: there are no commands")
    began = time.monotonic()
    with Origin(cbx.path) as origin:
        works = [_observe(cbx, origin, text, kind) for text, kind in texts]
        applicable = [_applicable(cbx, leases, origin, chosen, place, work) for place, work in enumerate(works)]
        if not any(applicable):
            raise UsageError(f"chaos.campaign: none of {', '.join(sorted(chosen))} can strike any of these commands")

        def plant(strike: Strike) -> Planted:
            return leases.plant(strike.kind, kinds[strike.kind].build(**strike.given))

        bench = Bench(cbx, plant, origin, works, renew=renew, check=check)
        apart = _apart(works)
        schedules: list[Schedule] = []
        found: list[Trial] = []
        invalid: tuple[str, ...] = ()
        for number in range(1, trials + 1):
            if time.monotonic() - began > seconds:
                invalid = (f"{number - 1} of {trials} trials were made in the {seconds:g} s that there were",)
                break
            schedule = draw(seed, number, applicable, apart=apart, together=together)
            schedules.append(schedule)
            found.append(bench.run(schedule))
            progress(number, trials)
        shrunk = None
        first = next((at for at, trial in enumerate(found) if _failed(trial)), None)
        if first is not None:
            shrunk = shrink(schedules[first], lambda one: _failed(bench.run(one)))
    return Result(
        evidence=Evidence(seed=seed, trials=tuple(found), invalid=invalid),
        schedules=tuple(schedules),
        shrunk=shrunk,
        commands=tuple(text for text, _ in texts),
        seconds=time.monotonic() - began,
    )


def _failed(trial: Trial) -> bool:
    bad = (OperationClass.WRONG, OperationClass.UNKNOWN, OperationClass.COLLATERAL)
    return (
        trial.tree is TreeState.OTHER
        or not trial.converged
        or not trial.rolled_back
        or any(one.result in bad for one in trial.operations)
    )


def _chosen(kinds: Mapping[str, Kind], faults: Sequence[str]) -> dict[str, Kind]:
    """By names of kinds or of classes; none: all that this machine has.

    Raises:
        UsageError: there is no such kind or class.
    """
    families = {family.value for family in Family}
    for name in faults:
        if name not in kinds and name not in families:
            raise UsageError(
                f"there is no fault {name!r}; there are {', '.join(sorted(families))}, and of these {', '.join(sorted(kinds))}"
            )
    return {
        name: kind
        for name, kind in kinds.items()
        if (not faults or name in faults or kind.family.value in faults)
        and (name in faults or (name not in _NOT_IN_TRIALS and not kind.missing()))
    }


def _observe(cbx: Cbx, origin: Origin, text: str, kind: str) -> Work:
    """What a command does when nothing strikes.

    Raises:
        UsageError: it fails by itself.
    """
    seen: list[Snapshot] = []
    for _ in range(2):
        outcome = cbx.run(text)
        if not outcome.ok:
            raise UsageError(f"a campaign needs commands that pass when nothing strikes: {outcome}")
        seen.append(snapshot(cbx.path))
        origin.restore()
    return Work(text=text, kind=kind, effect=_effect(origin.before, seen[0]), steady=alike(*seen))


def _effect(before: Snapshot, after: Snapshot) -> dict[bytes, Entry | None]:
    found: dict[bytes, Entry | None] = {}
    for path in before.keys() | after.keys():
        old, new = before.get(path), after.get(path)
        if new is None:
            found[path] = None
        elif old is None or replace(old, mtime=0) != replace(new, mtime=0):
            found[path] = new
    return found


def _apart(works: Sequence[Work]) -> dict[int, frozenset[int]]:
    """Which commands change the same paths, or do not do the same each time: what is there afterwards could not be told."""
    return {
        place: frozenset(
            other
            for other, two in enumerate(works)
            if other != place and (one.effect.keys() & two.effect.keys() or not (one.steady and two.steady))
        )
        for place, one in enumerate(works)
    }


def _applicable(  # noqa: PLR0917
    cbx: Cbx, leases: Leases, origin: Origin, kinds: Mapping[str, Kind], place: int, work: Work
) -> tuple[Applicable, ...]:
    """What can strike a command, by what it was seen to call."""
    found = []
    counted: dict[object, int] = {}
    for name, kind in sorted(kinds.items()):
        given = dict(_NEEDS.get(name, ()))
        planned = kind.build(**given)
        key = (planned.trigger.calls, planned.trigger.path, isinstance(planned.action, OwnDisk))
        if isinstance(planned.action, Exit | NoStart | Memory):
            calls = 1
        elif key in counted:
            calls = counted[key]
        else:
            calls = counted[key] = _count(cbx, leases, origin, planned, place, work)
        if calls:
            lasts = name not in _ONCE
            family = kind.family
            keywords = tuple(sorted(given.items()))
            found.append(Applicable(kind=name, family=family, calls=calls, keywords=keywords, lasts=lasts))
    return tuple(found)


def _count(  # noqa: PLR0917
    cbx: Cbx, leases: Leases, origin: Origin, planned: Planned, place: int, work: Work
) -> int:
    """How many calls of a command a fault could strike: each is held up for a moment."""
    trigger = planned.trigger
    if isinstance(planned.action, OwnDisk):
        return _OWN_CALLS  # every transaction makes so many
    watching = planned.action if isinstance(planned.action, Clock) else Delay(seconds=_PROBE)
    probe = replace(planned, action=watching, trigger=_from_the_first(trigger))
    with leases.plant("probe", probe) as fault:
        cbx.run(work.text, name=name_of(place))
        hits = len(fault.hits)
    origin.restore()
    return hits


def _from_the_first(trigger: Trigger) -> Trigger:
    return msgspec.structs.replace(trigger, at=1, lasting=True, probability=1.0, command="*")
