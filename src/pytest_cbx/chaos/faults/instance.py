"""Faults of instances: they are killed, stopped, hang, lie about their exit code, cannot start; so do client and engine."""

from __future__ import annotations

import errno
import signal
from typing import Unpack

from pytest_cbx.chaos.faults.kinds import Family, Kind, Planned, When, planned
from pytest_cbx.faults.model import Delay, Exit, NoStart, Signal

_ATTEMPT = ("attempt",)


def kill(*, whom: str = "instance", **when: Unpack[When]) -> Planned:
    """SIGKILL before the call. `whom`: `process` (the caller), `instance` (all of the command), `client`, `engine`."""
    return planned(Signal(number=signal.SIGKILL, whom=whom), when)


def stop(*, seconds: float = 0.0, whom: str = "instance", **when: Unpack[When]) -> Planned:
    """SIGSTOP; SIGCONT after so many seconds, else when the fault is healed."""
    return planned(Signal(number=signal.SIGSTOP, whom=whom, resume_after=seconds), when)


def hang(**when: Unpack[When]) -> Planned:
    """The call never comes back, until the fault is healed."""
    return planned(Delay(), when)


def exit_code(code: int, **when: Unpack[When]) -> Planned:
    """The command does its work, and its exit code is reported as another one. `at` counts attempts."""
    return planned(Exit(code=code), when, calls=_ATTEMPT)


def no_start(error: int = errno.EAGAIN, **when: Unpack[When]) -> Planned:
    """The command cannot be started. `at` counts attempts."""
    return planned(NoStart(error=error), when, calls=_ATTEMPT)


KINDS = (
    Kind(name="kill", family=Family.INSTANCE, about="SIGKILL in the midst of its work", build=kill),
    Kind(name="stop", family=Family.INSTANCE, about="SIGSTOP, and SIGCONT later", build=stop),
    Kind(name="hang", family=Family.INSTANCE, about="a system call that does not come back", build=hang),
    Kind(name="exit_code", family=Family.INSTANCE, about="a wrong exit code", build=exit_code),
    Kind(name="no_start", family=Family.INSTANCE, about="it cannot be started", build=no_start),
)
