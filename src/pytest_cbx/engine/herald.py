"""Tells the engine's events to the clients that subscribed, numbered without gaps."""

from __future__ import annotations

import time
from collections.abc import Mapping

import msgspec

from pytest_cbx import events
from pytest_cbx.engine.ledger import Command, Session
from pytest_cbx.engine.protocol import CommandSpec, Observed
from pytest_cbx.schedule.model import ClientId
from pytest_cbx.transaction.recovery import JournalResult

_ENCODER = msgspec.json.Encoder()
_TEXT_MAX = 4096


class Herald:
    """Knows who listens. Costs next to nothing while nobody does."""

    def __init__(self, token: str, sessions: Mapping[ClientId, Session]) -> None:
        self._token = token
        self._sessions = sessions
        self._number = 0

    @property
    def told(self) -> int:
        """How many events there were."""
        return self._number

    def tell(self, kind: type[events.Happening], /, **fields: object) -> None:
        """Number an event and send it to all subscribers."""
        self._number += 1
        listeners = [session for session in self._sessions.values() if session.subscribed]
        if not listeners:
            return
        event = kind(at=time.time(), engine=self._token, number=self._number, **fields)
        message = Observed(event=_ENCODER.encode(event))
        for session in listeners:
            session.post(message)

    def submitted(self, session: Session, command: Command) -> None:
        """A command was handed in."""
        spec = command.spec
        assert isinstance(spec, CommandSpec)
        if any(other.subscribed for other in self._sessions.values()):
            text = spec.argv[-1].decode("utf-8", "replace")[:_TEXT_MAX]
            claims = [str(claim) for claim in spec.claims]
        else:
            text, claims = "", []
        self.tell(
            events.CommandSubmitted,
            client=session.id,
            command=command.id,
            name=spec.name,
            text=text,
            tier=spec.tier.value,
            claims=claims,
        )

    def started(self, session: Session, command: Command, pid: int, running: dict[str, int]) -> None:
        """An instance runs."""
        spec = command.spec
        assert isinstance(spec, CommandSpec)
        self.tell(
            events.CommandStarted,
            client=session.id,
            command=command.id,
            name=spec.name,
            tier=spec.tier.value,
            pid=pid,
            slot=command.slot,
            attempt=command.attempts,
            cpus=spec.cpus,
            memory=spec.memory,
            running=running,
        )

    def ended(self, command: Command, status: str) -> None:
        """An attempt ended, or a command that never ran."""
        done = command.exit
        self.tell(
            events.CommandEnded,
            command=command.id,
            attempt=command.attempts,
            status=status,
            cause=done.cause.value if done else ("start-failed" if command.failure else ""),
            exit_code=done.exit_code if done else None,
            wall_s=done.wall_s if done else 0.0,
            cpu_s=done.cpu_s if done else 0.0,
            max_rss=done.max_rss if done else 0,
            leaks=list(done.leaks) if done else [],
        )


def told(result: JournalResult) -> str:
    """For people: "an earlier run was killed: build was rolled back"."""
    why = f": {result.reason}" if result.reason else ""
    return f"an earlier run was killed; {result.label or result.path}: {result.action.value}{why}"
