"""A kind of fault: what it does, and on which machines it can be had."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypedDict

from pytest_cbx.faults.model import CHANGING, Action, Trigger


class Family(Enum):
    """The classes of faults."""

    INSTANCE = "instance"
    MEMORY = "memory"
    DISK = "disk"
    NETWORK = "network"
    CLOCK = "clock"


class When(TypedDict, total=False):
    """When a fault strikes: the keywords that every kind takes. See `faults.model.Trigger`; `lease` is in seconds."""

    at: int
    lasting: bool
    probability: float
    seed: int
    path: str
    program: str
    command: str
    calls: tuple[str, ...]
    after: float
    together: int
    lease: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A fault without a name: when it strikes, and what it does then."""

    trigger: Trigger
    action: Action
    lease: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of fault."""

    name: str
    family: Family
    about: str
    """One sentence for people."""
    build: Callable[..., Planned]
    """Takes what is its own, and `When`."""
    missing: Callable[[], str] = lambda: ""
    """What this machine lacks for it; empty where it can be had."""


def planned(action: Action, when: When, *, calls: tuple[str, ...] = (CHANGING,), **defaults: Any) -> Planned:
    """An action with the trigger that the keywords describe; `calls` and `defaults` hold where they are silent.

    Raises:
        UsageError: a keyword makes no sense.
    """
    given: dict[str, Any] = {"calls": calls, **defaults, **when}
    lease = float(given.pop("lease", 300.0))
    return Planned(trigger=Trigger(**given), action=action, lease=lease)
