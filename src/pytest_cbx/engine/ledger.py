"""What the engine knows of each client and each command."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_cbx.engine.framing import Connection
from pytest_cbx.engine.protocol import CommandSpec, FromClient, HoldSpec, JoinSpec, Message
from pytest_cbx.errors import ProtocolError
from pytest_cbx.execute.model import Exit
from pytest_cbx.plan.model import Claim
from pytest_cbx.schedule.model import ClientId, TaskId

if TYPE_CHECKING:
    from pytest_cbx.engine.keeper import Settlement


@dataclass(slots=True)
class Command:
    """One command, join or hold of a client."""

    id: TaskId
    client: ClientId
    spec: CommandSpec | JoinSpec | HoldSpec
    submitted: float
    """Clock of the loop."""
    descriptors: tuple[int, int, int] | None = None
    isolation: str = "off"
    """The rung that it runs at."""
    attempts: int = 0
    slot: int = -1
    running: bool = False
    """An instance of it runs now."""
    started_at: float = 0.0
    """Unix seconds of the last attempt."""
    queued: float = 0.0
    """Seconds from submission to the first start."""
    waited_for: dict[str, None] = field(default_factory=dict)
    exit: Exit | None = None
    failure: str = ""
    """Why it could not be started, or not go on."""
    pid: int = 0
    """Of the leader of its last instance."""
    claims: list[Claim] = field(default_factory=list)
    """What it holds from its start: what was predicted, and what it was seen to need."""
    learned: list[Claim] = field(default_factory=list)
    """What it was seen to need, as of now for its next start."""
    restart: str = ""
    """Why it is being stopped, rolled back and started again; empty: it is not."""
    stopped: str = ""
    """Why the scheduler had it stopped; empty: it did not."""
    restarts: int = 0
    reasons: list[str] = field(default_factory=list)
    """Why other commands made it start again."""
    surprises: list[str] = field(default_factory=list)
    """What a command that was thought to change nothing tried to change."""
    rewind: dict[bytes | int, int] = field(default_factory=dict)
    """Sizes of its output files and position of its input when its last attempt began."""
    settlement: Settlement | None = None
    """What became of the changes of its last attempt."""
    ended: float = 0.0
    """Clock of the loop when it was over; 0 before."""
    hits: list[str] = field(default_factory=list)
    """Ids of the faults that struck it."""


@dataclass(slots=True)
class Session:
    """One client."""

    id: ClientId
    connection: Connection[FromClient]
    greet_by: float
    """Clock of the loop by which it must have introduced itself."""
    name: str = ""
    pid: int = 0
    parent: TaskId | None = None
    greeted: bool = False
    settled: bool = False
    subscribed: bool = False
    leaving: bool = False
    environments: dict[int, dict[bytes, bytes]] = field(default_factory=dict)
    commands: dict[int, TaskId] = field(default_factory=dict)
    """Task of each of the client's own ids."""
    live: set[TaskId] = field(default_factory=set)
    """Commands and joins that are not over."""

    def post(self, message: Message) -> None:
        """Put a message in line. A client that does not read is given up; whoever caused the message is not to blame."""
        try:
            self.connection.queue(message)
        except ProtocolError:
            self.connection.closed = True

    @property
    def shown(self) -> str:
        """For people who wait for it."""
        return f"{self.name}, pid {self.pid}"
