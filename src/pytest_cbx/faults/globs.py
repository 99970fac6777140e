"""Globs on paths as faults use them: `*` and `?` stay within a name, `**` spans folders."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import lru_cache


def matches(pattern: str, path: str) -> bool:
    """Whether a path fits a pattern. Both are split at slashes; a leading slash is part of the first name.

    `**/*.db` fits `a.db` and `x/y/a.db`, `build/**` fits `build` and all below.
    """
    return _fits(tuple(pattern.split("/")), tuple(path.split("/")))


@lru_cache(maxsize=4096)
def _fits(pattern: tuple[str, ...], names: tuple[str, ...]) -> bool:
    if not pattern:
        return not names
    head, rest = pattern[0], pattern[1:]
    if head == "**":
        return _fits(rest, names) or (bool(names) and _fits(pattern, names[1:]))
    return bool(names) and fnmatchcase(names[0], head) and _fits(rest, names[1:])
