"""Uses what earlier runs were seen to touch: more claims, a stricter tier, better estimates; and knowledge where there was none."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
import stat
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import TracebackType

from pytest_cbx.client.generalise import beyond, claims_seen, merged
from pytest_cbx.client.learned import Entry, FileDigest, Run, Store, Trace
from pytest_cbx.client.output import cache_home
from pytest_cbx.config.model import CommandConfig, Settings
from pytest_cbx.effects.model import Effect, Effects, Kind, Scope
from pytest_cbx.engine.protocol import OBSERVATIONS_MAX, ChangeList, Finished
from pytest_cbx.plan.model import Claim, Domain, Mode, Request
from pytest_cbx.plan.own_files import apart_from_siblings
from pytest_cbx.safety.model import Assessment
from pytest_cbx.severity import Severity
from pytest_cbx.tier import Tier

ENOUGH = 3
"""Complete runs after which what an unlisted program was seen to touch stands for "may do anything"."""
RUNS = 10
"""Runs whose observations count, and passes whose times count, the last ones."""
UNLISTED_LOCK = Claim(domain=Domain.LOCK, mode=Mode.WRITE, target="state:what unlisted programs share")
"""Nobody sees what they do over the network or, below `serializable`, what they read: they keep their order among themselves."""
SOURCES = Claim(domain=Domain.FILE, mode=Mode.READ, target=".", scope=Scope.SOURCES)

_LONGEST = 256 * 1024 * 1024
"""Bytes. Of a longer file only size and times count."""
_UNKNOWN = (Kind.EXECUTE, Kind.UNKNOWN)
_PLAIN = frozenset(
    {Kind.READ, Kind.CACHE, Kind.OUTPUT, Kind.WRITE, Kind.APPEND, Kind.CREATE, Kind.DELETE, Kind.METADATA, *_UNKNOWN}
)
"""Kinds of effects that show in files. A command that does more than that is never taken for known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """What is known of one command from its earlier runs."""

    trace: Trace | None = None
    """None: nothing is to be remembered of it."""
    seen: tuple[Claim, ...] = ()
    runs: int = 0
    """Runs that `seen` comes from."""
    complete: int = 0
    reads: bool = False
    """All complete runs saw what was read, too."""
    seconds: float | None = None

    def replaces(self, effects: Effects, assessment: Assessment) -> bool:
        """Whether what was seen may stand for what the text does not tell."""
        return self.complete >= ENOUGH and learnable(effects, assessment)


NOTHING = Lesson()


def learnable(effects: Effects, assessment: Assessment) -> bool:
    """Whether all that is unknown of a command are programs that the catalogue does not list, and nothing speaks against it."""
    unlisted = [effect for effect in effects.effects if effect.kind in _UNKNOWN]
    return (
        bool(unlisted)
        and effects.readable
        and assessment.tier < Tier.DANGEROUS_ISOLATED
        and all(effect.kind in _PLAIN for effect in effects.effects)
        and all(_is_unlisted(effect) for effect in unlisted)
        and not any(finding.severity.reaches(Severity.WARNING) for finding in assessment.findings)
    )


def _is_unlisted(effect: Effect) -> bool:
    """Whether an effect says no more than that a program is run which nobody knows. (The words are those of `effects.dispatch`.)"""
    if effect.origin is not None:
        return False
    if effect.kind is Kind.UNKNOWN:
        return effect.detail == f"the program {effect.program} is not in the catalogue"
    return effect.detail.endswith(f"{effect.program} is a program of its own")


def known_part(effects: Effects) -> Effects:
    """The effects without those that are unknown."""
    return dataclasses.replace(
        effects, effects=tuple(effect for effect in effects.effects if effect.kind not in _UNKNOWN)
    )


def instructed(
    request: Request, lesson: Lesson, *, replaces: bool, apart: Collection[str] = ()
) -> tuple[Request, tuple[str, ...]]:
    """The request with what the lesson adds, and sentences on where that comes from.

    `replaces`: the request was made of the known part only (`known_part`).
    `apart`: patterns for `apart_from_siblings`. What was seen of a shard is left out with what is told of it; left out before, what is
    told would cover nothing of what was seen, and this would keep shards apart all the same.
    """
    claims, tier, reasons = request.claims, request.tier, request.assessment.reasons if request.assessment else ()
    told: list[str] = []
    extra = beyond(claims, lesson.seen)
    changes = [claim for claim in extra if claim.mode is not Mode.READ]
    if replaces:
        what = ", ".join(str(claim) for claim in lesson.seen if claim.mode is not Mode.READ) or "it changes nothing"
        reasons = (f"learned from {lesson.complete} runs: {what}", *reasons)
        extra = (*extra, UNLISTED_LOCK, *(() if lesson.reads else (SOURCES,)))
        tier = max(tier, Tier.CONDITIONAL_PARALLEL, key=lambda grade: grade.strictness)
    elif changes and tier is Tier.SAFE_PARALLEL:
        shown = ", ".join(str(claim) for claim in changes)
        reasons = (f"learned: an earlier run was seen to {shown}", *reasons)
        tier = Tier.CONDITIONAL_PARALLEL
    claims, extra = apart_from_siblings(claims, apart), apart_from_siblings(extra, apart)
    if extra:
        plural = "s" if lesson.runs != 1 else ""
        told = [f"{claim} (seen in {lesson.runs} run{plural})" for claim in extra if claim.domain is Domain.FILE]
    if not extra and claims == request.claims and tier is request.tier and lesson.seconds is None:
        return request, ()
    assessment = request.assessment and dataclasses.replace(request.assessment, tier=tier, reasons=reasons)
    ordered = tuple(sorted(dict.fromkeys((*claims, *extra)), key=_order))
    taught = dataclasses.replace(
        request, claims=ordered, tier=tier, assessment=assessment,
        seconds=request.seconds if request.seconds is not None else lesson.seconds,
    )  # fmt: skip
    return taught, tuple(told)


