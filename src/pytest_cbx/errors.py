"""Every error that pytest-cbx raises on purpose.

A message says what happened, where, and what to do next. `InternalError` is for our own bugs, so that
they never look like a mistake of the user's.
"""

from __future__ import annotations

import os
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


class FaultUnsupported(CbxError):
    """A planned fault cannot be had on this machine, or for this command. What was to be shown by it is not shown."""


class CommandDenied(CbxError):
    """A command was refused because of what its text shows; nothing of it ran."""


class CommandTimeout(CbxError, TimeoutError):
    """A command ran longer than its deadline and was stopped."""


class LockTimeout(CbxError, TimeoutError):
    """A command waited longer for another client's claims than the lock time-out allows."""


class TransactionConflict(CbxError):
    """`cbx.transaction()` had to give way to a command, or to another transaction; everything in it was undone. Try it again."""


class ProtocolError(CbxError):
    """The other end of the engine's socket sent something that is no message of ours."""


class EngineLost(CbxError):
    """The engine ended, or was killed, while a client needed it."""


class JournalError(CbxError):
    """The undo journal, or a pre-image, could not be written or read. What it was for has not been changed by us."""

    def __init__(self, path: bytes, cause: OSError) -> None:
        self.path = path
        self.cause = cause
        super().__init__(f"the undo journal fails at {os.fsdecode(path)}: {cause.strerror or cause}")

    def __reduce__(self) -> tuple[type[JournalError], tuple[bytes, OSError]]:
        return type(self), (self.path, self.cause)


class JournalDamaged(CbxError):
    """A journal is not ours, or torn before its end. It was left alone: look at it, then remove its folder by hand."""

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(
            f"{path} is no journal that can be undone: {reason}. It was left as it is; remove its folder when nothing of it is needed"
        )

    def __reduce__(self) -> tuple[type[JournalDamaged], tuple[str, str]]:
        return type(self), (self.path, self.reason)


class PreimageLimit(CbxError):
    """A file is about to be written whose copy would take more room than there is. Nothing was changed yet."""

    def __init__(self, path: bytes, needed: int, left: int) -> None:
        self.path = path
        self.needed = needed
        """Bytes."""
        self.left = left
        """Bytes."""
        super().__init__(
            f"{os.fsdecode(path)} is to be written, and keeping {needed} bytes of it would exceed what is left for that: {left} bytes."
            " Raise limits.preimage_bytes, or make room on the disk"
        )

    def __reduce__(self) -> tuple[type[PreimageLimit], tuple[bytes, int, int]]:
        return type(self), (self.path, self.needed, self.left)


class RollbackIncomplete(CbxError):
    """A roll back stopped half-way; its journal is kept, and `cbx recover` goes on."""

    def __init__(self, reasons: tuple[str, ...]) -> None:
        self.reasons = reasons
        super().__init__("; ".join(reasons) + ". The journal is kept: remove the cause, then run `cbx recover`")

    def __reduce__(self) -> tuple[type[RollbackIncomplete], tuple[tuple[str, ...]]]:
        return type(self), (self.reasons,)


class InternalError(CbxError):
    """A bug in pytest-cbx. Please report it."""
