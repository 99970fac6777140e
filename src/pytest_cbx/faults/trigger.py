"""When a fault strikes: one state machine for each fault, without a clock, without I/O."""

from __future__ import annotations

import random
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from pytest_cbx.faults.globs import matches
from pytest_cbx.faults.model import CHANGING, Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A call that might be struck."""

    call: str
    changing: bool
    """Whether it changes something at its path."""
    path: str
    """Relative to the work tree where it lies in what the transaction covers, absolute elsewhere, empty where there is none."""
    programs: tuple[str, ...]
    """File names of the caller's program and of those that it descends from within its command."""
    command: str
    age: float
    """Seconds since the start of the command."""


class Aim:
    """Counts the calls that a trigger speaks of. The same calls in the same order give the same strikes."""

    def __init__(self, trigger: Trigger) -> None:
        self.trigger = trigger
        self.counted = 0
        """Calls for which all conditions held."""
        self.struck = 0
        self._random = random.Random(trigger.seed)

    @property
    def lasting(self) -> bool:
        """Whether it may strike more than once."""
        return self.trigger.lasting or self.trigger.probability < 1.0

    @property
    def spent(self) -> bool:
        """Whether it will never strike again."""
        return bool(self.struck) and not self.lasting and self.struck >= self.trigger.together

    def concerns(self, call: str) -> bool:
        """Whether a call of this name, or `CHANGING`, may count at all."""
        return call in self.trigger.calls

    def meets(self, moment: Moment) -> bool:
        """Count a call, and say whether it is struck."""
        if self.spent or not self._holds(moment):
            return False
        self.counted += 1
        trigger = self.trigger
        if trigger.probability < 1.0 and self._random.random() >= trigger.probability:
            return False  # drawn for each counted call, so that `at` does not shift the others
        due = self.counted >= trigger.at if self.lasting or trigger.together > 1 else self.counted == trigger.at
        self.struck += due
        return due

    def take_back(self) -> None:
        """The last call could not be struck after all: as if it had not been counted."""
        self.counted -= 1
        self.struck -= 1

    def _holds(self, moment: Moment) -> bool:
        trigger = self.trigger
        if not (moment.call in trigger.calls or (moment.changing and CHANGING in trigger.calls)):
            return False
        if moment.age < trigger.after or not _fits(trigger.command, moment.command):
            return False
        if trigger.program != "*" and not any(_fits(trigger.program, name) for name in moment.programs):
            return False
        if moment.path.startswith("/") and not trigger.path.startswith("/"):
            return False
        return trigger.path == "**" or matches(trigger.path, moment.path)


@lru_cache(maxsize=1024)
def _fits(pattern: str, name: str) -> bool:
    return any(one == "*" or fnmatchcase(name, one) for one in pattern.split("|"))
