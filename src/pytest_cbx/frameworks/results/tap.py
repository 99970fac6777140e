"""TAP 12 to 14, as bats, node --test, prove, tape and many others print it; subtests are indented by four spaces.

Source: https://testanything.org/tap-version-14-specification.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from pytest_cbx.frameworks.cases import Case, CaseStatus, ResultsError, case

_RESULT = re.compile(r"(?P<bad>not )?ok\b(?:\s+\d+)?\s*(?:- )?\s*(?P<name>.*)")
_PLAN = re.compile(r"1\.\.(\d+)\s*(?:#\s*(.*))?$")
_DIRECTIVE = re.compile(r"(?<!\\)#\s*(skip|todo)\S*\s*(.*)$", re.IGNORECASE)
_TIME = re.compile(r"(?<!\\)#\s*time=([\d.]+)\s*(ms|s)\s*$|\s+in (\d+)ms$")
_SUBTEST = re.compile(r"#\s*Subtest:?\s*(.*)")
_KEY = re.compile(r"\s*(message|error|duration_ms|location|file|line|type):\s*(.*)")
_DEPTH_MAX = 50
_STEP = 4


@dataclass(slots=True)
class _Level:
    """One document: the whole, or a subtest."""

    planned: int | None = None
    seen: int = 0
    failed: int = 0
    inner: bool = False
    """A subtest came since the last result: that result is its summary."""
    inner_failed: int = 0


@dataclass(slots=True)
class _Open:
    """The last result, until what belongs to it has been read."""

    name: str
    status: CaseStatus
    reason: str = ""
    seconds: float = 0.0
    summary: bool = False
    """Of subtests that have been told already."""
    notes: list[str] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)

    def case(self) -> Case:
        message = self.reason or self.known.get("message") or self.known.get("error") or ""
        location = self.known.get("location", "")
        file, _, position = location.partition(":")
        seconds = float(self.known["duration_ms"]) / 1000 if _is_number(self.known.get("duration_ms")) else self.seconds
        bad = self.status is CaseStatus.FAILED
        return case(
            self.name,
            self.status,
            seconds=seconds,
            message=message,
            details="\n".join(self.notes) if bad else "",
            output="" if bad else "\n".join(self.notes),
            file=self.known.get("file") or file,
            line=self.known.get("line") or position.partition(":")[0],
        )


def read(file: IO[bytes], where: str) -> Iterator[Case]:
    """The cases of an open file or output: of subtests the innermost ones, `outer > inner`.

    Raises:
        ResultsError: nothing in it is a result or a plan.
    """
    reader = _Reader(where)
    for line in file:
        yield from reader.take(line.decode("utf-8", "replace").rstrip("\r\n"))
    yield from reader.end()


class _Reader:
    def __init__(self, where: str) -> None:
        self._where = where
        self._levels = [_Level()]
        self._announced: dict[int, str] = {}
        """Depth → name that a comment told: of the result to come at this depth (as node writes), or of what that is a part of
        (Test::More)."""
        self._open: _Open | None = None
        self._block = -1
        """Indentation of the diagnostic block that is read; -1: none."""
        self._any = False

    def take(self, line: str) -> Iterator[Case]:
        text = line.lstrip(" ")
        indent = len(line) - len(text)
        if self._block >= 0:
            self._diagnose(line, text, indent)
            return
        if text == "---" and self._open is not None:
            self._block = indent
            return
        depth = indent // _STEP
        if (found := _SUBTEST.match(text)) and depth < _DEPTH_MAX:
            yield from self._close()
            self._announced[depth] = _plain(found[1])
        elif (plan := _PLAN.fullmatch(text)) and depth < _DEPTH_MAX:
            yield from self._close()
            self._any = True
            level = self._at(depth)
            level.planned = int(plan[1][:9])
            if level.planned == 0 and plan[2] and depth == 0:
                yield case("(all)", CaseStatus.SKIPPED, message=_DIRECTIVE.sub(r"\2", "# " + plan[2]))
        elif (result := _RESULT.match(text)) and depth < _DEPTH_MAX:
            yield from self._close()
            self._any = True
            self._result(result, depth)
        elif text.startswith("Bail out!"):
            yield from self._close()
            self._any = True
            yield case("Bail out!", CaseStatus.ERROR, message=text[len("Bail out!") :])
            self._levels[0].planned = None
        elif self._open is not None and text:
            self._open.notes.append(text.removeprefix("# ") if text.startswith("#") else line)

    def _result(self, result: re.Match[str], depth: int) -> None:
        level = self._at(depth)
        name, status, reason, seconds = result["name"], CaseStatus.PASSED, "", 0.0
        if result["bad"]:
            status = CaseStatus.FAILED
        if directive := _DIRECTIVE.search(name):
            name, reason = name[: directive.start()], directive[2]
            if directive[1].lower() == "todo":
                reason = f"todo: {reason}" if reason else "todo"
                status = CaseStatus.SKIPPED if result["bad"] else status
            else:
                status = CaseStatus.SKIPPED
        elif timed := _TIME.search(name):
            name = name[: timed.start()]
            seconds = float(timed[3]) / 1000 if timed[3] else _seconds(timed[1], timed[2])
        level.seen += 1
        level.failed += status is CaseStatus.FAILED
        # The summary of a subtest is no case of its own, unless it says what none of its parts does.
        summary = level.inner and (status is not CaseStatus.FAILED or level.inner_failed > 0)
        level.inner, level.inner_failed = False, 0
        shown = _plain(name) or f"{level.seen}"
        self._open = _Open(" > ".join([*self._around(depth, shown), shown]), status, reason, seconds, summary)

    def _around(self, depth: int, name: str) -> list[str]:
        """What a result is a part of, the outermost first."""
        told = self._announced
        for deeper in [one for one in told if one > depth]:
            del told[deeper]
        if told.get(depth) == name:
            del told[depth]
        outer = (told.get(level) or told.get(level + 1, "") for level in range(depth))
        return [one for one in outer if one]

    def _at(self, depth: int) -> _Level:
        """The document of this depth; deeper ones have ended."""
        while len(self._levels) > depth + 1:
            ended = self._levels.pop()
            self._levels[-1].inner = True
            self._levels[-1].inner_failed += ended.failed
        while len(self._levels) <= depth:
            self._levels.append(_Level())
        return self._levels[depth]

    def _diagnose(self, line: str, text: str, indent: int) -> None:
        assert self._open is not None
        if text == "..." and indent == self._block:
            self._block = -1
            return
        if (found := _KEY.match(line)) and found[1] not in self._open.known and indent == self._block:
            self._open.known[found[1]] = found[2].strip("'\"|->")
        self._open.notes.append(line[min(indent, self._block) :])

    def _close(self) -> Iterator[Case]:
        found, self._open = self._open, None
        if found is not None and not found.summary:
            yield found.case()

    def end(self) -> Iterator[Case]:
        yield from self._close()
        if not self._any:
            raise ResultsError(f"{self._where} has neither a result nor a plan of TAP in it")
        top = self._at(0)
        if top.planned is not None and top.seen != top.planned:
            yield case(
                "(plan)",
                CaseStatus.ERROR,
                message=f"{top.planned} cases were planned, {top.seen} came: it ended too early",
            )


def _plain(name: str) -> str:
    return name.replace("\\#", "#").replace("\\\\", "\\").strip()


def _seconds(number: str, unit: str) -> float:
    return (float(number) if _is_number(number) else 0.0) / (1000 if unit == "ms" else 1)


def _is_number(text: str | None) -> bool:
    try:
        float(text or "")
    except ValueError:
        return False
    return True
