"""RSpec's JSON (`rspec --format json`). Source: `rspec/core/formatters/json_formatter.rb` of RSpec 3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import msgspec

from pytest_cbx.frameworks.cases import Case, CaseStatus, case
from pytest_cbx.frameworks.results.decoding import decoded

_ENDS = {"passed": CaseStatus.PASSED, "failed": CaseStatus.FAILED}
"""What else an example can be (pending) failed as it was expected to, or was not run."""
_EXPECTATION = "RSpec::Expectations::"
_FOREIGN = ("/gems/", "/bin/bundle:", "/bin/rspec:")
"""In lines of a backtrace that are RSpec's own, or some library's."""


class _Exception(msgspec.Struct, frozen=True):
    kind: str = msgspec.field(name="class", default="")
    message: str | None = None
    backtrace: list[str] | None = None


class _Example(msgspec.Struct, frozen=True):
    full_description: str = ""
    status: str = ""
    file_path: str = ""
    line_number: int = 0
    run_time: float | None = None
    pending_message: str | None = None
    exception: _Exception | None = None


class _Summary(msgspec.Struct, frozen=True):
    errors_outside_of_examples_count: int = 0


class _Report(msgspec.Struct, frozen=True):
    examples: list[_Example]
    summary: _Summary = _Summary()
    messages: list[str] = []


def read(file: IO[bytes], where: str) -> Iterator[Case]:
    """The cases of an open file; files that could not be loaded, and hooks that fail after the examples, are one error.

    Raises:
        ResultsError: it is no such report.
    """
    report: _Report = decoded(file.read(), where, _Report)
    for one in report.examples:
        yield _case(one)
    if report.summary.errors_outside_of_examples_count:
        text = "\n".join(report.messages).strip()
        yield case("(outside of examples)", CaseStatus.ERROR, details=text or "an error occurred outside of examples")


def _case(one: _Example) -> Case:
    status = _ENDS.get(one.status, CaseStatus.SKIPPED)
    message, details = one.pending_message or "", ""
    if one.exception is not None and status is CaseStatus.FAILED:
        message = " ".join((one.exception.message or "").split())
        if not one.exception.kind.startswith(_EXPECTATION):
            message = f"{one.exception.kind}: {message}"
        trace = one.exception.backtrace or []
        own = [line for line in trace if not any(part in line for part in _FOREIGN)]
        details = "\n".join([(one.exception.message or one.exception.kind).strip("\n"), *(own or trace)])
    elif status is CaseStatus.FAILED:
        details = message = "it failed"
    return case(
        one.full_description,
        status,
        seconds=one.run_time or 0.0,
        message=message,
        details=details,
        file=one.file_path,
        line=one.line_number,
    )
