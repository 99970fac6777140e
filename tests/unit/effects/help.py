"""What the tests of this package share."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from pytest_cbx.effects.analysis import analyse
from pytest_cbx.effects.compact import compact
from pytest_cbx.effects.model import Effects
from pytest_cbx.effects.paths import Context
from pytest_cbx.shell.reader import read

CONTEXT = Context(cwd="/w", workspace="/w", home="/home/u")


def effects_of(command: str, context: Context = CONTEXT) -> Effects:
    """All that is known about a command's text."""
    return analyse(read(command), context)


def compact_of(command: str, context: Context = CONTEXT) -> list[str]:
    """Its effects in compact form, each once, in order of the text."""
    return list(dict.fromkeys(compact(effect) for effect in effects_of(command, context).effects))


class Tree:
    """Files of a workspace `/w`, by their path in it."""

    def __init__(
        self,
        files: Mapping[str, str],
        executable: Collection[str] = (),
        archives: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    ) -> None:
        self._files = {f"/w/{path}": text for path, text in files.items()}
        self._archives = {f"/w/{path}": members for path, members in archives.items()}
        self._executable = {f"/w/{path}" for path in executable}

    def text(self, path: str) -> str | None:
        return self._files.get(path)

    def executable(self, path: str) -> bool:
        return path in self._executable

    def directory(self, path: str) -> bool | None:
        if any(name.startswith(f"{path.rstrip('/')}/") for name in self._files):
            return True
        return False if path in self._files else None

    def members(self, path: str) -> tuple[str, ...] | None:
        return self._archives.get(path)

    def git(self, top: str, words: tuple[str, ...]) -> str | None:
        return None
