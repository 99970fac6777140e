"""What the engine knows of one supervised attempt of a command: its listener, its transaction, what it may touch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_cbx.engine.coverage import Coverage
from pytest_cbx.execute.kernel.seccomp import Listener, Notification
from pytest_cbx.execute.supervision.decode import Decoder
from pytest_cbx.execute.supervision.deeds import Trap
from pytest_cbx.plan.model import Claim
from pytest_cbx.schedule.model import TaskId
from pytest_cbx.transaction.transaction import Transaction

if TYPE_CHECKING:
    from pytest_cbx.engine._fastpath import Lane

OBSERVED_MAX = 10_000
"""Paths beyond the prediction that are remembered of one attempt."""
TOLD_MAX = 50
"""Refusals and paths outside that are told of one attempt."""


Meet = Callable[["Watched", Notification], bool]
"""Whether a fault has taken a call over."""


@dataclass(slots=True, eq=False)
class Watched:
    """One attempt under a listener of its own."""

    task: TaskId
    label: str
    listener: Listener
    decoder: Decoder
    roots: tuple[bytes, ...]
    """What its transaction covers; canonical, the work tree first."""
    writes: Coverage
    """What it may change without asking."""
    reads: Coverage | None
    """What it may read without asking; None: reads are not trapped."""
    ports: frozenset[Claim] = frozenset()
    """Claims on ports that it holds."""
    outputs: frozenset[bytes] = frozenset()
    """The files that take its output: opened anew as `/dev/stdout`, they are nothing that it changes."""
    shares: bool = False
    """It has claims that others may have at the same time, though both change what is there: caches."""
    parent: Watched | None = None
    transaction: Transaction | None = None
    """Begun at the first change."""
    waiting: dict[int, tuple[Trap, tuple[bytes, ...]]] = field(default_factory=dict)
    """Callers that wait for a claim, by number of the call, with the paths they asked for."""
    untold: list[Claim] = field(default_factory=list)
    """Claims that it took while nobody else ran; the scheduler does not know them yet."""
    beyond: dict[bytes, str] = field(default_factory=dict)
    """What it touched beyond its prediction, and how."""
    outside: dict[bytes, None] = field(default_factory=dict)
    refused: dict[str, None] = field(default_factory=dict)
    failure: str = ""
    """Why the engine ended it: a pre-image that does not fit, a journal that cannot be written."""
    ended: bool = False
    meet: Meet | None = None
    """Asked first about each call; None: no fault strikes it."""
    lane: Lane | None = None
    """The fast path of its calls."""

    def lineage(self) -> Iterator[Watched]:
        """This one and those that it is nested in."""
        one: Watched | None = self
        while one is not None:
            yield one
            one = one.parent

    def note_beyond(self, path: bytes, mode: str) -> None:
        """It touched what its prediction did not tell."""
        if len(self.beyond) < OBSERVED_MAX:
            self.beyond.setdefault(path, mode)

    def note_outside(self, path: bytes) -> None:
        """It changes something that no transaction covers."""
        if len(self.outside) < TOLD_MAX:
            self.outside[path] = None

    def note_refused(self, what: str) -> None:
        """A call of it was refused."""
        if len(self.refused) < TOLD_MAX:
            self.refused[what] = None
