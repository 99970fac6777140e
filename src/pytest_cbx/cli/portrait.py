"""One command for people: its text with the parts underlined, and below what they come to."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from pytest_cbx.client.denial import advice, findings_against
from pytest_cbx.client.explained import Explained, FindingRow, explained, legible
from pytest_cbx.client.jobs import Job
from pytest_cbx.client.marked import ASCII, LINES, Line, Mark, columns, marked, visible
from pytest_cbx.effects.model import Duration
from pytest_cbx.severity import Severity
from pytest_cbx.shell.nodes import Span
from pytest_cbx.tier import Tier

_MEANS = {
    Tier.SAFE_PARALLEL: "only reads; many run at once",
    Tier.CONDITIONAL_PARALLEL: "writes what is its own; runs beside what does not touch the same",
    Tier.SEQUENTIAL_REQUIRED: "changes what others may use; one at a time for each thing that it claims",
    Tier.DANGEROUS_ISOLATED: "may do harm; runs alone in the work tree",
}
_STYLES = {
    "SAFE_PARALLEL": "green", "CONDITIONAL_PARALLEL": "cyan", "SEQUENTIAL_REQUIRED": "yellow", "DANGEROUS_ISOLATED": "red",
    "notice": "blue", "warning": "bold magenta", "critical": "bold red", "mark": "bold", "dim": "dim",
}  # fmt: skip
_TAKES = {
    Duration.QUICK: "under 1 s", Duration.FAST: "1 to 10 s", Duration.MODERATE: "10 s to 1 min", Duration.SLOW: "1 to 10 min",
    Duration.VERY_SLOW: "over 10 min",
}  # fmt: skip
_LABEL = 12
_MEGABYTE = 1024 * 1024
_WIDEST = 120


def show(job: Job, *, deny: Severity | None = None) -> None:
    """Print it to standard output, in colour where that is a terminal that has any."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        # What is read by a program, or later, is not cut to the width of a terminal that is not there.
        console = Console(highlight=False, markup=False, emoji=False, no_color=True, width=_WIDEST)
    for line in portrait(job, width=min(console.width, _WIDEST), deny=deny, ascii_only=not _draws(console)):
        text = Text.assemble(*((piece, _STYLES.get(style, style)) for piece, style in line))
        console.print(text, soft_wrap=True)


def _draws(console: Console) -> bool:
    try:
        (LINES.under + LINES.hook).encode(console.encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def portrait(job: Job, *, width: int, deny: Severity | None = None, ascii_only: bool = False) -> list[Line]:
    """The lines, none wider than `width` (of 40 at least)."""
    width = max(40, width)
    value = legible(explained(job))
    tier = Tier(value.tier)
    lines: list[Line] = [[(value.tier, f"bold {_STYLES[value.tier]}"), (f"  {_MEANS[tier]}", "dim")]]
    if len(value.tier) + 2 + len(_MEANS[tier]) > width:
        lines = [[(value.tier, f"bold {_STYLES[value.tier]}")], [(f"  {_MEANS[tier]}"[:width], "dim")]]
    lines += [[], *marked(job.request.text, _marks(value), width=width, signs=ASCII if ascii_only else LINES), []]
    for label, sentences, style in _sections(job, value, deny):
        lines += _section(label, sentences, style, width)
    return lines


def _marks(value: Explained) -> list[Mark]:
    """What each part does; a finding at the same place stands first, and gives the colour."""
    by_span: dict[tuple[int, int], list[tuple[str, str]]] = {}
    told = {finding.message for finding in value.findings}
    for finding in value.findings:
        if finding.start is not None and finding.end is not None:
            by_span.setdefault((finding.start, finding.end), []).append(
                (f"{finding.severity}: {finding.message}", finding.severity)
            )
    for part in value.parts:
        by_span.setdefault((part.start, part.end), []).extend(
            (sentence, part.tier) for sentence in part.says if sentence not in told
        )
    return [
        Mark(span=Span(*span), says=tuple(sentence for sentence, _ in said), style=_STYLES[said[0][1]])
        for span, said in sorted(by_span.items())
        if said
    ]


def _sections(job: Job, value: Explained, deny: Severity | None) -> Iterator[tuple[str, Sequence[str], str]]:
    yield "because", value.reasons, ""
    effects = value.effects
    for name in ("reads", "writes", "creates", "deletes", "ports", "network", "processes"):
        yield name, getattr(effects, name), ""
    yield "unknown", effects.unknown, ""
    yield "claims", value.claims, ""
    yield "learned", value.learned, ""
    for severity in reversed(Severity):
        rows = [row for row in value.findings if row.severity == severity.value]
        yield severity.value, [_found(row, value.command) for row in rows], _STYLES[severity.value]
    yield "readers", value.differences, ""
    yield "needs", [_needs(value)], ""
    effects_known = job.request.effects
    unlisted = [use.name for use in (effects_known.programs if effects_known else ()) if not use.known]
    yield (
        "unlisted",
        [f"{', '.join(dict.fromkeys(unlisted))} (not in the catalogue of programs)"] if unlisted else [],
        "",
    )
    against = findings_against(job, deny)
    yield "refused", [f"{f.severity.value} finding {f.rule}" for f in against], _STYLES["critical"]
    yield "to do", [advice(against)] if against else [], ""


def _found(row: FindingRow, command: str) -> str:
    """A finding with its place as line and column, both from 1."""
    if row.start is None or row.end is None:
        return f"{row.rule}: {row.message}"
    line = command.count("\n", 0, row.start) + 1
    column = row.start - (command.rfind("\n", 0, row.start) + 1) + 1
    return f"{row.rule} at {line}:{column}: {row.message}"


def _needs(value: Explained) -> str:
    memory = value.estimate.memory / _MEGABYTE
    cores = f"{value.estimate.cpus:g} core{'s' if value.estimate.cpus != 1 else ''}"
    return f"{_TAKES[Duration(value.estimate.duration)]}, {cores}, {memory:.0f} MB"


def _section(label: str, sentences: Sequence[str], style: str, width: int) -> Iterator[Line]:
    """A label, and beside it the sentences, wrapped."""
    room = max(20, width - _LABEL - 2)
    for number, sentence in enumerate(sentences):
        clean = "".join(visible(char) for char in sentence)
        pieces = _wrapped(clean, room)
        for index, piece in enumerate(pieces):
            head = label if number == 0 and index == 0 else ""
            yield [(f"  {head:<{_LABEL}}", style or "dim"), (piece, style)]


def _wrapped(sentence: str, room: int) -> list[str]:
    if columns(sentence) <= room:
        return [sentence]
    # Wide characters take two columns each: half the room is enough for any of them.
    narrow = room if len(sentence) == columns(sentence) else room // 2
    return textwrap.wrap(sentence, narrow, break_on_hyphens=False) or [""]