def _order(claim: Claim) -> tuple[str, str, str, str]:
    return (claim.domain.value, claim.target, claim.scope.value, claim.mode.value)


def products_of_others(own: Request, others: Iterable[Request]) -> tuple[Claim, ...]:
    """Read claims on what other commands make and git ignores: the reads of an unlisted program were not seen, it may use that."""
    made = (Mode.WRITE, Mode.CREATE, Mode.DELETE, Mode.APPEND)
    products = dict.fromkeys(
        dataclasses.replace(claim, mode=Mode.READ)
        for other in others
        if other is not own
        for claim in other.claims
        if claim.domain is Domain.FILE and claim.ignored and claim.mode in made and not os.path.isabs(claim.target)
    )
    return tuple(claim for claim in products if claim not in own.claims)


class Classroom:
    """Looks up what is known of the commands of one work tree. Use as a context manager.

    `notes`: for people, when the store cannot be used.
    """

    def __init__(self, root: Path, *, enabled: bool) -> None:
        self._root = os.fspath(root)
        self._store = Store(root, create=False) if enabled else None
        self._known = self._store.keys() if self._store else frozenset()
        self._digests: dict[str, FileDigest] = {}
        self._places: dict[str, str] = {}

    def __enter__(self) -> Classroom:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._store is not None:
            self._store.close()

    @property
    def notes(self) -> tuple[str, ...]:
        """What is wrong with the store."""
        return tuple(self._store.notes) if self._store else ()

    def lesson(self, command: CommandConfig, effects: Effects, directory: Path) -> Lesson:
        """What is known of a command."""
        if self._store is None:
            return NOTHING
        trace = self._trace(command, effects, os.fspath(directory))
        if trace.key not in self._known:
            return Lesson(trace=trace)
        runs = self._store.runs(trace.key)
        same = [run for run in runs if run.stamp == trace.stamp][:RUNS]
        complete = [run for run in same if run.complete]
        times = [run.seconds for run in runs if run.passed][:RUNS]
        return Lesson(
            trace=trace,
            seen=merged(*(run.seen for run in same)),
            runs=len(same),
            complete=len(complete),
            reads=bool(complete) and all(run.reads for run in complete),
            seconds=median(times) if times else None,
        )

    def _trace(self, command: CommandConfig, effects: Effects, directory: str) -> Trace:
        place = self._places.get(directory)
        if place is None:
            place = self._places[directory] = os.path.relpath(directory, self._root)
        key = hashlib.sha256()
        for part in (command.run, place, *(f"{name}={value}" for name, value in sorted(command.env.items()))):
            key.update(part.encode("utf-8", "surrogatepass") + b"\0")
        paths = [os.path.join(self._root, path) for path in (*effects.consulted, *effects.unpacked)]
        paths += self._programs(effects, command.env)
        files = tuple(self._file(path) for path in dict.fromkeys(paths))
        stamp = hashlib.sha256()
        for file in files:
            stamp.update(os.fsencode(file.path) + b"\0" + file.digest)
        for path in effects.looked:
            kind = b"directory" if os.path.isdir(os.path.join(self._root, path)) else b"none"
            stamp.update(os.fsencode(path) + b"\0" + kind)
        return Trace(
            key=key.digest(), stamp=stamp.digest(), cwd=place, files=tuple(file for file in files if file.facts)
        )

    def _programs(self, effects: Effects, env: Mapping[str, str]) -> list[str]:
        """The files of unlisted programs that the shell looks up in PATH, or that lie outside the work tree."""
        search = env.get("PATH", os.environ.get("PATH"))
        found = [shutil.which(use.name, path=search) for use in effects.programs if not use.known and use.searched]
        names = {use.name for use in effects.programs if not use.known}
        placed = [
            effect.place.path
            for effect in effects.effects
            if effect.kind is Kind.READ
            and effect.place is not None
            and effect.program in names
            and os.path.isabs(effect.place.path)
        ]
        return [path for path in found if path is not None] + placed

    def _file(self, path: str) -> FileDigest:
        if path not in self._digests:
            self._digests[path] = self._look_at(path)
        return self._digests[path]

    def _look_at(self, path: str) -> FileDigest:
        try:
            with open(path, "rb", opener=_without_waiting) as file:
                state = os.fstat(file.fileno())
                if not stat.S_ISREG(state.st_mode):
                    return FileDigest(path=path, facts="", digest=b"no file")
                facts = f"{state.st_size} {state.st_mtime_ns} {state.st_ctime_ns} {state.st_ino} {state.st_dev}"
                if state.st_size > _LONGEST:
                    return FileDigest(path=path, facts="", digest=facts.encode())
                known = self._store.digest(path, facts) if self._store else None
                digest = known or hashlib.file_digest(file, "sha256").digest()
                return FileDigest(path=path, facts=facts, digest=digest)
        except (OSError, ValueError):
            return FileDigest(path=path, facts="", digest=b"nothing")


