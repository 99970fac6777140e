"""The transactions of one engine: which attempt runs at which rung, and what becomes of its changes at its end."""

from __future__ import annotations

import dataclasses
import itertools
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_cbx.config.model import Rollback
from pytest_cbx.engine.arbiter import Arbiter
from pytest_cbx.engine.broom import Broom
from pytest_cbx.engine.claiming import changed
from pytest_cbx.engine.coverage import Coverage
from pytest_cbx.engine.guard import Guard
from pytest_cbx.engine.ignored import Ignored
from pytest_cbx.engine.injector import extra_calls
from pytest_cbx.engine.ledger import Command
from pytest_cbx.engine.own_disk import striking
from pytest_cbx.engine.protocol import OBSERVATIONS_MAX, ChangeList, CommandSpec, Observation, Settle
from pytest_cbx.engine.spared import spare
from pytest_cbx.engine.temporary import VARIABLES, TemporaryFolders
from pytest_cbx.engine.translate import change_list
from pytest_cbx.engine.watched import Meet, Watched
from pytest_cbx.errors import JournalDamaged, JournalError, SpawnError
from pytest_cbx.execute.executor import Executor
from pytest_cbx.execute.kernel.files import clone
from pytest_cbx.execute.kernel.seccomp import Notification
from pytest_cbx.execute.ladder import Reached, probe
from pytest_cbx.execute.model import Cause, Exit, GuardKind
from pytest_cbx.execute.model import Guard as GuardSpec
from pytest_cbx.execute.supervision.decode import Decoder
from pytest_cbx.plan.model import Claim, Domain, Mode
from pytest_cbx.schedule.model import TaskId
from pytest_cbx.tier import Tier
from pytest_cbx.transaction.diff import unified_diff
from pytest_cbx.transaction.disk import DISK, Disk
from pytest_cbx.transaction.home import EngineFolder, find_home
from pytest_cbx.transaction.model import Budget, Changes
from pytest_cbx.transaction.policy import Ended, undo
from pytest_cbx.transaction.transaction import State, Transaction

_RUNGS = ("off", "guard", "serializable")
_DECODERS_MAX = 64
"""Kept for further use: each test with a directory of its own has one of its own."""
_FREE_RESERVE = 64 * 1024 * 1024
"""Bytes that pre-images leave free on the disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What became of the changes of one attempt."""

    changes: ChangeList | None = None
    rolled_back: bool = False
    incomplete: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    observed: tuple[Observation, ...] = ()
    outside: tuple[bytes, ...] = ()
    diff: str = ""
    failure: str = ""
    """Why the engine ended it."""
    written: tuple[Claim, ...] | None = None
    """What it changed, as claims; None: not observed."""
    preimage_bytes: int = 0
    seconds: float = 0.0

    def undone(self, incomplete: tuple[str, ...]) -> Settlement:
        """The same, after what was kept so far has been undone, too."""
        return dataclasses.replace(self, rolled_back=True, incomplete=incomplete)


@dataclass(slots=True)
class _Attempt:
    safe: bool
    watched: Watched | None = None
    above: TaskId | None = None
    """What it is nested in, where that is guarded, too."""
    children: set[TaskId] = field(default_factory=set)
    own: frozenset[bytes] = frozenset()
    """What it touched itself, once it has ended."""
    touched: set[bytes] = field(default_factory=set)
    """What others touched that ran at the same time and have ended."""


