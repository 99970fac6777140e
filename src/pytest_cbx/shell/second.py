"""The second reader: bashlex, asked where it is installed, about texts of which it is not known to misread a construct.

bashlex is under the GPL, so nothing needs it: without it nobody is asked. It is slow (some 6 µs a character), and how it
reads a text does not depend on what things are called. So it is shown the text with short names instead of the real ones,
and what it said about a text of the same form is remembered.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib import import_module
from typing import Any, TypeAlias

from pytest_cbx.shell.misreadings import misread_text, misread_word

LONGEST = 4_000
"""Characters that bashlex is asked about at most; its time can grow with the square of the length."""

DEEPEST = 6
"""Substitutions within each other at most: bashlex reads the inside of each again for every level."""

Parse: TypeAlias = Callable[[str], list[Any]]


@dataclass(frozen=True, slots=True)
class Piece:
    """A word, an assignment or a redirect of a command."""

    start: int
    end: int
    kind: str
    """`word`, `redirect` or `heredoc` (without its body)."""
    value: str | None = None
    """A word without its quotes, where bashlex is to be trusted with them and any are there."""


Found: TypeAlias = tuple[Piece, ...]
"""A simple command, or the redirects behind a compound one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What bashlex says about a text: its commands in order of the text, or why it says nothing."""

    commands: tuple[Found, ...] = ()
    abstains: str = ""


NOT_INSTALLED = Answer(abstains="bashlex is not installed")


@lru_cache(maxsize=1)
def bashlex_parse() -> Parse | None:
    """bashlex's entry; None where it is not installed or cannot be loaded."""
    try:
        with warnings.catch_warnings():
            # Its sources have escapes that newer Pythons warn of when they compile them.
            warnings.simplefilter("ignore")
            parse: Parse = import_module("bashlex").parse
    except Exception:
        return None
    return parse


def ask(text: str) -> Answer:
    """What bashlex says about `text`. Never raises: whatever goes wrong in it makes it abstain."""
    parse = bashlex_parse()
    if parse is None:
        return NOT_INSTALLED
    if len(text) > LONGEST:
        return Answer(abstains=f"more than {LONGEST} characters")
    reason = misread_text(text)
    if reason is not None:
        return Answer(abstains=reason)
    skeleton, at = _skeleton(text)
    answer = _asked(skeleton)
    if at is None or not answer.commands:
        return answer
    return Answer(commands=tuple(tuple(_moved(piece, skeleton, text, at) for piece in one) for one in answer.commands))


# --- names ------------------------------------------------------------------------------------------------

_RESERVED = frozenset(
    "if then elif else fi while until for select do done case esac function time coproc in".split()  # noqa: SIM905
) | {"-"}
_NAMES = re.compile(r"[A-Za-z0-9_.,/:@%-]+")
_NAMES_ONLY = re.compile(r"[A-Za-z0-9_.]+")
"""For texts with `${` or a tilde: there the other characters may be operators, and a slash ends a user's name."""


def _short(name: str) -> str:
    """A name that bashlex takes for the same kind of word."""
    if name in _RESERVED:
        return name
    if name.isdigit():
        return "1"
    if name.isidentifier():
        return "w"
    if name[0] == "-":
        return "-."
    return "w." if name[0].isalpha() or name[0] == "_" else "."


def _skeleton(text: str) -> tuple[str, list[int] | None]:
    """The text with short names, and for each place in it (and its end) the place in `text`; None: the same."""
    if "<<" in text:
        # The delimiter of a here-document must stay different from all other lines.
        return text, None
    pieces: list[str] = []
    at: list[int] = []
    last = 0
    for match in (_NAMES_ONLY if "${" in text or "~" in text else _NAMES).finditer(text):
        start, end = match.span()
        short = _short(match[0])
        if last < start:
            pieces.append(text[last:start])
            at.extend(range(last, start))
        pieces.append(short)
        at.append(start)
        if len(short) > 1:
            # Reserved words stay as they are, all else is cut at its ends only.
            at.extend(range(start + 1, start + len(short)))
        last = end
    pieces.append(text[last:])
    at.extend(range(last, len(text) + 1))
    return "".join(pieces), at


