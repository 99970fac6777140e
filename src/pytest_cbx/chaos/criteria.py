"""The six criteria: what was measured, against what it must be. Values in, verdicts out.

Each has a population, a denominator and a bound; without enough of it a criterion does not pass. See docs/chaos.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import median

from pytest_cbx.chaos.bounds import ALPHA, needed, ratio, upper_ratio, upper_share
from pytest_cbx.chaos.faults.catalogue import family_of
from pytest_cbx.chaos.faults.kinds import Family
from pytest_cbx.chaos.model import Evidence, OperationClass, Phase, TreeState, Trial

FAILED_SHARE = 0.01
RATIO = 1.05
RECOVERY_S = 10.0
RECOVERIES = 59
"""So many without one over the limit put the 95th percentile below it, at 95 %: 0.95^59 < 0.05."""
UTILISATION = 0.999
PAIRS = 8
_NEVER = (OperationClass.WRONG, OperationClass.UNKNOWN)
"""What must not be, whether a fault hit it or not."""
CELLS = (
    (Family.INSTANCE, "once", Phase.COMMAND),
    (Family.DISK, "once", Phase.COMMAND),
    (Family.DISK, "lasting", Phase.COMMAND),
    (Family.DISK, "once", Phase.ROLLBACK),
    (Family.DISK, "lasting", Phase.ROLLBACK),
)
"""Cells of the roll back's matrix that each sort of work has to have been tried in, at least."""
_FEW = 5
OUT_OF_SCOPE = "the network, services and devices: what was sent cannot be called back"


