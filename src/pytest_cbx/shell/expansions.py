"""`${…}` in all its forms, and arithmetic."""

from __future__ import annotations

import re

from pytest_cbx.shell import words
from pytest_cbx.shell.nodes import ArithmeticExpansion, Literal, Parameter, Tilde, Word, WordPart
from pytest_cbx.shell.source import END, Lost, Source

_LENGTH = re.compile(r"#(?=(?:[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*?$!#-])(?:\[|\}))")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-]")
_PREFIX = re.compile(r"!([A-Za-z_][A-Za-z0-9_]*)([*@])\}")
_INDIRECT = re.compile(r"!(?=[A-Za-z0-9_]|[@*#?$!-][}:\[])")
_TILDE = re.compile(r"~([A-Za-z0-9_.+-]*)(?=[/}:])")
_OPERATOR = re.compile(r":[-=?+]|[-=?+]|##?|%%?|//|/[#%]|/|\^\^?|,,?|@[A-Za-z](?=\})|:")
_PATTERN_OPERATORS = frozenset(("#", "##", "%", "%%", "/", "//", "/#", "/%", "^", "^^", ",", ",,"))
_RUNS = {
    stops: re.compile(rf"[^'\"\\$`<>*?\[+@!~\0{re.escape(stops)}]+") for stops in ("}", "/}", ":}", "]")
}  # fmt: skip
# Bash's parser and its expander disagree there on what is quoted.
_MUDDLED = "quotes within an expansion within quotes"
_ARITHMETIC_RUN = re.compile(r"(?:[^A-Za-z_$`\"'\\()\[\]\0]|[0-9][0-9A-Za-z_#@]*)+")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def braced_parameter(source: Source, pos: int, *, quoted: bool) -> tuple[WordPart, int]:
    """The parameter whose `${` stands at `pos`."""
    source.deeper()
    start, pos, text = pos, pos + 2, source.text
    if text[pos] in " \t\n|":
        raise Lost("a command substitution in braces, which older bashes do not know")
    prefix = _PREFIX.match(text, pos)
    if prefix is not None:
        source.deeper(-1)
        return Parameter(name=prefix[1], operator=prefix[2], indirect=True, quoted=quoted), prefix.end()
    length = _LENGTH.match(text, pos) is not None
    indirect = not length and _INDIRECT.match(text, pos) is not None
    pos += length or indirect
    name = _NAME.match(text, pos)
    if name is None:
        raise Lost("a parameter without a name")
    pos = name.end()
    index: Word | None = None
    if text[pos] == "[":
        index, pos = subscript(source, pos + 1)
    operator = ""
    arguments: tuple[Word, ...] = ()
    if source.text[pos] != "}":
        match = _OPERATOR.match(source.text, pos)
        if match is None or length:
            raise Lost(f"${{{source.text[start + 2 : pos + 1]}: no parameter expansion that is known")
        operator = match[0]
        if not operator.startswith("@"):
            arguments, pos = _arguments(source, match.end(), operator, quoted=quoted)
        else:
            pos = match.end()
    source.deeper(-1)
    return (
        Parameter(
            name=name[0], operator=operator, arguments=arguments, index=index,
            length=length, indirect=indirect, quoted=quoted,
        ),
        pos + 1,
    )  # fmt: skip


def _arguments(source: Source, pos: int, operator: str, *, quoted: bool) -> tuple[tuple[Word, ...], int]:
    """The words behind an operator, and the index of the closing brace."""
    if operator in _PATTERN_OPERATORS:
        if not operator.startswith("/"):
            pattern, pos = argument(source, pos, "}", quoted=quoted, pattern=True)
            return (pattern,), pos
        pattern, pos = argument(source, pos, "/}", quoted=quoted, pattern=True)
        if source.text[pos] == "}":
            return (pattern,), pos
        # Quotes count in a replacement as they do in a pattern.
        replacement, pos = argument(source, pos + 1, "}", quoted=quoted, pattern=True)
        return (pattern, replacement), pos
    if operator != ":":
        only, pos = argument(source, pos, "}", quoted=quoted)
        return (only,), pos
    offset, pos = argument(source, pos, ":}", quoted=True)
    if source.text[pos] == "}":
        return (offset,), pos
    size, pos = argument(source, pos + 1, ":}", quoted=True)
    if source.text[pos] == ":":
        raise Lost("a substring with a condition in its arithmetic")
    return (offset, size), pos


def argument(source: Source, pos: int, stops: str, *, quoted: bool, pattern: bool = False) -> tuple[Word, int]:
    """The word from `pos` up to one of the characters `stops`, which is not part of it; blanks are.

    In a `quoted` expansion globs are literals, but not where a `pattern` stands.
    """
    start = pos
    pieces: list[words.Piece] = []
    run_of = _RUNS[stops]
    literal = quoted and not pattern
    while True:
        text = source.text
        char = text[pos]
        run = run_of.match(text, pos)
        part: WordPart
        if run is not None:
            part, end = Literal(text=run[0], quoted=literal), run.end()
        elif char in stops:
            return words.finish(source, pieces, start, pos, words.SUBJECT), pos
        elif char == END:
            raise Lost("an expansion without its closing brace")
        elif char == '"' or (char == "'" and literal):
            more, pos = _quoted_argument(source, pos, in_quotes=literal)
            pieces += more
            continue
        elif char in "$`":
            if literal and text.startswith("$'", pos):
                source.doubts(_MUDDLED)
            substitution = words.dollar if char == "$" else words.backquote
            part, end = substitution(source, pos, quoted=literal)
        elif char == "\\" and literal:
            if text[pos + 1] == "'":
                source.doubts(_MUDDLED)
            escapes = text[pos + 1] in '$`"\\}'
            part, end = Literal(text=text[pos + escapes], quoted=True), pos + 1 + escapes
        elif char == "~":
            part, end = _tilde(source, pos, start=pos == start, quoted=quoted)
        elif literal or (char in "<>" and (text[pos + 1] != "(" or quoted)):
            part, end = _literal(char, literal), pos + 1
        else:
            part, end = words.expansion(source, pos)
        pieces.append((part, pos, end))
        pos = end


