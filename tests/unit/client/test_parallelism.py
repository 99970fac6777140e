"""What tools that are parallel themselves are told."""

from __future__ import annotations

import pytest

from pytest_cbx.client.parallelism import VARIABLES, variables_for


@pytest.mark.parametrize(("cpus", "told"), [(0.5, "1"), (1, "1"), (2.9, "2"), (8, "8")])
def test_a_tool_is_told_the_whole_cores_that_its_command_has(cpus: float, told: str) -> None:
    assert variables_for(cpus, {}) == dict.fromkeys(VARIABLES, told)


def test_a_guess_tells_a_tool_nothing() -> None:
    assert variables_for(None, {}) == {}


def test_what_the_user_has_set_stays() -> None:
    assert "GOMAXPROCS" not in variables_for(1, {"GOMAXPROCS": "7"})
