"""From a path as a program sees it to a `Place`."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Protocol

from pytest_cbx.effects.model import Place, Scope
from pytest_cbx.effects.values import Field, Shape, concat, wild


class Files(Protocol):
    """The work tree's files as they are now, for texts that run texts of the project (scripts, makefiles)."""

    def text(self, path: str) -> str | None:
        """The text of the regular file at an absolute path; None when there is none, or it is no text, too long or out of bounds."""

    def executable(self, path: str) -> bool:
        """Whether a regular file that may be executed is there."""

    def directory(self, path: str) -> bool | None:
        """Whether a directory is at an absolute path (through symbolic links); None when nothing is there."""

    def members(self, path: str) -> tuple[str, ...] | None:
        """What the archive at an absolute path puts at its top, directories with a slash; None where that cannot be told."""

    def git(self, top: str, words: tuple[str, ...]) -> str | None:
        """What a git command that only looks prints at the top of a work tree; None when it fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Where a command would run. All paths are absolute POSIX paths."""

    cwd: str
    workspace: str
    home: str = "~"
    """The home directory; the default leaves it a symbol."""
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Variables whose values are known. Every other variable is unknown."""
    files: Files | None = None
    """None: no file's text can be seen."""


_DISCARDS = re.compile(r"^/dev/(?:null|zero|full|u?random|tty|stdin|stdout|stderr|fd/\d+)$")
_CLASS = re.compile(r"\[[!^]?\]?[^\]]*\]")
_EXTENDED = re.compile(r"[?*+@!]\([^()]*\)")
_BRACES = re.compile(r"\{[^{}/]*\}")
_CROSSING = re.compile(r"[^/]*\{[^{}]*/.*", re.DOTALL)
"""Braces around a `/`: what stands from that segment on may be anything."""


LONGEST_PATH = 4_096
"""Characters; Linux takes no longer path (PATH_MAX)."""


def is_stream(text: str) -> bool:
    """Whether the path is a device that keeps nothing, or one of the process's own streams."""
    return _DISCARDS.match(text) is not None


@lru_cache(maxsize=4096)
def normal(path: str, cwd: str, workspace: str) -> str:
    """The path relative to the workspace when it lies in it (`.` for the root), else absolute. Symbolic links are not followed."""
    absolute = posixpath.normpath(path if path.startswith(("/", "~")) else f"{cwd}/{path}")
    if absolute.startswith("//"):
        absolute = absolute[1:]
    if absolute == workspace:
        return "."
    root = workspace if workspace.endswith("/") else workspace + "/"
    return absolute[len(root) :] if absolute.startswith(root) else absolute


def widen(pattern: str) -> str:
    """A bash pattern with only `*`, `?` and `**` left; it matches at least what the bash pattern matches.

    Braces that reach a program (`prettier 'src/*.{js,ts}'`) are read as it would read them.
    """
    before = None
    while before != pattern:
        before, pattern = pattern, _EXTENDED.sub("*", pattern)
    before, pattern = None, _CLASS.sub("?", pattern)
    while before != pattern:
        before, pattern = pattern, _BRACES.sub("*", pattern)
    crossing = _CROSSING.search(pattern)
    if crossing:
        pattern = pattern[: crossing.start()] + "**"
    return "/".join(part if part == "**" else re.sub(r"\*{2,}", "*", part) for part in pattern.split("/"))


