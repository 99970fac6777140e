"""Which rung a command gets, and which commands no rung can take."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_cbx.client.denial import REFUSED, refusal
from pytest_cbx.client.isolation import Rung
from pytest_cbx.client.protection import less_than_said, notes_on, rollback_of, rung_of, spoken, stays
from pytest_cbx.config.model import CommandConfig, Isolation, Rollback, Settings
from pytest_cbx.errors import CommandDenied, UsageError
from pytest_cbx.severity import Severity
from pytest_cbx.tier import Tier
from tests.unit.client.making import make_jobs, make_outcome

OFF = Rung(name="off", reason="no such kernel")
GUARD = Rung(name="guard", reason="Landlock 6")


@pytest.mark.parametrize(
    ("wanted", "reached", "given"),
    [
        (Isolation.AUTO, "off", "off"),
        (Isolation.AUTO, "guard", "guard"),
        (Isolation.AUTO, "serializable", "guard"),
        (Isolation.OFF, "serializable", "off"),
        (Isolation.GUARD, "serializable", "guard"),
        (Isolation.SERIALIZABLE, "serializable", "serializable"),
        (Isolation.SERIALIZABLE, "guard", "serializable"),
    ],
)
def test_the_rung_of_a_command(tmp_path: Path, wanted: Isolation, reached: str, given: str) -> None:
    (plain, *_), (privileged, *_) = make_jobs(tmp_path, "make"), make_jobs(tmp_path, "sudo make", privileged=True)
    assert rung_of(plain, wanted, reached) == given
    assert rung_of(privileged, Isolation.AUTO, reached) == "off"


def test_a_rung_that_the_engine_has_not_is_never_pretended(tmp_path: Path) -> None:
    (job,) = make_jobs(tmp_path, "make")
    with pytest.raises(UsageError, match=r'"serializable" cannot be had.*reached "off"'):
        rung_of(job, Isolation.SERIALIZABLE, "off")


@pytest.mark.parametrize("text", ["sudo make install", "make && su -c true", "doas ls", "pkexec ls", "sh -c 'sudo ls'"])
def test_changing_the_user_is_refused_where_it_cannot_be(tmp_path: Path, text: str) -> None:
    (job,) = make_jobs(tmp_path, text)
    outcome = refusal(job, Settings(), GUARD)
    assert outcome is not None
    assert (outcome.status, outcome.cause, outcome.attempts) == ("failed", REFUSED, 0)
    assert "privileged = true" in outcome.reason
    assert "no process gains privileges" in outcome.reason
    assert isinstance(outcome.error, CommandDenied)
    assert refusal(job, Settings(), OFF) is None
    (trusted,) = make_jobs(tmp_path, text, privileged=True)
    assert refusal(trusted, Settings(), GUARD) is None


def test_a_finding_goes_before_the_rung(tmp_path: Path) -> None:
    (job,) = make_jobs(tmp_path, "sudo make install", privileged=True)
    outcome = refusal(job, Settings(deny=Severity.WARNING), GUARD)
    assert outcome is not None
    assert "escalation" in outcome.reason


def test_others_are_not_refused(tmp_path: Path) -> None:
    for job in make_jobs(tmp_path, "make", "echo sudo", "rm -rf build", "frobnicate"):
        assert refusal(job, Settings(), GUARD) is None


def test_a_dry_run_of_one_command_is_refused_where_it_would_change_something(tmp_path: Path) -> None:
    (dry,) = make_jobs(tmp_path, "make", rollback=Rollback.ALWAYS)
    assert refusal(dry, Settings(), GUARD) is None
    outcome = refusal(dry, Settings(), OFF)
    assert outcome is not None
    assert "this run has" in outcome.reason
    (privileged,) = make_jobs(tmp_path, "make", rollback=Rollback.ALWAYS, privileged=True)
    outcome = refusal(privileged, Settings(), GUARD)
    assert outcome is not None
    assert "a privileged command runs at" in outcome.reason


def test_a_command_s_own_word_on_rolling_back_goes_first(tmp_path: Path) -> None:
    (own,) = make_jobs(tmp_path, "make", rollback=Rollback.NEVER)
    (silent,) = make_jobs(tmp_path, "make")
    settings = Settings(rollback=Rollback.ON_CRASH)
    assert [rollback_of(job, settings) for job in (own, silent)] == [Rollback.NEVER, Rollback.ON_CRASH]


def test_an_engine_that_has_less_than_was_said_is_told() -> None:
    assert less_than_said(GUARD, "guard", "x") == ""
    assert less_than_said(OFF, "off", "x") == ""
    assert "isolation off only (no seccomp)" in less_than_said(GUARD, "off", "no seccomp")


def test_what_is_missing_is_said() -> None:
    assert spoken(OFF) == "isolation off (no such kernel): nothing is enforced or undone"
    assert spoken(GUARD) == "isolation guard (Landlock 6)"
    commands = [
        CommandConfig(name="install", run="sudo x", line=1, privileged=True),
        CommandConfig(name="lint", run="x", line=3),
    ]
    (note,) = notes_on(commands, GUARD)
    assert "install" in note
    assert "lint" not in note
    assert notes_on(commands, OFF) == []
    assert notes_on(commands[1:], GUARD) == []


@pytest.mark.parametrize(
    ("tier", "cause", "rollback", "told"),
    [
        (Tier.SEQUENTIAL_REQUIRED, "exit", Rollback.AUTO, True),
        (Tier.DANGEROUS_ISOLATED, "exit", Rollback.AUTO, True),
        (Tier.CONDITIONAL_PARALLEL, "exit", Rollback.AUTO, False),
        (Tier.CONDITIONAL_PARALLEL, "timeout", Rollback.AUTO, True),
        (Tier.CONDITIONAL_PARALLEL, "exit", Rollback.ON_FAILURE, True),
        (Tier.SAFE_PARALLEL, "exit", Rollback.AUTO, False),
        (Tier.SEQUENTIAL_REQUIRED, "exit", Rollback.ON_CRASH, False),
        (Tier.SEQUENTIAL_REQUIRED, "signal", Rollback.ON_CRASH, True),
        (Tier.SEQUENTIAL_REQUIRED, "signal", Rollback.NEVER, False),
    ],
)
def test_changes_that_stay_only_because_nothing_undoes_them(
    tier: Tier, cause: str, rollback: Rollback, told: bool
) -> None:
    assert stays(make_outcome(status="failed", exit_code=1, tier=tier, cause=cause), rollback) is told
    assert not stays(make_outcome(tier=tier, cause=cause), rollback)
    assert not stays(make_outcome(status="failed", exit_code=1, tier=tier, cause=cause, isolation="guard"), rollback)
