"""The messages between an engine and its clients, and how they travel.

A frame is a 4-byte big-endian length and that many bytes of MessagePack, one tagged message each.
Descriptors for `cbx run` travel as ancillary data of the frame that says how many it brings.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from pytest_cbx.config.model import PREIMAGE_BYTES, Durability, Instances, Limits, Policy, Priority, Timeouts
from pytest_cbx.faults.model import Fault
from pytest_cbx.plan.model import Claim
from pytest_cbx.tier import Tier

VERSION = 3
"""Raised whenever a message changes its meaning; engine and client must agree."""

FRAME_MAX = 64 * 1024 * 1024
"""Bytes; a longer frame closes the connection."""

CHANGES_MAX = 100_000
"""Paths in the `ChangeList` of one command, and so what a client has to be ready for."""

OBSERVATIONS_MAX = 10_000
"""Observations of one command; what was seen beyond is not told, and nothing is learned from an incomplete list."""

INTERNAL_ERROR = "internal error"
"""Stands in the reason of `Refused` when the engine ends because of a bug of ours."""


class Message(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """Base of all messages."""


# --- client to engine ------------------------------------------------------------------------------


class Hello(Message, frozen=True, kw_only=True):
    """First message of a client."""

    version: int
    pid: int
    name: str
    """For people, e.g. "pytest" or "cbx run": said to those who wait for this client."""
    parent: str = ""
    """CBX_INSTANCE of the command that this client runs in; empty at top level."""
    subscribe: bool = False
    """Send every event of the engine as `Observed`."""


class Settle(Message, frozen=True, kw_only=True):
    """Second message: how the engine is to be set up. Only the first client's counts; `Welcome` tells the others."""

    instances: Instances
    limits: Limits
    timeouts: Timeouts
    policy: Policy
    jobs: int
    durability: Durability = Durability.PROCESS
    """What the journal of a transaction survives."""
    preimage_limit: int = PREIMAGE_BYTES
    """Bytes that the pre-images of all open transactions may take together."""
    roots: list[bytes] = []
    """Absolute: folders beside the work tree that transactions cover, too."""


class Environment(Message, frozen=True, kw_only=True):
    """An environment that later `CommandSpec`s refer to. Values are undecoded bytes as in `os.environb`."""

    number: int
    variables: dict[bytes, bytes]


class Node(Message, frozen=True, kw_only=True):
    """A command, join or hold of a submission. `id` is unique within the client.

    `needs` and `after` name ids of this client that were handed in before, or stand before it in its submission.
    """

    id: int
    name: str
    needs: list[int] = []
    after: list[int] = []


class JoinSpec(Node, frozen=True, kw_only=True):
    """Ends when all before it have ended."""


class HoldSpec(Node, frozen=True, kw_only=True):
    """No command: claims that the client itself needs, from `Started` (its pid is 0) until `Release`, or until it dies.

    What the client hands in meanwhile is nested in it. It may need more (`Reach`), and be told to let go (`Lost`).
    """

    claims: list[Claim] = []
    lock_timeout: float = 30.0
    """Seconds that it may wait for other clients, at its start and at each `Reach`."""
    journal: bytes = b""
    """Absolute: the folder with the undo journal of what the client does under these claims. When it dies, that is undone before
    anybody else gets them. Empty: there is nothing to undo."""