def npm_home() -> str:
    """Where npm, and npx too, keep what they fetched, and a dated log of each call. Source: docs.npmjs.com, "cache" and "logs-dir"."""
    # npm takes it in any case. A relative one lies where each call is made: in the work tree, and not in one place.
    said = {name.lower(): value for name, value in os.environ.items()}.get("npm_config_cache", "")
    return os.path.normpath(said) if os.path.isabs(said) else os.path.join(os.path.expanduser("~"), ".npm")


def _without_waiting(path: str, flags: int) -> int:
    # A pipe of that name would block.
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


class Diary:
    """Takes down the runs of one client, and stores them now and then."""

    BATCH = 256
    """Runs that are kept back; those of a client that is killed are lost."""
    PATHS = 20_000
    """Paths of them; so many are made claims of at once."""

    def __init__(self, root: Path, settings: Settings) -> None:
        self._root = root
        self._enabled = settings.learn
        self._entries: list[tuple[Entry, list[tuple[str, str]]]] = []
        """With what was touched: claims are made of that when there is time, not while somebody waits for the outcome."""
        self._paths = 0
        self.notes: list[str] = []
        """For people, when something could not be stored."""
        self._caches = (cache_home(), npm_home())

    def take_down(self, trace: Trace | None, request: Request, finished: Finished, *, isolation: str) -> None:
        """Note a command's end. `isolation`: the rung that it ran at."""
        if (
            not self._enabled
            or trace is None
            or not finished.attempts
            or finished.cause in ("cancelled", "start-failed")
        ):
            return
        observed = list(self._observed(finished, safe=request.tier is Tier.SAFE_PARALLEL))
        passed = finished.status == "passed"
        run = Run(
            stamp=trace.stamp,
            at=time.time(),
            tier=request.tier.value,
            exit_code=finished.exit_code,
            passed=passed,
            complete=passed and isolation != "off" and len(finished.observed) < OBSERVATIONS_MAX,
            reads=isolation == "serializable",
            seconds=finished.wall_s,
            predicted=tuple(str(claim) for claim in request.claims[:100]),
        )
        self._entries.append((Entry(trace=trace, text=request.text, run=run), observed))
        self._paths += len(observed)
        if len(self._entries) >= self.BATCH or self._paths > self.PATHS:
            self.store()

    def _observed(self, finished: Finished, *, safe: bool) -> Iterator[tuple[str, str]]:
        """What it touched and how, in the end; without what it made for itself and took away again.

        Two commands that make the same temporary file meet at the write. To claim it would keep away all that read its directory.
        Of a command that is `safe` by its text it is told all the same: it must not be held to read only again.
        """
        changes = finished.changes or ChangeList()
        net = dict.fromkeys(changes.created, "create") | dict.fromkeys(changes.modified, "write")
        net |= dict.fromkeys(changes.deleted, "delete")
        for item in finished.observed:
            mode = item.mode
            if mode != "read":
                there = item.path in net or os.path.lexists(os.path.join(os.fsencode(self._root), item.path))
                mode = net.get(item.path, mode if there else "create")
                if not there and not safe:
                    continue
            yield mode, os.fsdecode(item.path)
        yield from (("write", os.fsdecode(path)) for path in finished.outside)

    def store(self) -> None:
        """Write down what was taken down."""
        taken, self._entries, self._paths = self._entries, [], 0
        if not taken:
            return
        with Store(self._root) as store:
            store.record([self._with_claims(entry, observed) for entry, observed in taken])
            self.notes += store.notes

    def _with_claims(self, entry: Entry, observed: list[tuple[str, str]]) -> Entry:
        seen = claims_seen(observed, caches=self._caches)
        return dataclasses.replace(entry, run=dataclasses.replace(entry.run, seen=seen))
