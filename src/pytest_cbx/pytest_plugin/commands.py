"""The commands of a session and their deadlines: the configuration file's, and what plugins add."""

from __future__ import annotations

import math

import pytest

from pytest_cbx.config.model import CommandConfig, Settings
from pytest_cbx.pytest_plugin.items import CbxItem


def all_commands(config: pytest.Config, settings: Settings) -> tuple[CommandConfig, ...]:
    """The file's commands, then those of plugins (`pytest_cbx_commands`) in the order of their plugins.

    Raises:
        pytest.UsageError: a plugin's command has the name of another one.
    """
    commands = list(settings.commands)
    names = {command.name for command in commands}
    for answer in config.hook.pytest_cbx_commands(config=settings):
        for command in answer or ():
            if command.name in names:
                raise pytest.UsageError(
                    f'a plugin adds a command "{command.name}", but there is one of that name already'
                )
            names.add(command.name)
            commands.append(command)
    return tuple(commands)


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