class CommandSpec(Node, frozen=True, kw_only=True):
    """Everything that it takes to run one command."""

    argv: list[bytes]
    """The shell and its options with the text as the last one, or a program and its arguments."""
    cwd: bytes
    """Absolute."""
    umask: int
    environment: int
    """Number of an `Environment` sent before."""
    extra_env: dict[bytes, bytes] = {}
    tier: Tier
    claims: list[Claim]
    cpus: float
    memory: int
    """Bytes: reservation and limit at once."""
    timeout: float
    """Seconds from start to SIGTERM."""
    grace: float = 2.0
    """Seconds from SIGTERM to SIGKILL."""
    retries: int = 0
    lock_timeout: float = 30.0
    priority: Priority = Priority.NORMAL
    score: float = 5.0
    seconds: float = 1.0
    path_seconds: float = 1.0
    pool: str = ""
    """Of the commands in it, `pool_depth` run at once; empty: it is in none."""
    pool_depth: int = 0
    stdout: bytes = b""
    """Absolute path of the file that takes standard output; created, appended to. Empty: the first handed-over descriptors."""
    stderr: bytes = b""
    """The same for standard error; the same path as `stdout` keeps the interleaving in one file."""
    descriptors: int = 0
    """3 when stdin, stdout and stderr came with this frame, else 0 (stdin is then /dev/null)."""
    isolation: str = "off"
    """The rung that it runs at: `off`, `guard` or `serializable`. The client has resolved `auto`."""
    rollback: str = "auto"
    """When its changes are undone, a value of `config.model.Rollback`."""
    diff: bool = False
    """Tell in `Finished.diff` what it changed, as text: what a dry run shows."""
    base: bytes = b""
    """Absolute: the command's own work tree, where that is none of the engine's roots; its transaction covers it, too."""
    privileged: bool = False
    """It may run as another user, and so runs at `off`."""
    root: bytes = b""
    """Absolute: a work tree of its own, beside the engine's, that its transaction covers too (a test's directory). Empty: none."""
    results: bytes = b""
    """Absolute glob of its result files; where its changes are undone, these are copied first. Empty: none."""
    spared: bytes = b""
    """Absolute: the folder that they are copied to, each at its absolute path below it."""
    faults: list[Fault] = []
    """What strikes it. It runs at `guard` at least, and supervised whatever its tier."""


class Submission(Message, frozen=True, kw_only=True):
    """Commands to run, in program order."""

    nodes: list[CommandSpec | JoinSpec | HoldSpec]
    fail_fast: bool = False


class Abandon(Message, frozen=True, kw_only=True):
    """Cancel these commands of this client; None means all."""

    ids: list[int] | None = None
    reason: str = "cancelled"


class Heal(Message, frozen=True, kw_only=True):
    """Faults of this client are over. Who hangs or is stopped because of them goes on. The answer is `Healed`."""

    faults: list[str]
    """Their ids; those that no command has carried so far never strike."""


class Reach(Message, frozen=True, kw_only=True):
    """A hold needs these too, all at once. The answer is `Granted`, or `Lost`."""

    id: int
    number: int
    """Unique among those of this hold that wait."""
    claims: list[Claim]


class Journal(Message, frozen=True, kw_only=True):
    """A client is about to make an undo journal for a hold that it will hand in; or has removed it without having needed that.

    Until the hold is handed in nothing is done under the journal; if the client dies, it is only to be removed.
    """

    folder: bytes
    """Absolute."""
    open: bool


class Release(Message, frozen=True, kw_only=True):
    """A client needs a hold no more. Also the answer to `Lost`."""

    id: int
    committed: bool
    """What it did stays. Else it is undone, completely."""


class Leave(Message, frozen=True, kw_only=True):
    """A client's last message: whatever it still has running is cancelled."""


# --- engine to client ------------------------------------------------------------------------------


class Welcome(Message, frozen=True, kw_only=True):
    """The answer to `Hello`."""

    version: int
    pid: int
    token: str
    """Marks this engine: every instance carries it in CBX_INSTANCE."""
    isolation: str
    """The highest rung that the engine reached."""
    isolation_reason: str
    jobs: int
    cpus: float
    memory: int
    recovered: list[str] = []
    """For people: what this engine found left by a dead one, and did about it. Told to its first client only."""


class Refused(Message, frozen=True, kw_only=True):
    """The engine closes this connection, and says why."""

    reason: str


class Queued(Message, frozen=True, kw_only=True):
    """A ready command has to wait."""

    id: int
    reason: str
    blockers: list[str]
    """Names, with the client in brackets where it is another one: "build (pytest, pid 41)"."""


