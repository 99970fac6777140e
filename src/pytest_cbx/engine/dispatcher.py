"""Joins scheduler and executor: messages become events, decisions become instances, exits become results."""

from __future__ import annotations

import dataclasses
import os
import random
import re
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from pytest_cbx import events
from pytest_cbx.engine.herald import Herald
from pytest_cbx.engine.intake import check_environment, check_settle, check_submission
from pytest_cbx.engine.ledger import Command, Session
from pytest_cbx.engine.protocol import (
    VERSION,
    Abandon,
    CommandSpec,
    Environment,
    Farewell,
    FromClient,
    Hello,
    JoinSpec,
    Leave,
    Queued,
    Retrying,
    Settle,
    Started,
    Submission,
    Welcome,
)
from pytest_cbx.engine.translate import capacity_of, finished, instance_of, task_of
from pytest_cbx.errors import InternalError, ProtocolError, SpawnError
from pytest_cbx.execute.executor import Executor
from pytest_cbx.execute.machine import measure
from pytest_cbx.execute.model import Cause, Exit
from pytest_cbx.schedule.model import (
    Cancel,
    Capacity,
    ClientGone,
    ClientId,
    Decision,
    End,
    Ended,
    Event,
    Retry,
    Start,
    Stop,
    Submit,
    TaskId,
    Tick,
    Waiting,
    Wake,
)
from pytest_cbx.schedule.scheduler import Scheduler

ISOLATION = "off"
ISOLATION_REASON = "this version has no higher rung yet"


