"""Words: where they end, what is quoted in them, and what bash will expand.

Words hold expansions and expansions hold words, so this module and `expansions` call each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from pytest_cbx.shell import expansions
from pytest_cbx.shell.braces import count, expand_braces
from pytest_cbx.shell.decode import ansi_c, backquoted
from pytest_cbx.shell.nodes import (
    Brace,
    CommandSubstitution,
    Glob,
    Literal,
    Parameter,
    ProcessSubstitution,
    Tilde,
    Word,
    WordPart,
)
from pytest_cbx.shell.source import END, MAX_ALTERNATIVES, Lost, Source

Piece: TypeAlias = tuple[WordPart, int, int]
"""A part of a word and where it stands in the source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """What bash expands in a word, by where the word stands."""

    braces: bool
    globs: bool
    colons: bool = False
    """A tilde counts after each colon too, as in the value of an assignment."""
    operands: bool = False
    """A word that looks like an assignment (`dd of=~/image`) has its tildes expanded like one."""


ARGUMENT = Style(braces=True, globs=True, operands=True)
ELEMENT = Style(braces=True, globs=True)
PATTERN = Style(braces=False, globs=True)
SUBJECT = Style(braces=False, globs=False)
VALUE = Style(braces=False, globs=False, colons=True)

WORD_ENDS = frozenset(" \t\n;&|<>()" + END)
_QUICK_ENDS = frozenset(" \t\n;&|)" + END)
_PLAIN = re.compile(r"(?:[^ \t\n;&|<>()'\"\\$`*?\[{}~+@!\0]+|[+@!](?!\())+")
_ASSIGNS = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_BRACES = re.compile(r"[{}]+")
_TILDE = re.compile(r"~([A-Za-z0-9_.+-]*)")
_BEFORE_SLASH = re.compile(r"[^/ \t\n;&|<>()'\"\\$`\0]*")
_DOUBLE_RUN = re.compile(r"[^\"\\$`\0]+")
_BACKQUOTE_END = re.compile(r"[^`\\]*(?:\\.[^`\\]*)*`", re.DOTALL)
_ANSI_END = re.compile(r"[^'\\]*(?:\\.[^'\\]*)*'", re.DOTALL)
_BRACKET_WINDOW = re.compile(r"[^ \t\n;|\]\0]{0,1000}")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-]")
_SIMPLE_BRACKET = re.compile(r"\[[!^]?\]?(?:\[:[a-z]+:\]|[^\]\[ \t\n;&|<>()'\"\\$`{},/\0])*\]")
_EXTGLOB = re.compile(r"[?*+@!]\(")
_STARS = re.compile(r"(?:\*(?!\()|\?(?!\())+")


def starts_word(text: str, pos: int) -> bool:
    """Whether a word starts at `pos`: neither a blank nor an operator stands there."""
    char = text[pos]
    return char not in WORD_ENDS or (char in "<>" and text[pos + 1] == "(")


def word(source: Source, pos: int, style: Style) -> tuple[Word, int]:
    """Read the word that starts at `pos`, where no blank and no operator stands, and tell where it ends.

    Raises:
        Lost: its end cannot be told (a quote that nobody closes, say).
    """
    text = source.text
    plain = _PLAIN.match(text, pos)
    if plain is not None:
        end = plain.end()
        if text[end] in _QUICK_ENDS:
            return Word(parts=(Literal(text=plain[0], quoted=False),), span=source.span(pos, end)), end
    parts, end = word_pieces(source, pos, style)
    return finish(source, parts, pos, end, style), end


def finish(source: Source, pieces: list[Piece], start: int, end: int, style: Style) -> Word:
    """Make a word of its pieces, with braces expanded where they count."""
    span = source.span(start, end)
    if style.braces and any(type(part) is Literal and not part.quoted and "{" in part.text for part, _, _ in pieces):
        spent = source.spent.alternatives > MAX_ALTERNATIVES
        expanded = None if spent else expand_braces([part for part, _, _ in pieces], span)
        source.spent.alternatives += 0 if expanded is None else count(expanded)
        if expanded is None or source.spent.alternatives > MAX_ALTERNATIVES:
            source.doubts("a brace expansion that is too large or unclear")
        elif any(type(part) is Brace for part in expanded):
            return Word(parts=expanded if style.operands is False else _untilded(expanded), span=span)
    return Word(parts=merge(part for part, _, _ in pieces), span=span)


def _untilded(parts: tuple[WordPart, ...]) -> tuple[WordPart, ...]:
    """With braces in it, a word no longer looks like an assignment; only a tilde at its start counts."""
    return parts[:1] + merge(
        Literal(text=f"~{part.user}", quoted=False) if type(part) is Tilde else part for part in parts[1:]
    )


