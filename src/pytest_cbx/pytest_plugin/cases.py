"""The cases of another framework as reports of their own, below their command: `cbx.toml::unit-js::Button renders`.

Not as subtests: those have their parent's node id, so that JUnit files merge them. The command itself fails when one of them did, so that
`--lf` runs it again; a single case is nothing that pytest could run.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_cbx.client.outcome import Outcome
from pytest_cbx.frameworks.cases import Case, CaseStatus
from pytest_cbx.pytest_plugin import _compat
from pytest_cbx.pytest_plugin.items import CbxItem

_OUTCOMES = {
    CaseStatus.PASSED: "passed",
    CaseStatus.FAILED: "failed",
    CaseStatus.ERROR: "failed",
    CaseStatus.SKIPPED: "skipped",
}


class CaseReport(pytest.TestReport):
    """A report whose headline is the name of the case, dots and all."""

    @property
    def head_line(self) -> str:
        """Above a failure's text."""
        return self.nodeid.partition("::")[2]


def tell(item: CbxItem, outcome: Outcome) -> None:
    """Report the cases of a command that has just been reported itself."""
    hook = item.ihook
    item.session.testscollected += len(outcome.cases)
    reports = []
    for one in outcome.cases:
        report = _report(item, one, outcome)
        reports.append(report)
        hook.pytest_runtest_logstart(nodeid=report.nodeid, location=report.location)
        hook.pytest_runtest_logreport(report=report)
        hook.pytest_runtest_logreport(report=_end_of(report))
        hook.pytest_runtest_logfinish(nodeid=report.nodeid, location=report.location)
    _compat.forget_failures(reports, item)


def _report(item: CbxItem, one: Case, outcome: Outcome) -> CaseReport:
    nodeid = f"{item.nodeid}::{one.name}"
    place, line = _place(item, one)
    return CaseReport(
        nodeid=nodeid,
        location=(place, line - 1 if line else None, ""),
        keywords={one.name: 1, item.name: 1},
        outcome=_OUTCOMES[one.status],  # type: ignore[arg-type]
        longrepr=_text(one, place, line),
        # pytest calls an error what fails before the call.
        when="setup" if one.status is CaseStatus.ERROR else "call",
        sections=[("Captured output", one.output)] if one.output else [],
        duration=one.seconds,
        start=outcome.started_at,
        stop=outcome.started_at + one.seconds,
    )


def _end_of(report: CaseReport) -> CaseReport:
    """What ends a test in JUnit files: nothing is torn down."""
    return CaseReport(
        nodeid=report.nodeid,
        location=report.location,
        keywords=dict(report.keywords),
        outcome="passed",
        longrepr=None,
        when="teardown",
        start=report.stop,
        stop=report.stop,
    )


def _place(item: CbxItem, one: Case) -> tuple[str, int]:
    """File and line of a case, from pytest's root directory where it lies there; else those of its command."""
    if not one.file:
        return item.location[0], item.command.line
    path = Path(item.path.parent, item.command.cwd, one.file)
    return (os.path.relpath(path, item.config.rootpath) if path.exists() else one.file), one.line


def _text(one: Case, place: str, line: int) -> tuple[str, int, str] | _compat.HeadedText | None:
    if one.status is CaseStatus.PASSED:
        return None
    if one.status is CaseStatus.SKIPPED:
        return place, line, f"Skipped: {one.message}" if one.message else "Skipped"
    headline = one.message or one.status.value
    text = one.details or one.message or f"it {one.status.value}, and its framework does not say why"
    where = f"{place}:{line}" if one.file and line else place if one.file else ""
    return _compat.HeadedText(
        headline, f"{text}\n\n{where}" if where and where not in text else text, path=Path(place), line=line
    )
