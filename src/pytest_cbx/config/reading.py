"""A table of the file together with where it stands, and the list of what is wrong so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from pytest_cbx.config import values
from pytest_cbx.config.keys import Readers
from pytest_cbx.config.positions import KeyPath, Positions
from pytest_cbx.errors import Problem


@dataclass(slots=True, kw_only=True)
class Document:
    """One parsed file and its problems, collected in the order of finding."""

    shown: str
    """The file's name as problems give it."""
    top: KeyPath
    """Where our own table lies: ("cbx",), or ("tool", "cbx") in `pyproject.toml`."""
    positions: Positions
    problems: list[Problem] = field(default_factory=list)

    @property
    def title(self) -> str:
        """Our own table's name without brackets, e.g. "tool.cbx"."""
        return ".".join(str(part) for part in self.top)

    def report(self, path: KeyPath, message: str, hint: str = "") -> None:
        """Adds a problem at the line of `path`."""
        self.problems.append(Problem(file=self.shown, line=self.positions.line(path), message=message, hint=hint))


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table of the file."""

    document: Document
    path: KeyPath
    title: str
    """As messages name it: `[cbx.limits]` or `command "lint"`."""
    content: dict[str, Any]

    def report(self, key: str, message: str, hint: str = "", at: KeyPath = ()) -> None:
        """Adds a problem of one key; `message` goes on after its name."""
        self.document.report((*self.path, key, *at), f"`{key}` in {self.title} {message}", hint)

    def read(self, readers: Readers) -> dict[str, Any]:
        """The typed values of all keys that are right; those that are not are reported and left out."""
        found: dict[str, Any] = {}
        for key, value in self.content.items():
            reader = readers.get(key)
            if reader is None:
                continue
            try:
                found[key] = reader(value)
            except values.Wrong as error:
                for fault in error.faults:
                    self.report(key, fault.message, fault.hint, fault.at)
        return found

    def refuse_unknown(self, known: Iterable[str], elsewhere: Mapping[str, str]) -> None:
        """Reports every key that is not known here. `elsewhere`: keys of other tables and the titles of these."""
        spellings = list(known)
        for key in self.content:
            if key in spellings:
                continue
            close = get_close_matches(key, spellings, n=1, cutoff=0.75)
            if close:
                hint = f"did you mean `{close[0]}`?"
            elif key in elsewhere:
                hint = f"it belongs in {elsewhere[key]}"
            elif loose := get_close_matches(key.lower(), spellings, n=1, cutoff=0.55):
                hint = f"did you mean `{loose[0]}`?"
            else:
                hint = f"known: {', '.join(spellings)}"
            self.document.report((*self.path, key), f"unknown key {_quoted(key)} in {self.title}", hint)


def _quoted(key: str) -> str:
    """A key in backticks, or in quotes with its escapes where it does not print."""
    return f"`{key}`" if key.isprintable() else values.kind(key)