def _tilde(source: Source, pos: int, *, start: bool, quoted: bool) -> tuple[WordPart, int]:
    if not quoted and start:
        match = _TILDE.match(source.text, pos)
        if match is not None:
            return Tilde(user=match[1]), match.end()
    if not quoted and source.text[pos - 1] == ":":
        source.doubts("a tilde behind a colon in an expansion, which counts in assignments only")
    return _literal("~", quoted), pos + 1


def _quoted_argument(source: Source, pos: int, *, in_quotes: bool) -> tuple[list[words.Piece], int]:
    """Quotes within an expansion.

    In double quotes bash takes single ones for literals, but looks for the closing brace behind the second one.
    """
    if source.text[pos] == '"':
        pieces, end = words.double_quoted(source, pos + 1)
        if in_quotes and any(char in source.text[pos:end] for char in "'}\\"):
            source.doubts(_MUDDLED)
        return pieces, end
    closing = source.text.find("'", pos + 1)
    if closing < 0:
        raise Lost("a single quote without its end")
    inside = source.text[pos + 1 : closing]
    if any(char in inside for char in '$`"\\'):
        source.doubts(_MUDDLED)
    return [(_literal(f"'{inside}'", True), pos, closing + 1)], closing + 1


def _literal(text: str, quoted: bool) -> Literal:
    return Literal(text=text, quoted=quoted)


def subscript(source: Source, pos: int) -> tuple[Word, int]:
    """An array's subscript from `pos`, behind the bracket, and the index behind its closing bracket."""
    start = pos
    pieces: list[words.Piece] = []
    level = 0
    while True:
        char = source.text[pos]
        if char in "@*" and source.text[pos + 1] == "]" and pos == start:
            return words.finish(source, [(_literal(char, False), pos, pos + 1)], pos, pos + 1, words.SUBJECT), pos + 2
        if char == END:
            raise Lost("a subscript without its closing bracket")
        if char == "]":
            if level == 0:
                return words.finish(source, pieces, start, pos, words.SUBJECT), pos + 1
            level -= 1
        level += char == "["
        if char == '"':
            more, pos = words.double_quoted(source, pos + 1)
            pieces += more
            continue
        part, end = words.expansion(source, pos) if char in "$`'\\" else (_literal(char, False), pos + 1)
        pieces.append((part, pos, end))
        pos = end


def arithmetic(source: Source, pos: int, closing: str) -> tuple[tuple[WordPart, ...], int] | None:
    """Names, parameters and substitutions of the arithmetic from `pos` to `closing` (`))` or `]`), and where that stands.

    A bare name counts as a parameter: bash evaluates what its variable holds. None: this is no arithmetic.
    """
    parts: list[WordPart] = []
    brackets = parentheses = 0
    while True:
        text = source.text
        run = _ARITHMETIC_RUN.match(text, pos)
        if run is not None:
            pos = run.end()
        char = text[pos]
        if char == END:
            raise Lost("arithmetic without its end")
        name = _IDENTIFIER.match(text, pos)
        if name is not None:
            parts.append(Parameter(name=name[0], quoted=True))
            pos = name.end()
            continue
        if char in "$`":
            dollar = words.dollar if char == "$" else words.backquote
            part, pos = dollar(source, pos, quoted=True)
            if not isinstance(part, Literal):
                parts.append(part)
            continue
        if char == "'":
            _, pos = words.single_quoted(source, pos + 1)
            continue
        if char == "\\":
            pos += 1 if text[pos + 1] == END else 2
            continue
        if char == ")" and parentheses == 0:
            return (tuple(parts), pos) if closing == "))" and text[pos + 1] == ")" else None
        if char == "]" and brackets == 0 and closing == "]":
            return tuple(parts), pos
        parentheses += (char == "(") - (char == ")")
        brackets += (char == "[") - (char == "]")
        pos += 1


def try_arithmetic(source: Source, pos: int) -> tuple[str, tuple[WordPart, ...], int] | None:
    """Arithmetic from `pos`, behind `((`: its text, its parts and the index behind `))`; None where it is none."""

    def reading() -> tuple[tuple[WordPart, ...], int] | None:
        source.deeper()
        found = arithmetic(source, pos, "))")
        source.deeper(-1)
        return found

    found = source.attempt("((", pos, reading)
    return None if found is None else (source.text[pos : found[1]], found[0], found[1] + 2)


def arithmetic_expansion(source: Source, pos: int, *, quoted: bool) -> tuple[WordPart, int] | None:
    """`$((…))` at `pos`; None where it is a command substitution that starts with a subshell."""
    found = try_arithmetic(source, pos + 3)
    if found is None:
        return None
    text, parts, end = found
    return ArithmeticExpansion(text=text, parts=parts, quoted=quoted), end


def bracket_arithmetic(source: Source, pos: int, *, quoted: bool) -> tuple[WordPart, int]:
    """`$[…]` at `pos`."""
    source.deeper()
    found = arithmetic(source, pos + 2, "]")
    source.deeper(-1)
    if found is None:
        raise Lost("arithmetic in brackets without its end")
    parts, end = found
    return ArithmeticExpansion(text=source.text[pos + 2 : end], parts=parts, quoted=quoted), end + 1
