"""The values of execution: what to start, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Cause(Enum):
    """What ended an instance."""

    EXIT = "exit"
    SIGNAL = "signal"
    """A signal that was not ours."""
    TIMEOUT = "timeout"
    MEMORY = "memory"
    CANCELLED = "cancelled"


class GuardKind(Enum):
    """How an instance is kept from doing harm."""

    SAFE = "safe"
    """It may not write; all of these share one Landlock domain and one listener."""
    SUPERVISED = "supervised"
    """Every call of it that may change something is asked about, at a listener of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What an instance carries from its start on, and everything that it starts."""

    kind: GuardKind
    reads: bool = False
    """Whether reading is asked about, too; only for SUPERVISED."""
    writable: tuple[bytes, ...] = ()
    """What a SAFE instance may write, besides devices: the same for all of one engine."""
    calls: frozenset[str] = frozenset()
    """Further system calls that are asked about, by name; only for SUPERVISED."""
    bind_ports: tuple[int, ...] | None = None
    """TCP ports that it may bind to; None, or on a kernel before 6.7: no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceSpec:
    """One process to start, in a session of its own. Paths are absolute bytes."""

    argv: tuple[bytes, ...]
    cwd: bytes
    umask: int
    environment: Mapping[bytes, bytes]
    marker: str
    """Its CBX_INSTANCE; every process that descends from it carries that."""
    stdout: bytes = b""
    """File that takes standard output, appended to; empty: `descriptors` are used."""
    stderr: bytes = b""
    descriptors: tuple[int, int, int] | None = None
    """Standard input, output and error, handed over; the caller closes them."""
    memory: int = 0
    """Bytes that one process may allocate, and that all together may hold; 0: no limit."""
    open_files: int = 1024
    niceness: int = 0
    timeout: float = 300.0
    """Seconds until SIGTERM."""
    grace: float = 2.0
    """Seconds from SIGTERM to SIGKILL."""
    guard: Guard | None = None
    """None: it runs free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """The end of an instance; nothing of it runs any more."""

    key: int
    cause: Cause
    exit_code: int
    """As a shell shows it: 128+n for signal n."""
    signal: int
    reason: str
    """For people; empty when it ended by itself."""
    wall_s: float
    cpu_s: float
    """User and system time of the leader, of all it waited for, and of its orphans."""
    max_rss: int
    """Bytes; the largest single process."""
    leaks: tuple[str, ...]
    """Processes that outlived the leader and were killed."""
