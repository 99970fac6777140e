"""Which paths a search may find, as patterns: what find and fd hand to the commands that they run, delete and print."""

from __future__ import annotations

import itertools
import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from pytest_cbx.effects.values import UNKNOWN_MANY, Field, Shape, as_pattern

MOST_ALTERNATIVES = 16
"""More alternatives than this are given up: then anything below the starting points may be found."""

MOST_LEVELS = 3
"""A `-maxdepth` up to this becomes one pattern a level; a greater one does not count."""


@dataclass(frozen=True, slots=True)
class Test:
    """What a found path surely fulfils: its base name matches `name`, and the whole path the glob `path`. None: anything."""

    name: str | None = None
    path: str | None = None

    def both(self, other: Test) -> Test:
        """What fulfils both; of two patterns the longer one is kept, which is wider than both together."""
        return Test(_longer(self.name, other.name), _longer(self.path, other.path))


Filter = tuple[Test, ...]
"""Alternatives, one of which a found path fulfils."""

ANYTHING: Filter = (Test(),)


def _longer(one: str | None, other: str | None) -> str | None:
    return max((text for text in (one, other) if text is not None), key=len, default=None)


def narrowed(before: Filter, after: Filter) -> Filter:
    """What fulfils both filters."""
    return _bounded(one.both(other) for one in before for other in after)


def widened(filters: Iterable[Filter]) -> Filter:
    """What fulfils one of the filters."""
    return _bounded(test for found in filters for test in found)


def _bounded(tests: Iterable[Test]) -> Filter:
    found = tuple(dict.fromkeys(tests))
    return ANYTHING if len(found) > MOST_ALTERNATIVES or Test() in found else found


def name_test(pattern: str, *, fold: bool = False) -> Filter:
    """`-name PATTERN`; with `fold` upper and lower case are the same."""
    return (Test(name=_shell_pattern(pattern, fold=fold)),)


def path_test(pattern: str, *, fold: bool = False) -> Filter:
    """`-path PATTERN`: matched against the path from the starting point, and `*` crosses directories."""
    text = _shell_pattern(pattern, fold=fold)
    parts: list[str] = []
    components = text.split("/")
    for index, component in enumerate(components):
        last = index == len(components) - 1
        if component == "*" or not re.search(r"[*\[]", component):
            parts.append("**" if component == "*" else component)
        elif component.startswith("*") and not re.search(r"[*\[]", component[1:]):
            parts += ["**", component]
        elif last and component.endswith("*") and not re.search(r"[*\[]", component[:-1]):
            below = "/".join([*parts, component, "**"])
            return (Test(path="/".join([*parts, component])), Test(path=below))
        else:
            parts.append("**")
            break
    return (Test(path="/".join(parts)),)


def suffix_test(expression: str) -> Filter:
    r"""`-regex`: only `.*\.SUFFIX` and `.*\.\(A\|B\)` say something about names; they mean the same in every syntax."""
    single = re.fullmatch(r"(?:\.\*|\.\*/\[\^/\]\*)\\\.(\w+)", expression)
    if single:
        return (Test(name=f"*.{single.group(1)}"),)
    several = re.fullmatch(r"\.\*\\\.\\\((\w+(?:\\\|\w+)*)\\\)", expression)
    if several:
        return tuple(Test(name=f"*.{suffix}") for suffix in several.group(1).split("\\|"))
    return ANYTHING


