"""From a command's effects and configuration to the claims it holds while it runs."""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Callable, Iterable, Iterator

from pytest_cbx.effects.model import Effect, Effects, Kind, Place, Scope
from pytest_cbx.plan.model import Claim, Domain, Mode
from pytest_cbx.safety.places import Area, area_of, glob_base, outside
from pytest_cbx.tier import Tier

FILE_MODES = {
    Kind.READ: Mode.READ,
    Kind.CACHE: Mode.CACHE,
    Kind.OUTPUT: Mode.WRITE,
    Kind.WRITE: Mode.WRITE,
    Kind.METADATA: Mode.WRITE,
    Kind.APPEND: Mode.APPEND,
    Kind.CREATE: Mode.CREATE,
    Kind.DELETE: Mode.DELETE,
    Kind.DESTROY: Mode.DELETE,
}
"""How each kind of effect that happens to files uses them. The other kinds claim no file."""

WHOLE_TREE = Claim(domain=Domain.FILE, mode=Mode.WRITE, target=".", scope=Scope.TREE)

STATE_LOCK = "state:"
"""Prefix of the named locks that stand for shared state beside the files; users' own names come without it."""

_WILD = "*?["


def claims_of(
    effects: Effects,
    *,
    tier: Tier,
    ignored: Callable[[str], bool] = lambda path: False,
    cwd: str = ".",
    reads: Iterable[str] = (),
    writes: Iterable[str] = (),
    locks: Iterable[str] = (),
    workspace: str | None = None,
) -> tuple[Claim, ...]:
    """All claims of one command, sorted, without those that others of the same command cover.

    `reads` and `writes` are globs relative to `cwd`, which is relative to the workspace (or absolute, when `workspace`, its
    absolute path, is given); `locks` are `name` or `name:read`. `ignored` tells whether git ignores
    what lies at a path inside the workspace (for a pattern: at a path that fits it).

    A command that may do anything claims the whole work tree, and so does a DANGEROUS one. A tier laxer than SEQUENTIAL
    on such a command can only come from a configuration that trusts it: then its known effects and the configuration count.
    """
    claims = list(_of_effects(effects))
    claims += [_of_glob(pattern, Mode.READ, cwd, workspace) for pattern in reads]
    claims += [_of_glob(pattern, Mode.WRITE, cwd, workspace) for pattern in writes]
    claims += [_of_lock(lock) for lock in locks]
    may_do_anything = (effects.unknown or not effects.readable) and tier >= Tier.SEQUENTIAL_REQUIRED
    if may_do_anything or tier is Tier.DANGEROUS_ISOLATED:
        claims.append(WHOLE_TREE)
    elif effects.unknown or not effects.readable:
        claims.append(Claim(domain=Domain.FILE, mode=Mode.READ, target=".", scope=Scope.SOURCES))
    kept = _without_covered(dict.fromkeys(claims))
    return tuple(sorted((_marked(claim, ignored) for claim in kept), key=_sort_key))


def _of_effects(effects: Effects) -> Iterator[Claim]:
    for place in effects.listed:
        yield Claim(domain=Domain.FILE, mode=Mode.READ, target=place.path, scope=place.scope)
    for effect in effects.effects:
        if effect.kind is Kind.BIND:
            yield Claim(domain=Domain.PORT, mode=Mode.WRITE, target=effect.detail if effect.detail.isdecimal() else "*")
        elif effect.kind is Kind.KILL:
            yield Claim(
                domain=Domain.PROCESS, mode=Mode.WRITE, target=effect.detail if effect.detail.isdecimal() else "*"
            )
        elif effect.kind is Kind.STATE and effect.detail:
            yield Claim(domain=Domain.LOCK, mode=Mode.WRITE, target=f"{STATE_LOCK}{effect.detail}")
        else:
            yield from _of_file(effect)


def _of_file(effect: Effect) -> Iterator[Claim]:
    mode = FILE_MODES.get(effect.kind)
    if mode is None:
        return
    if effect.place is None:
        # It happens somewhere, nobody knows where: everywhere.
        wide = mode if mode in (Mode.READ, Mode.CACHE) else Mode.WRITE
        yield Claim(domain=Domain.FILE, mode=wide, target=".", scope=Scope.TREE)
    elif area_of(effect.place) is not Area.DEVICE:
        yield Claim(domain=Domain.FILE, mode=mode, target=effect.place.path, scope=effect.place.scope)


def _of_glob(pattern: str, mode: Mode, cwd: str, workspace: str | None) -> Claim:
    place = place_of(pattern, cwd=cwd, workspace=workspace)
    return Claim(domain=Domain.FILE, mode=mode, target=place.path, scope=place.scope)


