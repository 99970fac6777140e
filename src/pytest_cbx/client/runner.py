"""One client's connection to the engine: plans in, outcomes out."""

from __future__ import annotations

import contextlib
import os
import time
from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import TracebackType

import msgspec

from pytest_cbx.client.ending import outcome_of, without_our_own
from pytest_cbx.client.holding import Hold
from pytest_cbx.client.jobs import Job
from pytest_cbx.client.learning import Diary
from pytest_cbx.client.outcome import Outcome
from pytest_cbx.client.output import OutputFolder
from pytest_cbx.client.parallelism import variables_for
from pytest_cbx.client.protection import rollback_of, rung_of
from pytest_cbx.client.results import result_files, results_of
from pytest_cbx.client.standard_input import claims_on_input
from pytest_cbx.config.model import Rollback, Settings
from pytest_cbx.engine.client import Client
from pytest_cbx.engine.protocol import (
    CommandSpec,
    Finished,
    FromEngine,
    Granted,
    Healed,
    HoldSpec,
    JoinSpec,
    Lost,
    Observed,
    Queued,
    Retrying,
    Started,
    Submission,
    Welcome,
)
from pytest_cbx.errors import CbxError, FaultUnsupported
from pytest_cbx.events import AnyEvent
from pytest_cbx.faults.model import Fault
from pytest_cbx.plan.model import Claim, EdgeKind, Plan, Planned
from pytest_cbx.tier import Tier

_DECODER: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


class Capture(Enum):
    """Where a command's output goes."""

    INTERLEAVED = "interleaved"
    """One file for both streams, kept until `discard`."""
    SEPARATE = "separate"
    """One file a stream, read into the outcome and removed."""
    INHERIT = "inherit"
    """This process's own standard input, output and error; for one command at a time."""


@dataclass(slots=True)
class _Pending:
    job: Job
    capture: Capture
    stdout: Path
    stderr: Path
    isolation: str

    @property
    def spared(self) -> Path:
        """Takes its result files if its changes are undone."""
        return self.stdout.with_suffix(".results")


@dataclass(slots=True)
class _Waits:
    """The ids of what one node of a plan waits for."""

    needs: list[int] = field(default_factory=list)
    after: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Common:
    """What is the same for all commands that are handed in together; see `Runner.submit`."""

    settings: Settings
    environment: Callable[[Job], Mapping[str, str]]
    faults: Sequence[Fault]
    umask: int
    inherited: Sequence[Claim]
    """On what this process has as its standard input."""


@dataclass(slots=True)
class Watch:
    """What a client wants to be told while commands run. Each is called from `poll`."""

    started: Callable[[Job, int], None] = lambda job, attempt: None
    waiting: Callable[[Job, str, Sequence[str]], None] = lambda job, reason, blockers: None
    event: Callable[[AnyEvent], None] | None = None