class State(Enum):
    """How a criterion ends."""

    PASSED = "passed"
    FAILED = "failed"
    INVALID = "invalid"
    """The run shows nothing: neither passed nor failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One criterion."""

    name: str
    state: State
    measured: str
    """For people: what was counted, with its bound."""
    counts: dict[str, float]
    """What was counted, for programs."""
    bound: float | None
    """What the measurements leave possible, at confidence 1 − α; None: exact."""
    limit: float
    """What it must keep to."""
    details: tuple[str, ...] = ()
    """For people: the failures, what is missing, what is told beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """All six, of one run."""

    seed: int
    repeat: str
    verdicts: tuple[Verdict, ...]
    invalid: tuple[str, ...]
    """Why the run shows nothing."""
    notes: tuple[str, ...]

    @property
    def state(self) -> State:
        """Of the whole run."""
        states = {verdict.state for verdict in self.verdicts}
        if self.invalid:
            return State.INVALID
        return next(state for state in (State.FAILED, State.INVALID, State.PASSED) if state in states)


def judge(evidence: Evidence) -> Judgement:
    """All six criteria. A planned fault that did not fire makes the run invalid."""
    invalid = list(evidence.invalid)
    unfired = Counter(fault.kind for trial in evidence.trials for fault in trial.unfired)
    if unfired:
        told = ", ".join(f"{count} × {kind}" for kind, count in sorted(unfired.items()))
        invalid.append(f"planned faults did not strike: {told}")
    return Judgement(
        seed=evidence.seed,
        repeat=evidence.repeat,
        verdicts=tuple(criterion(evidence) for criterion in CRITERIA),
        invalid=tuple(invalid),
        notes=evidence.notes,
    )


def corruption(evidence: Evidence) -> Verdict:
    """The whole tree after each trial is as before, or as after; and as after where success was reported."""
    points = [trial for trial in evidence.trials if trial.point]
    drawn = [trial for trial in evidence.trials if not trial.point]
    bad = [trial for trial in evidence.trials if _is_corrupt(trial)]
    bound = upper_share(sum(map(_is_corrupt, drawn)), len(drawn))
    rule = f", so at most {3 / len(drawn):.2g} of all (3/n, at 95 %)" if drawn and not bad else ""
    return Verdict(
        name="zero corruption",
        state=_state(bad, enough=bool(points) and bool(drawn)),
        measured=f"{len(bad)} of {len(points)} enumerated points and {len(drawn)} random trials{rule}",
        counts={"corrupted": len(bad), "points": len(points), "trials": len(drawn)},
        bound=bound,
        limit=0.0,
        details=(
            *_shown(bad),
            *_missing(not points, "no point was enumerated: chaos.every_point"),
            *_missing(not drawn, "no trial was drawn at random: chaos.campaign"),
        ),
    )


def _is_corrupt(trial: Trial) -> bool:
    """Neither before nor after; or before, where success was reported; or not to be put right once all faults had healed."""
    said = any(one.result is OperationClass.OK and not one.healed for one in trial.operations)
    return trial.tree is TreeState.OTHER or (trial.tree is TreeState.PRE and said) or not trial.converged


def failed_operations(evidence: Evidence) -> Verdict:
    """Operations that failed though no fault hit them; trials are the sampling unit, as operations of one share its fate.

    The population: operations that no fault hit, and hits that a retry was declared to mask. A wrong or unknown one fails wherever it is.
    """
    counts: Counter[OperationClass] = Counter()
    bad: list[Trial] = []
    reasons: list[str] = []
    sampled = 0
    for trial in evidence.trials:
        population = [one for one in trial.operations if not one.hits or one.maskable or one.result in _NEVER]
        counts.update(one.result for one in population)
        failed = [one for one in population if one.result is not OperationClass.OK]
        sampled += bool(population)
        reasons += [f"{one.name}: {one.result.value}, {one.reason}" for one in failed]
        if failed:
            bad.append(trial)
    bound = upper_share(len(bad), sampled)
    total = counts.total()
    passed = bound < FAILED_SHARE and not any(counts[one] for one in _NEVER)
    return Verdict(
        name="< 1 % failed operations",
        state=State.PASSED if passed else _state(bad, enough=False),
        measured=(
            f"{len(bad)} of {sampled} trials, {total - counts[OperationClass.OK]} of {total} operations; at most {bound:.2%} "
            f"at {1 - ALPHA:.0%}"
        ),
        counts={
            "failed_trials": len(bad),
            "trials": sampled,
            "operations": total,
            **{k.value: v for k, v in counts.items()},
        },
        bound=bound,
        limit=FAILED_SHARE,
        details=(
            *reasons[:_FEW],
            *_missing(not bad and not passed, f"{needed(FAILED_SHARE)} trials without a failure are needed"),
        ),
    )


def degradation(evidence: Evidence) -> Verdict:
    """The same commands under cbx against a bare pool of the same width."""
    pairs = [(pair.bare_s, pair.cbx_s) for pair in evidence.pairs]
    if len(pairs) < PAIRS:
        return _unmeasured("< 5 % degradation", f"{len(pairs)} of {PAIRS} pairs were measured", RATIO)
    bound = upper_ratio(pairs)
    length = median(pair.length_s for pair in evidence.pairs)
    return Verdict(
        name="< 5 % degradation",
        state=State.PASSED if bound <= RATIO else State.FAILED,
        measured=(
            f"ratio of medians {ratio(pairs):.3f}, at most {bound:.3f} at {1 - ALPHA:.0%}; "
            f"{len(pairs)} pairs, commands of {length:.2f} s"
        ),
        counts={"pairs": len(pairs), "ratio": ratio(pairs)},
        bound=bound,
        limit=RATIO,
    )


def recovery(evidence: Evidence) -> Verdict:
    """From a kill to the next operation's success, with everything put right."""
    times = [trial.recovery_s for trial in evidence.trials if trial.recovery_s is not None]
    slow = [seconds for seconds in times if seconds >= RECOVERY_S]
    unconverged = [trial for trial in evidence.trials if trial.recovery_s is not None and not trial.converged]
    largest = max(times, default=0.0)
    journal = max((trial.journal_bytes for trial in evidence.trials), default=0)
    enough = len(times) >= RECOVERIES
    return Verdict(
        name="< 10 s recovery",
        state=_state([*slow, *unconverged], enough=enough),
        measured=(
            f"{len(times) - len(slow)} of {len(times)} recoveries in time; the longest took {largest:.2f} s, "
            f"the largest journal had {journal:,} bytes"
        ),
        counts={
            "recoveries": len(times),
            "late": len(slow),
            "unconverged": len(unconverged),
            "max_s": largest,
            "max_journal_bytes": journal,
        },
        bound=None,
        limit=RECOVERY_S,
        details=(
            *_shown(unconverged),
            *_missing(not enough, f"{RECOVERIES} recoveries are needed"),
        ),
    )


