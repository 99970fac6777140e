"""The tokens of an awk program, and what is known of the values in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from pytest_cbx.effects.values import TAME, Field, concat

Token = tuple[str, str]
"""(kind, text): string, name, number, regex, operator, newline."""

_TOKEN = re.compile(
    r"""(?P<string>"(?:[^"\\\n]|\\.)*")|(?P<comment>\#[^\n]*)|(?P<name>@?[A-Za-z_][\w:]*)|(?P<number>0[xX][\da-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"""
    r"""|(?P<blank>[ \t\r\f\v]|\\\r?\n)|(?P<operator>>>|\|&|\|\||&&|[<>=!]=|\+\+|--|\S)|(?P<newline>\n)""",
    re.DOTALL | re.VERBOSE,
)
_REGEX = re.compile(r"/(?:[^/\\\n\[]|\\.|\[\^?\]?(?:[^\]\\\n]|\\.)*\])*/")
_VALUE_ENDS = frozenset({"name", "number", "string", "]", "$", "++", "--"})
_NO_VALUES = frozenset({"print", "printf", "return", "case", "in", "getline", "else", "do", "exit", "delete"})
"""Words behind which a slash begins a regular expression."""

_ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "/": "/"}
_NUMBERS = frozenset({"NR", "FNR", "NF"})
_TEXTS = frozenset({"substr", "tolower", "toupper", "strftime", "int", "length"})
"""Functions whose results are taken to be names without slashes when they are part of a file's name."""


def readings(text: str) -> list[list[Token]]:
    """The ways in which a program can be read; none when it cannot be.

    Behind a closing parenthesis a slash may divide or begin a regular expression: both readings count.
    """
    found = [tokens(text, divides=True)]
    if re.search(r"\)\s*/", text):
        found.append(tokens(text, divides=False))
    return [] if found[0] is None and found[-1] is None else [reading for reading in found if reading is not None]


def tokens(text: str, *, divides: bool) -> list[Token] | None:
    """The tokens, blanks and comments left out; None when it could not be read. `divides`: what a slash behind `)` does."""
    found: list[Token] = []
    position = 0
    while position < len(text):
        if text[position] == "/" and not _after_value(found, divides):
            regex = _REGEX.match(text, position)
            if regex is None:
                return None
            found.append(("regex", regex.group()))
            position = regex.end()
            continue
        match = _TOKEN.match(text, position)
        if match is None:
            return None
        kind = match.lastgroup or ""
        if kind == "operator" and match.group() == '"':
            return None
        if kind not in ("blank", "comment"):
            found.append((kind, match.group()))
        position = match.end()
    return found


def _after_value(found: Sequence[Token], divides: bool) -> bool:
    if not found:
        return False
    kind, text = found[-1]
    if kind == "name" and text in _NO_VALUES:
        return False
    return kind in _VALUE_ENDS or text in _VALUE_ENDS or (text == ")" and divides)


def text_of(string: str) -> str | None:
    """The text of a string token; None where its escapes are not known here."""
    body = string[1:-1]
    if re.search(r"\\[^nt\"\\/]", body):
        return None
    return re.sub(r"\\(.)", lambda found: _ESCAPES[found.group(1)], body)


