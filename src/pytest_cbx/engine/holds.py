"""Claims that a client itself holds for a while: what `cbx.transaction()` does to files takes turns with commands.

A hold ends when its client says so. When the client dies instead, what it had done is undone first, from its journal; only then
does anybody else get the claims. Until the dead client's journal is free (a child may have inherited its lock) it is tried again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pytest_cbx import events
from pytest_cbx.engine.herald import Herald
from pytest_cbx.engine.intake import check_journal
from pytest_cbx.engine.keeper import Keeper
from pytest_cbx.engine.ledger import Command, Session
from pytest_cbx.engine.protocol import Finished, Granted, HoldSpec, Journal, Lost, Release, Started
from pytest_cbx.engine.protocol import Reach as Wish
from pytest_cbx.errors import ProtocolError
from pytest_cbx.execute.kernel import files
from pytest_cbx.plan.model import Claim
from pytest_cbx.schedule.model import (
    Cancel,
    ClientId,
    Commit,
    End,
    Ended,
    Event,
    Grant,
    Reach,
    Restart,
    Start,
    Stop,
    TaskId,
)
from pytest_cbx.schedule.scheduler import Scheduler
from pytest_cbx.transaction.home import INSIDE, Home
from pytest_cbx.transaction.recovery import Action, JournalResult, recover_folder

RETRY = 0.01
"""Seconds until a journal that could not be had is tried again; doubled each time, up to `RETRY_MAX`."""
RETRY_MAX = 0.25
CLOSING = 1.0
"""Seconds for that when the engine ends. The next engine goes on."""
_PAUSE = 0.002


@dataclass(slots=True)
class _Hold:
    """One hold that has begun."""

    command: Command
    spec: HoldSpec
    inside: TaskId | None
    """The command that its client runs in."""
    claims: list[Claim]
    """All that it was granted."""
    wishes: dict[int, tuple[Claim, ...]] = field(default_factory=dict)
    """What it waits for, by number."""
    lost: bool = False
    """Its client was told to let go."""
    forsaken: bool = False
    """Its client has gone."""
    undone: bool = False
    """What its client did under it is undone, as far as it was not committed."""
    stays: bool = True
    """Its client died, and what it did may be there still: it had been committed, or cannot be undone."""
    pause: float = RETRY
    retry_at: float = 0.0
    """Clock of the loop; for those that are forsaken."""


@dataclass(slots=True)
class _Left:
    """A journal that a client had announced, under which nothing was done when it died."""

    folder: bytes
    pause: float = RETRY
    retry_at: float = 0.0


class Holds:
    """All holds of one engine."""

    def __init__(
        self,
        *,
        workspace: bytes,
        scheduler: Scheduler,
        keeper: Keeper,
        herald: Herald,
        commands: Mapping[TaskId, Command],
        sessions: Mapping[ClientId, Session],
        feed: Callable[[Event], None],
    ) -> None:
        self._workspace = workspace
        self._scheduler = scheduler
        self._keeper = keeper
        self._herald = herald
        self._commands = commands
        self._sessions = sessions
        self._feed = feed
        self._holds: dict[TaskId, _Hold] = {}
        self._announced: dict[ClientId, dict[bytes, None]] = {}
        """Journals that are not known to be gone."""
        self._left: list[_Left] = []

    # --- what clients say ----------------------------------------------------------------------------------

    def around(self, session: Session) -> TaskId | None:
        """What a client's next task is nested in: its innermost hold, else the command that it runs in itself.

        It waits for what it hands in, so that must not wait for what it holds.
        """
        mine = [task for task, hold in self._holds.items() if hold.command.client == session.id]
        return mine[-1] if mine else session.parent

    def announced(self, session: Session, message: Journal) -> None:
        """A client makes a journal, or has removed it."""
        check_journal(message.folder)
        mine = self._announced.setdefault(session.id, {})
        if message.open:
            mine[message.folder] = None
        else:
            mine.pop(message.folder, None)

    def wish(self, session: Session, message: Wish) -> None:
        """A client needs more.

        Raises:
            ProtocolError: it waits for this number already, or has no such hold.
        """
        hold = self._holds.get(_task(session, message.id))
        if hold is None or hold.lost:
            return  # it will read that it has lost it
        if message.number in hold.wishes:
            raise ProtocolError(f"the hold {message.id} waits for its claims number {message.number} already")
        claims = tuple(message.claims)
        task = hold.command.id
        if not self._scheduler.free(task, claims):
            claims = self._keeper.judged(claims)
        hold.wishes[message.number] = claims
        self._feed(Reach(task=task, claims=claims, number=message.number))

    def release(self, session: Session, message: Release) -> None:
        """A client lets go."""
        task = _task(session, message.id)
        hold = self._holds.get(task)
        command = self._commands.get(task)
        if command is not None and isinstance(command.spec, HoldSpec):
            self._announced.get(session.id, {}).pop(command.spec.journal, None)
        if hold is not None:
            self._end(hold, committed=message.committed)
        elif task in session.live:
            self._feed(Cancel(client=session.id, tasks=(task,), reason="its client needs it no more"))

    # --- what the scheduler decides ------------------------------------------------------------------------

    def obey(self, decision: Start | Stop | Restart | Grant | Commit) -> None:
        """A decision on a hold."""
        if isinstance(decision, Start):
            self._begin(self._commands[decision.task])
            return
        hold = self._holds.get(decision.task)
        if hold is None:
            return  # its client has let go, and committed what it did, if it wished to
        match decision:
            case Grant():
                self._granted(hold, decision.number)
            case Stop() | Restart():
                self._lose(hold, decision.reason)
            case Commit():
                pass

    def tell_end(self, session: Session, spec: HoldSpec, decision: End) -> None:
        """It is over, or has never begun."""
        session.post(Finished(id=spec.id, status=decision.status.value, reason=decision.reason))

    def _begin(self, command: Command) -> None:
        spec = command.spec
        assert isinstance(spec, HoldSpec)
        session = self._sessions[command.client]
        command.attempts, command.started_at = 1, time.time()
        self._holds[command.id] = _Hold(command, spec, session.parent, list(spec.claims))
        session.post(Started(id=spec.id, pid=0, start_ticks=0, slot=-1, attempt=1, at=command.started_at))

    def _granted(self, hold: _Hold, number: int) -> None:
        claims = hold.wishes.pop(number, None)
        session = self._sessions.get(hold.command.client)
        if claims is None or session is None:
            return
        hold.claims += claims
        session.post(Granted(id=hold.spec.id, number=number))

    def _lose(self, hold: _Hold, reason: str) -> None:
        """The client is to undo what it did, and to let go then."""
        hold.lost = True
        hold.wishes.clear()
        session = self._sessions.get(hold.command.client)
        if session is not None:
            session.post(Lost(id=hold.spec.id, reason=reason))

    def _end(self, hold: _Hold, *, committed: bool) -> None:
        del self._holds[hold.command.id]
        ended = Ended(
            task=hold.command.id,
            passed=committed,
            retryable=False,
            rolled_back=not committed,
            written=tuple(hold.claims),
        )
        self._feed(ended)

    # --- clients that have gone ----------------------------------------------------------------------------

    def forsake(self, client: ClientId) -> None:
        """A client has gone without a word: undo what it did under its holds, the innermost first, and end them."""
        for hold in reversed([hold for hold in self._holds.values() if hold.command.client == client]):
            hold.forsaken = True
            self._try_to_end(hold)
        busy = {hold.spec.journal for hold in self._holds.values()}
        self._left += [_Left(folder) for folder in self._announced.pop(client, ()) if folder not in busy]
        self.attend()

    def undo_below(self, task: TaskId) -> None:
        """A command has ended with all of its processes: what holds in it did is undone before its own transaction ends."""
        for hold in reversed([hold for hold in self._holds.values() if hold.inside == task]):
            self._undo(hold)

    def attend(self) -> None:
        """Try again where a journal could not be had."""
        now = time.monotonic()
        for hold in [hold for hold in self._holds.values() if hold.forsaken and hold.retry_at <= now]:
            self._try_to_end(hold)
        for left in [left for left in self._left if left.retry_at <= now]:
            if self._recover(left.folder) is not None:
                self._left.remove(left)
            left.retry_at, left.pause = now + left.pause, min(2 * left.pause, RETRY_MAX)

    def next_look(self) -> float | None:
        """When `attend` has something to do, on the clock of `time.monotonic`; None: never."""
        forsaken = (hold.retry_at for hold in self._holds.values() if hold.forsaken)
        return min((*forsaken, *(left.retry_at for left in self._left)), default=None)

    def close(self) -> None:
        """The engine ends: nobody waits for a claim any more, but what dead clients did is undone, if it can be."""
        deadline = time.monotonic() + CLOSING
        for hold in reversed([hold for hold in self._holds.values() if hold.forsaken]):
            while not self._undo(hold) and time.monotonic() < deadline:
                time.sleep(_PAUSE)
        for left in self._left:
            while self._recover(left.folder) is None and time.monotonic() < deadline:
                time.sleep(_PAUSE)

    def _try_to_end(self, hold: _Hold) -> None:
        if self._undo(hold):
            self._end(hold, committed=hold.stays)
        else:
            hold.retry_at = time.monotonic() + hold.pause
            hold.pause = min(2 * hold.pause, RETRY_MAX)

    def _undo(self, hold: _Hold) -> bool:
        """Undo what the client did. Returns False while somebody still has the journal."""
        folder = hold.spec.journal
        if hold.undone or not folder:
            return True
        results = self._recover(folder)
        if results is None:
            return False
        for result in results:
            self._herald.tell(
                events.JournalRecovered, label=result.label, action=result.action.value, reason=result.reason
            )
        hold.undone = True
        hold.stays = all(result.action is not Action.ROLLED_BACK for result in results)
        return True

    def _recover(self, folder: bytes) -> tuple[JournalResult, ...] | None:
        """What was done with a journal's folder; None while somebody has it."""
        path = os.path.dirname(folder)
        inside = path == self._workspace.rstrip(b"/") + b"/" + INSIDE
        home = Home(path=path, workspace=self._workspace, inside=inside)
        results = recover_folder(home, folder, clone=files.clone)
        return None if any(result.action is Action.BUSY for result in results) else results


def _task(session: Session, number: int) -> TaskId:
    """Raises: ProtocolError, for what the client never handed in."""
    task = session.commands.get(number)
    if task is None:
        raise ProtocolError(f"there is no hold {number}")
    return task
