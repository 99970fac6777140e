"""From what commands were seen to touch to claims for their next run: fewer, wider, never narrower. Pure."""

from __future__ import annotations

import dataclasses
import posixpath
import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType

from pytest_cbx.effects.model import Place, Scope
from pytest_cbx.plan.claims import contains
from pytest_cbx.plan.conflicts import overlap
from pytest_cbx.plan.model import Claim, Domain, Mode
from pytest_cbx.safety.places import Area, area_of, glob_base

CROWD = 8
"""Paths in one directory that stay single; with more of them the directory as a whole is claimed."""
CROWD_AT_TOP = 64
"""The same at the top of the work tree: to claim all of that is to run alone."""
MOST = 200
"""Claims that come of all that one command was ever seen to touch."""

MODES: Mapping[str, Mode] = MappingProxyType(
    {"read": Mode.READ, "write": Mode.WRITE, "create": Mode.CREATE, "delete": Mode.DELETE}
)
"""An observation's mode as a claim's."""

CACHES = frozenset({"__pycache__", ".pytest_cache", ".ruff_cache", ".mypy_cache", ".hypothesis"})
"""Directories that several programs may fill at once, wherever they stand."""

_KEPT = (Mode.READ, Mode.CACHE)
"""Modes that never join others: each is claimed for itself."""
_STRICTNESS = {mode: rank for rank, mode in enumerate(Mode)}
_RANDOM = re.compile(r"[0-9]{5,}|(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{8,}")
"""A process id, a time, a digest."""
_MADE_UP = re.compile(r"(?<=tmp)[A-Za-z0-9_]{6,}|(?<=tmp[._-])[A-Za-z0-9_]{6,}|(?<=^sed)[A-Za-z0-9]{6}$")
"""What `mkstemp` and its like put behind a prefix."""
_SIGNS = re.compile(r"[*?\[\](){}!\\]")
_UNSPOKEN = ("/proc", "/sys", "/dev")


def claims_seen(touched: Iterable[tuple[str, str]], *, caches: Collection[str] = ()) -> tuple[Claim, ...]:
    """Claims that cover all that was touched: pairs of a mode (see `MODES`) and a path as in `Place`.

    Names that look temporary become patterns, crowded directories are claimed as a whole. What lies in directories for
    temporary files, and devices, is nobody else's. `caches`: absolute directories that several programs may fill at once.
    """
    claims: dict[Claim, None] = {}
    for mode, path in touched:
        if not _is_nobody_elses(path):
            claims[_claim(MODES[mode], path, caches)] = None
    return _settled(claims)


def merged(*runs: Iterable[Claim]) -> tuple[Claim, ...]:
    """Claims that cover those of all runs."""
    return _settled(dict.fromkeys(claim for run in runs for claim in run))


def beyond(predicted: Collection[Claim], seen: Iterable[Claim]) -> tuple[Claim, ...]:
    """Those of `seen` that the prediction does not cover."""
    held = [claim for claim in predicted if claim.domain is Domain.FILE]
    return tuple(claim for claim in seen if not _is_foreseen(claim, held))


@lru_cache(maxsize=4096)
def temporary_pattern(name: str) -> str | None:
    """A pattern for the names that stand for the same in other runs; None for a name that looks chosen.

    >>> temporary_pattern("report.17034.tmp"), temporary_pattern("tmpa8d_x1k2"), temporary_pattern("Makefile")
    ('report.*.tmp', 'tmp*', None)
    """
    if _SIGNS.search(name):
        return None
    found = re.sub(r"\*+", "*", _MADE_UP.sub("*", _RANDOM.sub("*", name)))
    return found if found != name else None


# --- one path --------------------------------------------------------------------------------------


def _is_nobody_elses(path: str) -> bool:
    if path.startswith(tuple(f"{root}/" for root in _UNSPOKEN)):
        return True
    return area_of(Place(path=path)) in (Area.DEVICE, Area.TEMPORARY)


def _claim(mode: Mode, path: str, caches: Collection[str]) -> Claim:
    if mode is not Mode.READ:
        cache = _cache_around(path, caches)
        if cache is not None:
            return Claim(domain=Domain.FILE, mode=Mode.CACHE, target=cache, scope=Scope.TREE)
    parts = path.split("/")
    patterns = [temporary_pattern(part) for part in parts]
    if not any(patterns):
        return Claim(domain=Domain.FILE, mode=mode, target=path)
    first = next(number for number, pattern in enumerate(patterns) if pattern)
    if any(_SIGNS.search(part) for part in parts):
        # Its other names would read as patterns, too.
        return Claim(domain=Domain.FILE, mode=_wide(mode), target=_joined(parts[:first]), scope=Scope.TREE)
    target = "/".join(pattern or part for pattern, part in zip(patterns, parts, strict=True))
    return Claim(domain=Domain.FILE, mode=mode, target=target, scope=Scope.GLOB)


def _joined(parts: list[str]) -> str:
    return "/" if parts == [""] else "/".join(parts) or "."


def _cache_around(path: str, caches: Collection[str]) -> str | None:
    around = next((root for root in caches if contains(root, path)), None)
    if around is not None:
        below = path.removeprefix(around).lstrip("/").split("/", 1)[0]
        return f"{around}/{below}" if below and temporary_pattern(below) is None else around
    parts = path.split("/")
    inner = next((number for number, part in enumerate(parts) if part in CACHES), None)
    return "/".join(parts[: inner + 1]) if inner is not None else None


