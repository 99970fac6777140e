"""A project as those who look for frameworks see it: its folders, and what their manifests say."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DEPTH_MAX = 5
FOLDERS_MAX = 3000
_BYTES_MAX = 1 << 20
"""Bytes of a manifest; what is longer was not written by a person."""
_NOT_OURS = frozenset(
    {
        "node_modules",
        "vendor",
        "third_party",
        "target",
        "build",
        "dist",
        "out",
        "venv",
        "env",
        "__pycache__",
        "site-packages",
    }
)
"""Folders of what is made or fetched."""
_SAMPLES = frozenset({"fixtures", "testdata", "__fixtures__"})
"""Folders of projects that tests look at."""


@dataclass(frozen=True, slots=True, eq=False)
class Folder:
    """One folder of a project."""

    path: Path
    place: str
    """Relative to the project, with slashes; `.` for the project itself."""
    files: frozenset[str]
    folders: frozenset[str]
    notes: list[str] = field(default_factory=list)
    """For people: manifests that cannot be read."""

    def has(self, *names: str) -> bool:
        """Whether one of these files is there."""
        return not self.files.isdisjoint(names)

    def text(self, name: str) -> str:
        """What a file says; nothing where it is not there, is not text, or is too long."""
        if name not in self.files:
            return ""
        try:
            with open(self.path / name, "rb") as file:
                return file.read(_BYTES_MAX).decode("utf-8", "replace")
        except OSError:
            return ""

    def json(self, name: str) -> dict[str, Any]:
        """An object of a file; empty where there is none. A mistake in it is noted."""
        return self._parsed(name, json.loads)

    def toml(self, name: str) -> dict[str, Any]:
        """The same of TOML."""
        return self._parsed(name, tomllib.loads)

    def _parsed(self, name: str, parse: Any) -> dict[str, Any]:
        text = self.text(name)
        if not text:
            return {}
        try:
            found = parse(text)
        except (ValueError, RecursionError) as error:
            shown = name if self.place == "." else f"{self.place}/{name}"
            self.notes.append(f"{shown} cannot be read, so that nothing is found by it: {error}")
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True, eq=False)
class Project:
    """All folders, the outermost first."""

    root: Path
    folders: tuple[Folder, ...]

    def above(self, folder: Folder) -> Iterator[Folder]:
        """The folders around one, the nearest first."""
        by_place = {one.place: one for one in self.folders}
        place = folder.place
        while place != ".":
            place = os.path.dirname(place) or "."
            if place in by_place:
                yield by_place[place]


def look(root: Path) -> Project:
    """The folders of a project; without hidden ones, and without what is made or fetched."""
    found = []
    for path, folders, files in os.walk(root):
        place = os.path.relpath(path, root)
        folders[:] = sorted(name for name in folders if _is_ours(name) and not os.path.islink(os.path.join(path, name)))
        found.append(Folder(Path(path), place.replace(os.sep, "/"), frozenset(files), frozenset(folders)))
        if place.count(os.sep) + 1 >= DEPTH_MAX or len(found) >= FOLDERS_MAX:
            folders.clear()
    return Project(root, tuple(sorted(found, key=lambda one: (one.place != ".", one.place.count("/"), one.place))))


def _is_ours(name: str) -> bool:
    return not name.startswith(".") and name not in _NOT_OURS and name not in _SAMPLES


def strings(value: object) -> list[str]:
    """The texts of a list that a manifest may hold; none where it is something else."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def table(value: object, *keys: str) -> dict[str, Any]:
    """The table at a path of keys; empty where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}