class Runner:
    """Submits plans and collects outcomes; not thread-safe. Use as a context manager, or call `close`.

    Raises `EngineLost` from any call when the engine is gone; what it ran for this client is dead by then.
    """

    def __init__(self, root: Path, settings: Settings, *, name: str, watch: Watch | None = None) -> None:
        self.watch = watch or Watch()
        self.settings = settings
        self._root = root
        self._diary = Diary(root, settings)
        self._output = OutputFolder(root)
        try:
            self._client = Client.connect(
                root,
                name=name,
                settings=settings,
                parent=os.environ.get("CBX_INSTANCE", ""),
                subscribe=self.watch.event is not None,
            )
        except BaseException:
            self._output.close()
            raise
        self._environment = self._client.environment(dict(os.environb))
        self._pending: dict[int, _Pending] = {}
        self._holds: dict[int, Hold] = {}
        self._early: list[tuple[int, Outcome]] = []
        """Outcomes that came while a hold waited."""
        self._healed: list[list[str]] = []
        self._next_id = 1

    @property
    def welcome(self) -> Welcome:
        """What the engine said of itself."""
        return self._client.welcome

    @property
    def lost(self) -> bool:
        """Whether the engine was found to be gone: make another runner."""
        return self._client.lost

    @property
    def notes(self) -> tuple[str, ...]:
        """For people, once closed: why what was seen could not be stored."""
        return tuple(self._diary.notes)

    @property
    def outstanding(self) -> int:
        """How many commands have not ended yet."""
        return len(self._pending)

    def submit(
        self,
        jobs: Sequence[Job],
        plan: Plan,
        *,
        capture: Capture,
        fail_fast: bool = False,
        environment: Callable[[Job], Mapping[str, str]] = lambda job: {},
        settings: Settings | None = None,
        faults: Sequence[Fault] = (),
    ) -> list[int]:
        """Hand in a plan of these jobs; returns an id for each job, in their order.

        `environment` adds variables. `settings`: others than the run's own for isolation and rollback. `faults`: carried by all.

        Raises:
            UsageError: the engine has not reached a rung that is asked for by name.
            FaultUnsupported: a command would run unsupervised, where no fault can strike.
        """
        settings = settings or self.settings
        rungs = [rung_of(job, settings.isolation, self.welcome.isolation) for job in jobs]
        if faults:
            _check_strikable(jobs, rungs, self.welcome.isolation_reason)
        first = self._next_id
        self._next_id += len(jobs) + len(plan.joins)
        waits = _waits(plan, first)
        common = _Common(
            settings=settings,
            environment=environment,
            faults=faults,
            umask=_umask(),
            inherited=claims_on_input(self._root) if capture is Capture.INHERIT else (),
        )
        specs: dict[int, CommandSpec | JoinSpec | HoldSpec] = {}
        for planned in plan.commands:
            number = planned.number
            pending = self._pending[first + number] = self._place(jobs[number], first + number, capture, rungs[number])
            specs[number] = self._spec(first + number, planned, pending, waits[number], common)
        for join in plan.joins:
            before = waits[join.number]
            specs[join.number] = JoinSpec(
                id=first + join.number, name=join.reason, needs=before.needs, after=before.after
            )
        submission = Submission(nodes=[specs[number] for number in _order(plan)], fail_fast=fail_fast)
        self._client.submit(submission, descriptors=(0, 1, 2) if capture is Capture.INHERIT else ())
        return [first + planned.number for planned in plan.commands]

    def _spec(self, number: int, planned: Planned, pending: _Pending, waits: _Waits, common: _Common) -> CommandSpec:
        job = pending.job
        inherits = pending.capture is Capture.INHERIT
        own_base = b"" if job.base == self._root else os.fsencode(job.base)
        rollback = rollback_of(job, common.settings)
        return CommandSpec(
            id=number,
            name=job.request.name,
            base=own_base,
            needs=waits.needs,
            after=waits.after,
            argv=[os.fsencode(word) for word in (*self.settings.shell, job.request.text)],
            cwd=os.fsencode(job.directory),
            umask=common.umask,
            environment=self._environment,
            extra_env={os.fsencode(k): os.fsencode(v) for k, v in self._extra(job, common.environment).items()},
            tier=job.request.tier,
            claims=[*job.request.claims, *(common.inherited if pending.isolation == "serializable" else ())],
            cpus=job.request.cpus,
            memory=job.request.memory,
            timeout=job.config.timeout if job.config.timeout is not None else self.settings.timeouts.command,
            retries=job.config.retries,
            lock_timeout=self.settings.timeouts.lock_acquisition,
            priority=job.request.priority,
            score=planned.score.total,
            seconds=planned.seconds,
            path_seconds=planned.path_seconds,
            pool=planned.pool.name if planned.pool is not None else "",
            pool_depth=planned.pool.depth if planned.pool is not None else 0,
            stdout=b"" if inherits else os.fsencode(pending.stdout),
            stderr=b"" if inherits else os.fsencode(pending.stderr),
            descriptors=3 if inherits else 0,
            isolation=pending.isolation,
            rollback=rollback.value,
            diff=rollback is Rollback.ALWAYS,
            privileged=job.config.privileged,
            root=own_base,
            faults=list(common.faults),
            results=result_files(job),
            spared=os.fsencode(pending.spared),
        )

    def heal(self, faults: Sequence[str]) -> None:
        """These faults are over. On return none of them strikes any more, and who hung because of them goes on."""
        self._client.heal(list(faults))
        wanted = list(faults)
        self._healed.clear()
        while wanted not in self._healed:
            self._pump(None)

    def hold(self, name: str, *, claims: Sequence[Claim] = (), journal: bytes = b"") -> Hold:
        """Claims that this process itself holds, from `Hold.begin` or its first `Hold.reach` until `Hold.release`.

        Commands that are handed in meanwhile belong to it: they do not wait for it, and leave to it what they needed. So does a
        hold that is made later.
        `claims`: from its beginning. `journal`: the folder of the undo journal; if this process dies, the engine undoes it before it
        lets anybody else go on.
        """
        spec = HoldSpec(
            id=self._next_id,
            name=name,
            claims=list(claims),
            lock_timeout=self.settings.timeouts.lock_acquisition,
            journal=journal,
        )
        self._next_id += 1
        if journal:
            self._client.journal(journal, opens=True)
        hold = self._holds[spec.id] = Hold(
            self._client, spec, pump=self._pump, before=self._begin_before, closed=self._forget
        )
        return hold

    def _begin_before(self, hold: Hold) -> None:
        """The engine nests them in the order in which they come."""
        for other in list(self._holds.values()):
            if other is hold:
                return
            other.begin()

    def _forget(self, hold: Hold) -> None:
        self._holds.pop(hold.id, None)

    def check_holds(self) -> None:
        """Raises: TransactionConflict, when one of this process's holds had to give way."""
        for hold in self._holds.values():
            hold.check()

    def _pump(self, timeout: float | None) -> None:
        for message in self._client.receive(timeout):
            self._take(message, self._early)

    def poll(self, timeout: float | None) -> list[tuple[int, Outcome]]:
        """Outcomes that have come, with their ids. Waits up to `timeout` seconds for the first one (None: as long as it takes)."""
        done, self._early = self._early, []
        deadline = None if timeout is None else time.monotonic() + timeout
        while self._pending and not done:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            messages = self._client.receive(left)
            for message in messages:
                self._take(message, done)
            if not messages and deadline is not None and time.monotonic() >= deadline:
                break
        return done

    def cancel(self, ids: Sequence[int] | None, reason: str) -> None:
        """Stop these commands, or all. Their outcomes still come, as cancelled."""
        if self._pending:
            self._client.abandon(None if ids is None else list(ids), reason)

    def discard(self, outcome: Outcome) -> None:
        """Remove the output file of a command that nobody needs to read."""
        if outcome.log is not None:
            outcome.log.unlink(missing_ok=True)

    def close(self) -> None:
        """Leave the engine: what still runs is stopped first, open transactions are undone. Output files that were not discarded stay."""
        for hold in reversed(list(self._holds.values())):
            with contextlib.suppress(CbxError):  # a roll back that stopped half-way is in the journal still
                hold.undo()
        try:
            self._client.close()
        finally:
            self._diary.store()
            self._output.close()

    def __enter__(self) -> Runner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _outcome(self, pending: _Pending, finished: Finished) -> Outcome:
        separate = pending.capture is Capture.SEPARATE
        job = pending.job
        isolation = finished.isolation or pending.isolation
        self._diary.take_down(job.trace, job.request, finished, isolation=isolation)
        results = results_of(
            job, finished, output=None if pending.capture is Capture.INHERIT else pending.stdout, spared=pending.spared
        )
        return outcome_of(
            job,
            finished,
            root=self._root,
            isolation=isolation,
            stdout=_read_and_remove(pending.stdout) if separate else "",
            stderr=_read_and_remove(pending.stderr) if separate else "",
            log=pending.stdout if pending.capture is Capture.INTERLEAVED else None,
            results=results,
        )

    def _place(self, job: Job, number: int, capture: Capture, isolation: str) -> _Pending:
        stdout = self._output.file(f"{number}-{job.request.name}", "log" if capture is Capture.INTERLEAVED else "out")
        stderr = stdout if capture is Capture.INTERLEAVED else stdout.with_suffix(".err")
        return _Pending(job, capture, stdout, stderr, isolation)

    def _extra(self, job: Job, environment: Callable[[Job], Mapping[str, str]]) -> dict[str, str]:
        # A plain `git status` rewrites the index, which a command that only reads must not do.
        quiet = {"GIT_OPTIONAL_LOCKS": "0"} if job.request.tier is Tier.SAFE_PARALLEL else {}
        own = {**quiet, **job.config.env, **environment(job)}
        return {**variables_for(job.config.cpus, ChainMap(own, os.environ)), **own}

    def _take(self, message: FromEngine, done: list[tuple[int, Outcome]]) -> None:
        match message:
            case Started() | Granted() | Lost() | Finished() if message.id in self._holds:
                self._holds[message.id].take(message)
            case Finished():
                pending = self._pending.pop(message.id, None)
                if pending is not None:
                    done.append((message.id, self._outcome(pending, without_our_own(message))))
            case Started() if message.id in self._pending:
                self.watch.started(self._pending[message.id].job, message.attempt)
            case Queued() if message.id in self._pending:
                self.watch.waiting(self._pending[message.id].job, message.reason, message.blockers)
            case Observed():
                if self.watch.event is not None:
                    self.watch.event(_DECODER.decode(message.event))
            case Healed():
                self._healed.append(message.faults)
            case Retrying() | _:
                pass


