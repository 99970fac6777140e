"""Who decides what happens to a command's changes at its end."""

from __future__ import annotations

from enum import Enum

from pytest_cbx.config.model import Rollback
from pytest_cbx.tier import Tier


class Ended(Enum):
    """How a command ended."""

    SUCCESS = "exit 0"
    FAILURE = "exit other than 0"
    CRASH = "signal, time-out, memory limit, lost engine, cancelled"


def undo(policy: Rollback, tier: Tier, ended: Ended) -> bool:
    """Whether its changes are undone; otherwise they are committed.

    `auto`: what crashed is undone; what failed is undone from SEQUENTIAL_REQUIRED on, since a failing test suite leaves reports and
    caches that are wanted. A SAFE_PARALLEL command has nothing to undo.
    """
    match policy:
        case Rollback.ALWAYS:
            return True
        case Rollback.NEVER:
            return False
        case Rollback.ON_CRASH:
            return ended is Ended.CRASH
        case Rollback.ON_FAILURE:
            return ended is not Ended.SUCCESS
        case Rollback.AUTO:
            if tier is Tier.SAFE_PARALLEL or ended is Ended.SUCCESS:
                return False
            return ended is Ended.CRASH or tier >= Tier.SEQUENTIAL_REQUIRED
