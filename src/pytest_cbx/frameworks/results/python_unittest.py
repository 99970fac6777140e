"""What `python -m unittest -v` prints: a line for each test, then the text of each failure.

Source: `unittest/runner.py`, class `TextTestResult`, of CPython 3.11 to 3.14.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from pytest_cbx.frameworks.cases import Case, CaseStatus, ResultsError, case

_TITLE = r"(?P<name>[\w.]+) \((?P<place>[\w.<>]+)\)(?P<part>(?: \[.*?\])?(?: \(.*?\))?)"
_TEST = re.compile(rf"(?P<inner> *){_TITLE}(?P<ended> \.\.\. ?.*)?$")
_BLOCK = re.compile(rf"(?:FAIL|ERROR|UNEXPECTED SUCCESS): {_TITLE}$")
_END = re.compile(r"(?:^|\.\.\. )(ok|FAIL|ERROR|expected failure|unexpected success|skipped (?P<why>['\"].*))$")
_RAN = re.compile(r"Ran \d+ tests? in [\d.]+s$")
_FRAME = re.compile(r'  File "(?P<file>.+)", line (?P<line>\d+)(?:, in (?P<function>.+))?')
_RULE, _THIN_RULE = "=" * 70, "-" * 70
_ENDS = {
    "ok": CaseStatus.PASSED,
    "FAIL": CaseStatus.FAILED,
    "unexpected success": CaseStatus.FAILED,
    "ERROR": CaseStatus.ERROR,
    "expected failure": CaseStatus.SKIPPED,
}
_NOT_LOADED = "unittest.loader._FailedTest."


@dataclass(slots=True)
class _Test:
    function: str
    status: CaseStatus | None = None
    """None: its end was not told."""
    message: str = ""
    parts: bool = False
    """It has subtests that were told by themselves."""
    text: list[str] = field(default_factory=list)
    """Of its failure."""


def read(file: IO[bytes], where: str) -> Iterator[Case]:
    """The cases of what was printed, in order; of a test with subtests that failed or were skipped these.

    Raises:
        ResultsError: nothing in it is a test of unittest, nor its last lines.
    """
    reader = _Reader()
    for raw in file:
        reader.take(raw.decode("utf-8", "replace").rstrip("\r\n"))
    if not reader.tests and not reader.complete:
        raise ResultsError(f"{where} has nothing of unittest in it; does it run with -v?")
    for name, test in reader.tests.items():
        if test.status is not None or not test.parts:
            yield _case(name, test, complete=reader.complete)


class _Reader:
    def __init__(self) -> None:
        self.tests: dict[str, _Test] = {}
        self.complete = False
        """Whether the run came to its end."""
        self._current: _Test | None = None
        """Whose end is to come."""
        self._block: _Test | None = None
        """Whose failure is told."""
        self._after_rule = False

    def take(self, line: str) -> None:
        after_rule, self._after_rule = self._after_rule, line == _RULE
        if _RAN.match(line):
            self.complete, self._block, self._current = True, None, None
        elif after_rule and (found := _BLOCK.match(line)):
            # Noise may have hidden the line of the test itself, and set-ups of classes have none in some versions.
            self._block = self._test(found)
            if self._block.status in (None, CaseStatus.PASSED):
                self._block.status = CaseStatus.ERROR if line.startswith("ERROR") else CaseStatus.FAILED
            self._current = None
        elif self._block is not None:
            self._block.text.append(line)
        elif found := _TEST.match(line):
            outer, self._current = self._current, self._test(found)
            if found["inner"] and outer is not None:
                outer.parts = True
            self._end(line)
            if found["inner"]:
                self._current = outer
        elif self._current is not None:
            self._end(line)

    def _test(self, found: re.Match[str]) -> _Test:
        place, function = found["place"], found["name"]
        # Until Python 3.11 the place was the class alone.
        name = place if place.endswith(f".{function}") else f"{place}.{function}"
        name = name.removeprefix(_NOT_LOADED) + found["part"]
        return self.tests.setdefault(name, _Test(function))

    def _end(self, line: str) -> None:
        if self._current is not None and (end := _END.search(line)):
            self._current.status = _ENDS.get(end[1], CaseStatus.SKIPPED)
            if end["why"]:
                self._current.message = end["why"][1:-1]
            elif end[1] != "ok" and end[1] != end[1].upper():
                self._current.message = end[1]
            self._current = None


def _case(name: str, test: _Test, *, complete: bool) -> Case:
    if test.status is None and not complete:
        return case(name, CaseStatus.ERROR, message="it did not end: what is printed stops before")
    # Where noise hid the end of a test that no failure is told of, it passed.
    status = test.status or CaseStatus.PASSED
    text = "\n".join(line for line in test.text if line not in (_RULE, _THIN_RULE)).strip()
    file, line, message = _place(test)
    return case(
        name,
        status,
        message=test.message or message,
        details=text or (test.message if status is CaseStatus.FAILED else ""),
        file=file,
        line=line,
    )


def _place(test: _Test) -> tuple[str, str, str]:
    """File and line of the test's own frame, else of the innermost one; the line that says what was wrong."""
    file = line = message = ""
    own = False
    for text in test.text:
        if frame := _FRAME.match(text):
            if not own:
                file, line = frame["file"], frame["line"]
                own = frame["function"] == test.function
            message = ""
        elif file and not message and text and not text.startswith(" "):
            message = text
    return file, line, message
