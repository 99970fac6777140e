"""Redirects, with what stands before and behind their operator."""

from __future__ import annotations

import re

from pytest_cbx.shell import words
from pytest_cbx.shell.heredocs import Heredoc, heredoc
from pytest_cbx.shell.nodes import Literal, Redirect, Word
from pytest_cbx.shell.source import Lost, Source

_START = re.compile(
    r"(?P<descriptor>[0-9]+|\{[A-Za-z_][A-Za-z0-9_]*\})?"
    r"(?P<operator><<<|<<-|<<|<>|<&|>>|>&|>\||[<>](?!\()|&>>|&>)"
)
_FIRST = frozenset("<>&{0123456789")
_BLANKS = re.compile(r"[ \t]*")


def redirect(source: Source, pos: int) -> tuple[Redirect | Heredoc, int] | None:
    """The redirect at `pos` and the index behind it; None where none stands.

    Raises:
        Lost: it has no target.
    """
    if source.text[pos] not in _FIRST:
        return None
    match = _START.match(source.text, pos)
    if match is None:
        return None
    operator, descriptor = match["operator"], match["descriptor"]
    if operator[0] == "&" and descriptor is not None:
        return None
    blanks = _BLANKS.match(source.text, match.end())
    target = blanks.end() if blanks is not None else match.end()
    if operator in ("<<", "<<-"):
        return heredoc(source, target, operator, descriptor, pos)
    if not words.starts_word(source.text, target):
        raise Lost(f"a redirect {operator} without a target")
    if operator in ("<&", ">&") and source.text[target] == "-":
        # Bash's lexer takes the dash alone: `<&-b` closes the descriptor, and `b` is a word of the command.
        dash = Word(parts=(Literal(text="-", quoted=False),), span=source.span(target, target + 1))
        return Redirect(
            operator=operator, target=dash, descriptor=descriptor, span=source.span(pos, target + 1)
        ), target + 1
    style = words.VALUE if operator == "<<<" else words.ARGUMENT
    word, end = words.word(source, target, style)
    return Redirect(operator=operator, target=word, descriptor=descriptor, span=source.span(pos, end)), end


def both(source: Source, pos: int) -> Redirect:
    """The `2>&1` that the `|&` at `pos` stands for."""
    span = source.span(pos, pos + 2)
    return Redirect(
        operator=">&", target=Word(parts=(Literal(text="1", quoted=False),), span=span), descriptor="2", span=span
    )
