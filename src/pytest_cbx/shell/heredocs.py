"""Here-documents: the delimiter on the command's line, the body behind the next newline."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pytest_cbx.shell import words
from pytest_cbx.shell.nodes import Literal, Redirect, Span, Word, WordPart
from pytest_cbx.shell.source import END, Lost, Source

_DELIMITER = re.compile(r"(?:[^ \t\n;&|<>()'\"\\$`\0]+|'[^']*'|\"[^\"\\$`]*\"|\\[^\n\0])+")
_QUOTES = re.compile(r"'([^']*)'|\"([^\"]*)\"|\\(.)")


@dataclass(slots=True, kw_only=True)
class Heredoc:
    """A here-document whose body has perhaps not been reached yet."""

    operator: str
    descriptor: str | None
    start: int
    end: int
    """Places in the original: the whole redirect, without its body."""
    delimiter: str
    quoted: bool
    redirect: Redirect | None = None
    """Set once the body has been read."""


def heredoc(source: Source, pos: int, operator: str, descriptor: str | None, start: int) -> tuple[Heredoc, int]:
    """The here-document whose delimiter stands at `pos`; its body is waited for."""
    match = _DELIMITER.match(source.text, pos)
    if match is None or source.text[match.end()] in "'\"\\$`":
        raise Lost("a here-document without a plain delimiter")
    if source.restore(pos, match.end()):
        raise Lost("a here-document with a line continuation in its delimiter")
    raw = match[0]
    quoted = any(char in raw for char in "'\"\\")
    delimiter = _QUOTES.sub(lambda m: m[1] or m[2] or m[3] or "", raw) if quoted else raw
    span = source.span(start, match.end())
    found = Heredoc(
        operator=operator, descriptor=descriptor, start=span.start, end=span.end, delimiter=delimiter, quoted=quoted
    )
    source.waiting.append(found)
    return found, match.end()


def read_bodies(source: Source, pos: int) -> int:
    """Read the bodies that were waited for from `pos`, behind a newline, and tell where the last one ends.

    Raises:
        Lost: the text ends before a delimiter does.
    """
    for waiting in source.waiting:
        pos = _read_body(source, waiting, pos)
    source.waiting.clear()
    return pos


def _read_body(source: Source, waiting: Heredoc, start: int) -> int:
    strip = waiting.operator == "<<-"
    lines: list[tuple[int, int]] = []
    pos = start
    while True:
        end = source.text.find("\n", pos)
        end = end if end >= 0 else source.end
        if waiting.quoted and source.restore(pos, end, first_only=True):
            continue
        first = pos
        if strip:
            while source.text[first] == "\t":
                first += 1
        if source.text[first:end] == waiting.delimiter:
            break
        if source.text[end] == END:
            raise Lost(f"a here-document without its delimiter {waiting.delimiter!r}")
        lines.append((first, end + 1))
        pos = end + 1
    body = Word(parts=_parts(source, waiting, lines), span=source.span(start, end))
    waiting.redirect = Redirect(
        operator=waiting.operator, target=body, descriptor=waiting.descriptor,
        span=Span(waiting.start, waiting.end),
    )  # fmt: skip
    # The newline behind the delimiter belongs to it.
    return end + (source.text[end] == "\n")


def _parts(source: Source, waiting: Heredoc, lines: list[tuple[int, int]]) -> tuple[WordPart, ...]:
    text = "".join(source.text[first:end] for first, end in lines)
    if waiting.quoted:
        return (Literal(text=text, quoted=True),)
    if not any(char in text for char in "$`\\"):
        return (Literal(text=text, quoted=True),) if text else ()
    at = [source.place(i) for first, end in lines for i in range(first, end)]
    at.append(source.place(lines[-1][1]))
    body = source.part(text, at)
    body.deeper(0)
    pieces, _ = words.double_quoted(body, 0, closing="")
    if body.doubt is not None:
        raise Lost(body.doubt)
    return words.merge(part for part, _, _ in pieces)