def utilisation(evidence: Evidence) -> Verdict:
    """Slots that are busy while something could be started."""
    found = evidence.occupancy
    if found is None or found.wanted <= 0:
        return _unmeasured("99.9 % utilisation", "no slot was wanted", UTILISATION)
    share = 1 - found.idle / found.wanted
    makespan = (
        f"; makespan {found.makespan_s / found.lower_bound_s:.3f} × its lower bound" if found.lower_bound_s else ""
    )
    return Verdict(
        name="99.9 % utilisation",
        state=State.PASSED if share >= UTILISATION else State.FAILED,
        measured=(
            f"{share:.3%} of {found.wanted:.1f} slot-seconds at {found.reference_s:.2f} s a command; "
            f"{found.excluded:.1f} under a fault left out{makespan}"
        ),
        counts={
            "wanted_s": found.wanted,
            "idle_s": found.idle,
            "excluded_s": found.excluded,
            "reference_s": found.reference_s,
        },
        bound=None,
        limit=UTILISATION,
    )


def rollback(evidence: Evidence) -> Verdict:
    """Operation × fault class × once or lasting × during the command or its roll back: every cell."""
    cells: dict[tuple[str, str, str, str], list[Trial]] = {}
    for trial in evidence.trials:
        for fault in trial.faults:
            for kind in {operation.kind for operation in trial.operations}:
                how = "lasting" if trial.persistent else "once"
                cells.setdefault((kind, family_of(fault.kind), how, trial.phase.value), []).append(trial)
    bad = {cell: [trial for trial in found if not trial.rolled_back] for cell, found in cells.items()}
    failed = {cell: found for cell, found in bad.items() if found}
    late = sum(trial.healed_late for trial in evidence.trials)
    untried = [
        f"{kind} × {family.value} × {how} × {phase.value}"
        for kind in sorted({cell[0] for cell in cells})
        for family, how, phase in CELLS
        if (kind, family.value, how, phase.value) not in cells
    ]
    enough = bool(cells) and not untried
    return Verdict(
        name="100 % rollback",
        state=_state(list(failed), enough=enough),
        measured=(
            f"{len(cells) - len(failed)} of {len(cells)} cells, {sum(map(len, cells.values()))} strikes; "
            f"{late} reported incomplete and completed once healed"
        ),
        counts={"cells": len(cells), "failed_cells": len(failed), "completed_late": late},
        bound=None,
        limit=1.0,
        details=(
            *[f"{' × '.join(cell)}: {len(found)} of {len(cells[cell])}" for cell, found in failed.items()][:_FEW],
            *_missing(not cells, "no fault was tried"),
            *_missing(bool(untried), f"not tried: {', '.join(untried[:_FEW])}{' …' if len(untried) > _FEW else ''}"),
            f"out of scope: {OUT_OF_SCOPE}",
        ),
    )


CRITERIA: tuple[Callable[[Evidence], Verdict], ...] = (
    corruption, failed_operations, degradation, recovery, utilisation, rollback,
)  # fmt: skip


def _state(bad: Sequence[object], *, enough: bool) -> State:
    if bad:
        return State.FAILED
    return State.PASSED if enough else State.INVALID


def _unmeasured(name: str, why: str, limit: float) -> Verdict:
    return Verdict(
        name=name, state=State.INVALID, measured="not measured", counts={}, bound=None, limit=limit, details=(why,)
    )


def _missing(wanting: bool, what: str) -> tuple[str, ...]:
    return (what,) if wanting else ()


def _shown(trials: Sequence[Trial]) -> list[str]:
    return [
        f"trial {trial.number} (seed {trial.seed}): {', '.join(fault.kind for fault in trial.faults)}"
        + "".join(f"; {one.name}: {one.reason}" for one in trial.operations if one.reason)
        for trial in trials[:_FEW]
    ]
