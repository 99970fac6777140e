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


class CommandRestarted(Happening, frozen=True, kw_only=True):
    """A running command was stopped, rolled back, and will run again: not its own fault, so it counts as no retry."""

    command: int
    attempt: int
    """The attempt that was given up."""
    reason: str
    claims: list[str]
    """What it was seen to need and takes from the start the next time."""


class CommandSurprised(Happening, frozen=True, kw_only=True):
    """A command touched what had not been predicted."""

    command: int
    path: str
    """Relative to the work tree where it lies in it; bytes that are no UTF-8 are written out."""
    call: str
    """The system call: `openat`, `unlinkat` …"""


class SignalRefused(Happening, frozen=True, kw_only=True):
    """A command tried to signal a process that is none of its own."""

    command: int
    pid: int
    signal: int
    target: str
    """The process that would have got it: "sshd (pid 812)"."""


class CallRefused(Happening, frozen=True, kw_only=True):
    """A command made a system call that no supervised command may make: it failed."""

    command: int
    pid: int
    call: str
    """The system call: `mount`, `unshare`, `setns` …"""
    reason: str


class FaultStruck(Happening, frozen=True, kw_only=True):
    """A planned fault struck a command."""

    fault: str
    kind: str
    command: int
    attempt: int
    call: str
    """The system call; empty where the fault struck by time."""
    path: str
    """Relative to the work tree where it lies in it."""
    pid: int
    nth: int
    """Which of the calls that the fault's trigger counts."""


class TransactionEnded(Happening, frozen=True, kw_only=True):
    """The changes of an attempt were kept or undone."""

    command: int
    action: str
    """`committed`, `rolled-back`, or `incomplete`: rolled back, but not all of it could be."""
    created: int
    modified: int
    deleted: int
    preimage_bytes: int
    seconds: float
    """How long keeping or undoing took."""


class JournalRecovered(Happening, frozen=True, kw_only=True):
    """A journal that a crash had left was taken care of."""

    label: str
    """The command that it belongs to, as far as its journal tells."""
    action: str
    """`rolled back`, `committed`, `left alone` or `busy`."""
    reason: str


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
    | CommandRestarted | CommandSurprised | SignalRefused | CallRefused | FaultStruck | TransactionEnded | JournalRecovered | EngineStarted
    | EngineStopped
)  # fmt: skip
