"""A command's text with parts of it underlined and labelled, as compilers show where something is."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_cbx.shell.nodes import Span

TAB = 4
LEAST_LABEL = 30
"""Columns that a label gets at least, if need be by standing further left than what it belongs to."""
MOST_PLAIN_LINES = 5
"""Of more lines in a row without a mark the middle is left out."""

Segment = tuple[str, str]
"""A piece of a line and its style; the empty style is plain."""
Line = list[Segment]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A part of the text, and what is said about it, a sentence each."""

    span: Span
    says: tuple[str, ...]
    style: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """The characters to draw with."""

    under: str
    bar: str
    hook: str
    gap: str


LINES = Signs(under="━", bar="│", hook="╰ ", gap="…")
ASCII = Signs(under="^", bar="|", hook="`-", gap="...")


@dataclass(frozen=True, slots=True)
class _Cell:
    """One character as the terminal shows it."""

    shown: str
    width: int
    at: int
    """Its offset in the text."""


def marked(text: str, marks: Sequence[Mark], *, width: int, indent: int = 2, signs: Signs = LINES) -> list[Line]:
    """The lines of the text; below each the underlines and labels of its marks. No line is wider than `width` columns.

    A mark over several lines is underlined in each and labelled at its last. Lines that are too long go on in the next row.
    """
    room = max(20, width) - indent
    rows = [row for line in _lines(text) for row in _rows(line, room)]
    blocks = [list(_block(row, marks, room, indent, signs)) for row in rows]
    out: list[Line] = []
    for block in _shortened(blocks, " " * indent + signs.gap):
        out.extend(block)
    return out


def plain(lines: Sequence[Line]) -> list[str]:
    """The lines without their styles."""
    return ["".join(piece for piece, _ in line).rstrip() for line in lines]


def columns(text: str) -> int:
    """How many columns a terminal needs for printable text."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415 - not for those who only want JSON

    return cell_len(text)


def _lines(text: str) -> Iterator[list[_Cell]]:
    """The text's lines as cells. Each ends in an empty cell at its line end, so that a mark there has a place."""
    line: list[_Cell] = []
    column = 0
    for at, char in enumerate(text.rstrip("\n")):
        if char == "\n":
            yield [*line, _Cell("", 0, at)]
            line, column = [], 0
            continue
        shown = " " * (TAB - column % TAB) if char == "\t" else visible(char)
        width = columns(shown)
        line.append(_Cell(shown, width, at))
        column += width
    yield [*line, _Cell("", 0, len(text.rstrip("\n")))]


def visible(char: str) -> str:
    """A character that a terminal can show, and that does nothing to it."""
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    if 0xD800 <= code < 0xE000:
        return "\ufffd"
    return f"<U+{code:04X}>" if unicodedata.category(char) in ("Cf", "Cc", "Zl", "Zp") else char


def _rows(line: list[_Cell], room: int) -> Iterator[list[_Cell]]:
    """A line in pieces that fit."""
    row: list[_Cell] = []
    used = 0
    for cell in line:
        if used + cell.width > room and row:
            yield row
            row, used = [], 0
        row.append(cell)
        used += cell.width
    yield row


def _block(row: list[_Cell], marks: Sequence[Mark], room: int, indent: int, signs: Signs) -> Iterator[Line]:
    """A row of the text, its underlines, its labels."""
    margin = " " * indent
    first, last = row[0].at, row[-1].at
    here = sorted(
        (m for m in marks if m.span.start <= last and m.span.end > first), key=lambda m: (m.span.start, -m.span.end)
    )
    styles = [""] * len(row)
    for mark in here:
        for index, cell in enumerate(row):
            alone = cell.shown or mark.span.end - mark.span.start <= 1
            if alone and mark.span.start <= cell.at < max(mark.span.end, mark.span.start + 1):
                styles[index] = mark.style or "mark"
    yield [(margin, ""), *_joined((cell.shown, styles[index]) for index, cell in enumerate(row))]
    if not here:
        return
    yield [(margin, ""), *_joined(_underline(row, styles, signs))]
    starts = _columns_of(row)
    ends_here = [mark for mark in here if mark.says and mark.span.end <= last + 1]
    placed = [(min(starts[max(mark.span.start, first)], max(0, room - LEAST_LABEL)), mark) for mark in ends_here]
    for number in range(len(placed) - 1, -1, -1):
        yield from _label(placed[: number + 1], room, margin, signs)


def _underline(row: list[_Cell], styles: list[str], signs: Signs) -> Iterator[Segment]:
    for cell, style in zip(row, styles, strict=True):
        # What has no width (a line end, an accent, a joiner) is shown by one column where a mark stands on it alone.
        width = cell.width or int(bool(style) and not cell.shown)
        yield (signs.under if style else " ") * width, style


def _columns_of(row: list[_Cell]) -> dict[int, int]:
    """The column at which each offset of a row stands."""
    found: dict[int, int] = {}
    column = 0
    for cell in row:
        found[cell.at] = column
        column += cell.width
    return found


def _label(placed: list[tuple[int, Mark]], room: int, margin: str, signs: Signs) -> Iterator[Line]:
    """The label of the last of these, with bars for those before it."""
    column, mark = placed[-1]
    bars: Line = []
    at = 0
    for other, before in placed[:-1]:
        if other < at or other >= column:
            continue
        bars += [(" " * (other - at), ""), (signs.bar, before.style)]
        at = other + 1
    bars.append((" " * (column - at), ""))
    wrapped = [
        piece
        for sentence in mark.says
        for piece in textwrap.wrap(sentence, room - column - 2, break_long_words=True, break_on_hyphens=False) or [""]
    ]
    for number, piece in enumerate(wrapped):
        hook = signs.hook if number == 0 else "  "
        yield [(margin, ""), *bars, (hook, mark.style), (piece, mark.style)]


def _joined(pieces: Iterator[Segment]) -> Line:
    """Neighbours of one style as one segment."""
    line: Line = []
    for shown, style in pieces:
        if line and line[-1][1] == style:
            line[-1] = (line[-1][0] + shown, style)
        else:
            line.append((shown, style))
    return line


def _shortened(blocks: list[list[Line]], gap: str) -> Iterator[list[Line]]:
    """The blocks; of a long stretch without marks only the ends."""
    start = 0
    while start < len(blocks):
        end = start
        while end < len(blocks) and len(blocks[end]) == 1:
            end += 1
        if end - start > MOST_PLAIN_LINES:
            yield from blocks[start : start + 2]
            yield [[(f"{gap} {end - start - 4} lines", "dim")]]
            yield from blocks[end - 2 : end]
        else:
            yield from blocks[start:end]
        if end < len(blocks):
            yield blocks[end]
        start = end + 1
