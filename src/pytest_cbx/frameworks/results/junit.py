"""JUnit XML, in the dialects of pytest, Jest, Mocha, Vitest, Maven, Gradle, gotestsum, ctest, nextest, bats and others.

There is no schema that all of them keep to. What they share: `testcase` elements in `testsuite` elements at some depth, `failure`,
`error` and `skipped` below a case, a `time` in seconds, a `classname` that repeats the name or not.

Source: https://github.com/testmoapp/junitxml, and the files that these tools write.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, TYPE_CHECKING
from xml.etree.ElementTree import ParseError

import defusedxml.ElementTree
from defusedxml.common import DefusedXmlException

from pytest_cbx.frameworks.cases import Case, CaseStatus, ResultsError, case

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_DEPTH_MAX = 100
_ROOTS = frozenset({"testsuites", "testsuite"})
_BAD = {"failure": CaseStatus.FAILED, "error": CaseStatus.ERROR}
_NOT_RUN = frozenset({"disabled", "notrun", "ignored", "skipped"})
"""Values of a case's `status` or `result` in the files of ctest and others."""

_RISKY = "PHPUnit\\Framework\\RiskyTestError"
"""An error in the file, but none for PHPUnit, unless it is told to fail for it; its exit code says then."""


def read(file: IO[bytes], where: str) -> Iterator[Case]:
    """The cases of an open file.

    Raises:
        ResultsError: it is no such file, or only a part of one; a definition of entities is refused.
    """
    path: list[str] = []
    suites: list[str] = []
    try:
        for event, element in defusedxml.ElementTree.iterparse(file, events=("start", "end"), forbid_dtd=True):
            tag = _local(element.tag)
            if event == "start":
                if not path and tag not in _ROOTS:
                    raise ResultsError(f"{where} is no JUnit file: its outermost element is <{tag[:60]}>")
                path.append(tag)
                if tag == "testsuite":
                    suites.append(element.get("file", ""))
                if len(path) > _DEPTH_MAX:
                    raise ResultsError(f"{where}: its elements are nested deeper than {_DEPTH_MAX}")
                continue
            path.pop()
            if tag == "testcase":
                yield _case(element, suites[-1] if suites else "", where)
            elif tag == "testsuite":
                suites.pop()
            if tag in ("testcase", "testsuite", "properties", "system-out", "system-err") and "testcase" not in path:
                element.clear()
    except ParseError as error:
        line, column = error.position
        raise ResultsError(f"{where}:{line}: not well-formed at column {column + 1}: {_reason(error)}") from error
    except DefusedXmlException as error:
        raise ResultsError(
            f"{where} defines a document type or entities, which no result file needs: refused"
        ) from error
    except (ValueError, LookupError, UnicodeError) as error:
        raise ResultsError(f"{where} cannot be decoded: {error}") from error


def _case(element: Element, suite_file: str, where: str) -> Case:
    status, message, details, to_do, risky = CaseStatus.PASSED, "", "", False, False
    said = (element.get("status") or element.get("result") or "").lower()
    if said in _NOT_RUN:
        status = CaseStatus.SKIPPED
    full_name = f"{element.get('classname', '')}::{element.get('name', '')}"
    output = []
    for child in element:
        tag = _local(child.tag)
        if tag in _BAD and status is not CaseStatus.ERROR:
            status = _BAD[tag]
            risky = child.get("type") == _RISKY
            text = child.text or ""
            message = child.get("message") or message or _first(text, full_name) or child.get("type") or ""
            details = f"{details}\n{text}" if details else text
        elif tag == "skipped":
            to_do = child.get("type") == "todo"  # node: may fail, and does not count then
            if status is CaseStatus.PASSED:
                status, message = CaseStatus.SKIPPED, child.get("message") or (child.text or "").strip()
        elif tag in ("system-out", "system-err") and child.text and child.text.strip():
            output.append(child.text)
    if to_do and status is CaseStatus.FAILED:
        status, message = CaseStatus.SKIPPED, f"todo: {message}"
    if risky:
        status, message = CaseStatus.SKIPPED, f"risky: {message}"
    if status in _BAD.values() and not message:
        message = f"{status.value}, without a reason in {where}"
        details = details or "\n".join(output)
    return case(
        _name(element.get("classname", ""), element.get("name", "")),
        status,
        seconds=element.get("time") or 0.0,
        message=message,
        details=details or message,
        output="\n".join(output),
        file=element.get("file") or suite_file,
        line=element.get("line") or element.get("lineno") or 0,
    )


def _first(text: str, name: str) -> str:
    """The first line that says something: PHPUnit begins with the name of the test."""
    first, _, rest = text.strip().partition("\n")
    return rest.partition("\n")[0] if rest and first.startswith(name) else first


def _name(group: str, name: str) -> str:
    """`classname` repeats the name, or begins it, or is a class, a file, a package."""
    if not name:
        return group  # surefire: a class that could not be set up
    return name if not group or name.startswith(group) else f"{group}::{name}"


def _local(tag: object) -> str:
    """Without a namespace; comments and processing instructions have no name."""
    return str(tag).rpartition("}")[2] if isinstance(tag, str) else ""


def _reason(error: ParseError) -> str:
    return str(error).partition(":")[0]
