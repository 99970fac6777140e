"""Schedules are drawn from a seed, and shrink."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_cbx.chaos.faults.kinds import Family
from pytest_cbx.chaos.schedules import Applicable, Schedule, Strike, draw, name_of
from pytest_cbx.chaos.shrinking import paste, shrink

KINDS = (
    Applicable(kind="kill", family=Family.INSTANCE, calls=5, lasts=False),
    Applicable(kind="disk_full", family=Family.DISK, calls=9),
    Applicable(kind="clock_jump", family=Family.CLOCK, calls=2, keywords=(("seconds", 1.0),)),
)
TABLE = (KINDS, KINDS[:2], (), KINDS[1:])


@given(st.integers(0, 2**32), st.integers(1, 1000))
def test_the_same_seed_the_same_schedule(seed: int, number: int) -> None:
    one = draw(seed, number, TABLE)
    assert one == draw(seed, number, TABLE)
    assert one.strikes
    assert len(one.commands) in (1, 2)
    for strike in one.strikes:
        place = next(place for place in one.commands if name_of(place) == strike.given["command"])
        kind = next(kind for kind in TABLE[place] if kind.kind == strike.kind)
        assert 1 <= strike.given["at"] <= kind.calls
        assert kind.lasts or "lasting" not in strike.given


def test_another_trial_is_another_schedule() -> None:
    drawn = {str(draw(1, number, TABLE)).partition(":")[2] for number in range(1, 60)}
    assert len(drawn) > 30
    kinds = {strike.kind for number in range(1, 60) for strike in draw(1, number, TABLE).strikes}
    assert kinds == {"kill", "disk_full", "clock_jump"}


@given(st.integers(0, 1000))
def test_what_must_be_apart_is(number: int) -> None:
    apart = {0: frozenset({1}), 1: frozenset({0})}
    assert set(draw(3, number, TABLE, apart=apart).commands) != {0, 1}


BIG = Schedule(
    number=1,
    seed=1,
    commands=(0, 1),
    strikes=(
        Strike(kind="kill").but(at=4, command="chaos-0"),
        Strike(kind="disk_full").but(at=9, command="chaos-1", lasting=True),
    ),
)


def test_it_shrinks_to_what_matters() -> None:
    def fails(schedule: Schedule) -> bool:
        return any(strike.kind == "disk_full" and strike.given["at"] >= 3 for strike in schedule.strikes)

    found = shrink(BIG, fails)
    assert found.steady
    assert found.schedule.commands == (1,)
    (strike,) = found.schedule.strikes
    assert strike.given == {"at": 3, "command": "chaos-1"}


def test_what_depends_on_chance_is_said() -> None:
    answers = iter([False] * 100)
    assert shrink(BIG, lambda schedule: next(answers)).confirmed == 0


def test_a_paste_is_a_test() -> None:
    text = paste(BIG, ("first", "second"))
    compile(text, "pasted", "exec")
    assert "chaos.kill(at=4)" in text
    assert "chaos.disk_full(at=9, lasting=True)" in text
    assert "cbx.run_all(['first', 'second']" in text
