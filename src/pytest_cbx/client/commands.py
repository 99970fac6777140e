"""The commands of a project: the file's, then those of plugins, then what its frameworks declare."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pluggy

from pytest_cbx.config.model import CommandConfig, Phase, Settings
from pytest_cbx.errors import UsageError
from pytest_cbx.frameworks.sharding import expand

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """All of them, in order."""

    commands: tuple[CommandConfig, ...]
    notes: tuple[str, ...] = ()
    """For people: what discovery could not read."""


def commands_of(
    settings: Settings,
    hooks: pluggy.HookRelay,
    folder: Path,
    *,
    leave_out: Callable[[str, bool], bool] = lambda place, tests: False,
) -> Commands:
    """All commands of a project.

    Args:
        settings: what its file says.
        hooks: of the plugins.
        folder: what the commands' `cwd` is relative to; where discovery looks.
        leave_out: whether a discovered command is not wanted, by its folder and whether it runs tests that pytest collects there.

    Raises:
        UsageError: a plugin's command has the name of another one or a pool without a depth, or one with `shards` cannot be split.
    """
    file = os.path.basename(settings.source) if settings.source else ""
    found = list(settings.commands)
    names = {command.name for command in found}
    for command in _flat(hooks.pytest_cbx_commands(config=settings)):
        if command.name in names:
            raise UsageError(f'a plugin adds a command "{command.name}", but there is one of that name already')
        if command.pool is not None and command.pool not in settings.pools:
            raise UsageError(
                f'a plugin\'s command "{command.name}" is in the pool "{command.pool}", which has no depth in [cbx.pools]'
            )
        names.add(command.name)
        found.append(command)
    if not settings.discover:
        return Commands(commands=_in_phases(expand(found, file), found))
    from pytest_cbx.frameworks.discovery import discover  # noqa: PLC0415 - only who asks for it pays for it

    written = tuple(found)
    discovery = discover(folder, more=_flat(hooks.pytest_cbx_framework()), given=found)
    found += [one.command for one in discovery.commands if not leave_out(one.place, one.found.runs_pytest)]
    return Commands(commands=_in_phases(expand(found, file), written), notes=discovery.notes)


def _in_phases(commands: Sequence[CommandConfig], written: Sequence[CommandConfig]) -> tuple[CommandConfig, ...]:
    """In the order of phases where somebody has written one down; else as they are given, those that were found last.

    Order decides only who goes first of two that conflict, and a phase is no more than that: nothing waits for what it has nothing to
    do with.
    """
    if all(one.phase is None for one in written):
        return tuple(commands)
    return tuple(sorted(commands, key=lambda one: (one.phase or Phase.CHECK).place))


def _flat(answers: Iterable[Iterable[T] | None]) -> list[T]:
    """The answers of all plugins, one after the other."""
    return [one for answer in answers for one in answer or ()]
