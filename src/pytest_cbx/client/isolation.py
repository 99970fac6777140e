"""Which rung of the isolation ladder a run gets, and why. Never pretends."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_cbx.config.model import Isolation, Rollback
from pytest_cbx.errors import UsageError

REASON = "this version has no higher rung"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """A rung that was reached."""

    name: str
    reason: str


def reach(wanted: Isolation) -> Rung:
    """The rung for a wish.

    Raises:
        UsageError: a rung was asked for by name that cannot be had; `auto` never fails.
    """
    if wanted in (Isolation.GUARD, Isolation.SERIALIZABLE):
        raise UsageError(
            f'isolation "{wanted.value}" cannot be had: {REASON}. Take isolation = "auto" or "off" '
            "(or --cbx-isolation=off) to run without it."
        )
    return Rung(name="off", reason="asked for" if wanted is Isolation.OFF else REASON)


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
