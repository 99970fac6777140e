"""The commands of a session and their deadlines: the configuration file's, and what plugins add."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from pytest_cbx.client.commands import Commands, commands_of
from pytest_cbx.config.model import CommandConfig
from pytest_cbx.errors import UsageError
from pytest_cbx.pytest_plugin.items import CbxItem
from pytest_cbx.pytest_plugin.options import Options


def all_commands(config: pytest.Config, options: Options) -> Commands:
    """The file's commands, those of plugins (`pytest_cbx_commands`) in the order of their plugins, and those that discovery finds.

    Tests of Python in pytest's own root directory are left out: this very session collects them.

    Raises:
        pytest.UsageError: a plugin's command has the name of another one.
    """
    try:
        return commands_of(
            options.settings,
            config.hook,
            options.folder,
            leave_out=lambda place, tests: tests and place == ".",
        )
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error


def chosen_by_profile(options: Options, commands: Sequence[CommandConfig]) -> frozenset[str] | None:
    """The names of the commands that the session's profile takes; None where it has none.

    Raises:
        pytest.UsageError: there is no such profile, or it is wrong.
    """
    if options.profile is None:
        return None
    from pytest_cbx.client.profiles import profile_of  # noqa: PLC0415

    try:
        return profile_of(options.profile, options.settings, commands)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error


def deadline(config: pytest.Config, item: CbxItem) -> float | None:
    """Seconds that a command may run: its own, else a `timeout` mark's, else pytest-timeout's setting, else None.

    pytest-timeout itself never sees a command run: it ends in the engine before its item starts.
    """
    if item.command.timeout is not None:
        return item.command.timeout
    mark = item.get_closest_marker("timeout")
    if mark is not None:
        value = mark.args[0] if mark.args else mark.kwargs.get("timeout")
        return _positive(value)
    if not config.pluginmanager.hasplugin("timeout"):
        return None
    return _positive(config.getoption("timeout", None) or config.getini("timeout"))


def _positive(value: object) -> float | None:
    try:
        seconds = float(str(value))
    except ValueError:
        return None
    return seconds if seconds > 0 and math.isfinite(seconds) else None