class Dispatcher:
    """All commands of all clients."""

    def __init__(self, token: str, workspace: Path, executor: Executor, others: Callable[[Session], bool]) -> None:
        self._token = token
        self._workspace = workspace
        self._executor = executor
        # Whether anybody but this session is connected, greeted or not.
        self._others = others
        self._scheduler: Scheduler | None = None
        self._settle: Settle | None = None
        self._capacity: Capacity | None = None
        self._sessions: dict[ClientId, Session] = {}
        self._commands: dict[TaskId, Command] = {}
        self._next_task = 1
        self._wake: float | None = None
        self._herald = Herald(token, self._sessions)
        self._running: dict[str, int] = {}
        self.ending = False
        """The last client has been told so: nobody else is to be let in."""

    def client_id(self, number: int) -> ClientId:
        """The identity of the n-th client."""
        return ClientId(number)

    def next_wake(self) -> float | None:
        """When the scheduler wants to be asked again."""
        return self._wake

    # --- messages --------------------------------------------------------------------------------------

    def take(self, session: Session, message: FromClient) -> None:
        """One message of a client.

        Raises:
            ProtocolError: it makes no sense; the client is to be refused.
        """
        if not session.settled and not isinstance(message, Hello | Settle):
            raise ProtocolError(f"{type(message).__name__} came before Hello and Settle")
        match message:
            case Hello():
                self._on_hello(session, message)
            case Settle():
                self._on_settle(session, message)
            case Environment():
                check_environment(session, message)
                session.environments[message.number] = message.variables
            case Submission():
                self._on_submission(session, message)
            case Abandon():
                self._on_abandon(session, message)
            case Leave():
                session.leaving = True
                self._feed(Cancel(client=session.id, tasks=None, reason="its client left"))
                self._say_farewell(session)

    def _on_hello(self, session: Session, message: Hello) -> None:
        if session.greeted:
            raise ProtocolError("Hello came twice")
        if message.version != VERSION:
            raise ProtocolError(
                f"the engine that runs speaks protocol {VERSION}, this client {message.version}: "
                "two versions of pytest-cbx work in one work tree; wait until the other one has ended"
            )
        session.greeted = True
        session.name, session.pid, session.subscribed = message.name, message.pid, message.subscribe
        session.parent = self._parent_of(message.parent)

    def _parent_of(self, marker: str) -> TaskId | None:
        """The command that a client runs in; the innermost, whose mark comes first. None: it runs in none of ours."""
        for part in marker.split(":"):
            if part.startswith(f"{self._token}."):
                number = part.rpartition(".")[2]
                task = TaskId(int(number)) if re.fullmatch("[0-9]{1,18}", number) else None
                if task not in self._commands:
                    raise ProtocolError("the command that this client was started in has ended")
                return task
        return None

    def _on_settle(self, session: Session, message: Settle) -> None:
        if not session.greeted or session.settled:
            raise ProtocolError("Settle must come once, after Hello")
        check_settle(message)
        if self._capacity is None:
            self._settle = message
            self._capacity = capacity_of(message, measure())
            self._scheduler = Scheduler(self._capacity, jitter=random.random)
        capacity = self._capacity
        session.settled = True
        self._sessions[session.id] = session
        session.post(
            Welcome(
                version=VERSION,
                pid=os.getpid(),
                token=self._token,
                isolation=ISOLATION,
                isolation_reason=ISOLATION_REASON,
                jobs=capacity.jobs,
                cpus=capacity.cpus,
                memory=capacity.memory,
            )
        )
        if len(self._sessions) == 1 and not self._herald.told:
            self._herald.tell(
                events.EngineStarted,
                pid=os.getpid(),
                workspace=os.fsencode(self._workspace).decode("utf-8", "backslashreplace"),
                isolation=ISOLATION,
                jobs=capacity.jobs,
                cpus=capacity.cpus,
                memory=capacity.memory,
            )
        self._herald.tell(events.ClientJoined, client=session.id, name=session.name, pid=session.pid)

    def _on_submission(self, session: Session, message: Submission) -> None:
        check_submission(session, message)
        now = time.monotonic()
        ids = {node.id: TaskId(self._next_task + offset) for offset, node in enumerate(message.nodes)}
        commands = [Command(id=ids[node.id], client=session.id, spec=node, submitted=now) for node in message.nodes]
        known = {**session.commands, **ids}
        tasks = tuple(task_of(command, known, session.parent) for command in commands)
        submit = Submit(client=session.id, tasks=tasks, fail_fast=message.fail_fast)
        self._next_task += len(commands)
        session.commands = known
        for command in commands:
            self._commands[command.id] = command
            session.live.add(command.id)
            if isinstance(command.spec, CommandSpec):
                command.descriptors = self._descriptors(session, command.spec)
                self._herald.submitted(session, command)
        self._feed(submit)

    def _descriptors(self, session: Session, node: CommandSpec) -> tuple[int, int, int] | None:
        waiting = session.connection.descriptors
        return (waiting.popleft(), waiting.popleft(), waiting.popleft()) if node.descriptors else None

    def _on_abandon(self, session: Session, message: Abandon) -> None:
        known = (
            None if message.ids is None else tuple(session.commands[i] for i in message.ids if i in session.commands)
        )
        self._feed(Cancel(client=session.id, tasks=known, reason=message.reason))

    # --- clients that go -----------------------------------------------------------------------------------

    def forget(self, session: Session) -> None:
        """A client's connection is closed: stop what it still has."""
        if not session.settled:
            return
        self._sessions.pop(session.id, None)
        self._herald.tell(events.ClientLeft, client=session.id, clean=session.leaving)
        running = [task for task in session.live if self._commands[task].running]
        self._feed(ClientGone(client=session.id))
        for task in running:
            # Nobody is there any more for whom it could end in good order.
            self._executor.stop(task, "its client was killed", grace=0)
        for task in session.commands.values():
            if task not in session.live:
                self._commands.pop(task, None)

    def say_goodbye(self, reason: str) -> None:
        """The engine ends."""
        self._herald.tell(events.EngineStopped, reason=reason)

    def _say_farewell(self, session: Session) -> None:
        if session.leaving and not session.live:
            self.ending = not self._others(session)
            session.post(Farewell(last=self.ending))

    # --- scheduler and executor ----------------------------------------------------------------------------

    def advance(self) -> None:
        """Reap what has ended, and let the scheduler know what time it is."""
        for done in self._executor.handle():
            self._on_exit(done)
        if self._wake is not None and time.monotonic() >= self._wake:
            self._wake = None
            self._feed(Tick())

    def _feed(self, first: Event) -> None:
        """Give the scheduler an event, and do what it decides until nothing more follows from it."""
        waiting: deque[Event] = deque([first])
        while waiting:
            if self._scheduler is None:
                raise InternalError("an event came before the first client")
            for decision in self._scheduler.handle(waiting.popleft(), time.monotonic()):
                follow = self._obey(decision)
                if follow is not None:
                    waiting.append(follow)

    def _obey(self, decision: Decision) -> Event | None:
        match decision:
            case Start():
                return self._start(decision)
            case Stop():
                self._executor.stop(decision.task, decision.reason)
            case Waiting():
                self._tell_waiting(decision)
            case Retry():
                self._tell_retry(decision)
            case End():
                self._tell_end(decision)
            case Wake():
                self._wake = decision.at
        return None

    def _start(self, decision: Start) -> Event | None:
        command = self._commands[decision.task]
        session = self._sessions.get(command.client)
        spec = command.spec
        if session is None or isinstance(spec, JoinSpec):
            raise InternalError(f"task {decision.task} cannot be started: its client is gone or it is a join")
        command.attempts, command.slot = decision.attempt, decision.slot
        command.started_at = time.time()
        command.exit = None
        if decision.attempt == 1:
            command.queued = time.monotonic() - command.submitted
            self._note_predecessors(session, command)
        marker = f"{self._token}.{command.id}"
        try:
            instance = instance_of(command, spec, session, marker, self._settle)
            pid = self._executor.start(command.id, instance)
        except SpawnError as error:
            command.failure = str(error)
            self._herald.ended(command, "failed")
            return Ended(task=command.id, passed=False, retryable=False)
        tier = spec.tier.value
        command.running = True
        self._running[tier] = self._running.get(tier, 0) + 1
        ticks = self._executor.start_ticks(command.id)
        session.post(
            Started(
                id=spec.id,
                pid=pid,
                start_ticks=ticks,
                slot=command.slot,
                attempt=command.attempts,
                at=command.started_at,
            )
        )
        self._herald.started(session, command, pid, dict(self._running))
        return None

    def _note_predecessors(self, session: Session, command: Command) -> None:
        """Which commands it had to wait for: those before it, through joins, that were not over when it was handed in."""
        stack = [*command.spec.needs, *command.spec.after]
        seen: set[int] = set()
        found: list[Command] = []
        while stack:
            number = stack.pop()
            task = session.commands.get(number)
            if number in seen or task is None:
                continue
            seen.add(number)
            before = self._commands[task]
            if isinstance(before.spec, JoinSpec):
                stack += [*before.spec.needs, *before.spec.after]
            elif before.ended > command.submitted and before.attempts:
                found.append(before)
        for before in sorted(found, key=lambda one: one.ended, reverse=True)[:8]:
            command.waited_for.setdefault(before.spec.name)

    def _on_exit(self, done: Exit) -> None:
        command = self._commands[TaskId(done.key)]
        command.exit = done
        command.running = False
        self._close_descriptors_unless_retried(command)
        if isinstance(command.spec, CommandSpec):
            self._running[command.spec.tier.value] -= 1
        passed = done.cause is Cause.EXIT and done.exit_code == 0
        self._herald.ended(command, "passed" if passed else "failed")
        retryable = done.cause is not Cause.CANCELLED
        self._feed(Ended(task=command.id, passed=passed, retryable=retryable))

    def _close_descriptors_unless_retried(self, command: Command) -> None:
        spec = command.spec
        if isinstance(spec, CommandSpec) and command.attempts > spec.retries:
            self._close_descriptors(command)

    def _close_descriptors(self, command: Command) -> None:
        descriptors, command.descriptors = command.descriptors, None
        for descriptor in descriptors or ():
            os.close(descriptor)

    # --- telling --------------------------------------------------------------------------------------------

    def _tell_waiting(self, decision: Waiting) -> None:
        command = self._commands[decision.task]
        session = self._sessions.get(command.client)
        names = [self._shown(blocker, command.client) for blocker in decision.blockers]
        reason = self._with_client(decision.reason, decision.blockers, names)
        self._herald.tell(events.CommandWaiting, command=command.id, reason=reason, blockers=list(decision.blockers))
        if session is None:
            return
        command.waited_for.update(dict.fromkeys(names))
        session.post(Queued(id=command.spec.id, reason=reason, blockers=names))

    def _with_client(self, reason: str, blockers: Sequence[TaskId], shown: list[str]) -> str:
        """The scheduler's reason, which ends with names of commands, with the clients of strangers' commands added."""
        what, held_by, rest = reason.partition(", held by ")
        for blocker, name in zip(blockers, shown, strict=True):
            plain = self._commands[blocker].spec.name
            at = rest.find(plain) if name != plain else -1
            if held_by and at >= 0:
                rest = f"{rest[:at]}{name}{rest[at + len(plain) :]}"
        return f"{what}{held_by}{rest}"

    def _shown(self, task: TaskId, asker: ClientId) -> str:
        """A command's name, with its client where that is another one."""
        command = self._commands[task]
        holder = self._sessions.get(command.client)
        if command.client == asker or holder is None:
            return command.spec.name
        return f"{command.spec.name} ({holder.shown})"

    def _tell_retry(self, decision: Retry) -> None:
        command = self._commands[decision.task]
        delay = max(0.0, decision.at - time.monotonic())
        self._herald.tell(events.CommandRetrying, command=command.id, attempt=decision.attempt, delay=delay)
        session = self._sessions.get(command.client)
        if session is not None:
            session.post(Retrying(id=command.spec.id, attempt=decision.attempt, delay=delay))

    def _tell_end(self, decision: End) -> None:
        command = self._commands[decision.task]
        command.ended = time.monotonic()
        self._close_descriptors(command)
        session = self._sessions.get(command.client)
        if isinstance(command.spec, CommandSpec):
            if not command.attempts:
                self._herald.ended(command, decision.status.value)
            if session is not None:
                holders = [self._shown(blocker, command.client) for blocker in decision.blockers]
                reason = self._with_client(decision.reason, decision.blockers, holders)
                session.post(finished(command, command.spec, dataclasses.replace(decision, reason=reason), holders))
        if session is None:
            del self._commands[command.id]
            return
        session.live.discard(command.id)
        self._say_farewell(session)
