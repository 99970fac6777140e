"""Attempts of commands: instances are started, watched, restarted, and what they changed is kept or undone.

Does what the scheduler decides, and is the guard's arbiter: trapped calls become events for the scheduler here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping

from pytest_cbx import events
from pytest_cbx.engine.claiming import changing
from pytest_cbx.engine.coverage import shown
from pytest_cbx.engine.herald import Herald
from pytest_cbx.engine.injector import Injector
from pytest_cbx.engine.keeper import Keeper, Settlement
from pytest_cbx.engine.ledger import Command, Session
from pytest_cbx.engine.lending import Lending
from pytest_cbx.engine.protocol import CommandSpec, Settle, Started
from pytest_cbx.engine.rewinding import can_rewind, places, rewind
from pytest_cbx.engine.translate import instance_of
from pytest_cbx.engine.watched import Watched
from pytest_cbx.errors import InternalError, SpawnError
from pytest_cbx.execute import processes
from pytest_cbx.execute.executor import Executor
from pytest_cbx.execute.model import Cause, Exit
from pytest_cbx.execute.supervision.deeds import Deed, Trap
from pytest_cbx.plan.model import Claim, Domain, Mode
from pytest_cbx.schedule.model import (
    ClientId,
    Ended,
    Event,
    Reach,
    Reached,
    Restart,
    Start,
    TaskId,
    Withdraw,
)
from pytest_cbx.schedule.scheduler import Scheduler
from pytest_cbx.tier import Tier
from pytest_cbx.transaction.transaction import Transaction

_ANCESTORS_MAX = 64


class Attempts:
    """All instances of all commands of one engine."""

    def __init__(
        self,
        *,
        token: str,
        workspace: bytes,
        executor: Executor,
        scheduler: Scheduler,
        settle: Settle,
        slots: int,
        herald: Herald,
        commands: Mapping[TaskId, Command],
        sessions: Mapping[ClientId, Session],
        feed: Callable[[Event], None],
    ) -> None:
        self._token = token
        self._workspace = workspace
        self._executor = executor
        self._scheduler = scheduler
        self._settle = settle
        self._herald = herald
        self._commands = commands
        self._sessions = sessions
        self._feed = feed
        self._running: dict[str, int] = {}
        self._leaders: dict[int, TaskId] = {}
        self._held: dict[TaskId, Exit] = {}
        """Ended, but something nested in them has not: their transactions contain it."""
        self.keeper = Keeper(token=token, workspace=workspace, settle=settle, executor=executor, arbiter=self)
        self.lending = Lending(scheduler=scheduler, slots=slots, folder=self.keeper.shared_folder, feed=feed)
        self.injector = Injector(executor, herald, self.keeper.resume, self._pid_of_client)

    # --- starting ----------------------------------------------------------------------------------------

    def start(self, decision: Start) -> Event | None:
        """Start an instance; the event that follows when that is impossible."""
        command = self._commands[decision.task]
        session = self._sessions.get(command.client)
        spec = command.spec
        if session is None or not isinstance(spec, CommandSpec):
            raise InternalError(f"task {decision.task} cannot be started: its client is gone or it is a join")
        command.attempts, command.slot, command.restarts = decision.attempt, decision.slot, decision.restarts
        command.started_at = time.time()
        command.exit = command.settlement = None
        command.restart = command.stopped = ""
        marker = f"{self._token}.{command.id}"
        try:
            self._check_nesting(session)
            if spec.faults and (error := self.injector.start_error(command, spec)):
                raise SpawnError(f"cannot be started: {os.strerror(error)}")
            guard, variables = self.keeper.confine(command, spec)
            given = ChainMap(spec.extra_env, session.environments[spec.environment])
            variables = {**variables, **self.lending.variables(given)}
            instance = instance_of(command, spec, session, marker, self._settle, guard=guard, variables=variables)
            command.rewind = places(command, spec)
            self.keeper.glance()
            pid = self._executor.start(command.id, instance)
        except SpawnError as error:
            self.keeper.not_started(command)
            command.failure = str(error)
            self._herald.ended(command, "failed")
            return Ended(task=command.id, passed=False, retryable=False, rolled_back=True, written=())
        self._leaders[pid] = command.id
        command.pid = pid
        tier = spec.tier.value
        command.running = True
        self._running[tier] = self._running.get(tier, 0) + 1
        session.post(
            Started(
                id=spec.id,
                pid=pid,
                start_ticks=self._executor.start_ticks(command.id),
                slot=command.slot,
                attempt=command.attempts,
                at=command.started_at,
            )
        )
        self._herald.started(session, command, pid, dict(self._running))
        self.keeper.glance()
        self.keeper.started(command, spec, session.parent, self.injector.meet if spec.faults else None)
        if spec.faults:
            self.injector.begin(command, spec, self.keeper.watched(command.id))
        return None

    def _pid_of_client(self, client: ClientId) -> int:
        return self._sessions[client].pid

    def _check_nesting(self, session: Session) -> None:
        """Raise `SpawnError` when the command around it has ended, which the scheduler does not know yet."""
        if session.parent in self._held:
            raise SpawnError(f"{self._commands[session.parent].spec.name}, which it was nested in, has ended")

    def close(self) -> list[str]:
        """Everything has ended: undo what is still open, and leave nothing. Returns what could not be undone."""
        self.lending.close()
        return self.keeper.close()

    # --- ending ------------------------------------------------------------------------------------------

    def exited(self, done: Exit) -> None:
        """An instance has ended, with all of its processes."""
        command = self._commands[TaskId(done.key)]
        spec = command.spec
        assert isinstance(spec, CommandSpec)
        if spec.faults:
            done = dataclasses.replace(done, exit_code=self.injector.ended(command, done.exit_code))
        command.exit = done
        command.running = False
        self._leaders.pop(command.pid, None)
        self._running[spec.tier.value] -= 1
        killed = done.cause is not Cause.EXIT or done.exit_code >= 128 or bool(command.restart or command.stopped)
        self.lending.ended(command.id, set(self._leaders.values()), killed=killed)
        nested = self.keeper.children(command.id)
        if nested:
            # Its transaction contains theirs.
            self._held[command.id] = done
            for child in nested:
                self._executor.stop(child, f"{spec.name}, which it was nested in, has ended", grace=0)
            return
        self._conclude(command, spec, done)

    def release(self) -> bool:
        """Go on with a command that had ended before those nested in it, and they are over now. Returns whether there was one."""
        task = next((task for task in self._held if not self.keeper.children(task)), None)
        if task is None:
            return False
        command = self._commands[task]
        assert isinstance(command.spec, CommandSpec)
        self._conclude(command, command.spec, self._held.pop(task))
        return True

    def _conclude(self, command: Command, spec: CommandSpec, done: Exit) -> None:
        restart = command.restart
        if command.stopped and done.cause is Cause.EXIT:
            # Its leader had ended when it was to stop, but not all that belongs to it.
            done = command.exit = dataclasses.replace(done, cause=Cause.CANCELLED, reason=command.stopped)
        self._tell_last_claims(command)
        settlement = command.settlement = self.keeper.ended(command, spec, done, again=bool(restart))
        self.injector.settled(command)
        self._tell_transaction(command, settlement)
        if settlement.failure:
            command.failure = settlement.failure
        if restart:
            rewind(command)
            self._herald.ended(command, "restarted")
            command.exit = None  # of an attempt that does not count
            self._herald.tell(
                events.CommandRestarted,
                command=command.id,
                attempt=command.attempts,
                reason=restart,
                claims=[str(claim) for claim in command.learned],
            )
            claims, command.learned = tuple(command.learned), []
            command.claims += claims
            tier = max(spec.tier, Tier.CONDITIONAL_PARALLEL) if command.surprises else None
            again = Ended(
                task=command.id, passed=False, restarted=True, rolled_back=True, written=settlement.written,
                claims=claims, tier=tier,
            )  # fmt: skip
            self._feed(again)
            return
        passed = done.cause is Cause.EXIT and done.exit_code == 0 and not command.failure
        self._herald.ended(command, "passed" if passed else "failed")
        self._feed(
            Ended(
                task=command.id,
                passed=passed,
                retryable=done.cause is not Cause.CANCELLED,
                rolled_back=settlement.rolled_back,
                written=settlement.written,
            )
        )

    def _tell_last_claims(self, command: Command) -> None:
        """What it took unasked while nobody else ran, and nobody was told since. Its end would end its claims, too, but these are
        held on: at serializable until its turn to be committed, of a nested command by the one around it."""
        watched = self.keeper.watched(command.id)
        if watched is not None and watched.untold and (watched.reads is not None or watched.parent is not None):
            claims, watched.untold = self.keeper.judged(tuple(watched.untold)), []
            self._scheduler.handle(Reached(task=command.id, claims=claims), time.monotonic())

    def restart(self, decision: Restart) -> Event | None:
        """Stop an instance, undo what it changed, and start it again."""
        command = self._commands[decision.task]
        command.reasons.append(decision.reason)
        command.learned += [claim for claim in decision.claims if claim not in command.learned]
        watched = self.keeper.watched(command.id)
        if watched is not None:
            watched.waiting.clear()
        if not command.running and command.id not in self._held:
            # It had ended and waited for those before it.
            left = self.keeper.undo(command.id)
            rewind(command)
            self._tell_undone(command, left)
            command.exit = None
            claims, command.learned = tuple(command.learned), []
            command.claims += claims
            return Ended(task=command.id, passed=False, restarted=True, rolled_back=True, claims=claims)
        if not can_rewind(command):
            command.failure = (
                f"{decision.reason}, and it cannot be started again, as what it read from its standard input is gone: "
                "run it again, or give it a file to read from"
            )
        else:
            command.restart = decision.reason
        self._executor.stop(command.id, decision.reason, grace=0)
        return None

    def stop(self, task: TaskId, reason: str) -> Event | None:
        """Stop an instance, or take back one that has ended and was not committed yet."""
        command = self._commands[task]
        command.restart, command.stopped = "", reason
        if not command.running and task not in self._held:
            self._tell_undone(command, self.keeper.undo(task))
            return Ended(task=task, passed=False, rolled_back=True)
        self._executor.stop(task, reason)
        return None

    def commit(self, task: TaskId) -> None:
        """What it changed stays."""
        self.keeper.commit(task)

    def _tell_transaction(self, command: Command, settlement: Settlement) -> None:
        changes = settlement.changes
        if changes is None or not (changes.created or changes.modified or changes.deleted or settlement.rolled_back):
            return
        action = "incomplete" if settlement.incomplete else "rolled-back" if settlement.rolled_back else "committed"
        self._herald.tell(
            events.TransactionEnded,
            command=command.id,
            action=action,
            created=len(changes.created),
            modified=len(changes.modified),
            deleted=len(changes.deleted),
            preimage_bytes=settlement.preimage_bytes,
            seconds=settlement.seconds,
        )

    def _tell_undone(self, command: Command, left: tuple[str, ...]) -> None:
        if command.settlement is not None:
            command.settlement = command.settlement.undone(left)
            self._tell_transaction(command, command.settlement)

    # --- the guard's arbiter -----------------------------------------------------------------------------

    def alone(self, task: TaskId) -> bool:
        """Whether no other command runs that is not of its family."""
        return self._scheduler.alone(task)

    def reach(self, watched: Watched, claims: tuple[Claim, ...], number: int) -> None:
        """A running command needs claims."""
        if not self._scheduler.free(watched.task, claims):
            claims = self.keeper.judged(claims)
        self._feed(Reach(task=watched.task, claims=claims, number=number))

    def begin(self, watched: Watched, trap: Trap) -> Transaction | None:
        """Begin the transaction of an attempt. None: what it is nested in was to change nothing, and is started again."""
        safe = next((task for task in self._around(watched.task) if self.keeper.safe(task)), None)
        if safe is None:
            return self.keeper.begin(watched, self.injector.disk(watched.task))
        self._surprise(self._commands[safe], trap, f"{watched.label}, nested in it, ")
        return None

    def _around(self, task: TaskId) -> Iterator[TaskId]:
        """The commands that this one is nested in, the innermost first."""
        session = self._sessions.get(self._commands[task].client)
        while session is not None and session.parent is not None and session.parent in self._commands:
            yield session.parent
            session = self._sessions.get(self._commands[session.parent].client)

    def starved(self, watched: Watched, number: int) -> bool:
        """A call waits for the room that other transactions take: for the one first that takes most.

        For the scheduler that is a lock, so that a wait in a circle is found. It is another one for each attempt.
        """
        holder = self.keeper.greediest(watched)
        if holder is None:
            return False
        command = self._commands[holder]
        room = Claim(
            domain=Domain.LOCK,
            mode=Mode.WRITE,
            target=f"room for pre-images #{holder}.{command.attempts}.{command.restarts}",
        )
        self._feed(Reached(task=holder, claims=(room,)))
        self._feed(Reach(task=watched.task, claims=(dataclasses.replace(room, mode=Mode.READ),), number=number))
        return True

    def withdraw(self, watched: Watched, number: int) -> None:
        """A call waits no longer."""
        self._feed(Withdraw(task=watched.task, number=number))

    def surprised(self, leader: int, trap: Trap) -> bool:
        """A SAFE command tries to change something: stop it, and start it again under its true tier."""
        task = self._leaders.get(leader)
        if task is None:
            # It has left its session, its parent and its environment: it is the only one's that it can be of.
            able = [one for one in self._leaders.values() if self.keeper.safe(one)]
            if len(able) != 1:
                return False
            (task,) = able
        command = self._commands[task]
        if self._executor.ending(task) and not command.restart:
            return False
        self._surprise(command, trap)
        return True

    def _surprise(self, command: Command, trap: Trap, who: str = "") -> None:
        spec = command.spec
        assert isinstance(spec, CommandSpec)
        if command.restart or not command.running:
            return
        what = _object(trap, self._workspace)
        command.surprises.append(f"{who}{_VERBS.get(trap.deed, 'calls')} {what}, which its text does not tell")
        if trap.path and not trap.outside:
            command.learned.append(changing(trap, trap.path, self._workspace))
        command.restart = f"it is not {spec.tier.value}: {command.surprises[-1]}"
        self._herald.tell(events.CommandSurprised, command=command.id, path=what, call=trap.call)
        self._executor.stop(command.id, command.restart, grace=0)

    def refused(self, watched: Watched, trap: Trap, target: str) -> None:
        """A signal to a foreign process was refused."""
        self._herald.tell(
            events.SignalRefused, command=watched.task, pid=abs(trap.target), signal=trap.number, target=target
        )

    def denied(self, watched: Watched, trap: Trap, reason: str) -> None:
        """A call that nobody may make was refused."""
        self._herald.tell(events.CallRefused, command=watched.task, pid=trap.pid, call=trap.call, reason=reason)

    def pid_of(self, task: TaskId) -> int:
        """The pid of the leader of a running command."""
        return self._commands[task].pid

    def fail(self, watched: Watched, reason: str) -> None:
        """An attempt cannot go on."""
        watched.failure = watched.failure or reason
        self._executor.stop(watched.task, reason, grace=0)

    def leader_of(self, pid: int) -> int:
        """The pid of the leader of the instance that a process belongs to; 0: of none."""
        with contextlib.suppress(OSError):
            session = os.getsid(pid)
            if session in self._leaders:
                return session
        mine = f"{self._token}."
        for mark in processes.marks_of(pid):
            number = mark[len(mine) :] if mark.startswith(mine) else ""
            if number.isdecimal() and (command := self._commands.get(TaskId(int(number)))) and command.running:
                return command.pid
        return self._leader_above(pid)

    def _leader_above(self, pid: int) -> int:
        """By descent: its environment is its own to change."""
        for _ in range(_ANCESTORS_MAX):
            found = processes.stat_of(pid)
            if found is None or found.parent <= 1:
                return 0
            pid = found.parent
            if pid in self._leaders:
                return pid
        return 0


_VERBS = {
    Deed.WRITE: "writes",
    Deed.CREATE: "makes",
    Deed.REMOVE: "removes",
    Deed.RENAME: "moves",
    Deed.EXCHANGE: "moves",
    Deed.METADATA: "changes",
    Deed.SIGNAL: "signals",
    Deed.BIND: "listens at",
}


def _object(trap: Trap, workspace: bytes) -> str:
    """What a trapped call is about, for people."""
    if trap.path:
        return shown(trap.path, workspace)
    if trap.deed is Deed.SIGNAL:
        return "every process" if trap.target == -1 else f"process {abs(trap.target)}"
    return f"port {trap.number}" if trap.deed is Deed.BIND else trap.call
