"""Which commands a profile takes."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from pytest_cbx.client.profiles import DEFAULTS, profile_of
from pytest_cbx.config.model import CommandConfig, Settings
from pytest_cbx.errors import UsageError


def command(name: str, *tags: str, needs: tuple[str, ...] = ()) -> CommandConfig:
    return CommandConfig(name=name, run="true", line=0, tags=tags, needs=needs)


COMMANDS = (
    command("install", "install"),
    command("unit", "unit", needs=("install",)),
    command("lint", "lint"),
    command("smoke", "smoke", needs=("start",)),
    command("start", needs=("image",)),
    command("image"),
    command("other"),
)


def taken(name: str, **profiles: tuple[str, ...]) -> set[str]:
    return set(profile_of(name, Settings(profiles=MappingProxyType(profiles)), COMMANDS))


def test_those_that_are_there_unwritten() -> None:
    assert taken("development") == {"install", "unit", "lint"}
    assert taken("staging") == {"install", "unit"}
    assert taken("production") == {"smoke", "start", "image"}
    assert set(DEFAULTS) == {"development", "staging", "production"}


def test_names_tags_and_all_with_what_they_need() -> None:
    assert taken("mine", mine=("other", "lint")) == {"other", "lint"}
    assert taken("mine", mine=("unit",)) == {"unit", "install"}
    assert taken("mine", mine=("*",)) == {one.name for one in COMMANDS}
    assert taken("production", production=("lint",)) == {"lint"}


def test_mistakes() -> None:
    with pytest.raises(UsageError, match='no profile "stagin"; there are development, mine, production, staging'):
        taken("stagin", mine=("lint",))
    with pytest.raises(UsageError, match='profile "mine": no command is called or tagged lnit, nuit'):
        taken("mine", mine=("nuit", "lint", "lnit"))
