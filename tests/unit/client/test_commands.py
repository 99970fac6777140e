"""All commands of a project, in their order."""

from __future__ import annotations

from pathlib import Path

import pluggy
import pytest

from pytest_cbx.client.commands import commands_of
from pytest_cbx.client.hookspecs import plugin_manager
from pytest_cbx.config.model import CommandConfig, Phase, Settings
from pytest_cbx.errors import UsageError
from pytest_cbx.plan.build import build_plan
from pytest_cbx.plan.model import Claim, Domain, Mode, Request
from pytest_cbx.tier import Tier


def command(name: str, phase: Phase | None = None, shards: int = 1) -> CommandConfig:
    return CommandConfig(name=name, run="pytest", line=1, phase=phase, shards=shards)


def order(folder: Path, *commands: CommandConfig, discover: bool = False) -> list[str]:
    settings = Settings(commands=commands, discover=discover)
    return [one.name for one in commands_of(settings, plugin_manager().hook, folder).commands]


def test_phases_order_them(tmp_path: Path) -> None:
    given = [
        command("a"),
        command("pack", Phase.PACKAGE),
        command("c", Phase.CHECK),
        command("get", Phase.DEPENDENCIES),
        command("b"),
    ]
    assert order(tmp_path, *given) == ["get", "a", "c", "b", "pack"]


def test_without_phases_they_stay_as_they_are_and_what_is_found_comes_last(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("build:\nlint:\n")
    assert order(tmp_path, command("b"), command("a"), discover=True) == ["b", "a", "make-build", "make-lint"]


def test_with_phases_what_is_found_stands_in_its_own(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("build:\nlint:\n")
    given = [command("b"), command("get", Phase.DEPENDENCIES), command("pack", Phase.PACKAGE)]
    assert order(tmp_path, *given, discover=True) == ["get", "make-build", "b", "make-lint", "pack"]


def test_shards_stand_where_their_command_does(tmp_path: Path) -> None:
    assert order(tmp_path, command("a"), command("u", shards=2), command("b")) == ["a", "u#1/2", "u#2/2", "b"]


@pytest.mark.parametrize("names", [("build", "check"), ("check", "build")])
def test_of_two_that_conflict_the_one_of_the_earlier_phase_goes_first(tmp_path: Path, names: tuple[str, str]) -> None:
    phases = {"build": Phase.COMPILE, "check": Phase.CHECK, "other": Phase.PACKAGE}
    touched = {"build": "out", "check": "out", "other": "else"}
    ordered = order(tmp_path, command("other", Phase.PACKAGE), *(command(name, phases[name]) for name in names))
    plan = build_plan(
        [
            Request(
                name=name, text=name, tier=Tier.CONDITIONAL_PARALLEL,
                claims=(Claim(domain=Domain.FILE, mode=Mode.WRITE, target=touched[name]),),
            )
            for name in ordered
        ],
        slots=4,
    )  # fmt: skip
    edges = [(ordered[edge.before], ordered[edge.after]) for edge in plan.edges]
    assert edges == [("build", "check")], "and nothing waits for what it has nothing to do with"


def test_a_pool_of_a_plugins_command_must_have_a_depth(tmp_path: Path) -> None:
    class Plugin:
        @pluggy.HookimplMarker("pytest")
        def pytest_cbx_commands(self, config: Settings) -> list[CommandConfig]:
            return [CommandConfig(name="a", run="true", line=0, pool="net")]

    manager = plugin_manager()
    manager.register(Plugin())
    with pytest.raises(UsageError, match=r'command "a" is in the pool "net", which has no depth in \[cbx.pools\]'):
        commands_of(Settings(), manager.hook, tmp_path)
    assert commands_of(Settings(pools={"net": 2}), manager.hook, tmp_path).commands[0].pool == "net"
