"""One test case, or one finding, of another framework, as its result file tells it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum

from pytest_cbx.errors import CbxError

NAME_MAX = 300
"""Characters of a name."""
TEXT_MAX = 64 * 1024
"""Characters of a message, of details and of output; of longer ones the end is kept, where failures are told."""
CASES_MAX = 20_000
"""Cases of one command; pytest keeps each of their reports in memory."""
_UNFIT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff\u2028\u2029]+")
_UNFIT_IN_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class ResultsError(CbxError):
    """A result file cannot be read; the message says which, where in it, and why."""


class CaseStatus(Enum):
    """How a case ended."""

    PASSED = "passed"
    FAILED = "failed"
    """What it checks is not so."""
    SKIPPED = "skipped"
    ERROR = "error"
    """It could not be tried, or ended by itself: a broken set-up, a file that does not compile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case. Made by `case`, which bounds and cleans what a file says."""

    name: str
    """Unique within its command; one line."""
    status: CaseStatus
    seconds: float = 0.0
    message: str = ""
    """One line: why it failed or was skipped."""
    details: str = ""
    """Of a failure: the text that its framework gives."""
    output: str = ""
    """What it printed."""
    file: str = ""
    """As the file names it; empty where it does not."""
    line: int = 0
    """1-based; 0: not told."""

    @property
    def bad(self) -> bool:
        """Whether it failed, or could not be tried."""
        return self.status in (CaseStatus.FAILED, CaseStatus.ERROR)


def case(
    name: str,
    status: CaseStatus,
    *,
    seconds: object = 0.0,
    message: str = "",
    details: str = "",
    output: str = "",
    file: str = "",
    line: object = 0,
) -> Case:
    """A case of whatever a file says: in one line where it must be, printable, and not endless."""
    text = _in_full(details)
    return Case(
        name=_in_one_line(name) or "(unnamed)",
        status=status,
        seconds=_number(seconds),
        message=_in_one_line(message or text.strip().partition("\n")[0]),
        details=text,
        output=_in_full(output),
        file=_in_one_line(file),
        line=int(_number(line)),
    )


def distinct(cases: Iterable[Case]) -> Iterator[Case]:
    """The same cases; of those with one name, all but the first are numbered: they are reports of their own."""
    seen: dict[str, int] = {}
    for one in cases:
        count = seen[one.name] = seen.get(one.name, 0) + 1
        name = one.name
        while count > 1 and (name := f"{one.name} ({count})") in seen:
            count += 1
        seen.setdefault(name, 1)
        yield one if name == one.name else replace(one, name=name)


def bounded(cases: Iterable[Case], where: str) -> Iterator[Case]:
    """The same cases.

    Raises:
        ResultsError: there are more than `CASES_MAX`.
    """
    for number, one in enumerate(cases, 1):
        if number > CASES_MAX:
            raise ResultsError(f"{where} has more than {CASES_MAX:,} cases; split the command into several")
        yield one


def _in_one_line(text: str) -> str:
    line = _UNFIT.sub(" ", text).strip()
    return line if len(line) <= NAME_MAX else line[: NAME_MAX - 1] + "…"


def _in_full(text: str) -> str:
    return _UNFIT_IN_TEXT.sub("�", text[-TEXT_MAX:])


def _number(value: object) -> float:
    """Seconds or a line; what is none, or cannot be, is 0."""
    try:
        found = float(str(value).replace(",", ""))
    except ValueError:
        return 0.0
    return found if math.isfinite(found) and 0 <= found < 1e9 else 0.0
