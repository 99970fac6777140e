"""Every setting of a project, typed and frozen, with its default. `load.py` fills them from a file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from pytest_cbx.severity import Severity
from pytest_cbx.tier import Tier

MEGABYTE = 1024 * 1024
PREIMAGE_BYTES = 4 * 1024 * MEGABYTE
"""Bytes of pre-images where the file says nothing."""


class Isolation(Enum):
    """A rung of the isolation ladder, or `auto`: the highest one that this machine and this version offer."""

    AUTO = "auto"
    OFF = "off"
    GUARD = "guard"
    SERIALIZABLE = "serializable"


class Durability(Enum):
    """What a transaction's journal survives."""

    PROCESS = "process"
    POWER = "power"


class Policy(Enum):
    """How the scheduler orders commands that could start now."""

    CRITICAL_PATH = "critical-path"
    SHORTEST_FIRST = "shortest-first"
    ROUND_ROBIN = "round-robin"
    RESOURCE_AWARE = "resource-aware"


class Batch(Enum):
    """What commands have in common of which only so many run at once."""

    OFF = "off"
    DIRECTORY = "directory"
    KIND = "kind"
    """Of program: tests, builds, analyses, status."""
    DEPENDENCY = "dependency"
    """The shape of their needs: independent, chain, tree, network."""


class Phase(Enum):
    """Where in a pipeline a command stands. Of commands that conflict, one of an earlier phase goes first."""

    DEPENDENCIES = "dependencies"
    COMPILE = "compile"
    ASSETS = "assets"
    CHECK = "check"
    PACKAGE = "package"

    @property
    def place(self) -> int:
        """From 0, in the order of a pipeline."""
        return list(Phase).index(self)


class Priority(Enum):
    """The user's own word on a command's priority."""

    CRITICAL = "critical"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"
    DEFERRED = "deferred"


class Rollback(Enum):
    """When a command's changes are undone."""

    AUTO = "auto"
    NEVER = "never"
    ON_CRASH = "on-crash"
    ON_FAILURE = "on-failure"
    ALWAYS = "always"


class ResultFormat(Enum):
    """In which format a command's results are; told before them and a colon, or seen from the file."""

    JUNIT = "junit"
    TAP = "tap"
    GO = "go"
    """`go test -json`."""
    LIBTEST = "libtest"
    """`cargo test`."""
    UNITTEST = "unittest"
    """`python -m unittest -v`."""
    SARIF = "sarif"
    ESLINT = "eslint"
    RUFF = "ruff"
    SHELLCHECK = "shellcheck"
    MYPY = "mypy"
    LINES = "lines"
    """`FILE:LINE:COLUMN: TEXT`, and TypeScript's `FILE(LINE,COLUMN): TEXT`; never seen from the file, as anything may look like that."""
    JEST = "jest"
    """Jest's JSON, and Vitest's."""
    RSPEC = "rspec"


