"""Jest's JSON (`jest --json`), which Vitest writes, too. Source: jestjs.io, "--json"; `formatTestResults` in Jest's sources."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import msgspec

from pytest_cbx.frameworks.cases import Case, CaseStatus, case
from pytest_cbx.frameworks.results.decoding import decoded

_ENDS = {"passed": CaseStatus.PASSED, "failed": CaseStatus.FAILED}
"""What else a test can be (pending, skipped, todo, disabled) was not run."""


class _Location(msgspec.Struct, frozen=True):
    line: int = 0


class _Test(msgspec.Struct, frozen=True, rename="camel"):
    title: str = ""
    full_name: str = ""
    status: str = ""
    duration: float | None = None
    failure_messages: list[str] | None = None
    location: _Location | None = None


class _File(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    message: str = ""
    status: str = ""
    assertion_results: list[_Test] = []


class _Report(msgspec.Struct, frozen=True, rename="camel"):
    test_results: list[_File]


def read(file: IO[bytes], where: str) -> Iterator[Case]:
    """The cases of an open file; a file of tests that could not be loaded is an error.

    Raises:
        ResultsError: it is no such report.
    """
    report: _Report = decoded(file.read(), where, _Report)
    for one in report.test_results:
        if not one.assertion_results and one.status == "failed":
            lines = [line.strip() for line in one.message.splitlines()]
            yield case(
                one.name,
                CaseStatus.ERROR,
                # Jest begins with "● Test suite failed to run", as of all such files.
                message=next((line for line in lines if line and not line.startswith("●")), ""),
                details=one.message or "it could not be loaded",
                file=one.name,
            )
        for test in one.assertion_results:
            text = "\n".join(test.failure_messages or ())
            status = _ENDS.get(test.status, CaseStatus.SKIPPED)
            yield case(
                (test.full_name or test.title).strip(),
                status,
                seconds=(test.duration or 0.0) / 1000,
                message="" if text else test.status if status is not CaseStatus.PASSED else "",
                details=text,
                file=one.name,
                line=test.location.line if test.location else 0,
            )
