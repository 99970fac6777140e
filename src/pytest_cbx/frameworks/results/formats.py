"""Which formats there are, and what a file of each begins with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import IO, TypeAlias

from pytest_cbx.config.model import ResultFormat
from pytest_cbx.frameworks.cases import Case
from pytest_cbx.frameworks.results import findings, go_test, jest, junit, libtest, lines, python_unittest, rspec, tap

Reader: TypeAlias = Callable[[IO[bytes], str], Iterator[Case]]

READERS: Mapping[ResultFormat, Reader] = {
    ResultFormat.JUNIT: junit.read,
    ResultFormat.TAP: tap.read,
    ResultFormat.GO: go_test.read,
    ResultFormat.LIBTEST: libtest.read,
    ResultFormat.UNITTEST: python_unittest.read,
    ResultFormat.SARIF: findings.read_sarif,
    ResultFormat.ESLINT: findings.read_eslint,
    ResultFormat.RUFF: findings.read_ruff,
    ResultFormat.SHELLCHECK: findings.read_shellcheck,
    ResultFormat.MYPY: findings.read_mypy,
    ResultFormat.LINES: lines.read,
    ResultFormat.JEST: jest.read,
    ResultFormat.RSPEC: rspec.read,
}
MAY_BE_EMPTY = frozenset({ResultFormat.MYPY, ResultFormat.LINES})
"""A file of these has a line for each finding, and so none at all where there is none."""
_SIGNS: tuple[tuple[ResultFormat, re.Pattern[bytes]], ...] = (
    (ResultFormat.JUNIT, re.compile(rb"\A(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?\s*<")),
    # Before TAP, for which an "ok" in a line of its own would do.
    (ResultFormat.UNITTEST, re.compile(rb"^[\w.]+ \([\w.<>]+\)(?: \.\.\. |$)", re.MULTILINE)),
    (ResultFormat.TAP, re.compile(rb"^(?:TAP version 1[2-4]|1\.\.\d+|(?:not )?ok\b)", re.MULTILINE)),
    (ResultFormat.GO, re.compile(rb'^\{(?=[^\n]*"Action":)', re.MULTILINE)),
    (ResultFormat.LIBTEST, re.compile(rb'^(?:running \d+ tests?$|\{ ?"type": ?"(?:suite|test)")', re.MULTILINE)),
    (ResultFormat.SARIF, re.compile(rb'\A\s*\{(?=.*"runs"\s*:)', re.DOTALL)),
    (ResultFormat.JEST, re.compile(rb'\A\s*\{(?=.*"testResults"\s*:|.*"numTotalTests"\s*:)', re.DOTALL)),
    (ResultFormat.RSPEC, re.compile(rb'\A\s*\{\s*"version"\s*:\s*"[\w.]+"\s*,\s*"(?:examples|messages|seed)"')),
    (ResultFormat.ESLINT, re.compile(rb'\A\s*\[\s*\{\s*"filePath"')),
    (ResultFormat.SHELLCHECK, re.compile(rb'\A\s*(?:\{\s*"comments"|\[\s*\{\s*"file"\s*:\s*"[^"]*",\s*"line")')),
    (ResultFormat.RUFF, re.compile(rb'\A\s*\[\s*\{(?=.*"filename")', re.DOTALL)),
    (ResultFormat.MYPY, re.compile(rb'^\{"file": "[^"]*", "line"', re.MULTILINE)),
)
_NO_FINDINGS = re.compile(rb"\A\s*\[\s*\]\s*\Z")


def recognise(head: bytes) -> ResultFormat | None:
    """The format of a file by its first bytes; None: none that is known."""
    if _NO_FINDINGS.match(head):
        return ResultFormat.RUFF  # of any linter that writes a list
    return next((form for form, sign in _SIGNS if sign.search(head)), None)
