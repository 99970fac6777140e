"""What a command would do, as facts. What they mean for safety is decided in `safety`, not here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from pytest_cbx.effects.facts import Assigned, Fact, Invocation
from pytest_cbx.effects.values import Origin
from pytest_cbx.shell.nodes import Span


class Scope(Enum):
    """How much a place covers."""

    PATH = "path"
    """Exactly this entry."""
    GLOB = "glob"
    """Every path that matches the pattern (`*` and `?` stay within one directory, `**` crosses them)."""
    TREE = "tree"
    """This entry and everything below it."""
    SOURCES = "sources"
    """Everything below it that git does not ignore."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Place:
    """Where. `path` is POSIX and normalised: relative to the workspace when it lies in it (the root is `.`), else absolute.

    A GLOB's path is its pattern. For TREE and SOURCES the path is the directory, without `/**`.
    """

    path: str
    scope: Scope = Scope.PATH

    def __str__(self) -> str:
        if self.scope in (Scope.TREE, Scope.SOURCES):
            return "**" if self.path == "." else f"{self.path.rstrip('/')}/**"
        return self.path


WORKSPACE = Place(path=".", scope=Scope.TREE)
"""The whole work tree."""


class Kind(Enum):
    """What an effect does. Ordered roughly from harmless to grave; `safety` maps each to a tier."""

    READ = "read"
    CACHE = "cache"
    """Writes a cache that its tool keeps consistent under concurrent use (`__pycache__`, the Go build cache)."""
    OUTPUT = "output"
    """Writes a build's or test run's own product, report or cache, replaceable by running it again."""
    WRITE = "write"
    """Changes or creates a file that matters."""
    APPEND = "append"
    CREATE = "create"
    """Makes a new entry (mkdir, ln, mktemp, touch)."""
    DELETE = "delete"
    METADATA = "metadata"
    """Mode, owner, times, attributes."""
    DESTROY = "destroy"
    """Deletes by force, recursively, or what cannot be told beforehand; discards uncommitted work."""
    NETWORK = "network"
    """Talks to another host. `detail` names it where known."""
    BIND = "bind"
    """Listens on a port. `detail` is the number, or `*` where unknown."""
    KILL = "kill"
    """Signals other processes. `detail` names them."""
    SYSTEM = "system"
    """Changes the machine: packages, services, devices, clock, users, firewall."""
    PRIVILEGE = "privilege"
    """Runs as another user."""
    STATE = "state"
    """Changes shared state that is no file of the work tree: a database, a repository's refs, a remote, a container engine."""
    EXECUTE = "execute"
    """Runs code whose text was not seen. It may do anything: `unknown`."""
    UNKNOWN = "unknown"
    """Could not be read or is not in the catalogue. It may do anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One fact: `program` would do `kind` to `place` (None where it is no file, or not known where)."""

    kind: Kind
    place: Place | None = None
    program: str = ""
    detail: str = ""
    """For people: why, e.g. "sed -i edits in place"."""
    span: Span | None = None
    """Where in the command's text: the word or redirect that says so, else the program's name, else the command."""
    origin: Origin | None = None
    """Of the path, or of the text that is run, where it is not the command's own word."""


class Weight(Enum):
    """Resource class of a program: decides the resource part of its priority and its default `cpus` and `memory`."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    SYSTEM = "system"


class Duration(Enum):
    """Duration class of a program when nothing is known from history."""

    QUICK = "quick"
    """Under 1 s."""
    FAST = "fast"
    """1–10 s."""
    MODERATE = "moderate"
    """10–60 s."""
    SLOW = "slow"
    """1–10 min."""
    VERY_SLOW = "very-slow"
    """Over 10 min."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramUse:
    """A program that the command starts. `conditional`: only in some runs (right of `&&`/`||`, in a branch or loop, in a function)."""

    name: str
    conditional: bool
    known: bool
    """Listed in the catalogue."""
    searched: bool = False
    """The shell itself looks it up in PATH: it is no path, and no other program (npx, xargs) starts it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a command is expected to need; the heaviest of its programs decides."""

    weight: Weight = Weight.LOW
    duration: Duration = Duration.QUICK
    memory: int = 0
    """Bytes that its heaviest program plainly needs; 0 where the configured default is right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """All that is known about one command's text. `effects` are in order of the text, without duplicates."""

    effects: tuple[Effect, ...]
    programs: tuple[ProgramUse, ...]
    estimate: Estimate
    readable: bool
    """False when some part of the text could not be read; an UNKNOWN effect then says where."""
    listed: tuple[Place, ...] = ()
    """Patterns that the shell itself expands: what matches them is read, whatever becomes of the names."""
    consulted: tuple[str, ...] = ()
    """Files whose text these facts depend on (or would, could they be seen): paths as in `Place`, all in the workspace."""
    unpacked: tuple[str, ...] = ()
    """Archives in the workspace whose lists of members these facts depend on."""
    looked: tuple[str, ...] = ()
    """Places (paths as in `Place`) on whose being a directory these facts depend."""
    surveyed: bool = False
    """Whether they depend on what lies in the work tree, git's index and history."""
    facts: tuple[Fact, ...] = ()
    invocations: tuple[Invocation, ...] = ()
    """Every call of a program that the text shows, in order; a loop's as often as it was followed."""
    assigned: tuple[Assigned, ...] = ()
    """Every variable that the text sets."""
    differences: tuple[str, ...] = ()
    """Sentences about what the second reader sees differently from the reader of record."""

    @property
    def unknown(self) -> bool:
        """True when some part of the command may do anything."""
        return any(effect.kind in (Kind.UNKNOWN, Kind.EXECUTE) for effect in self.effects)