def _wide(mode: Mode) -> Mode:
    return mode if mode in _KEPT else Mode.WRITE


# --- many ------------------------------------------------------------------------------------------


def _settled(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """Narrow claims that others cover left out, crowded directories joined, no more than `MOST`; sorted."""
    found = _without_covered(claims)
    for crowd in (CROWD, CROWD // 2, CROWD // 4, 1):
        found = _joined_crowds(found, crowd)
        if len(found) <= MOST:
            break
    else:
        everywhere = {(claim.mode, "/" if claim.target.startswith("/") else ".") for claim in found}
        tops = [Claim(domain=Domain.FILE, mode=_wide(m), target=top, scope=Scope.TREE) for m, top in everywhere]
        found = _without_covered(tops)
    return tuple(sorted(found, key=lambda claim: (claim.target, claim.scope.value, claim.mode.value)))


def _joined_crowds(claims: Collection[Claim], crowd: int) -> list[Claim]:
    """Directories with more than `crowd` claims of one kind as single claims, from the bottom up."""
    levels: dict[int, dict[tuple[str, Mode], list[Claim]]] = {}
    done: list[Claim] = []

    def put(claim: Claim) -> None:
        parent = _parent(claim)
        if parent is None:
            done.append(claim)
        else:
            kind = claim.mode if claim.mode in _KEPT else Mode.WRITE
            levels.setdefault(_depth(parent), {}).setdefault((parent, kind), []).append(claim)

    for claim in claims:
        put(claim)
    while levels:
        deepest = levels.pop(max(levels))
        for (parent, kind), members in deepest.items():
            if len(members) > (max(crowd, CROWD_AT_TOP) if parent in (".", "/") else crowd):
                put(Claim(domain=Domain.FILE, mode=kind, target=parent, scope=Scope.TREE))
            else:
                done += members
    return _without_covered(done)


def _parent(claim: Claim) -> str | None:
    """The directory in which a claim counts; None for the top itself."""
    if claim.target in (".", "/"):
        return None
    if claim.scope is Scope.GLOB:
        return glob_base(claim.target)
    return posixpath.dirname(claim.target) or "."


def _depth(directory: str) -> int:
    return 0 if directory in (".", "/") else 1 + directory.strip("/").count("/")


def _without_covered(claims: Iterable[Claim]) -> list[Claim]:
    strictest: dict[tuple[str, Scope, Mode], Claim] = {}
    for claim in claims:
        key = claim.target, claim.scope, claim.mode if claim.mode in _KEPT else Mode.WRITE
        known = strictest.get(key)
        if known is None or _STRICTNESS[claim.mode] > _STRICTNESS[known.mode]:
            strictest[key] = claim
    trees = {(c.target, c.mode if c.mode in _KEPT else Mode.WRITE) for c in strictest.values() if c.scope is Scope.TREE}
    changed = {above for c in strictest.values() if c.mode is not Mode.READ for above in _above(c)}
    return [
        claim
        for claim in strictest.values()
        if not _is_covered(claim, trees)
        # A directory that was made for what is claimed in it is there the next time.
        and not (claim.mode is Mode.CREATE and claim.scope is Scope.PATH and claim.target in changed)
    ]


def _is_covered(claim: Claim, trees: Collection[tuple[str, Mode]]) -> bool:
    modes = {Mode.WRITE, claim.mode if claim.mode in _KEPT else Mode.WRITE}
    around = _above(claim)
    if claim.scope is not Scope.TREE:
        around = [*around, claim.target]
    elif claim.mode in _KEPT and (claim.target, Mode.WRITE) in trees:
        return True
    return any((directory, mode) in trees for directory in around for mode in modes)


def _above(claim: Claim) -> list[str]:
    """The directories that the claimed paths lie in, without the target itself."""
    path = claim.target
    if claim.scope is Scope.GLOB:
        base = glob_base(path)
        return [base, *_above(dataclasses.replace(claim, target=base, scope=Scope.PATH))]
    found: list[str] = []
    while path not in (".", "/", ""):
        path = posixpath.dirname(path) or "."
        found.append(path)
    return found


def _is_foreseen(claim: Claim, predicted: Iterable[Claim]) -> bool:
    for wide in predicted:
        if claim.mode is not Mode.READ and wide.mode is Mode.READ:
            continue
        if _lies_in(claim, wide):
            return True
        # To make a directory for what is written in it needs no word of its own.
        if claim.mode is Mode.CREATE and claim.scope is Scope.PATH and wide.target.startswith(f"{claim.target}/"):
            return True
    return False


def _lies_in(claim: Claim, wide: Claim) -> bool:
    if claim.target == wide.target and claim.scope is wide.scope:
        return True
    footing = glob_base(claim.target) if claim.scope is Scope.GLOB else claim.target
    if wide.scope in (Scope.TREE, Scope.SOURCES):
        return contains(wide.target, footing)
    if wide.scope is Scope.GLOB and (claim.scope is Scope.PATH or wide.target.endswith("/**")):
        here = Claim(domain=Domain.FILE, mode=Mode.READ, target=footing)
        return overlap(here, dataclasses.replace(wide, mode=Mode.READ, ignored=False))
    return False
