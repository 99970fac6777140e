"""What `cbx run` says on standard error when its command has ended."""

from __future__ import annotations

import sys

from pytest_cbx.client.isolation import Rung
from pytest_cbx.client.outcome import Outcome, told
from pytest_cbx.client.protection import OFF, stays
from pytest_cbx.config.model import Isolation, Rollback, Settings


def tell(outcome: Outcome, settings: Settings, rung: Rung, *, changes: bool) -> None:
    """Print what happened beside the command's own end; with `changes` what it changed, one path a line."""
    for line in _lines(outcome, settings, rung):
        _print(f"cbx: {line}")
    if outcome.diff:
        _print(outcome.diff.removesuffix("\n"))
    if not changes or not outcome.attempts:
        return
    if outcome.changes is None:
        _print(f'cbx: changes are not observed at isolation "{outcome.isolation}"')
        return
    for line in outcome.changes.lines():
        _print(line)


def _lines(outcome: Outcome, settings: Settings, rung: Rung) -> list[str]:
    beside = told(outcome)
    if outcome.attempts and settings.rollback is Rollback.ALWAYS and outcome.isolation != OFF:
        beside = [_of_dry_run(outcome), *(beside[1:] if outcome.undone else beside)]
    beside += [f"it left a process behind, which was killed: {leak}" for leak in outcome.leaks]
    if settings.isolation is Isolation.OFF and outcome.isolation != OFF:
        beside.append(f"it ran at isolation {outcome.isolation}, as the command that it is nested in")
    if settings.isolation is not Isolation.OFF and stays(outcome, settings.rollback):
        beside.append(f"what it changed stays: isolation is off ({rung.reason})")
    return beside


def _of_dry_run(outcome: Outcome) -> str:
    if outcome.undone:
        return f"dry run: this was undone: {outcome.undone}"
    if outcome.changes is not None and outcome.changes.count:
        return "dry run: but its changes were NOT undone"
    return "dry run: it changed nothing"


def _print(text: str) -> None:
    # Names of files may hold any bytes, and a terminal any encoding.
    encoding = sys.stderr.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), file=sys.stderr)