def parse_results(text: str) -> tuple[ResultFormat | None, str]:
    """A command's `results`: its format (None: to be seen from the file), and the rest: a glob, or `-` for the output."""
    head, colon, rest = text.partition(":")
    form = next((one for one in ResultFormat if one.value == head), None)
    return (form, rest.strip()) if colon and form is not None else (None, text.strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class Instances:
    """How many instances may run at once, by tier and in all. Source: founding documents, "Instance Limits"."""

    safe_parallel_max: int = 16
    conditional_parallel_max: int = 8
    sequential_max: int = 4
    dangerous_isolated_max: int = 2
    total_capacity_max: int = 30

    def cap(self, tier: Tier) -> int:
        """The cap of one tier."""
        return {
            Tier.SAFE_PARALLEL: self.safe_parallel_max,
            Tier.CONDITIONAL_PARALLEL: self.conditional_parallel_max,
            Tier.SEQUENTIAL_REQUIRED: self.sequential_max,
            Tier.DANGEROUS_ISOLATED: self.dangerous_isolated_max,
        }[tier]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one instance may use, and how fast instances may multiply. Bytes, cores, bytes per second, counts."""

    memory_per_instance: int = 512 * MEGABYTE
    cpu_cores_per_instance: float = 0.5
    io_bandwidth: int = 100 * MEGABYTE
    """Bytes per second."""
    network_connections_max: int = 50
    file_descriptors_max: int = 1024
    spawn_rate: float = 10.0
    """How many *more* instances may run each second, beyond the first `spawn_rate`; replacing one that ended is free."""
    safety_margin: float = 0.10
    """Share of the machine's memory that is never handed out."""
    preimage_bytes: int = PREIMAGE_BYTES
    """Bytes that pre-images may take together; a write beyond has to wait for free space, or fails before it happens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds."""

    command: float = 300.0
    lock_acquisition: float = 30.0
    health_check: float = 10.0
    cleanup: float = 60.0
    recovery: float = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """When a run is warned about. Shares are 0–1, latencies in milliseconds, depths in commands."""

    cpu_utilization_warning: float = 0.80
    memory_utilization_warning: float = 0.85
    error_rate_warning: float = 0.05
    latency_p95_warning_ms: float = 1000.0
    queue_depth_warning: int = 100
    cpu_utilization_critical: float = 0.95
    memory_utilization_critical: float = 0.90
    error_rate_critical: float = 0.10


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandConfig:
    """One `[[cbx.command]]`. `cwd` is relative to the file; `reads` and `writes` are globs relative to `cwd`; all exactly as written."""

    name: str
    run: str
    line: int
    """1-based line of the table in its file."""
    cwd: str = "."
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    needs: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    locks: tuple[str, ...] = ()
    tier: Tier | None = None
    """None for `auto`."""
    trust: bool = False
    """Allows a `tier` laxer than the one the text gives."""
    allow: tuple[str, ...] = ()
    """Rules whose findings do not keep it from running, whatever `Settings.deny` says."""
    timeout: float | None = None
    """Seconds; None takes `timeouts.command`."""
    retries: int = 0
    priority: Priority = Priority.NORMAL
    cpus: float | None = None
    """Cores; None takes the estimate, or `limits.cpu_cores_per_instance`."""
    memory: int | None = None
    """Bytes; None takes the larger of the estimate and `limits.memory_per_instance`."""
    rollback: Rollback | None = None
    """None takes the run's own."""
    privileged: bool = False
    """It may run as another user: it runs at `off`, because a guarded process cannot gain privileges."""
    results: str | None = None
    """See `parse_results`; the glob is relative to `cwd`."""
    tags: tuple[str, ...] = ()
    phase: Phase | None = None
    """None stands where `check` does."""
    pool: str | None = None
    """One of `Settings.pools`: as many of its commands run at once as it is deep."""
    shards: int = 1
    """So many commands are made of it, each with a part of its tests."""
    whole: str = ""
    """Of a shard: the text that it does a part of, and so touches no more than. No key of the file."""

    @property
    def predicted(self) -> str:
        """The text by which it is told what it would touch."""
        return self.whole or self.run


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that one configuration file says."""

    source: str | None = None
    """Absolute path of the file; None when there is none and all is default."""
    isolation: Isolation = Isolation.AUTO
    protect: tuple[str, ...] = ()
    durability: Durability = Durability.PROCESS
    shell: tuple[str, ...] = ("bash", "-eo", "pipefail", "-c")
    jobs: int = 0
    """0: from the machine's capacity."""
    policy: Policy = Policy.CRITICAL_PATH
    batch: Batch = Batch.OFF
    discover: bool = False
    learn: bool = True
    """Use, and store, what earlier runs of a command were seen to touch."""
    deny: Severity | None = None
    """A command with such a finding, or a graver one, is refused before anything runs. None for `off`."""
    rollback: Rollback = Rollback.AUTO
    """Of commands that say nothing; no key of the file, only `override` sets it."""
    instances: Instances = Instances()
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    thresholds: Thresholds = Thresholds()
    profiles: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Environment → names and tags of the commands that a run there takes; `*` is all."""
    pools: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Depths of pools by name: of those that commands name, and of batches that are not to have their default."""
    commands: tuple[CommandConfig, ...] = ()

    @property
    def roots(self) -> tuple[str, ...]:
        """`protect` as absolute paths: relative ones are relative to the file."""
        folder = os.path.dirname(self.source) if self.source else os.getcwd()
        return tuple(dict.fromkeys(os.path.normpath(os.path.join(folder, root)) for root in self.protect))
