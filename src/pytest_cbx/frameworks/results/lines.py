"""Findings as compilers and most linters print them, one a line: flake8, tsc, gcc, and many others.

Source: "Formatting Error Messages" in the GNU Coding Standards; `formatDiagnostic` in TypeScript's sources for `file(line,column): `.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO

from pytest_cbx.frameworks.cases import Case
from pytest_cbx.frameworks.results.findings import finding

_GNU = re.compile(r"(?P<file>[^\s:(][^:]*):(?P<line>\d+)(?::(?P<column>\d+))?(?:: | - )(?P<text>\S.*)$")
_TSC = re.compile(r"(?P<file>\S[^()]*)\((?P<line>\d+),(?P<column>\d+)\): (?P<text>\S.*)$")
_ALONE = re.compile(r"(?P<text>error (?:TS\d+): .+)$")
"""TypeScript's of no file: a mistake in its settings."""
_TEXT = re.compile(
    r"(?:(?P<severity>fatal error|error|warning|note|info)\b:?\s+)?(?:(?P<rule>[A-Z]+\d+)\b:?\s+)?(?P<message>.*)$"
)
_COLOURS = re.compile(r"\x1b\[[\d;]*m")
_PASSES = frozenset({"warning", "note", "info"})


def read(file: IO[bytes], where: str) -> Iterator[Case]:
    """A case for each line that names a place; all others are passed over, as no tool says which of its lines are findings."""
    for raw in file:
        line = _COLOURS.sub("", raw.decode("utf-8", "replace").rstrip("\r\n"))
        found = _TSC.match(line) or _GNU.match(line) or _ALONE.match(line)
        if found is None or (said := _TEXT.match(found["text"])) is None:
            continue
        place = found.groupdict()
        yield finding(
            (place.get("file") or "").removeprefix("./"),
            int((place.get("line") or "0")[:9]),
            int((place.get("column") or "0")[:9]),
            said["rule"] or said["severity"] or "",
            said["message"],
            said["severity"] in _PASSES,
        )
