"""The order of the list, bent only by needs; every mistake named."""

from __future__ import annotations

import pickle

import pytest

from pytest_cbx.errors import CycleError, PlanError
from pytest_cbx.plan.program_order import program_order

from .world import request


def _order(*needs: str) -> str:
    """`_order("ac", "b", "c")`: a needs c, then b, then c."""
    commands = [request(name[0], needs=name[1:]) for name in needs]
    return "".join(commands[index].name for index in program_order(commands)[0])


def test_the_list_is_the_order() -> None:
    assert _order("b", "a", "c") == "bac"
    assert _order("a", "ba", "cb") == "abc"


def test_a_command_comes_after_what_it_needs() -> None:
    assert _order("ac", "b", "c") == "bca"
    assert _order("ac", "b", "c", "d") == "bcad"


def test_needs_are_told_once() -> None:
    assert program_order([request("a"), request("b", needs=["a", "a"])])[1] == ((), (0,))


def test_a_circle_names_its_members_in_order() -> None:
    commands = [
        request("x"),
        request("a", needs="b"),
        request("b", needs="c"),
        request("c", needs="a"),
        request("d", needs="a"),
    ]
    with pytest.raises(CycleError) as caught:
        program_order(commands)
    assert caught.value.cycles == (("a", "b", "c"),)
    assert "a needs b needs c needs a" in str(caught.value)
    assert pickle.loads(pickle.dumps(caught.value)).cycles == caught.value.cycles


def test_every_circle_is_named() -> None:
    commands = [request("z", needs="z"), request("a", needs="b"), request("b", needs="a")]
    with pytest.raises(CycleError) as caught:
        program_order(commands)
    assert caught.value.cycles == (("z",), ("a", "b"))


def test_a_tail_before_the_circle_does_not_hide_it() -> None:
    with pytest.raises(CycleError) as caught:
        program_order([request("tail", needs="b"), request("a", needs="b"), request("b", needs="a")])
    assert caught.value.cycles == (("a", "b"),)


def test_unknown_needs_are_all_told_with_the_nearest_name() -> None:
    with pytest.raises(PlanError) as caught:
        program_order([request("install"), request("lint", needs=["instal"]), request("test", needs=["qqq"])])
    first, second = str(caught.value).splitlines()
    assert first == "lint needs 'instal', but there is no such command; did you mean 'install'?"
    assert second == "test needs 'qqq', but there is no such command"


def test_a_need_that_several_commands_answer_to() -> None:
    with pytest.raises(PlanError, match="several commands have that name"):
        program_order([request("a"), request("a"), request("b", needs="a")])
    assert program_order([request("a"), request("a")])[0] == (0, 1)
