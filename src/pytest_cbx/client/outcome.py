"""What came of one command."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_cbx.errors import CbxError, CommandDenied, CommandTimeout, LockTimeout, SpawnError
from pytest_cbx.frameworks.cases import Case
from pytest_cbx.tier import Tier

TAIL_LINES = 40
_TAIL_BYTES = 256 * 1024
_LINE_CHARACTERS = 2000
_FEW = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a command changed in the workspace, as sorted workspace-relative paths."""

    created: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    truncated: bool = False
    """There were so many that not all are listed."""

    @property
    def count(self) -> int:
        """How many paths are listed."""
        return len(self.created) + len(self.modified) + len(self.deleted)

    def lines(self) -> Iterator[str]:
        """One line a path, by path: `created  dist/app.tar.gz`."""
        rows = [(path, what) for what in ("created", "modified", "deleted") for path in getattr(self, what)]
        yield from (f"{what:<8} {on_one_line(path)}" for path, what in sorted(rows))
        if self.truncated:
            yield f"… and more: only {self.count} are listed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of one command. Times are seconds, sizes are bytes, `started_at` and `ended_at` are Unix seconds."""

    name: str
    command: str
    tier: Tier
    status: str
    """`passed`, `failed`, `skipped`, `cancelled`, `lock-timeout`."""
    exit_code: int | None = None
    """As a shell shows it: 128+n for signal n; None when it never ran."""
    signal: int = 0
    cause: str = ""
    """`exit`, `signal`, `timeout`, `memory`, `cancelled`, `start-failed`, `denied`; empty when it never ran."""
    reason: str = ""
    """For people; empty when it passed, or failed by its own exit code."""
    stdout: str = ""
    stderr: str = ""
    log: Path | None = None
    """The file with the whole output, both streams interleaved, where it was kept in a file."""
    duration: float = 0.0
    queued: float = 0.0
    cpu: float = 0.0
    max_rss: int = 0
    started_at: float = 0.0
    ended_at: float = 0.0
    attempts: int = 0
    slot: int = -1
    waited_for: tuple[str, ...] = ()
    leaks: tuple[str, ...] = ()
    isolation: str = "off"
    """The rung that it ran at."""
    changes: Changes | None = None
    """What it changed, also where that was undone; None where the isolation rung does not observe writes (`off`)."""
    rolled_back: bool = False
    """Its changes were undone; `rollback_incomplete` says what could not be."""
    rollback_incomplete: tuple[str, ...] = ()
    restarts: int = 0
    """How often it was rolled back and started again, for a surprise or because of what other commands did; no attempts of its own."""
    restart_reasons: tuple[str, ...] = ()
    """What other commands did: "format changed src/a.py after it had started"."""
    surprises: tuple[str, ...] = ()
    """What it did that its text does not tell: "wrote out.txt, which its text does not tell"."""
    refused: tuple[str, ...] = ()
    """What it was kept from doing: "signal 15 to sshd (pid 812): not a process of this command"."""
    outside: tuple[str, ...] = ()
    """Absolute paths that it wrote outside the work tree and the protected folders; they are not undone."""
    diff: str = ""
    """Of a dry run: what it would have changed, as unified diff."""
    faults: tuple[str, ...] = ()
    """Ids of the faults that struck it, in order, as often as they did."""
    cases: tuple[Case, ...] = ()
    """Of its `results`."""
    results_problem: str = ""
    """Why its `results` could not be read; empty: they were, or it has none."""
    error: CbxError | None = None
    """Set when it was not the command's own exit code that ended it."""

    @property
    def ok(self) -> bool:
        """Whether it ran and exited with 0, and so did its cases."""
        return self.status == "passed"

    @property
    def undone(self) -> str:
        """How much was rolled back, e.g. "3 files"; empty where nothing was."""
        if not self.rolled_back or self.changes is None or not self.changes.count:
            return ""
        count = self.changes.count
        return f"{'more than ' if self.changes.truncated else ''}{count} file{'s' if count != 1 else ''}"

    def __str__(self) -> str:
        """Several lines for people: what ran, how it ended, what it said last."""
        lines = [headline(self), *told(self)]
        for stream, text in (("stdout", self.stdout), ("stderr", self.stderr)):
            if text:
                lines += [f"--- {stream}", *last_lines(text)]
        return "\n".join(lines)