def _shell_pattern(pattern: str, *, fold: bool) -> str:
    r"""fnmatch's pattern as one of the shell without backslashes: `\*` is `[*]`."""
    text = re.sub(r"\\(.)", r"[\1]", pattern)
    return (
        re.sub(r"[A-Za-z]", lambda found: f"[{found.group().lower()}{found.group().upper()}]", text) if fold else text
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Starting points, and how deep below them the search goes (None: to the end)."""

    roots: tuple[Field, ...]
    shallowest: int = 0
    deepest: int | None = None

    def everything(self, found: Filter) -> bool:
        """Whether all that lies below the starting points may be found."""
        return found == ANYTHING and (self.deepest is None or self.deepest > MOST_LEVELS)

    def paths(self, found: Filter, base: Field | None = None) -> list[Field]:
        """The paths that may be found, as patterns; relative ones from `base` when it is given."""
        paths: list[Field] = []
        for root in self.roots:
            for test in found:
                paths += self._paths(root, test, base)
        return list(dict.fromkeys(paths))

    def line(self, found: Filter) -> Field:
        """The lines that printing the paths gives: one pattern that matches each of them."""
        paths = self.paths(found)
        if any(path.unknown for path in paths) or not paths:
            return UNKNOWN_MANY
        if len(paths) == 1:
            return Field(as_pattern(paths[0]), Shape.PATTERN, True)
        return Field(covering([as_pattern(path) for path in paths]), Shape.PATTERN, True)

    def _paths(self, root: Field, test: Test, base: Field | None) -> list[Field]:
        if root.unknown:
            return [Field(root.text, Shape.UNKNOWN)]
        text = as_pattern(root).rstrip("/") or ("" if root.text.startswith("/") else ".")
        if base is not None and not root.text.startswith(("/", "~")):
            if base.unknown:
                return [Field("", Shape.UNKNOWN)]
            text = f"{as_pattern(base)}/{text}"
        if test.path is not None:
            return [
                Field(path, Shape.PATTERN)
                for path in self._rooted(test, test.path, text, root, absolute=base is not None)
            ]
        name = test.name if test.name is not None else "*"
        found = [Field(f"{text}/{middle}{name}", Shape.PATTERN) for middle in self._middles()]
        if test.name is None and (self.deepest is None or self.deepest > MOST_LEVELS):
            return [Field(f"{text}/**", Shape.PATTERN)]
        if not self.shallowest and fnmatchcase(posixpath.basename(text) or "/", name):
            found.append(Field(text, root.shape) if root.known and text == root.text else Field(text, Shape.PATTERN))
        return found

    def _rooted(self, test: Test, path: str, text: str, root: Field, *, absolute: bool) -> list[str]:
        """The globs of a path test below a starting point, a last `**` made narrower by the name."""
        literal = [part for part in path.split("/") if part != "**"]
        if path.startswith("**") and any(fnmatchcase(own, part) for own in text.split("/") for part in literal):
            path = "**"  # the starting point's own path may fulfil a part of the test
        if test.name is not None and path.endswith("**"):
            path = f"{path}/{test.name}"
        if not path.startswith("**") and absolute:
            rest = path.removeprefix(root.text.rstrip("/"))
            return [f"{text}{rest}" if rest != path else f"{text}/**"]
        return [f"{text}/{path}" if path.startswith("**") else path]

    def _middles(self) -> list[str]:
        """What stands between a starting point and a name."""
        if self.deepest is None or self.deepest > MOST_LEVELS:
            return ["**/"]
        return ["*/" * (level - 1) for level in range(max(1, self.shallowest), self.deepest + 1)]


def covering(patterns: Sequence[str]) -> str:
    """One pattern that matches whatever one of these matches."""
    paths = [posixpath.normpath(pattern).split("/") for pattern in patterns]
    fixed = [
        list(itertools.takewhile(lambda part: "*" not in part and "?" not in part and "[" not in part, path))
        for path in paths
    ]
    common = _shared(fixed)
    whole = any(len(path) == len(common) for path in paths)
    if all(len(path) == len(common) for path in paths):
        common.pop()
    names = {path[-1] for path in paths}
    name = names.pop() if len(names) == 1 else "*" + _ending(names)
    start = "/".join(common) or ("" if patterns[0].startswith("/") else ".")
    return f"{start}/**" if whole or name in ("*", "**") else f"{start}/**/{name}"


def _shared(paths: Sequence[Sequence[str]]) -> list[str]:
    """The components that all paths begin with."""
    together = itertools.takewhile(lambda parts: len(set(parts)) == 1, zip(*paths, strict=False))
    return [parts[0] for parts in together]


def _ending(names: Iterable[str]) -> str:
    """The literal end that all names share."""
    backwards = [name[::-1] for name in names]
    shared = posixpath.commonprefix(backwards)[::-1]
    return re.split(r"[*?\[\]]", shared)[-1]