def _waits(plan: Plan, first: int) -> Mapping[int, _Waits]:
    """What each node waits for. `first`: the id of the plan's node 0."""
    waits = {number: _Waits() for number in range(len(plan.commands) + len(plan.joins))}
    for edge in plan.edges:
        own = waits[edge.after]
        (own.needs if edge.kind is EdgeKind.NEEDS else own.after).append(first + edge.before)
    return waits


def _order(plan: Plan) -> list[int]:
    """Commands and joins so that everything stands after what it waits for."""
    before: dict[int, set[int]] = {}
    following: dict[int, list[int]] = {}
    for edge in plan.edges:
        before.setdefault(edge.after, set()).add(edge.before)
        following.setdefault(edge.before, []).append(edge.after)
    missing = {number: len(others) for number, others in before.items()}
    ready = [number for number in range(len(plan.commands) + len(plan.joins) - 1, -1, -1) if number not in missing]
    order: list[int] = []
    while ready:
        number = ready.pop()
        order.append(number)
        for later in dict.fromkeys(following.get(number, ())):
            missing[later] -= 1
            if not missing[later]:
                ready.append(later)
    return order


def _check_strikable(jobs: Sequence[Job], rungs: Sequence[str], reason: str) -> None:
    for job, rung in zip(jobs, rungs, strict=True):
        if rung == "off":
            raise FaultUnsupported(
                f"no fault can strike {job.request.name}: it would run at isolation off, unsupervised ({reason}); "
                'faults need isolation "guard"'
            )


def _umask() -> int:
    # The only portable way to read it is to set it.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _read_and_remove(path: Path) -> str:
    try:
        with path.open("rb") as file:
            text = file.read().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return ""
    path.unlink(missing_ok=True)
    return text
