"""Where a run can be killed, and what has to come of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Where(Enum):
    """In which part of a run the calls are counted."""

    TRAP = "at a trapped call"
    """Of the command: n mutating calls of its own have been let through, or n - 1."""
    JOURNAL = "while it is recorded"
    """A file operation of the engine while the command runs: pre-images, the journal."""
    COMMIT = "in the commit"
    """And after it, until the engine has gone."""
    ROLL_BACK = "in the roll back"
    """And after it."""
    RECOVERY = "in the recovery"
    """Of a run that was killed at its last trapped call."""

    @property
    def may_be_kept(self) -> bool:
        """Whether the changes may stand: the command itself had come to its end, and meant to keep them."""
        return self is Where.COMMIT


class Side(Enum):
    """Whether the call that the kill meets still happens. A `write` is cut in half by a kill before it."""

    BEFORE = "before"
    AFTER = "after"


class Victims(Enum):
    """Who is killed, in one go."""

    ALL = "engine, client and command"
    ORPHANING = "engine and client; the command lives on until recovery kills it"
    ENGINE = "the engine; its client cleans up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One kill."""

    where: Where
    number: int
    """The call that it meets, from 1."""
    side: Side
    victims: Victims = Victims.ALL
    again: int = 0
    """The first recovery is killed, too, at its nth file operation; 0: it is let be."""

    def __str__(self) -> str:
        more = f", recovery killed at {self.again}" if self.again else ""
        return f"{self.side.value} call {self.number} {self.where.value} (killed: {self.victims.value}{more})"


class Verdict(Enum):
    """What the tree was after recovery."""

    BEFORE = "as before"
    AFTER = "as after"
    UNKILLED = "the run ended first"
    WRONG = "neither"


def points(where: Where, number: int) -> list[Point]:
    """The kills at the nth call of a part of the run."""
    if where is Where.TRAP:
        first, second = (Victims.ALL, Victims.ORPHANING) if number % 2 else (Victims.ENGINE, Victims.ALL)
        return [
            Point(where=where, number=number, side=Side.BEFORE, victims=first),
            Point(where=where, number=number, side=Side.AFTER, victims=second, again=number if number % 3 == 0 else 0),
        ]
    sides = tuple(Side) if where in (Where.COMMIT, Where.ROLL_BACK) else (Side.BEFORE if number % 2 else Side.AFTER,)
    return [Point(where=where, number=number, side=side, again=number // 2 if number % 5 == 0 else 0) for side in sides]