def headline(outcome: Outcome) -> str:
    """One line: command, how it ended, tier, duration."""
    text = outcome.command.strip().splitlines()
    shown = (text[0] + (" …" if len(text) > 1 else "")) if text else ""
    how = outcome.reason or (f"exit code {outcome.exit_code}" if outcome.exit_code is not None else "never ran")
    return f"`{shown}` {outcome.status}: {how} ({outcome.tier.value}, {outcome.duration:.2f} s)"


def told(outcome: Outcome) -> list[str]:
    """A line for everything that happened beside the command's own end."""
    lines: list[str] = []
    if outcome.undone:
        lines.append(f"its changes were rolled back: {outcome.undone}")
    lines += [f"not undone: {sentence}" for sentence in outcome.rollback_incomplete]
    if outcome.restarts:
        why = f" because {'; because '.join(outcome.restart_reasons)}" if outcome.restart_reasons else ""
        lines.append(f"rolled back and started again {_times(outcome.restarts)}{why}")
    lines += [f"surprise: {sentence}" for sentence in outcome.surprises]
    lines += [f"refused: {deed}" for deed in outcome.refused]
    if outcome.outside:
        shown = ", ".join(on_one_line(path) for path in outcome.outside[:_FEW])
        more = f" and {len(outcome.outside) - _FEW} more" if len(outcome.outside) > _FEW else ""
        lines.append(f"wrote outside the work tree, which is never undone: {shown}{more}")
    return lines


def on_one_line(path: str) -> str:
    """A path for people: what does not print, and bytes that are no UTF-8, with a backslash and their number."""
    if path.isprintable():
        return path
    legible = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in legible)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def last_lines(text: str, count: int = TAIL_LINES) -> list[str]:
    """The last `count` lines, with a note in front when some were left out; the middle of a very long line is cut."""
    lines = text.splitlines()
    kept = [_shortened(line) for line in lines[-count:]]
    left_out = len(lines) - len(kept)
    return [f"… {left_out} line{'s' if left_out > 1 else ''} before these", *kept] if left_out else kept


def tail_of_file(path: Path, count: int = TAIL_LINES) -> tuple[list[str], bool]:
    """The last `count` lines of a file, decoded leniently, and whether there was more. Reads 256 KB at the most.

    The middle of a very long line is cut. A file that cannot be read has no lines.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            file.seek(max(0, size - _TAIL_BYTES))
            kept = deque(file.read().decode("utf-8", "replace").splitlines(), maxlen=count + 1)
    except OSError:
        return [], False
    more = size > _TAIL_BYTES or len(kept) > count
    return [_shortened(line) for line in list(kept)[-count:]], more


def _shortened(line: str) -> str:
    half = _LINE_CHARACTERS // 2
    cut = len(line) - 2 * half
    return line if cut <= 0 else f"{line[:half]} … {cut} characters … {line[-half:]}"


def error_of(*, status: str, cause: str, reason: str, name: str) -> CbxError | None:
    """The typed error behind an end that was not the command's own exit code."""
    message = f"{name}: {reason}" if reason else name
    if status == "lock-timeout":
        return LockTimeout(message)
    if cause == "timeout":
        return CommandTimeout(message)
    if cause == "start-failed":
        return SpawnError(message)
    if cause == "denied":
        return CommandDenied(message)
    if cause in ("memory", "cancelled") or status in ("cancelled", "skipped"):
        return CbxError(message)
    return None