def _moved(piece: Piece, skeleton: str, text: str, at: list[int]) -> Piece:
    value = piece.value
    if value is not None:
        value = _named(value, skeleton, text, at, piece)
    return Piece(at[piece.start], at[piece.end], piece.kind, value)


_PIECES = re.compile(r"[A-Za-z0-9_.-]+|.", re.DOTALL)


def _named(value: str, skeleton: str, text: str, at: list[int], piece: Piece) -> str | None:
    """The value with the real names: quote removal only leaves characters out, the others keep their order."""
    named: list[str] = []
    place = index = 0
    for match in _PIECES.finditer(skeleton, piece.start, piece.end):
        if value.startswith(match[0], place):
            named.append(text[at[match.start()] : at[match.end()]])
            place += len(match[0])
        index = match.end()
    return "".join(named) if place == len(value) and index == piece.end else None


# --- asking -----------------------------------------------------------------------------------------------


@lru_cache(maxsize=8192)
def _asked(text: str) -> Answer:
    parse = bashlex_parse()
    assert parse is not None
    if not text.strip():
        return Answer()
    if text.count("$(") + text.count("`") // 2 + text.count("<(") + text.count(">(") > DEEPEST:
        return Answer(abstains=f"more than {DEEPEST} substitutions")
    try:
        commands = tuple(sorted(_commands(parse(text), text), key=lambda one: one[0].start))
    except RecursionError:
        return Answer(abstains="nested too deep")
    except _Misread as misread:
        return Answer(abstains=str(misread))
    except Exception as error:
        # It raises whatever comes to pass: ParsingError, NotImplementedError, AssertionError, IndexError, AttributeError…
        return Answer(abstains=f"{type(error).__name__}: {error}"[:200])
    return Answer(commands=commands)


class _Misread(Exception):
    """A word that it is known to misread."""


def _commands(trees: list[Any], text: str) -> Iterator[Found]:
    """All simple commands of bashlex's trees, those within substitutions and functions too."""
    left = list(reversed(trees))
    while left:
        node = left.pop()
        kind = node.kind
        if kind == "command":
            yield tuple(map(partial(_piece, text=text), node.parts))
        elif kind == "compound" and node.redirects:
            yield tuple(map(partial(_piece, text=text), node.redirects))
        elif kind in ("word", "assignment"):
            reason = misread_word(text[node.pos[0] : node.pos[1]])
            if reason is not None:
                raise _Misread(reason)
        left.extend(reversed(list(_children(node))))


def _children(node: Any) -> Iterator[Any]:
    for name in ("parts", "list", "redirects"):
        yield from getattr(node, name, ())
    if node.kind in ("commandsubstitution", "processsubstitution"):
        yield node.command
    elif node.kind == "redirect" and node.heredoc is None and hasattr(node.output, "kind"):
        yield node.output


def _piece(node: Any, text: str) -> Piece:
    start, end = node.pos
    if node.kind == "redirect":
        if node.heredoc is not None:
            return Piece(start, node.output.pos[1], "heredoc")
        return Piece(start, end, "redirect")
    shown = text[start:end]
    plain = not node.parts and any(quote in shown for quote in "'\"\\") and not _DOUBTFUL_VALUE.search(shown)
    return Piece(start, end, "word", node.word if plain else None)


_DOUBTFUL_VALUE = re.compile(r"\"[^\"]*\\|\$['\"]|\\\n|^'.*'.*'$|'[^']*[\"\\]|\"[^\"]*'", re.DOTALL)
"""Quotes that bashlex removes wrongly: it knows no difference between a backslash in and outside of quotes, decodes no
`$'…'`, and takes a word between two single quotes for one string."""
