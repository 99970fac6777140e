"""What is known about the words of a command before it runs: exact text, a pattern, or nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import lru_cache

from pytest_cbx.shell.nodes import Span


class Shape(Enum):
    """How much of a field is known."""

    KNOWN = "known"
    PATTERN = "pattern"
    """Matches the pattern `text`; each wildcard stands for text without `/`."""
    UNKNOWN = "unknown"
    """Starts with `text`; what follows is not known."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where text comes from that its author could not, or would not, write down. Several may hold of one text."""

    given: bool = False
    """From outside the text: a variable that it does not set, an argument, a line that is read."""
    fetched: bool = False
    """From another host."""
    decoded: bool = False
    """From a decoder: `base64 -d`, `xxd -r`, `printf '\\x72'`."""
    split: bool = False
    """It stood outside quotes, so it may become several arguments, or none."""
    if_empty: str | None = None
    """The whole word should all that is `given` be empty; None where that cannot be told, or cannot happen."""

    def __or__(self, other: Origin | None) -> Origin:
        """What holds of a text made of both; `if_empty` is the maker's to tell."""
        if other is None:
            return self
        return Origin(
            self.given or other.given, self.fetched or other.fetched, self.decoded or other.decoded, self.split or other.split
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """One argument of a program after the shell's expansions. Two are equal when the argument is, wherever it comes from."""

    text: str
    shape: Shape = Shape.KNOWN
    many: bool = False
    """It may become none or several arguments (an unquoted glob, an unquoted unknown value, `"$@"`)."""
    span: Span | None = field(default=None, compare=False)
    """Where its word stands in the command's text; None: in another text, or nowhere."""
    origin: Origin | None = field(default=None, compare=False)

    @property
    def known(self) -> bool:
        return self.shape is Shape.KNOWN

    @property
    def unknown(self) -> bool:
        return self.shape is Shape.UNKNOWN

    def single(self) -> Field:
        """The same, as exactly one argument."""
        return replace(self, many=False) if self.many else self

    def after(self, count: int) -> Field:
        """The field without its first `count` characters, which must be known."""
        return Field(self.text[count:], self.shape, self.many, self.span, self.origin)

    def at(self, span: Span) -> Field:
        """The same, standing there."""
        return Field(self.text, self.shape, self.many, span, self.origin)


EMPTY = Field("")
UNKNOWN = Field("", Shape.UNKNOWN)
UNKNOWN_MANY = Field("", Shape.UNKNOWN, True)
GIVEN = Field("", Shape.UNKNOWN, origin=Origin(given=True, if_empty=""))
"""The value of a variable that the text does not set."""
PRINTED = Field("", Shape.UNKNOWN, origin=Origin())
"""What some program prints."""
TAME = Field("*", Shape.PATTERN)
"""Some text without blanks and slashes: a number, a date, a host's name."""

Variable = Field | tuple[Field, ...]
"""A variable's value; a tuple is an array."""

_WILD = re.compile(r"[*?\[]")


def escape(text: str) -> str:
    """Known text as a pattern that matches only itself."""
    return _WILD.sub(lambda found: f"[{found.group()}]", text)


def concat(pieces: list[Field]) -> Field:
    """The fields' texts one after the other, as one field."""
    if len(pieces) == 1:
        return pieces[0]
    many = any(piece.many for piece in pieces)
    span, origin = _span_of(pieces), _origin_of(pieces)
    if sum(len(piece.text) for piece in pieces) > LONGEST_TEXT:
        return Field("", Shape.UNKNOWN, many, span, origin)
    if all(piece.shape is Shape.KNOWN for piece in pieces):
        return Field("".join(piece.text for piece in pieces), Shape.KNOWN, many, span, origin)
    if any(piece.shape is Shape.UNKNOWN for piece in pieces):
        return Field(_known_prefix(pieces), Shape.UNKNOWN, many, span, origin)
    text = "".join(piece.text if piece.shape is Shape.PATTERN else escape(piece.text) for piece in pieces)
    return Field(text, Shape.PATTERN, many, span, origin)


def _span_of(pieces: list[Field]) -> Span | None:
    spans = [piece.span for piece in pieces if piece.span is not None]
    return Span(min(span.start for span in spans), max(span.end for span in spans)) if spans else None


def _origin_of(pieces: list[Field]) -> Origin | None:
    origins = [piece.origin for piece in pieces if piece.origin is not None]
    if not origins:
        return None
    joined = Origin()
    for origin in origins:
        joined |= origin
    texts = [piece.text if not piece.unknown else piece.origin and piece.origin.if_empty for piece in pieces]
    if None in texts or sum(len(text or "") for text in texts) > LONGEST_TEXT:
        return replace(joined, if_empty=None)
    return replace(joined, if_empty="".join(text or "" for text in texts))


def _known_prefix(pieces: list[Field]) -> str:
    prefix = ""
    for piece in pieces:
        if piece.shape is Shape.KNOWN:
            prefix += piece.text
            continue
        wild = _WILD.search(piece.text) if piece.shape is Shape.PATTERN else None
        return prefix + (piece.text[: wild.start()] if wild else piece.text)
    return prefix


def split(text: str, separators: str) -> tuple[bool, list[str], bool]:
    """Split as the shell does with `IFS=separators`: (a separator before, the words, a separator after)."""
    if not separators:
        return False, [text] if text else [], False
    blank = "".join(c for c in separators if c in " \t\n")
    hard = "".join(c for c in separators if c not in " \t\n")
    if not hard:
        words = [word for word in re.split(f"[{re.escape(blank)}]+", text) if word]
        return bool(text) and text[0] in blank, words, bool(text) and text[-1] in blank
    parts = re.split(
        f"[{re.escape(blank)}]*[{re.escape(hard)}][{re.escape(blank)}]*" if blank else f"[{re.escape(hard)}]", text
    )
    if parts and parts[-1] == "":
        parts.pop()
    leading = bool(text) and text[0] in separators
    words = [word.strip(blank) for word in parts]
    return leading, words, bool(text) and text[-1] in separators


def wild(text: str) -> bool:
    """Whether the text has a wildcard of the shell."""
    return _WILD.search(text) is not None


@lru_cache(maxsize=512)
def _regex(pattern: str, greedy: bool) -> str:
    """A shell pattern as a regular expression (without extended globs)."""
    out, i = [], 0
    star = ".*" if greedy else ".*?"
    while i < len(pattern):
        char = pattern[i]
        if char == "*":
            out.append(star)
        elif char == "?":
            out.append(".")
        elif char == "[" and (end := pattern.find("]", i + 2)) > 0:
            body = pattern[i + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            out.append(f"[^{body[1:]}]" if body[0] in "!^" else f"[{body}]")
            i = end
        else:
            out.append(re.escape(char))
        i += 1
    return "".join(out)


def as_pattern(field: Field) -> str:
    """The shell pattern of a known or pattern field."""
    return field.text if field.shape is Shape.PATTERN else escape(field.text)


LONGEST_TEXT = 20_000
"""Longer values are given up as unknown, so that no script can blow them up."""


_UNCLEAR = re.compile(r"[?*+@!]\(|\[[^\]]*\[")
"""Extended globs, which count only after `shopt -s extglob`, and classes such as `[[:alpha:]]`, which depend on the locale."""


def _hopeless(value: Field, pattern: Field) -> bool:
    """Whether matching would take too long, or what matches depends on what is not known."""
    stars = pattern.text.count("*")
    costly = len(pattern.text) > 200 or stars > 3 or len(value.text) ** (stars + 1) > 50_000
    unclear = pattern.shape is Shape.PATTERN and (_UNCLEAR.search(pattern.text) is not None or not value.text.isascii())
    return costly or unclear


def strip(value: Field, operator: str, argument: Field) -> Field:
    """`${x#p}`, `${x##p}`, `${x%p}`, `${x%%p}` (bash manual, 3.5.3)."""
    if value.unknown or argument.unknown or _hopeless(value, argument):
        return UNKNOWN
    if not value.known:
        return _strip_pattern(value, operator, argument)
    longest = len(operator) == 2
    body = _regex(as_pattern(argument), longest)
    try:
        if operator[0] == "#":
            found = re.match(body, value.text, re.DOTALL)
            return Field(value.text[found.end() :] if found else value.text)
        # The leftmost match is the longest ending; behind as much as can stand before it is the shortest one.
        before = "()" if longest else "(.*)"
        found = re.search(f"{before}(?:{body})\\Z", value.text, re.DOTALL)
        return Field(value.text[: found.end(1)]) if found else value
    except re.error:
        return UNKNOWN
    return value


def _strip_pattern(value: Field, operator: str, argument: Field) -> Field:
    """Strip known text from a pattern value: `${f%.txt}` of `*.txt` is `*`."""
    text = argument.text
    if argument.known and not wild(text):
        if operator[0] == "%" and value.text.endswith(text):
            return Field(value.text[: len(value.text) - len(text)], Shape.PATTERN)
        if operator[0] == "#" and value.text.startswith(text):
            return Field(value.text[len(text) :], Shape.PATTERN)
    if operator == "##" and text == "*/":
        return Field(value.text.rsplit("/", 1)[-1], Shape.PATTERN)
    return UNKNOWN


def substitute(value: Field, operator: str, old: Field, new: Field) -> Field:
    """`${x/p/s}`, `${x//p/s}`, `${x/#p/s}`, `${x/%p/s}`."""
    if not (value.known and new.known) or old.unknown or _hopeless(value, old) or "&" in new.text:
        # Since bash 5.2 a bare `&` stands for what was matched.
        return UNKNOWN
    body = _regex(as_pattern(old), True)
    before, behind = ("\\A", "") if operator == "/#" else ("", "\\Z") if operator == "/%" else ("", "")
    if not body and not before + behind:
        return value
    try:
        pattern = re.compile(f"{before}{body}{behind}", re.DOTALL)
        if body and operator == "//" and pattern.fullmatch(""):
            return UNKNOWN
        made = pattern.sub(lambda _: new.text, value.text, count=operator != "//")
    except re.error:
        return UNKNOWN
    return Field(made) if len(made) <= LONGEST_TEXT else UNKNOWN


_INTEGER = re.compile(r"\s*(-?(?:0|[1-9][0-9]{0,8}))?\s*")


def substring(value: Field, arguments: list[Field]) -> Field:
    """`${x:offset}` and `${x:offset:length}`."""
    if not value.known or not value.text.isascii() or not all(argument.known for argument in arguments):
        return UNKNOWN
    found = [_INTEGER.fullmatch(argument.text) for argument in arguments]
    numbers = [int(match[1] or "0") for match in found if match is not None]
    if len(numbers) < len(found):
        return UNKNOWN
    size = len(value.text)
    start = numbers[0] if numbers[0] >= 0 else size + numbers[0]
    if not 0 <= start <= size:
        return EMPTY
    if len(numbers) < 2:
        return Field(value.text[start:])
    stop = start + numbers[1] if numbers[1] >= 0 else size + numbers[1]
    return Field(value.text[start:stop]) if stop >= start else UNKNOWN
