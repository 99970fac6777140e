"""Which commands a run in some environment takes: development, staging, production, or any other that the file names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pytest_cbx.config.model import CommandConfig, Settings
from pytest_cbx.errors import UsageError
from pytest_cbx.frameworks.sharding import group_of

ALL = "*"
_MADE = ("install", "generate", "build")
DEFAULTS: Mapping[str, tuple[str, ...]] = {
    "development": (*_MADE, "unit", "integration", "lint", "format"),
    "staging": (*_MADE, "unit", "integration", "e2e", "bench", "security", "api", "migration", "load"),
    "production": ("smoke", "health", "dependency", "integrity", "performance", "backup", "rollback", "monitoring"),
}
"""Tags, where the file says nothing else. Source: founding documents, "Environment Test Matrix"."""


def profile_of(name: str, settings: Settings, commands: Iterable[CommandConfig]) -> frozenset[str]:
    """The names of the commands that a profile takes, by their names and tags, with all that these need.

    Raises:
        UsageError: there is no such profile, or it names what no command is or is tagged.
    """
    known = {**DEFAULTS, **settings.profiles}
    if name not in known:
        raise UsageError(f'there is no profile "{name}"; there are {", ".join(sorted(known))}: see [cbx.profiles]')
    by_name = {command.name: command for command in commands}
    wanted = set(known[name])
    said = {ALL, *by_name, *map(group_of, by_name), *(tag for command in by_name.values() for tag in command.tags)}
    if name in settings.profiles and (unknown := sorted(wanted - said)):
        raise UsageError(f'profile "{name}": no command is called or tagged {", ".join(unknown)}')
    chosen: set[str] = set()
    todo = [
        one
        for one, command in by_name.items()
        if ALL in wanted or one in wanted or group_of(one) in wanted or wanted.intersection(command.tags)
    ]
    while todo:
        one = todo.pop()
        if one in by_name and one not in chosen:
            chosen.add(one)
            todo += by_name[one].needs
    return frozenset(chosen)
