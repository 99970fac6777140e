"""What a command gets of this machine, before there is an engine to ask."""

from __future__ import annotations

from pytest_cbx.config.model import Settings
from pytest_cbx.execute.machine import measure


def slots_for(settings: Settings) -> int:
    """The slots that an engine with these settings has on this machine."""
    if settings.jobs:
        return settings.jobs
    fitting = int(measure().cpus / settings.limits.cpu_cores_per_instance)
    return max(1, min(fitting, settings.instances.total_capacity_max))


def most_cores(settings: Settings) -> float:
    """The most cores that an *estimate* may claim for one command: half the machine, so that no guess empties it.

    What the configuration says of a command's `cpus` is no guess and counts in full.
    """
    return max(settings.limits.cpu_cores_per_instance, measure().cpus / 2)
