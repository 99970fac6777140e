"""All that a project's frameworks declare, as commands."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_cbx.config.model import CommandConfig
from pytest_cbx.config.units import size
from pytest_cbx.frameworks.known import compiled, javascript, python, scripts, workflows
from pytest_cbx.frameworks.model import Found, Framework, Key
from pytest_cbx.frameworks.project import Folder, Project, look

KNOWN: tuple[Framework, ...] = (
    Framework("javascript", javascript.discover),
    Framework("python", python.discover),
    Framework("go", compiled.go),
    Framework("rust", compiled.rust),
    Framework("java", compiled.java),
    Framework("cmake", compiled.cmake),
    Framework("meson", compiled.meson),
    Framework("ruby", scripts.ruby),
    Framework("php", scripts.php),
    Framework("shell", scripts.shell),
    Framework("make", scripts.make),
    Framework("just", scripts.just),
    Framework("task", scripts.task),
    Framework("others", scripts.others),
    Framework("workflows", workflows.workflows),
)
_UNFIT = re.compile(r"[^A-Za-z0-9_.]+")
_LEFT_OUT = re.compile(r"-.*|npx|python3?|[A-Za-z_]\w*=.*", re.DOTALL)
"""Words that do not tell what a command does: options, variables, what only starts the program that does it."""


_SEVERAL = frozenset(
    ["go", "cargo", "npm", "yarn", "pnpm", "make", "just", "task", "mvn", "gradle", "bundle", "composer", "ruff"]
)
"""Programs whose first word decides what they do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovered:
    """One command, with what it was found by."""

    command: CommandConfig
    found: Found
    place: str
    """The folder that declares it, relative to the project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """What was found, in the order of phases, and within one in that of folders."""

    commands: tuple[Discovered, ...]
    notes: tuple[str, ...]
    """For people: manifests that cannot be read."""


def discover(root: Path, *, more: Sequence[Framework] = (), given: Iterable[CommandConfig] = ()) -> Discovery:
    """What the frameworks of a project declare.

    Args:
        root: its folder, which the commands' `cwd` is relative to.
        more: frameworks beside those that are known.
        given: commands that the user has written down: what does the same is left out.
    """
    project = look(root)
    found = [
        (folder, one)
        for framework in (*KNOWN, *more)
        for folder in project.folders
        for one in framework.discover(folder, project)
    ]
    found = _without_spares(found)
    found.sort(key=lambda pair: pair[1].phase.place)
    written = list(given)
    own = _names(found, {command.name for command in written})
    names: dict[Key, str] = {}
    for name, (folder, one) in zip(own, found, strict=True):
        names.setdefault((folder.place, one.language, one.what), name)
    same = {_gist(command.cwd, command.run) for command in written}
    commands = []
    for name, (folder, one) in zip(own, found, strict=True):
        if _gist(_cwd(folder, one), one.run) not in same:
            commands.append(
                Discovered(command=_command(name, folder, one, names, project), found=one, place=folder.place)
            )
    kept = {one.command.name for one in commands} | {command.name for command in written}
    return Discovery(
        commands=tuple(_without_needs(one, kept) for one in commands),
        notes=tuple(dict.fromkeys(note for folder in project.folders for note in folder.notes)),
    )


def _without_spares(found: list[tuple[Folder, Found]]) -> list[tuple[Folder, Found]]:
    """Without those that do what another one does: the same program in the same folder, or the same target of the same tool."""
    own = {_what_it_runs(folder, one) for folder, one in found if not one.spare}
    return [(folder, one) for folder, one in found if not one.spare or _what_it_runs(folder, one) not in own]


def _what_it_runs(folder: Folder, one: Found) -> tuple[str, ...]:
    place, *words = _gist(_cwd(folder, one), one.run)
    several = words[:1] and words[0] in _SEVERAL
    return (place, *words[: 2 if several else 1])


def _names(found: Sequence[tuple[Folder, Found]], taken: set[str]) -> list[str]:
    """Unique names, one for each: the folder, the language where it does not go without saying, and what it does."""
    languages: dict[str, set[str]] = {}
    for folder, one in found:
        languages.setdefault(folder.place, set()).add(one.language)
    names = []
    used = set(taken)
    for folder, one in found:
        slug = _UNFIT.sub("-", folder.place).strip("-.")
        parts = [slug] if slug else []
        if not slug or (len(languages[folder.place]) > 1 and slug != one.language):
            parts.append(one.language)
        wanted = name = "-".join([*parts, one.what])
        count = 1
        while name in used:
            count += 1
            name = f"{wanted}-{count}"
        used.add(name)
        names.append(name)
    return names


def _cwd(folder: Folder, one: Found) -> str:
    """Where it runs: not always in the folder that declares it, as a step of a workflow may name another one."""
    return posixpath.normpath(posixpath.join(folder.place, one.place))


def _gist(cwd: str, run: str) -> tuple[str, ...]:
    """What a command does, roughly: where, which program, which of its sub-commands, on what. Options aside."""
    try:
        words = shlex.split(run)
    except ValueError:
        words = run.split()
    return (posixpath.normpath(cwd), *[word for word in words if not _LEFT_OUT.fullmatch(word)][:2])


def _command(name: str, folder: Folder, one: Found, names: dict[Key, str], project: Project) -> CommandConfig:
    return CommandConfig(
        name=name,
        run=one.run,
        line=0,
        cwd=_cwd(folder, one),
        needs=tuple(dict.fromkeys(_needs(folder, one, names, project))),
        writes=one.writes,
        results=one.results or None,
        tags=one.tags,
        cpus=one.cpus,
        memory=size(one.memory) if one.memory else None,
        timeout=float(one.timeout) if one.timeout else None,
        phase=one.phase,
    )


def _needs(folder: Folder, one: Found, names: dict[Key, str], project: Project) -> Iterator[str]:
    places = [folder.place, *(above.place for above in project.above(folder))]
    for what in one.needs:
        yield from [names[place, one.language, what] for place in places if (place, one.language, what) in names][:1]
    yield from (names[key] for key in one.needs_of if key in names)


def _without_needs(one: Discovered, kept: set[str]) -> Discovered:
    """Without needs of what was left out: the user has a command of his own for that."""
    command = one.command
    needs = tuple(need for need in command.needs if need in kept)
    if needs == command.needs:
        return one
    return replace(one, command=replace(command, needs=needs))
