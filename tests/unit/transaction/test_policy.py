"""The table of who decides what happens at the end."""

from __future__ import annotations

import pytest

from pytest_cbx.config.model import Rollback
from pytest_cbx.tier import Tier
from pytest_cbx.transaction.policy import Ended, undo

AUTO = {
    Ended.SUCCESS: (False, False, False, False),
    Ended.FAILURE: (False, False, True, True),
    Ended.CRASH: (False, True, True, True),
}


@pytest.mark.parametrize("ended", Ended)
def test_auto_is_the_table(ended: Ended) -> None:
    assert tuple(undo(Rollback.AUTO, tier, ended) for tier in Tier) == AUTO[ended]


@pytest.mark.parametrize("tier", Tier)
def test_the_others_do_not_ask_for_the_tier(tier: Tier) -> None:
    def table(policy: Rollback) -> list[bool]:
        return [undo(policy, tier, ended) for ended in (Ended.SUCCESS, Ended.FAILURE, Ended.CRASH)]

    assert table(Rollback.NEVER) == [False, False, False]
    assert table(Rollback.ON_CRASH) == [False, False, True]
    assert table(Rollback.ON_FAILURE) == [False, True, True]
    assert table(Rollback.ALWAYS) == [True, True, True]
