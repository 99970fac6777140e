"""`cbx recover`: finish what a crash left in the work tree."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from pytest_cbx.chaos.leases import sweep_records
from pytest_cbx.cli.project import directory
from pytest_cbx.client.outcome import on_one_line
from pytest_cbx.config.locate import find_workspace
from pytest_cbx.engine.recover import recover
from pytest_cbx.transaction.recovery import Action, JournalResult

EXIT_UNFINISHED = 1
"""A journal is left that could not be finished."""
_UNFINISHED = (Action.LEFT_ALONE, Action.INCOMPLETE)


class JournalRow(msgspec.Struct, frozen=True, kw_only=True):
    """One journal."""

    label: str
    """The name of its command; empty where that cannot be told."""
    action: str
    """`rolled back`, `completed`, `removed`, `incomplete`, `left alone` or `busy`."""
    reason: str
    restored: int
    """Changes that were undone now."""
    path: str


class Recovered(msgspec.Struct, frozen=True, kw_only=True):
    """What `--json` prints."""

    workspace: str
    finished: bool
    """Nothing is left that needs anybody."""
    killed: list[str]
    journals: list[JournalRow]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the sub-command takes."""
    parser.description = (
        "Kills what dead engines of this work tree left running, and rolls back or completes every journal without a living owner. "
        "Safe to call at any time, also twice. Every start of an engine does the same."
    )
    parser.add_argument("--json", action="store_true", help="JSON instead of text")
    parser.add_argument("--workspace", metavar="DIR", help="the work tree (default: around the current directory)")


def main(arguments: argparse.Namespace) -> int:
    """Recover the work tree, and say what was done."""
    # No configuration is read: a mistake in it must not keep anybody from getting the files back.
    root = directory(arguments.workspace) if arguments.workspace else find_workspace(Path.cwd())
    summary = recover(root)
    sweep_records()
    unfinished = [journal for journal in summary.journals if journal.action in _UNFINISHED]
    if arguments.json:
        value = Recovered(
            workspace=_legible(str(root)),
            finished=not unfinished,
            killed=[_legible(text) for text in summary.killed],
            journals=[_row(journal) for journal in summary.journals],
        )
        sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
    else:
        for line in render(root, summary.journals, summary.killed):
            print(line)
    return EXIT_UNFINISHED if unfinished else 0


def render(root: Path, journals: Sequence[JournalResult], killed: Sequence[str]) -> Iterator[str]:
    """What was done, for people: a line each."""
    if not journals and not killed:
        yield f"nothing to recover in {on_one_line(str(root))}"
    for process in killed:
        yield f"killed {process}, which a dead engine had left running"
    for journal in journals:
        yield f"{on_one_line(journal.label) or 'a command'}: {_done(journal)}"
    if any(journal.action is Action.INCOMPLETE for journal in journals):
        yield "what is incomplete goes on where it stopped: see to the reason, then call cbx recover again"


def _done(journal: JournalResult) -> str:
    because = f": {journal.reason}" if journal.reason else ""
    plural = "s" if journal.restored != 1 else ""
    match journal.action:
        case Action.ROLLED_BACK:
            return f"rolled back, {journal.restored} change{plural} undone{because}"
        case Action.COMPLETED:
            return f"its changes had been kept already; the rest of its journal is gone{because}"
        case Action.REMOVED:
            return f"it had changed nothing; its journal is gone{because}"
        case Action.BUSY:
            return journal.reason or "its engine is alive: nothing to do"
        case Action.INCOMPLETE:
            return f"rolled back in part, {journal.restored} change{plural} undone{because}"
        case Action.LEFT_ALONE:
            return f"left alone{because} ({on_one_line(journal.path)})"


def _row(journal: JournalResult) -> JournalRow:
    return JournalRow(
        label=_legible(journal.label),
        action=journal.action.value,
        reason=_legible(journal.reason),
        restored=journal.restored,
        path=_legible(journal.path),
    )


def _legible(text: str) -> str:
    # JSON is UTF-8: other bytes of names are written out.
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
