"""What rung a run gets: never another one than it says."""

from __future__ import annotations

import pytest

from pytest_cbx.client.isolation import Rung, check_rollback, reach
from pytest_cbx.config.model import Isolation, Rollback
from pytest_cbx.errors import UsageError

OFF = Rung(name="off", reason="asked for")


def test_auto_takes_what_there_is() -> None:
    assert reach(Isolation.AUTO).name == "off"
    assert reach(Isolation.OFF) == OFF


@pytest.mark.parametrize("wanted", [Isolation.GUARD, Isolation.SERIALIZABLE])
def test_a_rung_asked_for_by_name_is_had_or_refused(wanted: Isolation) -> None:
    with pytest.raises(UsageError, match=f'"{wanted.value}" cannot be had.*--cbx-isolation=off'):
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
