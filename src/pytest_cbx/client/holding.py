"""Claims that this process holds itself, beside the commands of its work tree: what `cbx.transaction()` stands on."""

from __future__ import annotations

import atexit
import contextlib
import os
import stat
import weakref
from collections.abc import Callable
from functools import partial

import msgspec

from pytest_cbx.effects.model import Scope
from pytest_cbx.engine.client import Client
from pytest_cbx.engine.coverage import shown
from pytest_cbx.engine.protocol import Finished, FromEngine, Granted, HoldSpec, Lost, Started, Submission
from pytest_cbx.errors import CbxError, EngineLost, InternalError, TransactionConflict
from pytest_cbx.plan.model import Claim, Domain, Mode
from pytest_cbx.transaction.atomic import Access

_open: weakref.WeakSet[Hold] = weakref.WeakSet()


class Hold:
    """Claims from their first `reach` until `release`. Of the thread that the connection is of, as is the connection.

    The engine hears of it when the first claims are known: for these it queues up as a command does, so that a command that waits
    for them, too, has its turn.
    """

    def __init__(
        self,
        client: Client,
        spec: HoldSpec,
        *,
        pump: Callable[[float | None], None],
        before: Callable[[Hold], None],
        closed: Callable[[Hold], None],
    ) -> None:
        """`pump` waits for messages, at most so many seconds, and hands them to `take`. `before` is called before it is handed in,
        `closed` when it has ended."""
        self.id = spec.id
        self.undo: Callable[[], None] = partial(self.release, committed=False)
        """Undoes what is done under it and releases it, for the case that the connection ends first."""
        self._client = client
        self._spec = spec
        self._pump = pump
        self._before = before
        self._closed = closed
        self._submitted = self._begun = False
        self._held = set(spec.claims)
        self._numbers = 0
        self._granted = 0
        self._lost = ""

    def begin(self, *claims: Claim) -> None:
        """Hand it in, if that was not done, and wait until it holds what it asks for from its start, and these.

        Raises:
            TransactionConflict: that could not be had in time.
            EngineLost: the engine is gone.
        """
        if self._submitted:
            return
        self._before(self)
        self._submitted = True
        self._held.update(claims)
        spec = msgspec.structs.replace(self._spec, claims=list(dict.fromkeys((*self._spec.claims, *claims))))
        _open.add(self)
        self._client.submit(Submission(nodes=[spec]))
        while not self._begun:
            self._pump(None)
            self.check()

    def reach(self, claim: Claim) -> None:
        """Hold this, too; waits until nobody else does.

        Raises:
            TransactionConflict: others go first. Everything that was done under the hold must be undone.
            EngineLost: the engine is gone, and with it the claims.
        """
        self.check()
        if not self._submitted:
            self.begin(claim)
        if claim in self._held:
            return
        self._numbers += 1
        self._client.reach(self.id, self._numbers, [claim])
        while self._granted < self._numbers:
            self._pump(None)
            self.check()
        self._held.add(claim)

    def check(self) -> None:
        """Whether it is still held, as far as is known here.

        Raises:
            TransactionConflict, EngineLost: it is not.
        """
        if self._lost:
            raise TransactionConflict(self._lost)

    def look(self) -> None:
        """`check`, with what the engine has said meanwhile."""
        if self._submitted:
            self._pump(0)
        self.check()

    def release(self, *, committed: bool) -> None:
        """Let go."""
        _open.discard(self)
        self._closed(self)
        with contextlib.suppress(EngineLost, InternalError):
            if self._submitted:
                self._client.release(self.id, committed=committed)
            elif self._spec.journal:
                self._client.journal(self._spec.journal, opens=False)

    def take(self, message: FromEngine) -> None:
        """A message on it."""
        match message:
            case Started():
                self._begun = True
            case Granted():
                self._granted = max(self._granted, message.number)
            case Lost() | Finished():
                self._lost = self._lost or message.reason or "it was ended by the engine"
            case _:
                pass


def claim_on(path: bytes, access: Access, workspace: bytes) -> Claim:
    """What an operation on a path, as it is now, has to hold.

    As `engine.claiming` has it for trapped calls: a new path is no part of the sources that others read. A directory is meant with
    what is in it, and so is a new one: if it is taken back, nobody may have put something into it.
    """
    try:
        found = os.lstat(path)
    except OSError:
        found = None
    fresh = found is None and access is not Access.READ and access is not Access.DELETE
    tree = fresh or (found is not None and stat.S_ISDIR(found.st_mode))
    if access is Access.READ or (access is Access.DELETE and found is None):
        mode = Mode.READ
    elif access is Access.DELETE:
        mode = Mode.DELETE
    else:
        mode = Mode.CREATE if fresh else Mode.WRITE
    return Claim(
        domain=Domain.FILE,
        mode=mode,
        target=shown(path, workspace),
        scope=Scope.TREE if tree else Scope.PATH,
        ignored=fresh,
    )


def _undo_all() -> None:
    """The process ends inside of blocks that were never left (a fixture that nobody finished): the connection would end first."""
    for hold in sorted(_open, key=lambda one: one.id, reverse=True):
        with contextlib.suppress(CbxError):
            hold.undo()


# After that of `engine.client`, so that it runs before.
atexit.register(_undo_all)
