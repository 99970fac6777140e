"""Which rung of the isolation ladder a run gets, and why. Never pretends."""

from __future__ import annotations

import os
from dataclasses import dataclass

from pytest_cbx.config.model import Isolation, Rollback
from pytest_cbx.errors import UsageError
from pytest_cbx.execute.ladder import probe


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """A rung that was reached."""

    name: str
    """`off`, `guard` or `serializable`."""
    reason: str
    """One phrase for people: what it stands on, or why there is no higher one."""


def reach(wanted: Isolation) -> Rung:
    """The rung for a wish. The first call in a process tries out what the machine offers, for some milliseconds.

    `auto` is the highest rung that works here, except `serializable`: asking about every read has a price that only
    whoever wants it should pay.

    Raises:
        UsageError: a rung was asked for by name that cannot be had; `auto` never fails.
    """
    if wanted is Isolation.OFF:
        return Rung(name="off", reason="asked for")
    found = probe()
    if found.supervised and "CBX_INSTANCE" in os.environ:
        # The engine of the command that this is part of starts what is nested in it, too, and can what it could then.
        name = "guard" if wanted is Isolation.AUTO else str(wanted.value)
        return Rung(name=name, reason="as the command around it")
    if wanted is Isolation.AUTO:
        return Rung(name=found.level, reason=found.reason)
    if found.level == "off":
        raise UsageError(
            f'isolation "{wanted.value}" cannot be had: {found.reason}. Take isolation = "auto" or "off" '
            "(or --cbx-isolation=off) to run without it."
        )
    return Rung(name=wanted.value, reason=found.reason)


def check_rollback(wanted: Rollback | None, rung: Rung) -> str | None:
    """A note for people when the rung cannot roll back what the policy would.

    Raises:
        UsageError: `always` promises that nothing is changed, which rung `off` cannot keep.
    """
    if rung.name != "off" or wanted in (None, Rollback.AUTO, Rollback.NEVER):
        return None
    if wanted is Rollback.ALWAYS:
        raise UsageError(
            'rollback "always" (a dry run) needs isolation "guard"; at isolation "off" the changes would stay'
        )
    return f'rollback "{wanted.value}" has no effect at isolation "off": changes of a failed command stay'