class Started(Message, frozen=True, kw_only=True):
    """An instance runs. `pid` leads its own session and process group."""

    id: int
    pid: int
    start_ticks: int
    """Field 22 of /proc/PID/stat, against reuse of the pid; 0 where there is no /proc."""
    slot: int
    attempt: int
    at: float
    """Unix seconds."""


class Granted(Message, frozen=True, kw_only=True):
    """The answer to `Reach`."""

    id: int
    number: int


class Healed(Message, frozen=True, kw_only=True):
    """The answer to `Heal`: none of them strikes any more."""

    faults: list[str]


class Lost(Message, frozen=True, kw_only=True):
    """A hold must give way, or its client has cancelled it: undo what was done under it, then `Release` it. Nothing else is granted."""

    id: int
    reason: str
    """For people."""


class Retrying(Message, frozen=True, kw_only=True):
    """A failed command will run again in `delay` seconds."""

    id: int
    attempt: int
    delay: float


class ChangeList(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a command changed: paths relative to the work tree, absolute in other protected roots; sorted, in no two lists."""

    created: list[bytes] = []
    modified: list[bytes] = []
    deleted: list[bytes] = []
    truncated: bool = False
    """There were more than `CHANGES_MAX`; the rest is not listed."""


class Observation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that a command was seen to touch, whether predicted or not."""

    mode: str
    """`write`, `create`, `delete` or `read`."""
    path: bytes
    """Relative to the work tree where it lies in it, else absolute."""


class Finished(Message, frozen=True, kw_only=True):
    """A command or a hold is over. Sent exactly once for each of a submission; joins are silent."""

    id: int
    status: str
    """`passed`, `failed`, `skipped`, `cancelled`, `lock-timeout`."""
    reason: str = ""
    """For people; empty when it passed, or failed by its own exit code."""
    exit_code: int | None = None
    """As a shell shows it: 128+n for signal n; None when it never ran."""
    signal: int = 0
    cause: str = ""
    """`exit`, `signal`, `timeout`, `memory`, `cancelled`, `start-failed`, or empty when it never ran."""
    attempts: int = 0
    started_at: float = 0.0
    """Unix seconds of the last attempt; 0 when it never ran."""
    ended_at: float = 0.0
    queued_s: float = 0.0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    max_rss: int = 0
    """Bytes."""
    slot: int = -1
    waited_for: list[str] = []
    leaks: list[str] = []
    """Processes that outlived their command and were killed: "sleep 60 (pid 4711)"."""
    changes: ChangeList | None = None
    """Of the last attempt, also where they were undone; None where writes are not observed."""
    rolled_back: bool = False
    """What it changed was undone."""
    rollback_incomplete: list[str] = []
    """For people: what could not be undone, and why."""
    restarts: int = 0
    """How often it was rolled back and started again, not counting retries."""
    restart_reasons: list[str] = []
    """For people: "format changed src/a.py after it had started". A surprise is told as that."""
    isolation: str = ""
    """The rung that it ran at: that of the command that it is nested in, where that is higher than its own."""
    surprises: list[str] = []
    """For people: "wrote out.txt, which its text does not tell"."""
    refused: list[str] = []
    """For people: "signal 15 to sshd (pid 812): refused, not a process of this command"."""
    observed: list[Observation] = []
    """At most `OBSERVATIONS_MAX`, each once."""
    outside: list[bytes] = []
    """Absolute paths outside all protected roots that it wrote: they are not undone."""
    diff: str = ""
    """Where `CommandSpec.diff` asked for it."""
    faults: list[str] = []
    """Ids of the faults that struck it, in order, as often as they did."""


class Observed(Message, frozen=True, kw_only=True):
    """One event, for those who subscribed; as JSON in the form of `events.py`."""

    event: bytes


class Farewell(Message, frozen=True, kw_only=True):
    """The answer to `Leave`: nothing of this client runs any more. `last`: the engine ends now."""

    last: bool


FromClient: TypeAlias = Hello | Settle | Environment | Submission | Abandon | Journal | Heal | Reach | Release | Leave
FromEngine: TypeAlias = (
    Welcome | Refused | Queued | Started | Granted | Healed | Lost | Retrying | Finished | Observed | Farewell
)
