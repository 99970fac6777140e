"""Every error that pytest-cbx raises on purpose.

A message says what happened, where, and what to do next. `InternalError` is for our own bugs, so that
they never look like a mistake of the user's.
"""

from __future__ import annotations

from dataclasses import dataclass


class CbxError(Exception):
    """Base of all errors that a caller may want to catch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake in a configuration file."""

    file: str
    line: int
    """1-based; 0 where the mistake belongs to the file as a whole."""
    message: str
    hint: str = ""
    """What would be right, or empty."""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class ConfigError(CbxError):
    """The configuration has mistakes; all of them are listed, nothing was run."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))

    def __reduce__(self) -> tuple[type[ConfigError], tuple[tuple[Problem, ...]]]:
        return type(self), (self.problems,)


class UsageError(CbxError):
    """A call or an option asks for something that cannot be done."""


class PlanError(UsageError):
    """The commands' `needs` name a command that does not exist, or cannot be put in any order."""


class CycleError(PlanError):
    """Commands need each other in circles. `cycles` are names, each followed by what it needs; the last needs the first."""

    def __init__(self, cycles: tuple[tuple[str, ...], ...]) -> None:
        self.cycles = cycles
        told = "; ".join(" needs ".join((*cycle, cycle[0])) for cycle in cycles)
        super().__init__(f"commands need each other in a circle: {told}. Drop one of these needs")

    def __reduce__(self) -> tuple[type[CycleError], tuple[tuple[tuple[str, ...], ...]]]:
        return type(self), (self.cycles,)


class SpawnError(CbxError):
    """An instance could not be started."""


class CommandDenied(CbxError):
    """A command was refused because of what its text shows; nothing of it ran."""


class CommandTimeout(CbxError, TimeoutError):
    """A command ran longer than its deadline and was stopped."""


class LockTimeout(CbxError, TimeoutError):
    """A command waited longer for another client's claims than the lock time-out allows."""


class ProtocolError(CbxError):
    """The other end of the engine's socket sent something that is no message of ours."""


class EngineLost(CbxError):
    """The engine ended, or was killed, while a client needed it."""


class InternalError(CbxError):
    """A bug in pytest-cbx. Please report it."""