class Keeper:
    """Made when the first client has said how the engine is to be set up."""

    def __init__(self, *, token: str, workspace: bytes, settle: Settle, executor: Executor, arbiter: Arbiter) -> None:
        self._token = token
        self._workspace = workspace
        self._settle = settle
        self._executor = executor
        self._arbiter = arbiter
        self.reached: Reached = probe()
        self._roots = (workspace, *(os.path.realpath(root) for root in settle.roots))
        self._budget = Budget(settle.preimage_limit, free_reserve=_FREE_RESERVE)
        self._folder: EngineFolder | None = None
        self._broom = Broom()
        self._temporary = TemporaryFolders(token)
        self._ignored = Ignored(Path(os.fsdecode(workspace)))
        self._attempts: dict[TaskId, _Attempt] = {}
        self._decoders: dict[tuple[tuple[bytes, ...], bool], Decoder] = {}
        self.guard: Guard | None = None

    # --- before ------------------------------------------------------------------------------------------

    def rung(self, spec: CommandSpec, around: str) -> str:
        """At which rung a command runs that is nested in one at `around` (`off` where it is in none).

        What is nested runs at no lower one: its changes are part of the other's transaction, its reads of the other's order.
        """
        if self.reached.level == "off":
            return "off"
        wanted = "off" if spec.privileged else spec.isolation
        return max(wanted, around, key=_RUNGS.index)

    def shared_folder(self) -> bytes:
        """Where something may lie that all instances, those of SAFE commands as well, may open for writing."""
        return self._temporary.safe

    def confine(self, command: Command, spec: CommandSpec) -> tuple[GuardSpec | None, Mapping[bytes, bytes]]:
        """How the next attempt is confined, and the variables that it gets.

        Output that was handed over cannot be taken back, so such a command is never started again for a surprise:
        it is supervised from the start.

        Raises:
            SpawnError: it is to run as another user, inside of what is to be undone.
        """
        if command.isolation == "off":
            return None, {}
        if spec.privileged:
            raise SpawnError(
                "a privileged command cannot be undone, and so cannot be nested in a command that is guarded: "
                'run that one with isolation = "off", or this one by itself'
            )
        serializable = command.isolation == "serializable"
        # Whoever opens its output anew, by such a name, opens a file that no SAFE command may write.
        reopens = any(b"/dev/std" in word or b"/dev/fd/" in word for word in spec.argv)
        safe = (
            not reopens
            and not spec.faults
            and spec.tier is Tier.SAFE_PARALLEL
            and not command.descriptors
            and not command.surprises
            and not serializable
            and not any(claim.domain is Domain.PORT for claim in command.claims)
        )
        self._attempts[command.id] = _Attempt(safe=safe)
        folder = self._temporary.take(command.id, safe=safe)
        variables = dict.fromkeys(VARIABLES, folder)
        if safe:
            # A port that the kernel chooses is nobody's; any other is a surprise, as at the trapped call. A supervised
            # command may claim further ones while it runs, which a domain cannot learn any more: there the call decides.
            return GuardSpec(kind=GuardKind.SAFE, writable=(self._temporary.safe,), bind_ports=(0,)), variables
        return GuardSpec(kind=GuardKind.SUPERVISED, reads=serializable, calls=extra_calls(spec.faults)), variables

    def started(self, command: Command, spec: CommandSpec, parent: TaskId | None, meet: Meet | None) -> None:
        """Its instance runs: answer its calls. `meet` is asked before each, where it has faults."""
        attempt = self._attempts.get(command.id)
        if attempt is None:
            return
        guard = self._guard()
        if attempt.safe:
            listener = self._executor.safe_listener
            if listener is not None:
                guard.watch_safe(listener)
            return
        listener = self._executor.listener(command.id)
        if listener is None:
            return
        above = self._attempts.get(parent) if parent is not None else None
        roots = self._roots
        if spec.base and (base := os.path.realpath(spec.base)) not in roots:
            roots = (*roots, base)
        attempt.watched = Watched(
            task=command.id,
            label=spec.name,
            listener=listener,
            decoder=self._decoder(roots, reads=command.isolation == "serializable"),
            roots=roots,
            writes=Coverage(command.claims, self._workspace),
            reads=Coverage(command.claims, self._workspace, writing=False)
            if command.isolation == "serializable"
            else None,
            outputs=frozenset((spec.stdout, spec.stderr)),
            shares=any(claim.mode is Mode.CACHE for claim in command.claims),
            ports=frozenset(claim for claim in command.claims if claim.domain is Domain.PORT),
            parent=above.watched if above is not None else None,
            meet=meet,
        )
        if above is not None:
            attempt.above = parent
            above.children.add(command.id)
        guard.watch(attempt.watched)

    def not_started(self, command: Command) -> None:
        """Its instance could not be started."""
        self._attempts.pop(command.id, None)
        self._temporary.give_back(command.id)

    def begin(self, watched: Watched, disk: Disk | None = None) -> Transaction:
        """Begin the transaction of an attempt, inside that of the command it is nested in. `disk`: another than the real one.

        Raises:
            JournalError: there is no place for a journal.
        """
        above = watched.parent
        if above is not None:
            watched.transaction = (above.transaction or self.begin(above)).nested()
        else:
            home = find_home(self._workspace, os.environb) if self._folder is None else self._folder.home
            with striking(disk, home.path):
                if self._folder is None:
                    self._folder = home.open_engine(self._token)
                watched.transaction = self._folder.begin(
                    label=watched.label,
                    roots=watched.roots,
                    durability=self._settle.durability.value,
                    budget=self._budget,
                    clone=clone,
                    disk=disk or DISK,
                )
        return watched.transaction

    # --- while -------------------------------------------------------------------------------------------

    def glance(self) -> None:
        """In the midst of longer work: let SAFE commands go on that only look."""
        if self.guard is not None:
            self.guard.glance()

    def watched(self, task: TaskId) -> Watched | None:
        """The attempt of a command that is supervised now."""
        attempt = self._attempts.get(task)
        return attempt.watched if attempt is not None else None

    def resume(self, watched: Watched, notification: Notification) -> None:
        """A call that a fault held up goes on as ever."""
        if self.guard is not None:
            self.guard.resume(watched, notification)

    def granted(self, task: TaskId, number: int) -> None:
        """A suspended call of a command has its claims."""
        watched = self.watched(task)
        if watched is not None and self.guard is not None:
            self.guard.granted(watched, number)

    def greediest(self, watched: Watched) -> TaskId | None:
        """The command whose transaction takes the most room for pre-images, apart from the one that this attempt is part of."""
        (*_, mine) = watched.lineage()
        taken = {
            task: attempt.watched.transaction.taken
            for task, attempt in self._attempts.items()
            if attempt.watched is not None
            and attempt.watched is not mine
            and attempt.watched.parent is None
            and attempt.watched.transaction is not None
        }
        found = max(taken, key=taken.__getitem__, default=None)
        return found if found is not None and taken[found] else None

    def safe(self, task: TaskId) -> bool:
        """Whether an attempt runs that may change nothing."""
        attempt = self._attempts.get(task)
        return attempt is not None and attempt.safe

    def children(self, task: TaskId) -> tuple[TaskId, ...]:
        """The supervised commands that run nested in this one."""
        attempt = self._attempts.get(task)
        return tuple(attempt.children) if attempt is not None else ()

    def untold(self) -> list[tuple[TaskId, tuple[Claim, ...]]]:
        """Claims that were taken while nobody else ran, once: the scheduler is to know them before anything else happens."""
        found = []
        for task, attempt in self._attempts.items():
            if attempt.watched is not None and attempt.watched.untold:
                found.append((task, tuple(attempt.watched.untold)))
                attempt.watched.untold = []
        return found

    def judged(self, claims: tuple[Claim, ...]) -> tuple[Claim, ...]:
        """The same claims; those on what git ignores say so, as whoever reads the sources does not read that."""
        self._ignored.learn(claim.target for claim in claims if _may_be_ignored(claim))
        return tuple(
            dataclasses.replace(claim, ignored=True)
            if _may_be_ignored(claim) and self._ignored(claim.target)
            else claim
            for claim in claims
        )

    # --- after -------------------------------------------------------------------------------------------

    def ended(self, command: Command, spec: CommandSpec, done: Exit, *, again: bool) -> Settlement:
        """All processes of an attempt have ended: see what it changed, and undo that if need be (`again`: it is restarted).

        What is not undone waits for `commit` or `undo`.
        """
        attempt = self._attempts.get(command.id)
        self._temporary.give_back(command.id)
        if attempt is None or attempt.watched is None:
            self._attempts.pop(command.id, None)
            return Settlement() if attempt is None else Settlement(changes=ChangeList(), written=())
        watched = attempt.watched
        if self.guard is not None:
            self.guard.forget(watched)
        began = time.monotonic()
        transaction = watched.transaction
        if transaction is None:
            self._drop(command.id)
            return self._settlement(watched, Changes(), written=())
        changes, attempt.own, diff = _look(watched, transaction, diff=spec.diff and not again)
        tier = max(spec.tier, Tier.CONDITIONAL_PARALLEL)
        undone = again or bool(watched.failure) or undo(Rollback(spec.rollback), tier, _how(done))
        # Where nobody else runs, nobody has read it meanwhile; but the command around it holds it on.
        unseen = watched.parent is None and self._arbiter.alone(command.id)
        written = () if unseen else changed(attempt.own, self._workspace)
        size = transaction.taken
        left: tuple[str, ...] = ()
        if not undone and command.isolation != "serializable":
            # Decided here, before anybody is told that it passed. (Serializable ones wait for those before them.)
            watched.failure = self._commit(transaction)
            undone = bool(watched.failure)
        if undone:
            if spec.results and not again:
                spare(spec.results, spec.spared)
            left = self.undo(command.id)
        return self._settlement(
            watched,
            changes,
            written=written,
            rolled_back=undone,
            incomplete=left,
            diff=diff,
            preimage_bytes=size,
            seconds=time.monotonic() - began,
        )

    def commit(self, task: TaskId) -> None:
        """What an ended attempt changed stays."""
        watched = self.watched(task)
        if watched is not None and watched.transaction is not None and watched.transaction.state is State.RUNNING:
            self._commit(watched.transaction)
        self._drop(task)

    def _commit(self, transaction: Transaction) -> str:
        """Returns why that is not possible; empty when it is done."""
        try:
            try:
                transaction.commit(self._broom.of(transaction.disk))
            except JournalError:
                if not self._make_room(transaction):
                    raise
                transaction.commit(self._broom.of(transaction.disk))
        except (JournalError, OSError) as error:
            return f"its changes could not be made to last: {error}"
        return ""

    def undo(self, task: TaskId) -> tuple[str, ...]:
        """What an ended attempt changed is undone. Returns what could not be."""
        attempt = self._attempts.get(task)
        left: tuple[str, ...] = ()
        if attempt is not None and attempt.watched is not None and attempt.watched.transaction is not None:
            foreign = self._touched_by_others(attempt) if attempt.watched.shares else frozenset()
            ours = foreign.__contains__ if foreign else None
            left = self._roll_back(attempt.watched.transaction, ours)
        self._drop(task)
        return left

    def _roll_back(self, transaction: Transaction, ours: Callable[[bytes], bool] | None) -> tuple[str, ...]:
        try:
            left = transaction.roll_back(ours, self._broom.of(transaction.disk)).incomplete
            if left and self._make_room(transaction):
                # The journal says how far it is, which takes room, too.
                left = transaction.roll_back(ours, self._broom.of(transaction.disk)).incomplete
        except (JournalDamaged, JournalError, OSError) as error:
            return (str(error),)
        return left

    def _make_room(self, transaction: Transaction) -> bool:
        if self._folder is None:
            return False
        with striking(transaction.disk, self._folder.path):
            return self._folder.spend_reserve()

    def _touched_by_others(self, attempt: _Attempt) -> frozenset[bytes]:
        """What other commands touched while this one ran. Only caches can be shared so, and are not ours to take back any more."""
        assert attempt.watched is not None
        family = set(attempt.watched.lineage())
        found = set(attempt.touched)
        for other in self._attempts.values():
            one = other.watched
            if one is not None and one.transaction is not None and not family.intersection(one.lineage()):
                found |= one.transaction.touched()
        return frozenset(found)

    def _drop(self, task: TaskId) -> None:
        """An attempt is over, with its transaction."""
        attempt = self._attempts.pop(task, None)
        if attempt is None or attempt.watched is None:
            return
        watched = attempt.watched
        if attempt.above is not None and (above := self._attempts.get(attempt.above)) is not None:
            above.children.discard(task)
        for other in self._attempts.values():
            if other.watched is not None and other.watched.shares:
                other.touched |= attempt.own
        watched.transaction = None
        if self.guard is not None:
            self.guard.room()

    def _settlement(self, watched: Watched, changes: Changes, **facts: Any) -> Settlement:
        observed = dict(watched.beyond)
        for mode, paths in (("create", changes.created), ("write", changes.modified), ("delete", changes.deleted)):
            for path in paths:
                observed.setdefault(path if path.startswith(b"/") else self._workspace + b"/" + path, mode)
        return Settlement(
            changes=change_list(changes),
            refused=tuple(watched.refused),
            outside=tuple(sorted(watched.outside)),
            failure=watched.failure,
            observed=tuple(
                Observation(mode=mode, path=self._named(path))
                for path, mode in itertools.islice(sorted(observed.items()), OBSERVATIONS_MAX)
            ),
            **facts,
        )

    def _named(self, path: bytes) -> bytes:
        inside = self._workspace.rstrip(b"/") + b"/"
        return path[len(inside) :] if path.startswith(inside) else path

    def close(self) -> list[str]:
        """Everything has ended: undo what is still open, and leave nothing. Returns what could not be undone."""
        left: list[str] = []
        if self.guard is not None:
            self.guard.close()
            self.guard = None
        for task in reversed(list(self._attempts)):
            left += self.undo(task)
        self._temporary.close()
        self._broom.close()
        if self._folder is not None:
            self._folder.close()
            self._folder = None
        return left

    # --- inside ------------------------------------------------------------------------------------------

    def _guard(self) -> Guard:
        if self.guard is None:
            self.guard = Guard(
                self._arbiter,
                self._decoder(self._roots, reads=False),
                workspace=self._workspace,
                home=self._home_inside,
                safe_folder=self._temporary.safe,
                private=self._temporary.root,
            )
        return self.guard

    def _decoder(self, roots: tuple[bytes, ...], *, reads: bool) -> Decoder:
        found = self._decoders.get((roots, reads))
        if found is None:
            if len(self._decoders) >= _DECODERS_MAX:
                self._decoders.clear()
            found = self._decoders[roots, reads] = Decoder(roots, reads)
        return found

    def _home_inside(self) -> bytes:
        """Where the journals lie, if that is in the work tree; else empty."""
        if self._folder is None or not self._folder.home.inside:
            return b""
        return self._folder.home.path


def _look(watched: Watched, transaction: Transaction, *, diff: bool) -> tuple[Changes, frozenset[bytes], str]:
    """What an attempt changed and touched. Where that cannot be told, it has failed."""
    try:
        return transaction.changes(), transaction.touched(), unified_diff(transaction) if diff else ""
    except (OSError, JournalError, JournalDamaged) as error:
        watched.failure = watched.failure or f"what it changed cannot be told: {error}"
        return Changes(), frozenset(), ""


def _may_be_ignored(claim: Claim) -> bool:
    return claim.domain is Domain.FILE and not claim.ignored and claim.mode is not Mode.READ


def _how(done: Exit) -> Ended:
    if done.cause is not Cause.EXIT:
        return Ended.CRASH
    return Ended.SUCCESS if done.exit_code == 0 else Ended.FAILURE
