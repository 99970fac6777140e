"""What the plugin prints in pytest's terminal: one header line, one summary line."""

from __future__ import annotations

import os

import pytest

from pytest_cbx.client.outcome import Changes, Outcome
from pytest_cbx.client.protection import notes_on, spoken
from pytest_cbx.execute.machine import measure
from pytest_cbx.pytest_plugin.board import Board

GIGABYTE = 1024**3
WORTH_TELLING = 1.05
SURPRISES_MAX = 20
"""Lines."""


def header(board: Board) -> str | None:
    """The header line, or None in a session without commands."""
    options = board.options
    if not board.commands:
        return None
    machine = measure()
    where = (
        os.path.relpath(options.file, board.config.rootpath)
        if options.file
        else "discovery"
        if options.settings.discover
        else "plugins"
    )
    count = len(board.commands)
    mode = "at once" if options.parallel else "one by one (--cbx-parallel runs them at once)"
    line = (
        f"cbx: {count} command{'s' if count != 1 else ''} from {where}, {mode}; "
        f"{machine.cpus:g} cores, {machine.memory / GIGABYTE:.1f} GB; {spoken(options.rung)}"
    )
    notes = [*options.notes, *notes_on(board.commands, options.rung)]
    return "\n".join([line, *(f"cbx: {note}" for note in notes)])


def summary(reporter: pytest.TerminalReporter, board: Board) -> None:
    """The summary line, and the processes that commands left behind."""
    if not board.jobs or reporter.verbosity < 0 or board.options.explain:
        return
    totals = board.summary().totals
    ended = [outcome for outcome in board.outcomes.values() if outcome.status != "cancelled"]
    known = {outcome.name for outcome in ended}
    stopped = [name for name in board.jobs if name not in known]
    parts = [f"{len(ended)} command{'s' if len(ended) != 1 else ''}"]
    counted = ((totals.failed, "failed"), (totals.skipped, "skipped"), (totals.rolled_back, "rolled back"))
    parts += [f"{n} {what}" for n, what in counted if n]
    line = f"cbx: {', '.join(parts)} in {totals.makespan_s:.2f} s"
    if len(ended) > 1:
        # Not what one after another would take: beside others each takes longer.
        line += f"; sum of the parts {totals.work_s:.2f} s"
    if totals.speed_up > WORTH_TELLING:
        line += f", {totals.speed_up:.2f} times that, on {totals.slots} slots"
    reporter.write_line(line)
    for outcome in board.outcomes.values():
        for line in _beside(outcome):
            reporter.write_line(f"cbx: {outcome.name} {line}", yellow=True)
    if stopped:
        reporter.write_line(f"cbx: stopped or never started: {', '.join(stopped)}", yellow=True)
    for note in board.notes:
        reporter.write_line(f"cbx: {note}", yellow=True)
    _surprises(reporter, board)


def _beside(outcome: Outcome) -> list[str]:
    """What is worth telling of a command, whether it passed or not."""
    lines = [f"left a process behind, which was killed: {leak}" for leak in outcome.leaks]
    lines += [f"could not be undone: {sentence}" for sentence in outcome.rollback_incomplete]
    lines += [f"was refused: {deed}" for deed in outcome.refused]
    if outcome.diff and outcome.ok:
        lines += [f"would have changed (dry run): {line}" for line in (outcome.changes or Changes()).lines()]
    return lines


def _surprises(reporter: pytest.TerminalReporter, board: Board) -> None:
    """What commands touched though their texts do not tell."""
    lines = [f"`{outcome.name}` {surprise}" for outcome in board.outcomes.values() for surprise in outcome.surprises]
    if not lines:
        return
    reporter.write_sep("=", "cbx surprises", yellow=True)
    for line in lines[:SURPRISES_MAX]:
        reporter.write_line(line, yellow=True)
    if len(lines) > SURPRISES_MAX:
        reporter.write_line(f"… and {len(lines) - SURPRISES_MAX} more", yellow=True)
    learned = "learned: the next run predicts this" if board.options.settings.learn else "not learned: learn = false"
    reporter.write_line(learned, yellow=True)