def place_of(pattern: str, *, cwd: str, workspace: str | None = None) -> Place:
    """A configured glob as a place of the narrowest scope: `x/**` and `x/` are TREE x, a plain path is PATH, the rest is GLOB.

    What lies outside the workspace is absolute. Without `workspace` a path above its root keeps its leading `..`.
    """
    directory = pattern.endswith("/")
    body, scope = pattern.rstrip("/") or "/", Scope.PATH
    while body == "**" or body.endswith(("/**", "/**/*")):
        body = body[: -len("/**/*")] if body.endswith("/**/*") else body[:-2].rstrip("/")
        scope, body = Scope.TREE, body or ("/" if pattern.startswith("/") else ".")
    if scope is Scope.PATH and directory:
        scope = Scope.TREE
    path = body if body.startswith("~") else _relative(posixpath.normpath(posixpath.join(cwd, body)), workspace)
    if not any(sign in path for sign in _WILD):
        return Place(path=path, scope=scope)
    if any(sign in cwd for sign in _WILD):
        # A wildcard sign in the directory's own name would read as a pattern: claim more rather than less.
        return Place(path=_relative(posixpath.normpath(cwd), workspace), scope=Scope.TREE)
    return Place(path=f"{path}/**" if scope is Scope.TREE else path, scope=Scope.GLOB)


def _relative(path: str, workspace: str | None) -> str:
    if workspace is None:
        return path
    absolute = posixpath.normpath(posixpath.join(workspace, path))
    root = workspace.rstrip("/")
    if absolute == (root or "/"):
        return "."
    return absolute[len(root) + 1 :] if absolute.startswith(root + "/") else absolute


def _of_lock(lock: str) -> Claim:
    name, colon, mode = lock.rpartition(":")
    if colon and name and mode in ("read", "write"):
        return Claim(domain=Domain.LOCK, mode=Mode.READ if mode == "read" else Mode.WRITE, target=name)
    return Claim(domain=Domain.LOCK, mode=Mode.WRITE, target=lock)


# --- what covers what --------------------------------------------------------------------------------


def covers(wide: Claim, narrow: Claim) -> bool:
    """Whether whoever is kept out by `narrow` is kept out by `wide` too.

    A READ, CACHE or CREATE claim covers its like (to make a path is not forbidden to those who claim a tree's sources); any
    other mode covers every mode. A SOURCES claim covers only SOURCES claims, because it leaves out what git ignores and new paths.
    """
    if wide.domain is not narrow.domain:
        return False
    if wide.mode in (Mode.READ, Mode.CACHE, Mode.CREATE) and wide.mode is not narrow.mode:
        return False
    if wide.domain is not Domain.FILE:
        return wide.target in (narrow.target, "*") if wide.domain is not Domain.LOCK else wide.target == narrow.target
    if wide.scope is Scope.TREE:
        return contains(wide.target, _footing(narrow))
    if wide.scope is Scope.SOURCES:
        return narrow.scope is Scope.SOURCES and contains(wide.target, narrow.target)
    return wide.scope is narrow.scope and wide.target == narrow.target


def contains(directory: str, path: str) -> bool:
    """Whether `path` is `directory` or lies below it. `.` holds every path inside the workspace, `/` every absolute one."""
    if directory == ".":
        return not outside(path)
    if directory == "/":
        return path.startswith("/")
    return path == directory or path.startswith(directory + "/")


def _footing(claim: Claim) -> str:
    return glob_base(claim.target) if claim.scope is Scope.GLOB else claim.target


def _without_covered(claims: Iterable[Claim]) -> list[Claim]:
    every = list(claims)
    trees = [claim for claim in every if claim.scope in (Scope.TREE, Scope.SOURCES) or claim.target == "*"]
    same_target: dict[tuple[Domain, str], list[Claim]] = {}
    for claim in every:
        same_target.setdefault((claim.domain, claim.target), []).append(claim)
    kept = []
    for claim in every:
        rivals = [*trees, *same_target[claim.domain, claim.target]]
        if not any(_beats(rival, claim) for rival in rivals):
            kept.append(claim)
    return kept


def _beats(rival: Claim, claim: Claim) -> bool:
    if rival is claim or not covers(rival, claim):
        return False
    # Of two that cover each other (WRITE and DELETE of one path) the stricter mode stays, so exactly one does.
    return not covers(claim, rival) or _STRICTNESS[rival.mode] > _STRICTNESS[claim.mode]


_STRICTNESS = {mode: rank for rank, mode in enumerate(Mode)}


def _marked(claim: Claim, ignored: Callable[[str], bool]) -> Claim:
    # A pattern is asked for as it stands: git reads it as a name, and a rule such as `__pycache__/` fits that name.
    if claim.domain is not Domain.FILE or claim.target == "." or outside(claim.target) or not ignored(claim.target):
        return claim
    return dataclasses.replace(claim, ignored=True)


def _sort_key(claim: Claim) -> tuple[str, str, str, str]:
    return (claim.domain.value, claim.target, claim.scope.value, claim.mode.value)
