"""What happens in an engine, one frozen type an event. Observers subscribe to these; nobody polls.

Encoded as JSON objects with the type in `type` and the time in `at` (Unix seconds), one a line in `events.jsonl`.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class Happening(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """Base of all events."""

    at: float
    """Unix seconds."""
    engine: str
    """Token of the engine."""
    number: int
    """Counts from 1 within the engine, without gaps."""


class ClientJoined(Happening, frozen=True, kw_only=True):
    """A client connected."""

    client: int
    name: str
    pid: int


class ClientLeft(Happening, frozen=True, kw_only=True):
    """A client is gone. `clean` is False when its connection broke without a farewell."""

    client: int
    clean: bool


class CommandSubmitted(Happening, frozen=True, kw_only=True):
    """A command was handed in."""

    client: int
    command: int
    """Unique within the engine."""
    name: str
    text: str
    tier: str
    claims: list[str]


class CommandWaiting(Happening, frozen=True, kw_only=True):
    """A ready command has to wait."""

    command: int
    reason: str
    blockers: list[int]


class CommandStarted(Happening, frozen=True, kw_only=True):
    """An instance runs. `running` counts the instances of each tier including this one."""

    client: int
    command: int
    name: str
    tier: str
    pid: int
    slot: int
    attempt: int
    cpus: float
    memory: int
    running: dict[str, int]


class CommandRetrying(Happening, frozen=True, kw_only=True):
    """A command failed and will be tried again."""

    command: int
    attempt: int
    delay: float


class CommandEnded(Happening, frozen=True, kw_only=True):
    """An instance ended (each attempt), or a command ended without ever running (`attempt` 0)."""

    command: int
    attempt: int
    status: str
    cause: str
    exit_code: int | None
    wall_s: float
    cpu_s: float
    max_rss: int
    leaks: list[str]


class EngineStarted(Happening, frozen=True, kw_only=True):
    """First event of every engine."""

    pid: int
    workspace: str
    isolation: str
    jobs: int
    cpus: float
    memory: int


class EngineStopped(Happening, frozen=True, kw_only=True):
    """Last event of an engine that ended in order."""

    reason: str


AnyEvent: TypeAlias = (
    ClientJoined | ClientLeft | CommandSubmitted | CommandWaiting | CommandStarted | CommandRetrying | CommandEnded
    | EngineStarted | EngineStopped
)  # fmt: skip
