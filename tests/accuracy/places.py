"""What a predicted place covers. Read from the strings that `cbx explain --json` prints, as any user would have to."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

FITTING = {
    "created": frozenset({"writes", "creates"}),
    "modified": frozenset({"writes", "creates"}),
    "deleted": frozenset({"deletes"}),
}
"""Which columns of the prediction foretell which kind of change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """One place: a path, a pattern (`*`, `?`, `**`) or a tree (`dir/**`: the directory and all below), once a command."""

    text: str
    """As printed."""
    path: str
    """Absolute."""
    columns: frozenset[str]
    whole: bool
    """It covers the whole work tree, which is as good as nothing: it counts as wrong and covers no change."""

    def covers(self, kind: str, path: str) -> bool:
        """Whether this place foretold that change."""
        if self.whole:
            return False
        if FITTING[kind].isdisjoint(self.columns) and not (kind == "deleted" and self.path.endswith("/**")):
            # Who changes everything in a tree may also remove what lies in it. A written file is not a deleted one.
            return False
        return path == self.path or _pattern(self.path).fullmatch(path) is not None


def predicted(effects: Mapping[str, Sequence[str]], *, tree: str) -> tuple[Predicted, ...]:
    """The written, created and deleted places of one explanation for the work tree `tree`."""
    columns: dict[str, set[str]] = {}
    for column in ("writes", "creates", "deletes"):
        for text in effects[column]:
            columns.setdefault(text, set()).add(column)
    places = []
    for text, named in columns.items():
        path = os.path.normpath(os.path.join(tree, text))
        whole = path.endswith("**") and _pattern(path).fullmatch(tree) is not None
        places.append(Predicted(text=text, path=path, columns=frozenset(named), whole=whole))
    return tuple(places)


def covered(places: Iterable[Predicted], kind: str, path: str) -> bool:
    """Whether any place foretold that change."""
    return any(place.covers(kind, path) for place in places)


@lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    tree = text.endswith("/**")
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", text[:-3] if tree else text)
    wild = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile(
        "".join(wild.get(piece, re.escape(piece)) for piece in pieces) + ("(?:/.*)?" if tree else ""), re.DOTALL
    )
