"""What linters and scanners find: SARIF, and the JSON of ESLint, ruff, shellcheck and mypy. A finding is a failed case.

What the tool itself lets pass (a warning of ESLint, a note, what is suppressed) is a skipped one, with the finding as its reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO, Any
from urllib.parse import unquote

import msgspec

from pytest_cbx.frameworks.cases import Case, CaseStatus, case
from pytest_cbx.frameworks.results.decoding import decoded


class _Text(msgspec.Struct, frozen=True):
    text: str = ""


class _Region(msgspec.Struct, frozen=True, rename="camel"):
    start_line: int = 0
    start_column: int = 0


class _Artifact(msgspec.Struct, frozen=True):
    uri: str = ""


class _Physical(msgspec.Struct, frozen=True, rename="camel"):
    artifact_location: _Artifact = _Artifact()
    region: _Region = _Region()


class _Location(msgspec.Struct, frozen=True, rename="camel"):
    physical_location: _Physical = _Physical()


class _Result(msgspec.Struct, frozen=True, rename="camel"):
    rule_id: str = ""
    level: str = "warning"
    kind: str = "fail"
    message: _Text = _Text()
    locations: list[_Location] = []
    suppressions: list[dict[str, Any]] | None = None


class _Run(msgspec.Struct, frozen=True):
    results: list[_Result] | None = None


class _Sarif(msgspec.Struct, frozen=True):
    version: str
    runs: list[_Run]


class _EslintMessage(msgspec.Struct, frozen=True, rename="camel"):
    message: str = ""
    rule_id: str | None = None
    severity: int = 2
    line: int | None = None
    column: int | None = None


class _EslintFile(msgspec.Struct, frozen=True, rename="camel"):
    file_path: str
    messages: list[_EslintMessage] = []


class _Place(msgspec.Struct, frozen=True):
    row: int = 0
    column: int = 0


class _Ruff(msgspec.Struct, frozen=True):
    message: str
    filename: str
    code: str | None = None
    location: _Place = _Place()


class _Shellcheck(msgspec.Struct, frozen=True):
    file: str
    line: int
    code: int
    message: str
    column: int = 0
    level: str = "error"


class _ShellcheckFile(msgspec.Struct, frozen=True):
    comments: list[_Shellcheck]


class _Mypy(msgspec.Struct, frozen=True):
    file: str
    message: str
    line: int = 0
    column: int = 0
    code: str | None = None
    severity: str = "error"
    hint: str | None = None


def read_sarif(file: IO[bytes], where: str) -> Iterator[Case]:
    """SARIF 2.1.0. Source: OASIS, "Static Analysis Results Interchange Format", § 3.27."""
    for run in decoded(file.read(), where, _Sarif).runs:
        for one in run.results or ():
            place = one.locations[0].physical_location if one.locations else _Physical()
            passes = (
                one.kind not in ("fail", "open", "review") or one.level in ("note", "none") or bool(one.suppressions)
            )
            uri = unquote(place.artifact_location.uri).removeprefix("file://")
            yield finding(
                uri, place.region.start_line, place.region.start_column, one.rule_id, one.message.text, passes
            )


def read_eslint(file: IO[bytes], where: str) -> Iterator[Case]:
    """`eslint --format json`: what has severity 1 is a warning."""
    for one in decoded(file.read(), where, list[_EslintFile]):
        for found in one.messages:
            rule = found.rule_id or "(parser)"
            yield finding(one.file_path, found.line, found.column, rule, found.message, found.severity < 2)


def read_ruff(file: IO[bytes], where: str) -> Iterator[Case]:
    """`ruff check --output-format json`."""
    for one in decoded(file.read(), where, list[_Ruff]):
        yield finding(one.filename, one.location.row, one.location.column, one.code or "(syntax)", one.message, False)


def read_shellcheck(file: IO[bytes], where: str) -> Iterator[Case]:
    """`shellcheck --format json1`, or `json`: whatever its level, shellcheck fails for it."""
    found = decoded(file.read(), where, _ShellcheckFile | list[_Shellcheck])
    comments: Iterable[_Shellcheck] = found.comments if isinstance(found, _ShellcheckFile) else found
    for one in comments:
        yield finding(one.file, one.line, one.column, f"SC{one.code}", one.message, False)


def read_mypy(file: IO[bytes], where: str) -> Iterator[Case]:
    """`mypy --output json`: an object a line; what else it prints is passed over."""
    for number, raw in enumerate(file, 1):
        if raw.lstrip().startswith(b"{"):
            one = decoded(raw, f"{where}:{number}", _Mypy)
            message = f"{one.message}\n{one.hint}" if one.hint else one.message
            yield finding(one.file, one.line, one.column, one.code or "(mypy)", message, one.severity != "error")


def finding(  # noqa: PLR0917
    file: str, line: int | None, column: int | None, rule: str, message: str, passes: bool
) -> Case:
    """What a linter finds: a failed case, or, where it lets that pass, a skipped one."""
    place = ":".join([file, *(str(one) for one in (line, column) if one)])
    return case(
        f"{place} {rule}".strip() if file else rule,
        CaseStatus.SKIPPED if passes else CaseStatus.FAILED,
        message=message,
        details="" if passes else f"{place}: {rule} {message}",
        file=file,
        line=line or 0,
    )
