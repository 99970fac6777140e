"""What protects each command while it runs: its rung, when its changes are undone, and commands that no rung can take."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_cbx.client.isolation import Rung
from pytest_cbx.client.jobs import Job
from pytest_cbx.client.outcome import Outcome
from pytest_cbx.config.model import CommandConfig, Isolation, Rollback, Settings
from pytest_cbx.effects.model import Kind
from pytest_cbx.errors import UsageError
from pytest_cbx.tier import Tier

OFF = "off"
MISSING = "nothing is enforced or undone"
"""What a rung of `off` cannot give."""


def rung_of(job: Job, wanted: Isolation, reached: str) -> str:
    """The rung that a job runs at. `reached`: what the engine says; one that can guard can also trace reads.

    Raises:
        UsageError: a rung was asked for by name that this engine has not.
    """
    if job.config.privileged or wanted is Isolation.OFF:
        return OFF
    if wanted is Isolation.AUTO:
        # `serializable` costs time that only those should spend who ask for it.
        return OFF if reached == OFF else "guard"
    if reached == OFF:
        raise UsageError(
            f'isolation "{wanted.value}" cannot be had: the engine of this work tree has reached "{reached}". '
            'Take "auto", or "off" to run without it.'
        )
    return str(wanted.value)


def rollback_of(job: Job, settings: Settings) -> Rollback:
    """When a job's changes are undone: its own word, else the run's."""
    return job.config.rollback if job.config.rollback is not None else settings.rollback


def escalates(job: Job) -> tuple[str, ...]:
    """The programs by which a job would run something as another user; empty for most."""
    effects = job.request.effects.effects if job.request.effects else ()
    return tuple(dict.fromkeys(e.program or "the command" for e in effects if e.kind is Kind.PRIVILEGE))


def unprotectable(job: Job, settings: Settings, rung: Rung) -> str:
    """Why a job must not start at this rung, and what to do; empty where it may."""
    programs = escalates(job)
    if programs and rung.name != OFF and not job.config.privileged:
        return (
            f"{_listed(programs)} cannot change the user at isolation {rung.name}, where no process gains privileges; "
            f"privileged = true in its table runs it at off, where {MISSING}"
        )
    if rollback_of(job, settings) is Rollback.ALWAYS and (rung.name == OFF or job.config.privileged):
        why = "a privileged command runs at" if job.config.privileged else "this run has"
        return (
            f'rollback "always" (a dry run) needs isolation "guard", and {why} "off", where the changes would stay; '
            "take rollback out of its table"
        )
    return ""


def spoken(rung: Rung) -> str:
    """The rung with its reason, and what it lacks: "isolation off (asked for): nothing is enforced or undone"."""
    said = f"isolation {rung.name} ({rung.reason})"
    return f"{said}: {MISSING}" if rung.name == OFF else said


def less_than_said(rung: Rung, reached: str, reason: str) -> str:
    """A note when the engine, which another client may have started elsewhere, cannot give the rung that was told; else empty."""
    if rung.name == OFF or reached != OFF:
        return ""
    return f"the engine of this work tree has reached isolation off only ({reason}): {MISSING}"


def notes_on(commands: Sequence[CommandConfig], rung: Rung) -> list[str]:
    """What people should know before these run: which of them run without the protection that the others have."""
    names = [command.name for command in commands if command.privileged]
    if rung.name == OFF or not names:
        return []
    return [f"privileged, so at isolation off, where {MISSING}: {', '.join(names)}"]


def stays(outcome: Outcome, rollback: Rollback) -> bool:
    """Whether a failed command's changes stay only because it ran at `off`: at `guard` they would have been undone."""
    if outcome.isolation != OFF or outcome.ok or not outcome.attempts or rollback is Rollback.NEVER:
        return False
    crashed = outcome.cause != "exit"
    if outcome.tier is Tier.SAFE_PARALLEL or rollback is Rollback.ON_CRASH:
        return crashed and outcome.tier is not Tier.SAFE_PARALLEL
    return crashed or outcome.tier is not Tier.CONDITIONAL_PARALLEL or rollback is Rollback.ON_FAILURE


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
