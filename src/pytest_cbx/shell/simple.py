"""Simple commands: assignments, words and redirects up to the operator that ends them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from pytest_cbx.shell import expansions, words
from pytest_cbx.shell.heredocs import Heredoc
from pytest_cbx.shell.nodes import Assignment, Literal, Redirect, Simple, Unreadable, Word
from pytest_cbx.shell.redirects import redirect
from pytest_cbx.shell.source import END, Lost, Source

DECLARATIONS = frozenset(("declare", "typeset", "local", "export", "readonly"))

_ENDS = frozenset("\n;&|()" + END)
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\[|\+?=)")
_SUBSCRIPTED = re.compile(r"\+?=")
_FUNCTION = re.compile(r"\([ \t]*\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A simple command some of whose redirects may still wait for their bodies."""

    command: Simple
    redirects: tuple[Redirect | Heredoc, ...]

    def finished(self) -> Simple | None:
        """The command; None where a body never came."""
        redirects = finish_redirects(self.redirects)
        return None if redirects is None else replace(self.command, redirects=redirects)


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionName:
    """A word with `()` behind it."""

    name: str


def finish_redirects(redirects: Sequence[Redirect | Heredoc]) -> tuple[Redirect, ...] | None:
    """The redirects with their here-documents' bodies; None where one never came."""
    finished: list[Redirect] = []
    for one in redirects:
        done = one.redirect if isinstance(one, Heredoc) else one
        if done is None:
            return None
        finished.append(done)
    return tuple(finished)


def simple(source: Source, start: int, original: str) -> tuple[Simple | Draft | FunctionName | Unreadable, int]:
    """The simple command that starts at `start`, or the head of a function definition, and the index behind it.

    `original` is the text that spans point into.

    Raises:
        Lost: its end cannot be told.
    """
    outer, source.doubt = source.doubt, None
    found: list[Word] = []
    assignments: list[Assignment] = []
    operands: list[Assignment] = []
    redirects: list[Redirect | Heredoc] = []
    declares = late = False
    pos = end = start
    while True:
        text = source.text
        char = text[pos]
        if char in " \t":
            pos += 1
            continue
        if char in "<>&{0123456789":
            one = redirect(source, pos)
            if one is not None:
                redirects.append(one[0])
                pos = end = one[1]
                late = late or one[0].operator in ("<<", "<<-")
                continue
        if char in _ENDS or (char == "#" and pos > end) or (char == "#" and pos == start):
            break
        if not found or declares:
            assigned = assignment(source, pos)
            if assigned is not None:
                (operands if found else assignments).append(assigned[0])
                pos = end = assigned[1]
                continue
        word, pos = words.word(source, pos, words.ARGUMENT)
        if pos <= end and found:
            raise Lost("a word that never ends")
        end = pos
        if not found:
            declares = len(word.parts) == 1 and type(word.parts[0]) is Literal and word.parts[0].text in DECLARATIONS
        found.append(word)
    if text[pos] == "(":
        return _function_name(source, pos, found, assignments or operands or redirects), _behind(source, pos)
    doubt, source.doubt = source.doubt, outer
    span = source.span(start, end)
    if doubt is not None:
        return Unreadable(text=original[span.start : span.end], reason=doubt, span=span), end
    command = Simple(
        words=tuple(found), assignments=tuple(assignments), operands_assigned=tuple(operands),
        redirects=() if late else tuple(redirects),  # type: ignore[arg-type]
        span=span,
    )  # fmt: skip
    return (Draft(command=command, redirects=tuple(redirects)) if late else command), end


def _function_name(source: Source, pos: int, found: list[Word], others: Sequence[object]) -> FunctionName:
    parts = found[0].parts if len(found) == 1 and not others else ()
    if len(parts) != 1 or type(parts[0]) is not Literal or parts[0].quoted or not _FUNCTION.match(source.text, pos):
        raise Lost("a parenthesis where none can stand")
    return FunctionName(name=parts[0].text)


def _behind(source: Source, pos: int) -> int:
    match = _FUNCTION.match(source.text, pos)
    assert match is not None
    return match.end()


def assignment(source: Source, pos: int) -> tuple[Assignment, int] | None:
    """The assignment at `pos` and the index behind it; None where an ordinary word stands."""
    match = _ASSIGNMENT.match(source.text, pos)
    if match is None:
        return None
    start, operator, pos = pos, match[2], match.end()
    index: Word | None = None
    if operator == "[":
        subscripted = source.attempt("[", pos, partial(_subscripted, source, pos))
        if subscripted is None:
            return None
        index, operator, pos = subscripted
    elements: tuple[Word, ...] | None = None
    value: Word | None = None
    char = source.text[pos]
    if char == "(" and index is None:
        elements, pos = _elements(source, pos + 1)
    elif not words.starts_word(source.text, pos):
        value = Word(parts=(), span=source.span(pos, pos))
    else:
        value, pos = words.word(source, pos, words.VALUE)
    return (
        Assignment(
            name=match[1], value=value, append=operator == "+=", index=index, elements=elements,
            span=source.span(start, pos),
        ),
        pos,
    )  # fmt: skip


def _subscripted(source: Source, pos: int) -> tuple[Word, str, int] | None:
    """A subscript from `pos`, the operator behind it, and the index of the value."""
    index, pos = expansions.subscript(source, pos)
    behind = _SUBSCRIPTED.match(source.text, pos)
    return None if behind is None else (index, behind[0], behind.end())


def _keyed(source: Source, start: int, index: Word, operator: str, pos: int) -> tuple[Word, int]:
    """An array's element `[index]=value` as one word."""
    ends = source.text[pos] in words.WORD_ENDS
    value, end = (Word(parts=(), span=index.span), pos) if ends else words.word(source, pos, words.SUBJECT)
    if any(type(part) is Literal and not part.quoted and "{" in part.text for part in value.parts):
        source.doubts("braces in an array's element with a subscript")
    opening, closing = Literal(text="[", quoted=False), Literal(text=f"]{operator}", quoted=False)
    return Word(parts=words.merge((opening, *index.parts, closing, *value.parts)), span=source.span(start, end)), end


def _elements(source: Source, pos: int) -> tuple[tuple[Word, ...], int]:
    found: list[Word] = []
    while True:
        char = source.text[pos]
        if char in " \t\n":
            if char == "\n" and source.waiting:
                raise Lost("a here-document within an array")
            pos += 1
        elif char == ")":
            return tuple(found), pos + 1
        elif char == "#":
            pos = source.comment_end(pos)
        elif not words.starts_word(source.text, pos):
            raise Lost("an array without its closing parenthesis")
        else:
            keyed = source.attempt("[", pos + 1, partial(_subscripted, source, pos + 1)) if char == "[" else None
            if keyed is None:
                word, pos = words.word(source, pos, words.ELEMENT)
            else:
                word, pos = _keyed(source, pos, *keyed)
            found.append(word)
