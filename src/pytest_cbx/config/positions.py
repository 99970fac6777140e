"""On which line of a TOML text each key, table and list element stands. `tomllib` does not tell.

The scanner reads text that `tomllib` has accepted, so it only has to find its way: it steps over values and never judges
them. Source of the grammar: `toml.abnf` of TOML 1.0.0.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from pytest_cbx.errors import InternalError

KeyPath: TypeAlias = tuple[str | int, ...]
"""The way from the top of the document to a value: names of keys and numbers of list elements."""

# Unrolled loops, no possessive quantifiers: those match wrongly in Python before 3.11.5.
_GAP = re.compile(r"(?:[ \t\n]+|#[^\n]*)*")
_KEY = re.compile(r"""[ \t]*([A-Za-z0-9_-]+|"[^"\\\n]*(?:\\.[^"\\\n]*)*"|'[^'\n]*')[ \t]*""")
_STRING = re.compile(
    r'"""[^"\\]*(?:(?:\\[\s\S]|"{1,2}(?!"))[^"\\]*)*"{3,5}'
    r"|'''[^']*(?:'{1,2}(?!')[^']*)*'{3,5}"
    r'|"[^"\\\n]*(?:\\.[^"\\\n]*)*"'
    r"|'[^'\n]*'"
)
_SCALAR = re.compile(r"[^,\]}\n#]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Positions:
    """The lines of one document."""

    lines: Mapping[KeyPath, int]
    """1-based. A table that has a header of its own stands where that is, else where it is first named."""

    def line(self, path: KeyPath) -> int:
        """The line of `path`, or of the nearest table around it that has one; 1 when none has."""
        for length in range(len(path), 0, -1):
            found = self.lines.get(path[:length])
            if found is not None:
                return found
        return 1


def positions(text: str) -> Positions:
    """The line of everything in `text`, which `tomllib.loads` must accept. Raises InternalError when it would not."""
    scanner = _Scanner(text.replace("\r\n", "\n"))
    scanner.document()
    return Positions(lines=scanner.lines)


class _Scanner:
    """One walk through a document. `_at` is the offset of the next character."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._breaks = [match.start() for match in re.finditer("\n", text)]
        self._elements: dict[KeyPath, int] = {}
        """How many elements each list of tables has that was written with double-bracket headers."""
        self.lines: dict[KeyPath, int] = {}

    def document(self) -> None:
        table: KeyPath = ()
        while self._next():
            if self._text.startswith("[[", self._at):
                table = self._header(2)
            elif self._text.startswith("[", self._at):
                table = self._header(1)
            else:
                self._pair(table)

    def _header(self, brackets: int) -> KeyPath:
        """Reads `[a.b]` or `[[a.b]]`; returns the path that its keys belong to."""
        line = self._line()
        self._at += brackets
        keys = self._keys()
        self._expect("]" * brackets)
        path: KeyPath = ()
        for key in keys[:-1]:
            path = self._newest((*path, key))
            self.lines.setdefault(path, line)
        path = (*path, keys[-1])
        if brackets == 1:
            self.lines[path] = line
            return path
        self.lines.setdefault(path, line)
        number = self._elements.get(path, 0)
        self._elements[path] = number + 1
        self.lines[(*path, number)] = line
        return (*path, number)

    def _newest(self, path: KeyPath) -> KeyPath:
        """Where a header's prefix leads: into the last element of a list of tables."""
        if path in self._elements:
            return (*path, self._elements[path] - 1)
        self.lines.setdefault(path, self._line())
        return path

    def _pair(self, path: KeyPath) -> None:
        line = self._line()
        for key in self._keys():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self._expect("=")
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        self._next()
        match self._text[self._at : self._at + 1]:
            case '"' | "'":
                self._step(_STRING)
            case "[":
                self._list(path)
            case "{":
                self._inline_table(path)
            case _:
                self._step(_SCALAR)

    def _list(self, path: KeyPath) -> None:
        self._at += 1
        number = 0
        while self._next() != "]":
            self.lines[(*path, number)] = self._line()
            self._value((*path, number))
            number += 1
            if self._next() == ",":
                self._at += 1
        self._at += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._at += 1
        while self._next() != "}":
            self._pair(path)
            if self._next() == ",":
                self._at += 1
        self._at += 1

    def _keys(self) -> list[str]:
        """A dotted key, its parts decoded."""
        keys = [self._key()]
        while self._text.startswith(".", self._at):
            self._at += 1
            keys.append(self._key())
        return keys

    def _key(self) -> str:
        match = self._step(_KEY)
        if match[1][0] == "'":
            return match[1][1:-1]
        if match[1][0] == '"':
            return str(tomllib.loads(f"key = {match[1]}")["key"])
        return match[1]

    def _next(self) -> str:
        """Steps over blanks, line ends and comments; the next character, or empty at the end."""
        self._step(_GAP)
        return self._text[self._at : self._at + 1]

    def _step(self, pattern: re.Pattern[str]) -> re.Match[str]:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise InternalError(
                f"the TOML position scanner lost its way in line {self._line()}; please report this file"
            )
        self._at = match.end()
        return match

    def _expect(self, mark: str) -> None:
        if not self._text.startswith(mark, self._at):
            raise InternalError(
                f"the TOML position scanner missed {mark!r} in line {self._line()}; please report this file"
            )
        self._at += len(mark)

    def _line(self) -> int:
        return bisect_left(self._breaks, self._at) + 1