def merge(parts: Iterable[WordPart]) -> tuple[WordPart, ...]:
    """Parts with neighbouring literals of the same kind joined."""
    merged: list[WordPart] = []
    run: list[str] = []
    quoted = False
    for part in parts:
        if type(part) is Literal and (part.quoted == quoted or not run):
            run.append(part.text)
            quoted = part.quoted
            continue
        if run:
            merged.append(Literal(text="".join(run), quoted=quoted))
            run = []
        if type(part) is Literal:
            run.append(part.text)
            quoted = part.quoted
        else:
            merged.append(part)
    if run:
        merged.append(Literal(text="".join(run), quoted=quoted))
    return tuple(merged)


def word_pieces(source: Source, pos: int, style: Style) -> tuple[list[Piece], int]:
    """The pieces of a word outside of quotes, up to the blank or operator that ends it."""
    pieces: list[Piece] = []
    start = pos
    assigns = _ASSIGNS.match(source.text, pos) if style.operands else None
    value = assigns.end() if assigns is not None else pos
    colons = style.colons or assigns is not None
    while True:
        text = source.text
        plain = _PLAIN.match(text, pos)
        if plain is not None:
            pieces.append((Literal(text=plain[0], quoted=False), pos, plain.end()))
            pos = plain.end()
        char = text[pos]
        if char == "~":
            after_colon = colons and plain is not None and text[pos - 1] == ":" and pos > value
            counts = pos == start or (pos == value and plain is not None) or after_colon
            part, end = _tilde(source, pos, colons=colons) if counts else (_bare("~"), pos + 1)
        elif not starts_word(text, pos):
            return pieces, pos
        elif char == '"':
            more, end = double_quoted(source, pos + 1)
            pieces += more
            pos = end
            continue
        elif char in "{}":
            run = _BRACES.match(text, pos)
            end = run.end() if run is not None else pos + 1
            part = _bare(text[pos:end])
        elif style.globs or char not in "*?[+@!":
            part, end = expansion(source, pos, braces=style.braces)
        else:
            part, end = _bare(char), pos + 1
        pieces.append((part, pos, end))
        pos = end


def expansion(source: Source, pos: int, *, braces: bool = False) -> tuple[WordPart, int]:
    """The unquoted part of a word that starts with the special character at `pos`, other than a double quote."""
    text = source.text
    char = text[pos]
    if char == "'":
        return single_quoted(source, pos + 1)
    if char == "\\":
        if text[pos + 1] == END:
            source.doubts("a backslash at the end of the text")
            return Literal(text="\\", quoted=True), pos + 1
        return Literal(text=text[pos + 1], quoted=True), pos + 2
    if char == "$":
        return dollar(source, pos, quoted=False)
    if char == "`":
        return backquote(source, pos, quoted=False)
    if char in "<>":
        body, end = source.read_body(source, pos + 2)
        return ProcessSubstitution(body=body, reads_from=char == "<"), end
    return glob(source, pos, braces=braces)


def glob(source: Source, pos: int, *, braces: bool = False) -> tuple[WordPart, int]:
    """A pattern piece, verbatim; a bracket that nobody closes is a literal."""
    text = source.text
    if _EXTGLOB.match(text, pos):
        end = _extended_glob_end(source, pos + 2)
        return Glob(pattern=source.text[pos:end]), end
    stars = _STARS.match(text, pos)
    if stars is not None:
        return Glob(pattern=stars[0]), stars.end()
    if text[pos] != "[":
        return _bare(text[pos]), pos + 1
    bracket = _SIMPLE_BRACKET.match(text, pos)
    if bracket is not None:
        return Glob(pattern=bracket[0]), bracket.end()
    # `["a-z"]`, `[$x]` and brackets around braces are patterns too, but of several pieces.
    window = _BRACKET_WINDOW.match(text, pos + 1)
    opened = window is not None and text[window.end()] in " \t\n;|" + END
    return (_bare("[") if opened else Glob(pattern="[")), pos + 1


def _extended_glob_end(source: Source, pos: int) -> int:
    """The end of an extended glob. What would be expanded within one raises doubts."""
    level = 1
    while level:
        char = source.text[pos]
        if char == END:
            raise Lost("an extended glob without its closing parenthesis")
        if char in "$`'\"\\":
            source.doubts("quotes, backslashes or expansions within an extended glob")
            if char == '"':
                _, pos = double_quoted(source, pos + 1)
            else:
                _, pos = expansion(source, pos)
            continue
        level += (char == "(") - (char == ")")
        pos += 1
    return pos


