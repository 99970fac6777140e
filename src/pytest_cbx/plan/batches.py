"""Which commands form a batch, and how many of one run at once: by directory, by kind of program, or by the shape of their needs.

A batch is a pool, as ninja has them: a name, and a depth. Nothing waits for a batch to be complete.
Source of the depths: founding documents, "Intelligent Command Batching Strategies".
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from pytest_cbx.config.model import Batch
from pytest_cbx.plan.model import Pool, Request

DIRECTORIES: Mapping[str, int] = MappingProxyType(
    {"src": 4, "test": 4, "docs": 2, "config": 2, "scripts": 2, "build": 2}
)
ELSEWHERE = 4
"""The depth of a batch of any other directory."""
KINDS: Mapping[str, int] = MappingProxyType({"test": 4, "build": 4, "analysis": 6, "status": 2})
"""A command that does several of these belongs to the first."""
SHAPES: Mapping[str, int] = MappingProxyType({"independent": 12, "chain": 4, "tree": 6, "network": 2})
_PROGRAMS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "test": frozenset(
            "pytest jest mocha vitest playwright cypress bats ctest rspec phpunit nox tox prove newman".split()  # noqa: SIM905
        ),
        "build": frozenset(
            "make ninja cmake meson cargo go npm yarn pnpm bun mvn gradle gcc g++ cc clang rustc javac tsc docker pip uv".split()  # noqa: SIM905
        ),
        "analysis": frozenset(
            "grep rg awk sed sort uniq wc find jq ruff flake8 mypy pyright eslint prettier shellcheck black".split()  # noqa: SIM905
        ),
        "status": frozenset("git ps df du ls stat uname date env".split()),  # noqa: SIM905
    }
)
_TESTS = re.compile(r"(?:^|[\s;&|(])(?:go|cargo|npm|yarn|pnpm|make|mvn|gradle|meson|ninja)\s+(?:run\s+)?test\b")
"""Build programs that are told to test."""


def pools(requests: Sequence[Request], by: Batch, depths: Mapping[str, int]) -> list[Pool | None]:
    """The pool of each command: its own where it names one, else its batch's.

    Args:
        requests: the commands. Those of a group that need each other are judged as a whole.
        by: what makes a batch.
        depths: of pools that commands name, and of batches whose depth is not to be the default.
    """
    batches = _batches(requests, by)
    return [
        Pool(request.pool, depths[request.pool])
        if request.pool
        else Pool(batch.name, depths.get(batch.name, batch.depth))
        if batch is not None
        else None
        for request, batch in zip(requests, batches, strict=True)
    ]


def _batches(requests: Sequence[Request], by: Batch) -> list[Pool | None]:
    match by:
        case Batch.DIRECTORY:
            return [_by_directory(request) for request in requests]
        case Batch.KIND:
            return [_by_kind(request) for request in requests]
        case Batch.DEPENDENCY:
            return _by_dependency(requests)
        case _:
            return [None] * len(requests)


def _by_directory(request: Request) -> Pool | None:
    """The outermost folder counts. What runs in the project's own is in no batch: that would be nearly all."""
    top = posixpath.normpath(request.place).partition("/")[0]
    return None if top in (".", "..", "") else Pool(top, DIRECTORIES.get(top, ELSEWHERE))


def _by_kind(request: Request) -> Pool | None:
    if _TESTS.search(request.text):
        return Pool("test", KINDS["test"])
    programs = {use.name for use in request.effects.programs} if request.effects is not None else set()
    return next((Pool(kind, depth) for kind, depth in KINDS.items() if programs & _PROGRAMS[kind]), None)


def _by_dependency(requests: Sequence[Request]) -> list[Pool | None]:
    """The shards of a command count as that command: a chain does not become a network by being faster."""
    wholes = {one.name: one.part_of or one.name for one in requests}
    needs: dict[str, list[str]] = {}
    for one in requests:
        needs.setdefault(wholes[one.name], []).extend(wholes.get(need, need) for need in one.needs)
    shapes = shapes_of(needs, needs)
    return [Pool(shape, SHAPES[shape]) for shape in (shapes[wholes[one.name]] for one in requests)]


def shapes_of(names: Iterable[str], needs: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """For each command the shape of the group that it forms with all that it needs and is needed by, directly or not.

    Alone it is `independent`. A `chain` is one after the other. In a `tree` nobody needs two, or nobody is needed by two. Any other
    group is a `network`. Needs that are not among `names` count as not there.
    """
    known = list(names)
    before = {name: {need for need in needs.get(name, ()) if need in needs and need != name} for name in known}
    after: dict[str, set[str]] = {name: set() for name in known}
    for name in known:
        for need in before[name]:
            after[need].add(name)
    shapes: dict[str, str] = {}
    for name in known:
        if name not in shapes:
            group = _group(name, before, after)
            shapes.update(dict.fromkeys(group, _shape(group, before, after)))
    return shapes


def _group(start: str, before: Mapping[str, set[str]], after: Mapping[str, set[str]]) -> set[str]:
    group, todo = {start}, [start]
    while todo:
        name = todo.pop()
        new = (before[name] | after[name]) - group
        group |= new
        todo += new
    return group


def _shape(group: set[str], before: Mapping[str, set[str]], after: Mapping[str, set[str]]) -> str:
    if len(group) == 1:
        return "independent"
    joins = any(len(before[name]) > 1 for name in group)
    forks = any(len(after[name]) > 1 for name in group)
    if joins and forks:
        return "network"
    return "tree" if joins or forks else "chain"
