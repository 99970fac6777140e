"""What commands would touch, in their order: what an earlier one may change by then does not count as seen."""

from __future__ import annotations

import dataclasses
import os
import posixpath
from collections.abc import Iterator, Mapping
from pathlib import Path

import pluggy

from pytest_cbx.client.files import WorkFiles
from pytest_cbx.config.model import CommandConfig
from pytest_cbx.effects.analysis import analyse
from pytest_cbx.effects.model import WORKSPACE, Effect, Effects, Kind
from pytest_cbx.effects.paths import Context
from pytest_cbx.effects.seen import CHANGING, Changed, changes
from pytest_cbx.plan.claims import place_of
from pytest_cbx.shell.both import read_both

_Environment = tuple[tuple[str, str], ...]


class Foresight:
    """Predicts commands one after the other.

    `in_order`: they run together, so each is held against what those before it change. `folder`: what `cwd`s are relative to.
    """

    def __init__(self, base: Path, *, folder: Path, hooks: pluggy.PluginManager | None, in_order: bool) -> None:
        self._base = base
        self._folder = folder
        self._hooks = hooks
        self._in_order = in_order
        self._files = WorkFiles(base)
        self._earlier: list[tuple[str, tuple[Effect, ...]]] = []
        """Names of commands with all that they change."""
        self._changed = Changed()
        self._directories: dict[str, Path] = {}
        """By `cwd` as written: paths are slow to make."""

    def directory(self, command: CommandConfig) -> Path:
        """The absolute working directory of a command."""
        known = self._directories.get(command.cwd)
        if known is None:
            known = self._directories[command.cwd] = Path(os.path.normpath(self._folder / command.cwd))
        return known

    def effects(self, command: CommandConfig) -> Effects:
        """What the next command would touch."""
        directory, environment = str(self.directory(command)), _known_environment(command.env)
        effects = _predict(command.predicted, directory, str(self._base), environment, self._files)
        if self._hooks is not None:
            answers = self._hooks.hook.pytest_cbx_effects(command=command)
            effects = _with(effects, *(effect for answer in answers for effect in answer or ()))
        if self._in_order:
            effects = _with(effects, *self._doubts(effects))
            if any(self._changed.may_change(path) for path in effects.looked):
                # Its destinations may be something else by then: it does either.
                unseeing = _predict_unseeing(command.predicted, directory, str(self._base), environment)
                effects = _with(effects, *unseeing.effects)
            self._pass(command, effects)
        return effects

    def _doubts(self, effects: Effects) -> Iterator[Effect]:
        """Scripts and archives, and what git found, that an earlier command may have changed by then."""
        for path in (*effects.consulted, *effects.unpacked):
            if not self._changed.may_change(path):
                continue
            changer = next(name for name, made in self._earlier if any(changes(effect, path) for effect in made))
            detail, program = f"{path} may be changed by {changer} before", posixpath.basename(path)
            if path in effects.consulted:
                yield Effect(kind=Kind.EXECUTE, program=program, detail=detail)
            else:
                yield Effect(kind=Kind.WRITE, place=WORKSPACE, program=program, detail=detail)
        if effects.surveyed and self._earlier:
            detail = f"{self._earlier[0][0]} may change before what git finds"
            yield Effect(kind=Kind.WRITE, place=WORKSPACE, program="git", detail=detail)

    def _pass(self, command: CommandConfig, effects: Effects) -> None:
        """Count what the command changes in the work tree, by its text and by its configuration."""
        made = [effect for effect in effects.effects if effect.kind in CHANGING and _in_tree(effect)]
        for pattern in command.writes:
            place = place_of(pattern, cwd=str(self.directory(command)), workspace=str(self._base))
            made.append(Effect(kind=Kind.WRITE, place=place))
        if made:
            self._earlier.append((command.name, tuple(made)))
            self._changed.add(made)


def _in_tree(effect: Effect) -> bool:
    return effect.place is None or effect.place.path == "/" or not effect.place.path.startswith("/")


def _with(effects: Effects, *more: Effect) -> Effects:
    """The effects and those of `more` that are new."""
    if not more:
        return effects
    return dataclasses.replace(effects, effects=tuple(dict.fromkeys((*effects.effects, *more))))


class _Watched:
    """The work tree's files, and whether anybody asked for one."""

    def __init__(self, files: WorkFiles) -> None:
        self._files = files
        self.asked = False

    def text(self, path: str) -> str | None:
        self.asked = True
        return self._files.text(path)

    def executable(self, path: str) -> bool:
        self.asked = True
        return self._files.executable(path)

    def directory(self, path: str) -> bool | None:
        self.asked = True
        return self._files.directory(path)

    def members(self, path: str) -> tuple[str, ...] | None:
        self.asked = True
        return self._files.members(path)

    def git(self, top: str, words: tuple[str, ...]) -> str | None:
        self.asked = True
        return self._files.git(top, words)


_MOST_KEPT = 16_384
_kept: dict[tuple[str, str, str, _Environment], Effects] = {}
"""Predictions that depend on nothing but their text and place."""


def _predict(text: str, cwd: str, workspace: str, environment: _Environment, files: WorkFiles) -> Effects:
    key = text, cwd, workspace, environment
    effects = _kept.get(key)
    if effects is None:
        watched = _Watched(files)
        effects = analyse(read_both(text), dataclasses.replace(_context(cwd, workspace, environment), files=watched))
        if not watched.asked:
            if len(_kept) >= _MOST_KEPT:
                _kept.clear()
            _kept[key] = effects
    return effects


def _predict_unseeing(text: str, cwd: str, workspace: str, environment: _Environment) -> Effects:
    return analyse(read_both(text), _context(cwd, workspace, environment))


def _context(cwd: str, workspace: str, environment: _Environment) -> Context:
    known = dict(environment)
    return Context(cwd=cwd, workspace=workspace, home=known.get("HOME", ""), environment=known)


def _known_environment(extra: Mapping[str, str]) -> _Environment:
    # Only what a text may lean on for its paths: the rest of the user's environment is the same for all commands.
    known = {name: os.environ[name] for name in ("HOME", "USER", "TMPDIR") if name in os.environ}
    return tuple(sorted({**known, **extra}.items()))