def _tilde(source: Source, pos: int, *, colons: bool) -> tuple[WordPart, int]:
    """The tilde at `pos`; bash leaves it alone when anything is quoted before the next slash."""
    text = source.text
    match = _TILDE.match(text, pos)
    assert match is not None
    after = text[match.end()]
    if after == "/" or after in WORD_ENDS or (after == ":" and colons):
        return Tilde(user=match[1]), match.end()
    if after in ":=":
        rest = _BEFORE_SLASH.match(text, match.end())
        ends = text[rest.end()] if rest is not None else END
        if ends in "$`" or after == "=":
            source.doubts("a tilde with a colon or an equals sign behind it")
        elif ends not in "'\"\\":
            return Tilde(user=match[1]), match.end()
    return _bare("~"), pos + 1


def _bare(text: str) -> Literal:
    return Literal(text=text, quoted=False)


def single_quoted(source: Source, pos: int) -> tuple[Literal, int]:
    """The text from `pos`, behind the opening quote, to the closing one."""
    end = source.text.find("'", pos)
    if end < 0:
        raise Lost("a single quote without its end")
    if source.restore(pos, end):
        end = source.text.find("'", pos)
    return Literal(text=source.text[pos:end], quoted=True), end + 1


def double_quoted(source: Source, pos: int, closing: str = '"') -> tuple[list[Piece], int]:
    """The pieces from `pos`, behind the opening quote, to the closing one.

    With `closing` empty a here-document's body: to the end of the source, with double quotes as literals.
    """
    start = pos
    pieces: list[Piece] = []
    escapable = '$`"\\' if closing else "$`\\"
    while True:
        text = source.text
        run = _DOUBLE_RUN.match(text, pos)
        if run is not None:
            pieces.append((Literal(text=run[0], quoted=True), pos, run.end()))
            pos = run.end()
        char = text[pos]
        part: WordPart
        if char == '"':
            if closing:
                return pieces or [(Literal(text="", quoted=True), start, pos)], pos + 1
            part, end = Literal(text='"', quoted=True), pos + 1
        elif char == END:
            if closing:
                raise Lost("a double quote without its end")
            return pieces, pos
        elif char == "\\":
            escapes = text[pos + 1] in escapable
            part, end = Literal(text=text[pos + escapes], quoted=True), pos + 1 + escapes
        elif char == "$":
            part, end = dollar(source, pos, quoted=True)
        else:
            part, end = backquote(source, pos, quoted=bool(closing), word_quoted=True)
        pieces.append((part, pos, end))
        pos = end


def backquote(source: Source, pos: int, *, quoted: bool, word_quoted: bool = False) -> tuple[CommandSubstitution, int]:
    """A command substitution in backquotes; its inside is a text of its own once its backslashes are gone."""
    match = _BACKQUOTE_END.match(source.text, pos + 1)
    if match is None:
        raise Lost("a backquote without its end")
    start, end = pos + 1, match.end() - 1
    places = [source.place(i) for i in range(start, end + 1)]
    text, at = backquoted(source.text[start:end], places, quoted=quoted)
    part = source.part(text, at)
    part.deeper(0)
    body, stop = part.read_body(part, -1)
    if stop != part.end:
        raise Lost("backquotes whose inside has no clear end")
    return CommandSubstitution(body=body, quoted=quoted or word_quoted), end + 1


def dollar(source: Source, pos: int, *, quoted: bool) -> tuple[WordPart, int]:
    """What the dollar at `pos` starts; a lone one is a literal."""
    text = source.text
    char = text[pos + 1]
    if char == "(":
        if text[pos + 2] == "(":
            arithmetic = expansions.arithmetic_expansion(source, pos, quoted=quoted)
            if arithmetic is not None:
                return arithmetic
        body, end = source.read_body(source, pos + 2)
        return CommandSubstitution(body=body, quoted=quoted), end
    if char == "{":
        return expansions.braced_parameter(source, pos, quoted=quoted)
    if char == "[":
        return expansions.bracket_arithmetic(source, pos, quoted=quoted)
    if char == "'" and not quoted:
        return _ansi_quoted(source, pos + 2)
    if char == '"' and not quoted:
        # A translated string: bash looks it up in a catalogue of messages, by default there is none.
        return Literal(text="", quoted=True), pos + 1
    name = _PARAMETER.match(text, pos + 1)
    if name is not None:
        return Parameter(name=name[0], quoted=quoted), name.end()
    return Literal(text="$", quoted=quoted), pos + 1


def _ansi_quoted(source: Source, pos: int) -> tuple[Literal, int]:
    match = _ANSI_END.match(source.text, pos)
    if match is None:
        raise Lost("an ANSI-C quote without its end")
    if source.restore(pos, match.end() - 1):
        match = _ANSI_END.match(source.text, pos)
        assert match is not None
    decoded = ansi_c(source.text[pos : match.end() - 1])
    if decoded is None:
        source.doubts("an ANSI-C quote that stands for bytes that are no text")
        decoded = source.text[pos : match.end() - 1]
    return Literal(text=decoded, quoted=True), match.end()
