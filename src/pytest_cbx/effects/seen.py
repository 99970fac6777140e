"""Texts of the project's own files that a command runs: scripts, makefiles, hooks. What is read before may differ when it runs."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from pytest_cbx.effects.model import Effect, Kind, Place, Scope
from pytest_cbx.effects.paths import resolve
from pytest_cbx.effects.values import Field

if TYPE_CHECKING:
    from pytest_cbx.effects.record import Record
    from pytest_cbx.effects.walker import Walker

CHANGING = frozenset({Kind.OUTPUT, Kind.WRITE, Kind.APPEND, Kind.CREATE, Kind.DELETE, Kind.DESTROY})
"""Kinds that may give a place another text. (Metadata is none; caches hold no scripts.)"""

MOST_COMPARED = 100_000
"""Where a text changes and takes in more files than that, each is taken to be changed before it is used."""

SOMEWHERE = ("what its recipes write was not seen", "what its recipes delete was not seen")
"""Details of effects on products that lie nobody knows where in a tree: none of them is taken for a script or a makefile."""

SETTINGS = "settings that run nothing"
"""The detail of an effect that changes git's configuration, but not what it makes git run."""


def file_text(walker: Walker, path: Field, base: Field, program: str) -> str | None:
    """The text of a file in the workspace, which `program` takes in; None where it cannot be told.

    `path` is as the program sees it, working in `base`. That the file counted is recorded, seen or not.
    """
    places = resolve(path, base, walker.context, "path") or ()
    if len(places) != 1 or places[0].scope is not Scope.PATH or places[0].path.startswith(("/", "~", "..")):
        return None
    place = places[0].path
    walker.record.consulted.setdefault(place, program)
    files = walker.context.files
    return files.text(f"{walker.context.workspace.rstrip('/')}/{place}") if files is not None else None


def archive_members(walker: Walker, path: Field, base: Field) -> tuple[str, ...] | None:
    """What an archive in the workspace puts at its top; None where it cannot be told, or the same text may change it before."""
    places = resolve(path, base, walker.context, "path") or ()
    if not path.known or len(places) != 1 or places[0].path.startswith(("/", "~", "..")):
        return None
    place = places[0].path
    if any(changes(effect, place) for effect in walker.record.effects()):
        return None
    if walker.context.files is None:
        return None
    members = walker.context.files.members(f"{walker.context.workspace.rstrip('/')}/{place}")
    if members is not None:
        walker.record.unpacked[place] = None
    return members


def doubt_what_changes(record: Record) -> None:
    """Note an EXECUTE effect for each file that was taken in and that the same text may change before, wherever it does."""
    changing = [effect for effect in record.effects() if effect.kind in CHANGING and effect.detail not in SOMEWHERE]
    too_many = len(changing) * len(record.consulted) > MOST_COMPARED
    for path, program in record.consulted.items():
        if too_many or any(changes(effect, path) for effect in changing):
            record.effect(Kind.EXECUTE, None, program, f"{path} may be changed before it is used")


def changes(effect: Effect, path: str) -> bool:
    """Whether the effect may change the text at `path`, which lies in the workspace."""
    if effect.kind not in CHANGING or effect.detail == SETTINGS:
        return False
    return effect.place is None or _covers(effect.place, path, above=effect.kind is not Kind.CREATE)


class Changed:
    """What some commands may change. Asks about one path without going through all effects again."""

    __slots__ = ("_anywhere", "_entries", "_new", "_patterns", "_trees")

    def __init__(self) -> None:
        self._anywhere = False
        self._entries: set[str] = set()
        self._new: set[str] = set()
        self._trees: dict[str, dict[Place, Effect]] = {}
        self._patterns: dict[Place, Effect] = {}

    def add(self, effects: Iterable[Effect]) -> None:
        """Count these effects, too."""
        for effect in effects:
            place = effect.place
            if effect.kind not in CHANGING or effect.detail == SETTINGS:
                continue
            if place is None:
                self._anywhere = True
            elif place.scope is Scope.PATH:
                (self._new if effect.kind is Kind.CREATE else self._entries).add(place.path)
            elif place.scope is Scope.GLOB:
                self._patterns[place] = effect
            else:
                self._trees.setdefault(place.path, {})[place] = effect

    def may_change(self, path: str) -> bool:
        """Whether `changes(effect, path)` holds for one of the effects."""
        if self._anywhere or path in self._new:
            return True
        parts = path.split("/")
        above = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
        if not self._entries.isdisjoint(above):
            return True
        trees = [effect for root in (".", "/", *above) for effect in self._trees.get(root, {}).values()]
        return any(changes(effect, path) for effect in (*trees, *self._patterns.values()))


def _covers(place: Place, path: str, *, above: bool) -> bool:
    if place.scope is Scope.SOURCES and ".git" in path.split("/"):
        return False  # What git keeps for itself is no source.
    if place.scope in (Scope.TREE, Scope.SOURCES):
        return place.path in (".", "/") or path == place.path or path.startswith(f"{place.path}/")
    if place.scope is Scope.PATH:
        return path == place.path or (above and path.startswith(f"{place.path}/"))
    parts = path.split("/")
    # `*` that crosses directories matches more than it should, which costs time only.
    return any(fnmatchcase("/".join(parts[:end]), place.path) for end in range(1, len(parts) + 1))
