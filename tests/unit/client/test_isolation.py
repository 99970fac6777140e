"""What rung a run gets: never another one than it says."""

from __future__ import annotations

import pytest

from pytest_cbx.client import isolation
from pytest_cbx.client.isolation import Rung, check_rollback, reach
from pytest_cbx.config.model import Isolation, Rollback
from pytest_cbx.errors import UsageError
from pytest_cbx.execute.ladder import Reached, probe

OFF = Rung(name="off", reason="asked for")


GUARD = Reached(level="guard", reason="Landlock and seccomp")
NOTHING = Reached(level="off", reason="no Landlock")


def offered(monkeypatch: pytest.MonkeyPatch, reached: Reached) -> None:
    monkeypatch.setattr(isolation, "probe", lambda: reached)


def test_auto_takes_what_this_machine_has() -> None:
    assert reach(Isolation.AUTO) == Rung(name=probe().level, reason=probe().reason)


@pytest.mark.parametrize("reached", [GUARD, NOTHING])
def test_auto_is_guard_at_most(monkeypatch: pytest.MonkeyPatch, reached: Reached) -> None:
    offered(monkeypatch, reached)
    assert reach(Isolation.AUTO) == Rung(name=reached.level, reason=reached.reason)


def test_off_asks_nothing_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "probe", lambda: pytest.fail("asked"))
    assert reach(Isolation.OFF) == OFF


@pytest.mark.parametrize("wanted", [Isolation.GUARD, Isolation.SERIALIZABLE])
def test_a_rung_asked_for_by_name_is_had_or_refused(monkeypatch: pytest.MonkeyPatch, wanted: Isolation) -> None:
    offered(monkeypatch, GUARD)
    assert reach(wanted) == Rung(name=wanted.value, reason=GUARD.reason)
    offered(monkeypatch, NOTHING)
    with pytest.raises(UsageError, match=f'"{wanted.value}" cannot be had: no Landlock.*--cbx-isolation=off'):
        reach(wanted)


@pytest.mark.parametrize("wanted", [None, Rollback.AUTO, Rollback.NEVER])
def test_nothing_to_say_where_nothing_was_promised(wanted: Rollback | None) -> None:
    assert check_rollback(wanted, OFF) is None


@pytest.mark.parametrize("wanted", [Rollback.ON_CRASH, Rollback.ON_FAILURE])
def test_a_roll_back_that_cannot_be_is_said(wanted: Rollback) -> None:
    assert "has no effect" in str(check_rollback(wanted, OFF))
    assert check_rollback(wanted, Rung(name="guard", reason="")) is None


def test_a_dry_run_is_refused() -> None:
    with pytest.raises(UsageError, match="the changes would stay"):
        check_rollback(Rollback.ALWAYS, OFF)
