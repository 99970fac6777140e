"""What a campaign yields and the criteria judge: operations, trials, measurements. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from pytest_cbx.faults.model import Fault, Hit


class OperationClass(Enum):
    """How an operation ended. See docs/chaos.md."""

    OK = "ok"
    """It passed, and said so."""
    INJECTED = "injected"
    """A fault hit it; it was reported truthfully and rolled back."""
    COLLATERAL = "collateral"
    """It failed, though no fault hit it."""
    WRONG = "wrong"
    """What was reported contradicts the disk, or it hung."""
    UNKNOWN = "unknown"


class TreeState(Enum):
    """The whole tree after an operation or a trial: content, mode, owner, links, times."""

    PRE = "pre"
    """As before."""
    POST = "post"
    """As the operation makes it when nothing strikes."""
    OTHER = "other"
    """Neither: corruption."""


class Phase(Enum):
    """When a fault strikes, for the cells of the rollback criterion."""

    COMMAND = "command"
    """While the command runs."""
    ROLLBACK = "rollback"
    """While it is being undone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One command of a trial, with all its attempts."""

    name: str
    command: str
    kind: str
    """What sort of work it is: `git commit`, `pip install` …; the rows of the rollback criterion."""
    result: OperationClass
    reason: str = ""
    """For people: why it is of this class."""
    hits: tuple[str, ...] = ()
    """Ids of the faults that hit it."""
    status: str = ""
    exit_code: int | None = None
    seconds: float = 0.0
    maskable: bool = False
    """The faults that hit it were declared maskable by a retry."""
    healed: bool = False
    """It ran after all faults had healed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One seeded run of some operations under some faults. The sampling unit: its operations share its fate."""

    number: int
    seed: int
    faults: tuple[Fault, ...]
    hits: tuple[Hit, ...]
    operations: tuple[Operation, ...]
    tree: TreeState
    converged: bool = True
    """After all faults had healed, the operations passed, and nothing was left over."""
    rolled_back: bool = True
    """What failed was undone completely, or reported incomplete and completed once healed (`healed_late`)."""
    healed_late: bool = False
    recovery_s: float | None = None
    """Seconds from the kill to the next operation's success; None: nothing was killed."""
    journal_bytes: int = 0
    """What transactions had kept when their engine was killed."""
    phase: Phase = Phase.COMMAND
    persistent: bool = False
    """Its fault struck again and again."""
    point: int = 0
    """Which call was struck, of an exhaustive run; 0: drawn at random."""

    @property
    def unfired(self) -> tuple[Fault, ...]:
        """Planned faults that did not strike: the run is INVALID by them."""
        fired = {hit.fault for hit in self.hits}
        return tuple(fault for fault in self.faults if fault.id not in fired)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The same commands run bare and under cbx, one after the other in one run."""

    bare_s: float
    cbx_s: float
    length_s: float = 0.0
    """Median of the commands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupancy:
    """Slots over a run, from the event log. Slot-seconds; those of slots under a fault are not in it."""

    wanted: float
    """While a startable command existed."""
    idle: float
    """Of these, the idle ones."""
    excluded: float = 0.0
    """Of slots under a fault."""
    reference_s: float = 0.0
    """Median length of the commands."""
    makespan_s: float = 0.0
    lower_bound_s: float = 0.0
    """max(work / slots, critical path)."""

    def __add__(self, other: Occupancy) -> Occupancy:
        """Both together; as long as the shorter commands."""
        return Occupancy(
            wanted=self.wanted + other.wanted,
            idle=self.idle + other.idle,
            excluded=self.excluded + other.excluded,
            reference_s=min(self.reference_s, other.reference_s),
            makespan_s=self.makespan_s + other.makespan_s,
            lower_bound_s=self.lower_bound_s + other.lower_bound_s,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that the criteria are judged by. Evidence of several sources adds up."""

    seed: int
    trials: tuple[Trial, ...] = ()
    pairs: tuple[Pair, ...] = ()
    occupancy: Occupancy | None = None
    repeat: str = ""
    """The shell command that repeats it."""
    invalid: tuple[str, ...] = ()
    """Why the run shows nothing, beside unfired faults: an unsupported fault, an interrupted campaign."""
    notes: tuple[str, ...] = field(default=())
    """What was left out, for people."""

    def __add__(self, other: Evidence) -> Evidence:
        """Both together; of what there is once, the first."""
        return Evidence(
            seed=self.seed or other.seed,
            trials=self.trials + other.trials,
            pairs=self.pairs + other.pairs,
            occupancy=self.occupancy + other.occupancy
            if self.occupancy and other.occupancy
            else self.occupancy or other.occupancy,
            repeat=self.repeat or other.repeat,
            invalid=self.invalid + other.invalid,
            notes=self.notes + other.notes,
        )

    @property
    def empty(self) -> bool:
        """Whether nothing was tried or measured."""
        return not (self.trials or self.pairs or self.occupancy or self.invalid)

    @property
    def only_points(self) -> bool:
        """Whether nothing but enumerated points was tried: no campaign, no measurement."""
        return not self.pairs and self.occupancy is None and all(trial.point for trial in self.trials)