def resolve(value: Field, cwd: Field, context: Context, scope: str) -> list[Place] | None:
    """The places that `value` means for a program working in `cwd`; None when they are not known.

    `scope` is one of `path`, `tree`, `sources`, `children`, `glob`.
    """
    if value.unknown or len(value.text) > LONGEST_PATH:
        return _below(value, cwd, context)
    absolute = value.text.startswith(("/", "~"))
    if not absolute and not cwd.known:
        if cwd.unknown:
            return None
        value = concat([cwd, Field("/"), value])
    base = cwd.text if cwd.known else "/"
    if value.shape is Shape.PATTERN or scope == "glob":
        pattern = widen(value.text)
        if _climbs(pattern):
            return None
        return _pattern_places(normal(pattern, base, context.workspace), scope)
    path = normal(value.text or ".", base, context.workspace)
    match scope:
        case "path":
            return [Place(path=path)]
        case "tree":
            return [Place(path=path, scope=Scope.TREE)]
        case "sources":
            return [Place(path=path, scope=Scope.SOURCES)]
        case _:
            return [Place(path="*" if path == "." else f"{path.rstrip('/')}/*", scope=Scope.GLOB)]


def _below(value: Field, cwd: Field, context: Context) -> list[Place] | None:
    """What begins with a known directory lies below it, when it stays one word: an unknown name is not taken to climb out."""
    directory = value.text.rpartition("/")[0]
    if value.many or not directory.strip("/~") or not (cwd.known or directory.startswith(("/", "~"))):
        return None
    path = normal(directory, cwd.text, context.workspace)
    return None if path == "." else [Place(path=path, scope=Scope.TREE)]


def _climbs(pattern: str) -> bool:
    """Whether `..` follows a wildcard, so that the pattern cannot be normalised."""
    parts = pattern.split("/")
    wilds = [index for index, part in enumerate(parts) if "*" in part or "?" in part]
    return bool(wilds) and ".." in parts[wilds[0] :]


def _pattern_places(pattern: str, scope: str) -> list[Place]:
    entry = Place(path=pattern, scope=Scope.GLOB)
    if scope in ("path", "glob"):
        return [entry]
    if scope == "children":
        return [Place(path=f"{pattern}/*", scope=Scope.GLOB)]
    return [entry] if pattern.endswith("**") else [entry, Place(path=f"{pattern}/**", scope=Scope.GLOB)]


def name_of(value: Field) -> Field:
    """The last component of a path."""
    if value.unknown:
        return Field("", Shape.UNKNOWN)
    return Field(value.text.rstrip("/").rsplit("/", 1)[-1], value.shape)


def stem_of(value: Field) -> Field:
    """The last component without its last suffix."""
    name = name_of(value)
    return name if name.unknown else Field(posixpath.splitext(name.text)[0], name.shape)


def parent_of(value: Field) -> Field:
    """The directory of a path."""
    if value.unknown:
        return Field("", Shape.UNKNOWN)
    parent = posixpath.dirname(value.text.rstrip("/")) or "."
    return Field(parent, value.shape if wild(parent) else Shape.KNOWN)


def parents_of(value: Field, cwd: Field, context: Context) -> list[Field]:
    """The directories that `mkdir -p` may have to make above `value`, the outermost first.

    Those that are surely there are left out: what the working directory, the workspace, a home directory or `/tmp` lie in.
    """
    if value.unknown or (not cwd.known and not value.text.startswith(("/", "~"))):
        return []
    parts = value.text.rstrip("/").split("/")[:-1]
    there = {context.workspace, context.home, "/", "/tmp", "~"}
    if cwd.known:
        there.add(cwd.text)
    found = []
    for count in range(1, len(parts) + 1):
        path = "/".join(parts[:count]) or "/"
        absolute = posixpath.normpath(path if path.startswith(("/", "~")) else f"{cwd.text}/{path}")
        if not any(place == absolute or place.startswith(absolute.rstrip("/") + "/") for place in there):
            found.append(Field(path, value.shape if wild(path) else Shape.KNOWN))
    return found


def join(directory: Field, path: Field) -> Field:
    """`directory/path`, or `path` when that is absolute."""
    if path.text.startswith(("/", "~")) and not (path.unknown and not path.text):
        return path
    if directory.unknown or (path.unknown and not path.text):
        return Field("", Shape.UNKNOWN)
    joined = concat([directory, Field("/"), path.single()])
    return Field(posixpath.normpath(joined.text), Shape.KNOWN) if joined.known else joined
