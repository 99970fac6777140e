"""The text that is being read, without its line continuations, and the way back to places in the original.

Bash removes backslash-newline before it looks for tokens, except in single quotes, comments and quoted here-documents.
So all of them are taken out at once, and put back when the reading turns out to stand in such a place.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from pytest_cbx.shell.nodes import Script, Span

if TYPE_CHECKING:
    from pytest_cbx.shell.heredocs import Heredoc

MAX_DEPTH = 48
"""Constructs within constructs. Keeps this reader and all who walk its trees far from Python's recursion limit."""

MAX_PIECES = 20_000
"""Commands, operators and reserved words of one text, with all the texts within it."""

MAX_ALTERNATIVES = 5_000
"""Words that all brace expansions of one text may stand for."""

END = "\0"
"""Stands behind the last character, so that nobody needs to check for the end. Bash text has no NUL."""

_CONTINUATION = re.compile(r"(\\+)\n")
_MAX_RESTORED = 1000
_MAX_TRIED = 2_000_000

Found = TypeVar("Found")


class Lost(Exception):
    """The reading cannot go on from here. Never leaves the package."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Spent:
    """What the reading of one text has cost so far, with all the texts within it."""

    __slots__ = ("alternatives", "pieces")

    def __init__(self) -> None:
        self.pieces = 0
        self.alternatives = 0


class Source:
    """Text with a cursor held by its readers. Positions are indices into `text`; spans point into the original."""

    __slots__ = (
        "_cuts",
        "_failed",
        "_restored",
        "_tried",
        "at",
        "depth",
        "doubt",
        "read_body",
        "spent",
        "text",
        "waiting",
    )

    def __init__(
        self,
        text: str,
        read_body: Callable[[Source, int], tuple[Script, int]],
        at: list[int] | None = None,
        depth: int = 0,
        spent: Spent | None = None,
    ) -> None:
        self.text = text + END
        self.at = at
        """For each index of `text` its place in the original; None: the same."""
        self.read_body = read_body
        """Reads a command substitution's body up to its closing parenthesis."""
        self.depth = depth
        self.spent = spent or Spent()
        self.doubt: str | None = None
        """Why the simple command being read cannot be understood, though its end is clear."""
        self.waiting: list[Heredoc] = []
        """Here-documents whose bodies follow after the next newline."""
        self._failed: set[tuple[str, int]] = set()
        self._tried = 0
        self._cuts: list[int] = []
        self._restored = 0
        if "\\\n" in text:
            self._join()

    def _join(self) -> None:
        at = list(range(len(self.text))) if self.at is None else self.at
        pieces: list[str] = []
        places: list[int] = []
        last = 0
        for match in _CONTINUATION.finditer(self.text):
            if len(match[1]) % 2 == 0:
                continue
            cut = match.end() - 2
            pieces.append(self.text[last:cut])
            places += at[last:cut]
            self._cuts.append(at[cut])
            last = cut + 2
        self.text = "".join(pieces) + self.text[last:]
        self.at = places + at[last:]

    @property
    def end(self) -> int:
        """The index of the end mark."""
        return len(self.text) - 1

    def place(self, index: int) -> int:
        """The place of a character in the original text."""
        return index if self.at is None else self.at[index]

    def span(self, start: int, end: int) -> Span:
        """The range of the original text from character `start` to before `end`."""
        if self.at is None:
            return Span(start, end)
        first = self.at[start]
        return Span(first, self.at[end - 1] + 1 if end > start else first)

    def restore(self, start: int, end: int, *, first_only: bool = False) -> bool:
        """Put back the continuations taken out between `start` and `end`. False: there were none."""
        if not self._cuts or self.at is None:
            return False
        low = bisect_left(self._cuts, self.at[start - 1] + 1 if start else 0)
        high = bisect_left(self._cuts, self.at[end])
        if first_only:
            high = min(high, low + 1)
        if low >= high:
            return False
        self._restored += high - low
        if self._restored > _MAX_RESTORED:
            raise Lost("too many line continuations in quotes and comments")
        for cut in reversed(self._cuts[low:high]):
            index = bisect_left(self.at, cut)
            self.text = f"{self.text[:index]}\\\n{self.text[index:]}"
            self.at[index:index] = (cut, cut + 1)
        del self._cuts[low:high]
        return True

    def part(self, text: str, at: list[int]) -> Source:
        """A text of its own within this one, such as the inside of backquotes; `at` has an entry for its end too."""
        return Source(text, self.read_body, at, self.depth + 1, self.spent)

    def doubts(self, reason: str) -> None:
        """Note why the simple command being read cannot be understood; the first reason counts."""
        if self.doubt is None:
            self.doubt = reason

    def deeper(self, by: int = 1) -> None:
        """Count constructs entered.

        Raises:
            Lost: there are more within each other than `MAX_DEPTH`.
        """
        self.depth += by
        if self.depth > MAX_DEPTH:
            raise Lost(f"nested more than {MAX_DEPTH} deep")

    def attempt(self, kind: str, pos: int, reading: Callable[[], Found | None]) -> Found | None:
        """What `reading` finds at `pos`; None where it finds nothing or is lost, and what it noted is forgotten then.

        A failure is remembered: to try again at every level of nesting would take exponential time.

        Raises:
            Lost: too much of the text has been tried in vain.
        """
        key = (kind, self.place(pos))
        if key in self._failed:
            return None
        if self._tried > _MAX_TRIED:
            raise Lost("too many constructs without an end")
        depth, doubt, waiting, count = self.depth, self.doubt, self.waiting, len(self.waiting)
        try:
            found = reading()
        except Lost:
            found = None
            self._tried += self.end - pos
        if found is None:
            self._failed.add(key)
            self.depth, self.doubt, self.waiting = depth, doubt, waiting
            del waiting[count:]
        return found

    def comment_end(self, start: int) -> int:
        """Where the comment that starts at `start` ends: at a newline or at the end of the text."""
        newline = self.text.find("\n", start)
        newline = newline if newline >= 0 else self.end
        if self.restore(start, newline, first_only=True):
            newline = self.text.find("\n", start)
        return newline
