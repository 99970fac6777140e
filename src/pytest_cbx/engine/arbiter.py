"""Whom the guard asks and tells: what it needs of the rest of the engine."""

from __future__ import annotations

from typing import Protocol

from pytest_cbx.engine.borders import Registrar
from pytest_cbx.engine.watched import Watched
from pytest_cbx.execute.supervision.deeds import Trap
from pytest_cbx.plan.model import Claim
from pytest_cbx.schedule.model import TaskId
from pytest_cbx.transaction.transaction import Transaction


class Arbiter(Registrar, Protocol):
    """Who decides on claims, and is told what turns up."""

    def alone(self, task: TaskId) -> bool:
        """Whether no other command runs that is not of its family."""

    def reach(self, watched: Watched, claims: tuple[Claim, ...], number: int) -> None:
        """A running command needs claims; `Guard.granted` is called when it has them, perhaps at once."""

    def begin(self, watched: Watched, trap: Trap) -> Transaction | None:
        """Begin the transaction of an attempt. None: it is being stopped instead. Raises `JournalError`."""

    def starved(self, watched: Watched, number: int) -> bool:
        """A call waits for the room that other transactions take; `Guard.granted` is called when one of them has ended.
        False: no other takes any."""

    def withdraw(self, watched: Watched, number: int) -> None:
        """A call waits no longer."""

    def surprised(self, leader: int, trap: Trap) -> bool:
        """A SAFE command tries to change something. True: it stays suspended, and is ended. False: nobody knows whose it is, or it
        is being ended in good order."""

    def fail(self, watched: Watched, reason: str) -> None:
        """An attempt cannot go on; what it did is to be undone."""
