"""From the commands of a project to a plan: read, predict, assess, claim."""

from __future__ import annotations

import dataclasses
import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

import pluggy

from pytest_cbx.client.files import WorkFiles
from pytest_cbx.client.ignored import Ignored
from pytest_cbx.client.slots import most_cores
from pytest_cbx.config.model import CommandConfig, Settings
from pytest_cbx.effects.analysis import analyse
from pytest_cbx.effects.model import WORKSPACE, Effect, Effects, Kind, Scope
from pytest_cbx.effects.paths import Context
from pytest_cbx.effects.seen import CHANGING, Changed, changes
from pytest_cbx.plan.build import build_plan
from pytest_cbx.plan.claims import claims_of, place_of
from pytest_cbx.plan.estimate import needed_cpus, needed_memory
from pytest_cbx.plan.model import Claim, Domain, Mode, Plan, Request
from pytest_cbx.safety import assess
from pytest_cbx.shell.both import read_both


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One command, ready to be planned and run."""

    config: CommandConfig
    request: Request
    directory: Path
    """Absolute working directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where commands live: `base` is their own work tree, `root` the one whose engine runs them.

    They differ when a test's `cbx` fixture works in its `tmp_path` under the engine of the project.
    """

    base: Path
    root: Path


def prepare(
    commands: Iterable[CommandConfig],
    *,
    site: Site,
    settings: Settings,
    hooks: pluggy.PluginManager | None = None,
    folder: Path | None = None,
    in_order: bool = True,
) -> tuple[Job, ...]:
    """Read and assess each command. `cwd`s are relative to `folder` (default: `site.base`).

    `in_order`: they are meant to run together, so an earlier one may change a script that a later one runs.
    """
    folder = folder or site.base
    most = most_cores(settings)
    files = WorkFiles(site.base)
    drafts: list[Job] = []
    changed = Changed()
    for command in commands:
        effects = _effects(command, site, hooks=hooks, folder=folder, files=files)
        if in_order and (effects.consulted or effects.unpacked or effects.surveyed):
            effects = _doubt_changed(effects, drafts, site)
        if in_order and any(changed.may_change(path) for path in effects.looked):
            effects = _both_ways(effects, command, site, folder)
        drafts.append(_draft(command, effects, site, settings, folder=folder, most=most))
        changed.add(_changing(drafts[-1], site))
    ignored = Ignored(site.root)
    ignored.learn(claim.target for job in drafts for claim in job.request.claims if claim.domain is Domain.FILE)
    return tuple(_mark_ignored(job, ignored) for job in drafts)


def plan(jobs: Sequence[Job], *, slots: int) -> Plan:
    """The dependency graph of these jobs in their order. Names that no job has are dropped from `needs`.

    A need may be missing because its command was deselected: then the user has decided to do without.
    """
    names = {job.request.name for job in jobs}
    requests = [
        job.request
        if names.issuperset(job.request.needs)
        else dataclasses.replace(job.request, needs=tuple(need for need in job.request.needs if need in names))
        for job in jobs
    ]
    return build_plan(requests, slots=slots)


def _effects(
    command: CommandConfig, site: Site, *, hooks: pluggy.PluginManager | None, folder: Path, files: WorkFiles
) -> Effects:
    directory = str(_directory(command, folder))
    effects = _predict(command.run, directory, str(site.base), _known_environment(command.env), files)
    if hooks is None:
        return effects
    more = tuple(effect for answer in hooks.hook.pytest_cbx_effects(command=command) for effect in answer or ())
    return dataclasses.replace(effects, effects=effects.effects + more) if more else effects


def _directory(command: CommandConfig, folder: Path) -> Path:
    return Path(os.path.normpath(folder / command.cwd))


def _doubt_changed(effects: Effects, earlier: Sequence[Job], site: Site) -> Effects:
    """Count as unseen the scripts and archives, and what git found, that an earlier command may have changed by then."""
    doubts = []
    for path in (*effects.consulted, *effects.unpacked):
        changer = next((job for job in earlier if any(changes(effect, path) for effect in _changing(job, site))), None)
        if changer is None:
            continue
        detail, name = f"{path} may be changed by {changer.request.name} before", posixpath.basename(path)
        if path in effects.consulted:
            doubts.append(Effect(kind=Kind.EXECUTE, program=name, detail=detail))
        else:
            doubts.append(Effect(kind=Kind.WRITE, place=WORKSPACE, program=name, detail=detail))
    if effects.surveyed and (
        changer := next((job for job in earlier if any(map(_alters, _changing(job, site)))), None)
    ):
        detail = f"{changer.request.name} may change before what git finds"
        doubts.append(Effect(kind=Kind.WRITE, place=WORKSPACE, program="git", detail=detail))
    return dataclasses.replace(effects, effects=(*effects.effects, *doubts)) if doubts else effects


def _both_ways(effects: Effects, command: CommandConfig, site: Site, folder: Path) -> Effects:
    """Also what the command does when its destinations are something else by the time it runs."""
    known = _known_environment(command.env)
    unseeing = _predict_unseeing(command.run, str(_directory(command, folder)), str(site.base), known)
    return dataclasses.replace(effects, effects=tuple(dict.fromkeys((*effects.effects, *unseeing.effects))))


def _alters(effect: Effect) -> bool:
    return effect.kind in CHANGING and (effect.place is None or not effect.place.path.startswith("/"))


def _changing(job: Job, site: Site) -> Iterator[Effect]:
    """What a command changes by its text and by its configuration."""
    yield from job.request.effects.effects if job.request.effects else ()
    for pattern in job.config.writes:
        place = place_of(pattern, cwd=str(job.directory), workspace=str(site.base))
        yield Effect(kind=Kind.WRITE, place=place)


def _draft(
    command: CommandConfig, effects: Effects, site: Site, settings: Settings, *, folder: Path, most: float
) -> Job:
    directory = _directory(command, folder)
    assessment = assess(effects, text=command.run, declared=command.tier, trust=command.trust)
    claims = claims_of(
        effects,
        workspace=str(site.base),
        cwd=str(directory),
        reads=command.reads,
        writes=command.writes,
        locks=command.locks,
        tier=assessment.tier,
    )
    claims += _standing_in(directory, site)
    request = Request(
        name=command.name,
        text=command.run,
        tier=assessment.tier,
        claims=rebase(claims, site),
        needs=command.needs,
        priority=command.priority,
        cpus=command.cpus if command.cpus is not None else min(most, needed_cpus(effects.estimate, settings.limits)),
        memory=command.memory if command.memory is not None else needed_memory(effects.estimate, settings.limits),
        effects=effects,
        assessment=assessment,
    )
    return Job(config=command, request=request, directory=directory)


def _standing_in(directory: Path, site: Site) -> tuple[Claim, ...]:
    """A command needs its working directory: whoever makes or removes that comes before or after it."""
    if directory == site.base:
        return ()
    place = os.path.relpath(directory, site.base)
    target = str(directory) if place == ".." or place.startswith("../") else place
    return (Claim(domain=Domain.FILE, mode=Mode.READ, target=target),)


def _predict(
    text: str, cwd: str, workspace: str, environment: tuple[tuple[str, str], ...], files: WorkFiles
) -> Effects:
    effects = _predict_unseeing(text, cwd, workspace, environment)
    if not effects.consulted and not effects.asked:
        return effects
    # It depends on files, so its text alone is no key to a cache.
    return analyse(read_both(text), dataclasses.replace(_context(cwd, workspace, environment), files=files))


@lru_cache(maxsize=16384)
def _predict_unseeing(text: str, cwd: str, workspace: str, environment: tuple[tuple[str, str], ...]) -> Effects:
    return analyse(read_both(text), _context(cwd, workspace, environment))


def _context(cwd: str, workspace: str, environment: tuple[tuple[str, str], ...]) -> Context:
    known = dict(environment)
    return Context(cwd=cwd, workspace=workspace, home=known.get("HOME", ""), environment=known)


def _known_environment(extra: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    # Only what a text may lean on for its paths: the rest of the user's environment is the same for all commands.
    known = {name: os.environ[name] for name in ("HOME", "USER", "TMPDIR") if name in os.environ}
    return tuple(sorted({**known, **extra}.items()))


def rebase(claims: Sequence[Claim], site: Site) -> tuple[Claim, ...]:
    """Claims relative to `site.base` as claims relative to `site.root`: relative inside it, absolute outside.

    What is claimed outside and reaches down into the root is claimed there, too.
    """
    same = site.base == site.root
    return tuple(
        piece
        for claim in claims
        for piece in ([claim] if same and not os.path.isabs(claim.target) else _rebase_one(claim, site))
    )


def _rebase_one(claim: Claim, site: Site) -> list[Claim]:
    if claim.domain is not Domain.FILE:
        return [claim]
    absolute = os.path.normpath(os.path.join(site.base, claim.target))
    relative = os.path.relpath(absolute, site.root)
    if relative != ".." and not relative.startswith("../"):
        return [dataclasses.replace(claim, target=relative)]
    moved = dataclasses.replace(claim, target=absolute)
    if claim.scope is not Scope.PATH and _reaches_down_to(str(site.root), absolute, claim.scope):
        return [moved, dataclasses.replace(claim, target=".", scope=Scope.TREE)]
    return [moved]


def _reaches_down_to(root: str, target: str, scope: Scope) -> bool:
    """Whether a claim from outside may cover `root` or something in it."""
    if scope is not Scope.GLOB:
        return os.path.commonpath([target, root]) == target
    pattern = target.split("/")
    for place, name in enumerate(root.rstrip("/").split("/")):
        if place == len(pattern):
            return False
        if pattern[place] == "**":
            return True
        # An extended glob (`@(a|b)`) is taken to match.
        if "(" not in pattern[place] and not fnmatchcase(name, pattern[place]):
            return False
    return True


def _mark_ignored(job: Job, ignored: Ignored) -> Job:
    claims = tuple(
        dataclasses.replace(claim, ignored=True) if claim.domain is Domain.FILE and ignored(claim.target) else claim
        for claim in job.request.claims
    )
    if claims == job.request.claims:
        return job
    return dataclasses.replace(job, request=dataclasses.replace(job.request, claims=claims))
