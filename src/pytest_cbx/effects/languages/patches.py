"""Which files the text of a patch changes: unified and context diffs, with git's own headers. Facts: the GNU diffutils manual."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

NOTHING = "/dev/null"
_OLD = re.compile(r"^(?:---|\*\*\*) ([^\t\n]+)(?:\t(.*))?$")
_NEW = re.compile(r"^(?:\+\+\+|---) ([^\t\n]+)(?:\t(.*))?$")
_HUNK = re.compile(r"^(?:@@ -|\*{15})")
_RENAME = re.compile(r"^(rename|copy) (from|to) (.+)$")
_GIT = re.compile(r"^diff --git (\S+) (\S+)$")
_EPOCH = re.compile(r"^(?:1970-01-01|1969-12-31)\b")


@dataclass(frozen=True, slots=True)
class Change:
    """One file's part of a patch: its names before and after, as they stand there; `/dev/null` where it is not there."""

    old: str
    new: str
    moved: bool = False
    """Git says that it was renamed."""


def changes_in(text: str) -> list[Change]:
    """The files that a patch names, in order. Empty: the text is no such patch."""
    lines = text.splitlines()
    return list(dict.fromkeys([*_headers(lines), *_git_headers(lines)]))


def _headers(lines: list[str]) -> Iterator[Change]:
    for index, line in enumerate(lines[:-2]):
        old, new = _OLD.match(line), _NEW.match(lines[index + 1])
        same_kind = line.startswith("---") == lines[index + 1].startswith("+++")
        if old and new and same_kind and _HUNK.match(lines[index + 2]):
            yield Change(_name(old), _name(new))


def _git_headers(lines: list[str]) -> Iterator[Change]:
    """Renames, copies, modes and binary files have no `---` and `+++`."""
    names: tuple[str, str] | None = None
    renamed: dict[str, str] = {}
    for line in [*lines, "diff --git"]:
        if line.startswith("diff --git"):
            if "from" in renamed and "to" in renamed:
                # These stand without the prefixes `a/` and `b/`.
                yield Change(f"a/{renamed['from']}", f"b/{renamed['to']}", "rename" in renamed)
            elif names is not None:
                yield Change(*names)
            found = _GIT.match(line)
            names, renamed = (found[1], found[2]) if found else None, {}
        elif (move := _RENAME.match(line)) is not None:
            renamed[move[2]] = move[3]
            renamed.setdefault(move[1], "")
        elif _OLD.match(line):
            names = None


def _name(found: re.Match[str]) -> str:
    return NOTHING if _EPOCH.match(found[2] or "") else found[1].strip()


def stripped(name: str, count: int | None) -> str:
    """The name without its first `count` components, as `patch -pN` does; None: only the last component."""
    parts = [part for part in name.split("/") if part]
    if count is None:
        return parts[-1] if parts else name
    if not count:
        return name
    return "/".join(parts[count:]) or (parts[-1] if parts else name)
