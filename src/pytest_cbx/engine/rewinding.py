"""What an attempt that does not count has said and read: taken back, so that the next one begins where it began."""

from __future__ import annotations

import contextlib
import os
import stat

from pytest_cbx.engine.ledger import Command
from pytest_cbx.engine.protocol import CommandSpec


def places(command: Command, spec: CommandSpec) -> dict[bytes | int, int]:
    """Where the output files of an attempt end when it begins, and where in its input it stands."""
    found: dict[bytes | int, int] = {}
    for path in {spec.stdout, spec.stderr} - {b""}:
        try:
            found[path] = os.stat(path).st_size
        except OSError:
            found[path] = 0
    if command.descriptors is not None:
        with contextlib.suppress(OSError):
            found[command.descriptors[0]] = os.lseek(command.descriptors[0], 0, os.SEEK_CUR)
    return found


def can_rewind(command: Command) -> bool:
    """Whether what an attempt may have read can be read again."""
    if command.descriptors is None:
        return True
    mode = os.fstat(command.descriptors[0]).st_mode
    return not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode))


def rewind(command: Command) -> None:
    """Cut its output files off where they were, and set its input back."""
    for path, size in command.rewind.items():
        with contextlib.suppress(OSError):
            if isinstance(path, int):
                os.lseek(path, size, os.SEEK_SET)
            else:
                os.truncate(path, size)
