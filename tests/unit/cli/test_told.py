"""What `cbx run` says when its command has ended."""

from __future__ import annotations

import pytest

from pytest_cbx.cli.told import tell
from pytest_cbx.client.isolation import Rung
from pytest_cbx.client.outcome import Changes, Outcome
from pytest_cbx.config.model import Isolation, Rollback, Settings
from pytest_cbx.tier import Tier
from tests.unit.client.making import make_outcome

GUARD = Rung(name="guard", reason="Landlock 6")
OFF = Rung(name="off", reason="no such kernel")
CHANGES = Changes(created=("dist/app.tar.gz",), deleted=("old",))


def said(
    capsys: pytest.CaptureFixture[str],
    outcome: Outcome,
    *,
    rung: Rung = GUARD,
    changes: bool = False,
    **settings: object,
) -> list[str]:
    tell(outcome, Settings(**settings), rung, changes=changes)  # type: ignore[arg-type]
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err.splitlines()


def test_a_quiet_end_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, make_outcome(isolation="guard", changes=CHANGES)) == []


def test_changes_are_a_line_a_path(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = make_outcome(isolation="guard", changes=CHANGES)
    assert said(capsys, outcome, changes=True) == ["created  dist/app.tar.gz", "deleted  old"]


def test_changes_that_nobody_saw(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = said(capsys, make_outcome(), rung=OFF, changes=True)
    assert line == 'cbx: changes are not observed at isolation "off"'
    assert said(capsys, make_outcome(attempts=0, exit_code=None, status="failed"), changes=True) == []


def test_a_dry_run_shows_what_it_undid(capsys: pytest.CaptureFixture[str]) -> None:
    diff = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-1\n+2\n"
    outcome = make_outcome(isolation="guard", changes=CHANGES, rolled_back=True, diff=diff)
    lines = said(capsys, outcome, rollback=Rollback.ALWAYS)
    assert lines == ["cbx: dry run: this was undone: 2 files", *diff.splitlines()]


def test_a_dry_run_without_changes(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = make_outcome(isolation="guard", changes=Changes(), rolled_back=True)
    assert said(capsys, outcome, rollback=Rollback.ALWAYS) == ["cbx: dry run: it changed nothing"]


def test_a_dry_run_that_could_not_be_undone_is_no_dry_run(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = make_outcome(isolation="guard", changes=CHANGES, rollback_incomplete=("old: the disk is full",))
    assert said(capsys, outcome, rollback=Rollback.ALWAYS) == [
        "cbx: dry run: but its changes were NOT undone",
        "cbx: not undone: old: the disk is full",
    ]


def test_what_stays_without_protection(capsys: pytest.CaptureFixture[str]) -> None:
    failed = make_outcome(status="failed", exit_code=1, cause="exit", tier=Tier.SEQUENTIAL_REQUIRED)
    assert said(capsys, failed, rung=OFF) == ["cbx: what it changed stays: isolation is off (no such kernel)"]
    assert said(capsys, failed, rung=OFF, isolation=Isolation.OFF) == []
