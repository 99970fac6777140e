"""The values of faults: what is done to a command, and when. They travel with the command to the engine."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

CHANGING = "changing"
"""In `Trigger.calls`: every call that changes something at a path, whatever its name."""


class Trigger(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When a fault strikes. All conditions must hold; of the calls for which they do, `at` picks one.

    A trigger without `calls` strikes by time alone: `after` seconds after the command's start.
    """

    calls: tuple[str, ...] = (CHANGING,)
    """Names of system calls, or `CHANGING`; of `OwnDisk`, names of disk operations; of what happens at a start or an end: `attempt`."""
    path: str = "**"
    """Glob on the path that the call is about, or on the other end of a socket: relative ones are of the work tree and of whatever else
    the transaction covers, absolute ones of the whole machine. Calls without a path match `**` only."""
    program: str = "*"
    """Glob on the file name of the program that makes the call, or of one that it descends from within the command."""
    command: str = "*"
    """Globs on the command's name, one of which must fit; with `|` between them."""
    at: int = 1
    """The n-th such call, counted from 1 over all commands that carry the fault, retries included."""
    lasting: bool = False
    """Strikes from the n-th call on, until the fault is healed. Else once."""
    probability: float = 1.0
    """Of each call from the `at`-th on, drawn by `seed`; below 1, a fault is lasting."""
    seed: int = 0
    after: float = 0.0
    """Seconds since the start of the command before which nothing counts."""
    together: int = 1
    """So many commands are stopped at their call, until all have arrived; then it strikes all of them at once."""


class Fail(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The call fails, unrun."""

    error: int
    """As in `errno`."""


class FailThenPretend(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The first call fails, every later one returns 0, unrun: a disk that lost what it was to keep, and says so only once."""

    error: int


class Signal(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Somebody gets a signal, and the call does not run, unless it is somebody else's."""

    number: int
    whom: str = "instance"
    """`process` (the caller), `instance` (all of the command), `client`, `engine`."""
    resume_after: float = 0.0
    """Of SIGSTOP: seconds until SIGCONT; 0: never by itself."""


class Delay(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The call runs later, or never."""

    seconds: float = 0.0
    """0: it hangs until the fault is healed, or the command is killed."""
    error: int = 0
    """What it fails with then, as a time-out does; 0: it runs."""
    jitter: float = 0.0
    """Up to so many seconds more, drawn by `Trigger.seed`."""


class Part(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Of what a call is to write, only a part is written."""

    share: float = 0.5
    """0 … 1 of its bytes, at least one, and at least one is left out. Writes of a single byte, and to pipes and sockets, are let be."""
    kill: bool = False
    """The caller is killed then: the write is torn."""


class Exit(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The command's exit code is reported as another one; by `Trigger.at` of the n-th attempt."""

    code: int


class NoStart(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The command cannot be started; by `Trigger.at` the n-th attempt."""

    error: int


class Memory(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The command has no more memory than this, from its start on."""

    limit: int
    """Bytes."""
    by: str = "rlimit"
    """`rlimit` (address space of each process), `cgroup` (all together, killed beyond), `pressure` (all together, slowed down beyond)."""


class Clock(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The command sees another time."""

    shift: float = 0.0
    """Seconds that its clocks are ahead, from the moment of the strike on."""
    monotonic: bool = False
    """The clock that must not jump does, too."""


class OwnDisk(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A disk call of the engine itself fails, while it keeps, commits or undoes what the command changes."""

    error: int
    phase: str = "any"
    """`keep` (while the command runs), `end` (commit or roll back), `any`."""
    short: bool = False
    """`write` writes one half instead of failing."""


Action: TypeAlias = Fail | FailThenPretend | Signal | Delay | Part | Exit | NoStart | Memory | Clock | OwnDisk


class Fault(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One fault that is planned."""

    id: str
    """Unique among all that run at once."""
    kind: str
    """For people and tables: `disk_full`, `kill` …"""
    trigger: Trigger
    action: Action
    lease: float = 300.0
    """Seconds after which it heals by itself, counted from the first command that carries it."""
    record: str = ""
    """Absolute path of a file that gets a line for each strike, written before it happens: it outlives whoever is struck. Empty: none."""


class Hit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One strike of a fault, as its record tells it."""

    fault: str
    kind: str
    at: float
    """Unix seconds."""
    command: str
    """Its name."""
    task: int
    """Its number in the engine."""
    attempt: int
    call: str = ""
    """The system call, or the function of `os`; empty where it was none."""
    path: str = ""
    """Relative to the work tree where it lies in it."""
    pid: int = 0
    nth: int = 0
    """Which of the calls that its trigger counts."""
