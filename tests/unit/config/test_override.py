"""Options over settings."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_cbx.config.model import CommandConfig, Instances, Isolation, Policy, Rollback, Settings
from pytest_cbx.config.override import override
from pytest_cbx.errors import UsageError
from pytest_cbx.severity import Severity

COMMAND = CommandConfig(name="a", run="x", line=1, timeout=5, rollback=Rollback.NEVER)


def test_nothing_given_changes_nothing() -> None:
    settings = Settings(jobs=3, commands=(COMMAND,))
    assert override(settings) == settings


def test_options_replace_what_the_file_says() -> None:
    found = override(
        Settings(jobs=3, commands=(COMMAND,)),
        jobs="4",
        isolation="off",
        rollback="on-failure",
        policy="round-robin",
        timeout="90s",
    )
    assert (found.jobs, found.isolation, found.rollback, found.policy) == (
        4,
        Isolation.OFF,
        Rollback.ON_FAILURE,
        Policy.ROUND_ROBIN,
    )
    assert found.timeouts.command == 90
    assert (found.commands[0].timeout, found.commands[0].rollback) == (None, None)


def test_typed_values() -> None:
    found = override(
        Settings(),
        jobs=0,
        isolation=Isolation.GUARD,
        rollback=Rollback.ALWAYS,
        policy=Policy.SHORTEST_FIRST,
        timeout=2.5,
        discover=True,
    )
    assert (found.jobs, found.isolation, found.rollback, found.timeouts.command) == (
        0,
        Isolation.GUARD,
        Rollback.ALWAYS,
        2.5,
    )


@pytest.mark.parametrize(
    ("deny", "wanted"),
    [(None, Severity.CRITICAL), ("off", None), ("warning", Severity.WARNING), (Severity.NOTICE, Severity.NOTICE)],
)
def test_deny_goes_before_the_file_also_to_deny_nothing(deny: Severity | str | None, wanted: Severity | None) -> None:
    assert override(Settings(deny=Severity.CRITICAL), deny=deny).deny is wanted


def test_a_timeout_alone_leaves_rollback() -> None:
    assert override(Settings(commands=(COMMAND,)), timeout=1).commands[0].rollback is Rollback.NEVER
    assert override(Settings(commands=(COMMAND,)), rollback="always").commands[0].timeout == 5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"jobs": 31}, "jobs must be at most 30 (total_capacity_max), not 31"),
        ({"jobs": -1}, "jobs must be a whole number, 0 or more, not -1"),
        ({"jobs": "two"}, 'jobs must be a whole number, 0 or more, not "two"'),
        ({"jobs": "²"}, "jobs must be a whole number"),
        ({"isolation": "of"}, 'did you mean "off"?'),
        ({"rollback": "sometimes"}, 'rollback must be one of "auto"'),
        ({"timeout": "0"}, "timeout must be above 0"),
        ({"timeout": "soon"}, 'such as "90s"'),
        ({"deny": "grave"}, 'deny must be one of "off", "notice", "warning", "critical"'),
    ],
)
def test_wrong_options(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        override(Settings(), **options)
    assert words in str(caught.value)


def test_all_wrong_options_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        override(Settings(instances=Instances(total_capacity_max=2)), jobs=3, isolation="x", policy="y")
    assert len(str(caught.value).splitlines()) == 3