class Values:
    """What is known of the values of a program's expressions."""

    __slots__ = ("_files", "_known", "_set", "_tokens")

    def __init__(self, found: Sequence[Token], known: Mapping[str, Field], files: Sequence[Field]) -> None:
        self._tokens = found
        self._files = files
        names = [text for kind, text in found if kind == "name"]
        # What reads or replaces text may set any variable that is handed to it.
        changing = {"getline", "sub", "gsub", "split", "match", "function", "func"} & set(names)
        self._set = self._settings()
        self._known = {} if changing else {name: value for name, value in known.items() if name not in self._set}
        if not changing:
            self._known.update(self._constants())

    def _settings(self) -> Counter[str]:
        """How often the program sets each variable."""
        found: Counter[str] = Counter()
        for index, (kind, name) in enumerate(self._tokens):
            if kind == "name":
                before = self._tokens[index - 1][1] if index else ""
                after = [text for _, text in self._tokens[index + 1 : index + 3]]
                changed = after[:1] in (["="], ["++"], ["--"], ["["], ["in"]) or (
                    after[1:] == ["="] and after[0] in "+-*/%^"
                )
                if changed or before in ("++", "--"):
                    found[name] += 1
        return found

    def _constants(self) -> dict[str, Field]:
        """Variables that are set once, to a concatenation."""
        found: dict[str, Field] = {}
        for index, (kind, name) in enumerate(self._tokens[:-2]):
            if kind == "name" and self._tokens[index + 1][1] == "=" and self._set[name] == 1:
                value = self.until(index + 2, set())
                if value is not None:
                    found[name] = value
        return found

    def _ends(self, index: int) -> bool:
        return index >= len(self._tokens) or self._tokens[index][0] == "newline" or self._tokens[index][1] in (";", "}")

    def one(self, index: int) -> Field | None:
        """The value of the string or variable at `index`."""
        kind, text = self._tokens[index] if index < len(self._tokens) else ("", "")
        if kind == "string":
            known = text_of(text)
            return None if known is None else Field(known)
        return self._known.get(text) if kind == "name" else None

    def until(self, index: int, closing: set[str]) -> Field | None:
        """The value of the concatenation from `index` to the end of its statement, or a token of `closing`."""
        pieces: list[Field] = []
        variable = False
        parentheses = 0
        while not self._ends(index) and not (self._tokens[index][1] in closing and not parentheses):
            kind, text = self._tokens[index]
            if kind == "operator" and text in ("(", ")", "++", "--"):
                parentheses += {"(": 1, ")": -1}.get(text, 0)
                index += 1
                continue
            piece, index = self._piece(index)
            if piece is None:
                return None
            variable |= not pieces and kind == "name" and piece is TAME and text not in _NUMBERS
            pieces.append(piece)
        # A variable alone, or at the beginning, may hold any path.
        return concat(pieces) if pieces and not variable else None

    def _piece(self, index: int) -> tuple[Field | None, int]:
        """One operand of a concatenation, and the index behind it."""
        kind, text = self._tokens[index]
        following = self._tokens[index + 1] if index + 1 < len(self._tokens) else ("", "")
        if kind in ("string", "number"):
            return (self.one(index) if kind == "string" else Field(text)), index + 1
        if text == "$":
            end = self._closing(index + 1) if following[1] == "(" else index + 2
            return TAME, end
        if kind != "name":
            return None, index + 1
        if text == "FILENAME":
            return (self._files[0].single() if len(self._files) == 1 else TAME), index + 1
        if following[1] == "(":
            if text == "sprintf":
                return self._formatted(index), self._closing(index + 1)
            return (TAME if text in _TEXTS else None), self._closing(index + 1)
        if following[1] == "[":
            return (TAME if text != "ENVIRON" else None), self._closing(index + 1)
        return self._known.get(text, TAME), index + 1

    def _closing(self, index: int) -> int:
        """The index behind what closes the parenthesis or bracket at `index`."""
        depth = 0
        for at in range(index, len(self._tokens)):
            depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(self._tokens[at][1], 0)
            if not depth:
                return at + 1
        return len(self._tokens)

    def _formatted(self, index: int) -> Field | None:
        """`sprintf("part%03d.txt", …)`: each conversion is a wildcard."""
        kind, text = self._tokens[index + 2] if index + 2 < len(self._tokens) else ("", "")
        known = text_of(text) if kind == "string" else None
        if known is None:
            return None
        pieces = [Field(piece) for piece in re.split(r"%[-+ 0#]*[\d.]*[a-zA-Z]", known)]
        joined = [item for piece in pieces for item in (TAME, piece)][1:]
        return concat([item for item in joined if item.text]) if known else None
