"""From the commands of a project to a plan: read, predict, assess, claim."""

from __future__ import annotations

import dataclasses
import gc
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pluggy

from pytest_cbx.client.foresight import Foresight
from pytest_cbx.client.isolation import reach
from pytest_cbx.client.learned import Trace
from pytest_cbx.client.learning import (
    SOURCES,
    UNLISTED_LOCK,
    Classroom,
    instructed,
    known_part,
    products_of_others,
)
from pytest_cbx.client.slots import most_cores
from pytest_cbx.config.model import CommandConfig, Settings, parse_results
from pytest_cbx.effects.model import Effects, Scope
from pytest_cbx.engine.ignored import Ignored
from pytest_cbx.errors import UsageError
from pytest_cbx.frameworks.sharding import group_of
from pytest_cbx.frameworks.splits import apart
from pytest_cbx.plan.build import build_plan
from pytest_cbx.plan.claims import claims_of, place_of
from pytest_cbx.plan.estimate import needed_cpus, needed_memory
from pytest_cbx.plan.model import Claim, Domain, Mode, Plan, Request
from pytest_cbx.plan.own_files import results_in_caches
from pytest_cbx.safety import assess


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One command, ready to be planned and run."""

    config: CommandConfig
    request: Request
    directory: Path
    """Absolute working directory."""
    base: Path
    """Absolute: its own work tree, which its paths are relative to."""
    trace: Trace | None = None
    """What its run is remembered under; None where it is not."""
    learned: tuple[str, ...] = ()
    """What it claims because earlier runs were seen to touch it, for people."""


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
    notes: list[str] | None = None,
) -> tuple[Job, ...]:
    """Read and assess each command. `cwd`s are relative to `folder` (default: `site.base`).

    `in_order`: they are meant to run together, so an earlier one may change a script that a later one runs.
    `notes` takes what people should know of the store of earlier runs.
    """
    foresight = Foresight(site.base, folder=folder or site.base, hooks=hooks, in_order=in_order)
    most = most_cores(settings)
    # A test's own directory is another one each time: nothing that is seen there helps the next run.
    remembers = settings.learn and site.base == site.root
    with collector_paused(), Classroom(site.root, enabled=remembers) as classroom:
        drafts = [
            _draft(
                command, foresight.effects(command), classroom,
                directory=foresight.directory(command), site=site, settings=settings, most=most,
            )
            for command in commands
        ]  # fmt: skip
    if notes is not None:
        notes += classroom.notes
    ignored = Ignored(site.root)
    ignored.learn(claim.target for job in drafts for claim in job.request.claims if claim.domain is Domain.FILE)
    marked = [_mark_ignored(job, ignored) for job in drafts]
    return tuple(_beside(job, marked) for job in marked)


def plan(jobs: Sequence[Job], *, slots: int, settings: Settings) -> Plan:
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
    with collector_paused():
        return build_plan(requests, slots=slots, batch=settings.batch, depths=settings.pools)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Predictions and plans leave no cycles behind; to go through thousands of them again and again costs as much as to make them."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _draft(
    command: CommandConfig,
    effects: Effects,
    classroom: Classroom,
    *,
    directory: Path,
    site: Site,
    settings: Settings,
    most: float,
) -> Job:
    lesson = classroom.lesson(command, effects, directory)
    assessment = assess(effects, text=command.predicted, declared=command.tier, trust=command.trust)
    replaces = lesson.replaces(effects, assessment) and _is_guarded(command, settings)
    known = known_part(effects) if replaces else effects
    if replaces:
        assessment = assess(known, text=command.predicted, declared=command.tier, trust=command.trust)
    claims = claims_of(
        known,
        workspace=str(site.base),
        cwd=str(directory),
        reads=command.reads,
        writes=(*command.writes, *_results(command)),
        locks=command.locks,
        tier=assessment.tier,
    )
    claims = _results_in_caches(claims, command, directory=directory, base=site.base)
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
        place=os.path.relpath(directory, site.base),
        pool=command.pool or "",
        part_of=group_of(command.name) if command.whole else "",
    )
    request, learned = instructed(request, lesson, replaces=replaces, apart=_apart_from_siblings(command, settings))
    return Job(
        config=command, request=request, directory=directory, base=site.base, trace=lesson.trace, learned=learned
    )


def _results(command: CommandConfig) -> tuple[str, ...]:
    """A command writes its results, whether its text tells or not."""
    pattern = parse_results(command.results)[1] if command.results is not None else "-"
    return () if pattern == "-" else (pattern,)


def _results_in_caches(
    claims: tuple[Claim, ...], command: CommandConfig, *, directory: Path, base: Path
) -> tuple[Claim, ...]:
    places = [place_of(one, cwd=str(directory), workspace=str(base)) for one in _results(command)]
    return results_in_caches(claims, {place.path for place in places if place.scope is Scope.PATH})


def _apart_from_siblings(command: CommandConfig, settings: Settings) -> tuple[str, ...]:
    """Patterns of what a shard writes apart from the other ones, where a wrong prediction of that is caught."""
    patterns = apart(command.whole) if command.whole else ()
    return patterns if patterns and _is_guarded(command, settings) else ()


def _is_guarded(command: CommandConfig, settings: Settings) -> bool:
    """Whether a wrong prediction is caught when it runs. Asked only where it matters: to know the rung takes a probe."""
    try:
        return not command.privileged and reach(settings.isolation).name != "off"
    except UsageError:
        return False


def _beside(job: Job, jobs: Sequence[Job]) -> Job:
    """A job that is known from its runs only, with claims on what the others make and it may read."""
    if SOURCES not in job.request.claims or UNLISTED_LOCK not in job.request.claims:
        return job
    extra = products_of_others(job.request, (other.request for other in jobs))
    return dataclasses.replace(job, request=dataclasses.replace(job.request, claims=(*job.request.claims, *extra)))


def _standing_in(directory: Path, site: Site) -> tuple[Claim, ...]:
    """A command needs its working directory: whoever makes or removes that comes before or after it."""
    if directory == site.base:
        return ()
    place = os.path.relpath(directory, site.base)
    target = str(directory) if place == ".." or place.startswith("../") else place
    return (Claim(domain=Domain.FILE, mode=Mode.READ, target=target),)


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
