"""Which keys each table may have, and how each is read. `model.py` has their defaults."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from pytest_cbx.config import values
from pytest_cbx.config.model import Batch, Durability, Isolation, Phase, Policy, Priority, Rollback

Readers: TypeAlias = Mapping[str, values.Reader[Any]]

SECTIONS = ("instances", "limits", "timeouts", "thresholds")
"""The tables below `[cbx]`."""

PROFILES, POOLS = "profiles", "pools"
"""The tables below `[cbx]` whose keys are names that the user chooses."""

GENERAL: Readers = {
    "isolation": values.choice(Isolation),
    "protect": values.roots,
    "durability": values.choice(Durability),
    "shell": values.argv,
    "jobs": values.whole(0),
    "policy": values.choice(Policy),
    "batch": values.choice(Batch),
    "discover": values.boolean,
    "learn": values.boolean,
    "deny": values.deny,
}

INSTANCES: Readers = {
    "safe_parallel_max": values.whole(1),
    "conditional_parallel_max": values.whole(1),
    "sequential_max": values.whole(1),
    "dangerous_isolated_max": values.whole(1),
    "total_capacity_max": values.whole(1),
}

TIMEOUTS: Readers = {
    "command": values.seconds,
    "lock_acquisition": values.seconds,
    "health_check": values.seconds,
    "cleanup": values.seconds,
    "recovery": values.seconds,
}

THRESHOLDS: Readers = {
    "cpu_utilization_warning": values.share,
    "memory_utilization_warning": values.share,
    "error_rate_warning": values.share,
    "latency_p95_warning_ms": values.milliseconds,
    "queue_depth_warning": values.whole(1),
    "cpu_utilization_critical": values.share,
    "memory_utilization_critical": values.share,
    "error_rate_critical": values.share,
}


def limits(memory_total: Callable[[], int]) -> Readers:
    """The keys of `[cbx.limits]`. `memory_total`: bytes of the machine, asked for when a share is written."""
    return {
        "memory_per_instance": values.memory(memory_total),
        "cpu_cores_per_instance": values.positive,
        "io_bandwidth": values.bandwidth,
        "network_connections_max": values.whole(0),
        "file_descriptors_max": values.whole(values.DESCRIPTORS_MIN),
        "spawn_rate": values.positive,
        "safety_margin": values.margin,
        "preimage_bytes": values.size,
    }


def sections(memory_total: Callable[[], int]) -> Mapping[str, Readers]:
    """The keys of every table below `[cbx]`."""
    return {"instances": INSTANCES, "limits": limits(memory_total), "timeouts": TIMEOUTS, "thresholds": THRESHOLDS}


def command(memory_total: Callable[[], int]) -> Readers:
    """The keys of `[[cbx.command]]`."""
    return {
        "name": values.name,
        "run": values.text,
        "cwd": values.root,
        "env": values.environment,
        "needs": values.needs,
        "reads": values.texts,
        "writes": values.texts,
        "locks": values.locks,
        "tier": values.tier,
        "trust": values.boolean,
        "allow": values.rules,
        "timeout": values.seconds,
        "retries": values.whole(0, values.RETRIES_MAX),
        "priority": values.choice(Priority),
        "cpus": values.positive,
        "memory": values.memory(memory_total),
        "rollback": values.choice(Rollback),
        "privileged": values.boolean,
        "results": values.results,
        "tags": values.tags,
        "phase": values.choice(Phase),
        "pool": values.name,
        "shards": values.whole(1, values.SHARDS_MAX),
    }
