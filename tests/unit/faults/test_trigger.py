"""When a fault strikes."""

from __future__ import annotations

import dataclasses
from fnmatch import fnmatchcase

from hypothesis import given
from hypothesis import strategies as st

from pytest_cbx.faults.globs import matches
from pytest_cbx.faults.model import CHANGING, Trigger
from pytest_cbx.faults.trigger import Aim, Moment

CALL = Moment(call="openat", changing=True, path="a/b", programs=("python3", "bash"), command="build", age=1.0)
MOMENTS = st.builds(
    Moment,
    call=st.sampled_from(["openat", "write", "unlink"]),
    changing=st.booleans(),
    path=st.sampled_from(["a", "a/b", "x.db", "a/x.db", "/tmp/x", ""]),
    programs=st.lists(st.sampled_from(["python3", "git", "bash"]), min_size=1, max_size=3).map(tuple),
    command=st.sampled_from(["build", "test 1", "test 2"]),
    age=st.floats(0, 10),
)
TRIGGERS = st.builds(
    Trigger,
    calls=st.sampled_from([(CHANGING,), ("write",), (CHANGING, "write")]),
    path=st.sampled_from(["**", "**/*.db", "a/*", "/tmp/**"]),
    program=st.sampled_from(["*", "git", "py*"]),
    command=st.sampled_from(["*", "test*", "build|test 2"]),
    at=st.integers(1, 5),
    lasting=st.booleans(),
    probability=st.sampled_from([1.0, 0.5]),
    seed=st.integers(0, 5),
    after=st.sampled_from([0.0, 5.0]),
)


def strikes(trigger: Trigger, moments: list[Moment]) -> list[bool]:
    aim = Aim(trigger)
    return [aim.meets(moment) for moment in moments]


@given(TRIGGERS, st.lists(MOMENTS, max_size=30))
def test_the_same_calls_give_the_same_strikes(trigger: Trigger, moments: list[Moment]) -> None:
    assert strikes(trigger, moments) == strikes(trigger, moments)


@given(TRIGGERS, st.lists(MOMENTS, max_size=30))
def test_what_does_not_count_changes_nothing(trigger: Trigger, moments: list[Moment]) -> None:
    """A call that the trigger does not speak of neither is struck, nor moves the others."""
    other = Moment(call="getpid", changing=False, path="", programs=("x",), command="build", age=1.0)
    mixed = [one for moment in moments for one in (other, moment)]
    assert strikes(trigger, mixed)[1::2] == strikes(trigger, moments)
    assert not any(strikes(trigger, mixed)[::2])


@given(st.integers(1, 10), st.integers(0, 15))
def test_the_nth_call_exactly_once_or_from_it_on(at: int, count: int) -> None:
    once = strikes(Trigger(at=at), [CALL] * count)
    assert once == [number == at for number in range(1, count + 1)]
    lasting = strikes(Trigger(at=at, lasting=True), [CALL] * count)
    assert lasting == [number >= at for number in range(1, count + 1)]


@given(st.integers(0, 100))
def test_a_probability_is_of_each_call(seed: int) -> None:
    struck = sum(strikes(Trigger(probability=0.3, seed=seed), [CALL] * 1000))
    assert 200 < struck < 400


@given(st.integers(1, 4), st.integers(0, 3))
def test_together_strikes_as_many(together: int, more: int) -> None:
    assert sum(strikes(Trigger(together=together), [CALL] * (together + more))) == together


def test_each_condition_holds() -> None:
    for trigger in (
        Trigger(calls=("write",)),
        Trigger(path="b/**"),
        Trigger(program="git"),
        Trigger(command="other"),
        Trigger(after=2.0),
    ):
        assert strikes(trigger, [CALL]) == [False], trigger
    for trigger in (
        Trigger(calls=("openat",)),
        Trigger(path="a/*"),
        Trigger(program="ba*"),
        Trigger(command="x|b*"),
        Trigger(after=1.0),
    ):
        assert strikes(trigger, [CALL]) == [True], trigger


def test_everything_is_everything_of_the_work_tree() -> None:
    outside = dataclasses.replace(CALL, path="/tmp/x")
    assert strikes(Trigger(), [outside]) == [False]
    assert strikes(Trigger(path="/**"), [outside]) == [True]
    nowhere = dataclasses.replace(CALL, path="")
    assert strikes(Trigger(), [nowhere]) == [True]
    assert strikes(Trigger(path="*.db"), [nowhere]) == [False]


NAMES = st.lists(st.sampled_from(["a", "ab", "x.db", "b"]), min_size=1, max_size=4)
PATTERNS = st.lists(st.sampled_from(["a", "*", "**", "*.db", "a?"]), min_size=1, max_size=4)


def slowly(pattern: list[str], names: list[str]) -> bool:
    if not pattern:
        return not names
    if pattern[0] == "**":
        return any(slowly(pattern[1:], names[skipped:]) for skipped in range(len(names) + 1))
    return bool(names) and fnmatchcase(names[0], pattern[0]) and slowly(pattern[1:], names[1:])


@given(PATTERNS, NAMES)
def test_globs_are_as_defined(pattern: list[str], names: list[str]) -> None:
    assert matches("/".join(pattern), "/".join(names)) is slowly(pattern, names)


def test_globs_by_example() -> None:
    assert matches("**/*.db", "a.db")
    assert matches("**/*.db", "x/y/a.db")
    assert matches("build/**", "build")
    assert not matches("*", "a/b")
    assert matches("*:5432", "127.0.0.1:5432")
    assert matches("/**", "/etc/passwd")
