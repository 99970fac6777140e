"""Joins scheduler and executor: messages become events, decisions become instances, exits become results."""

from __future__ import annotations

import dataclasses
import os
import random
import re
import selectors
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from pytest_cbx import events
from pytest_cbx.engine import protocol
from pytest_cbx.engine.attempts import Attempts
from pytest_cbx.engine.guard import Guard
from pytest_cbx.engine.herald import Herald, told
from pytest_cbx.engine.holds import Holds
from pytest_cbx.engine.intake import check_environment, check_settle, check_submission
from pytest_cbx.engine.ledger import Command, Session
from pytest_cbx.engine.protocol import (
    VERSION,
    Abandon,
    CommandSpec,
    Environment,
    Farewell,
    FromClient,
    Heal,
    Healed,
    Hello,
    HoldSpec,
    JoinSpec,
    Leave,
    Queued,
    Release,
    Retrying,
    Settle,
    Submission,
    Welcome,
)
from pytest_cbx.engine.translate import capacity_of, finished, task_of
from pytest_cbx.errors import InternalError, ProtocolError
from pytest_cbx.execute.executor import Executor
from pytest_cbx.execute.machine import measure
from pytest_cbx.execute.model import Exit
from pytest_cbx.schedule.model import (
    Cancel,
    Capacity,
    ClientGone,
    ClientId,
    Commit,
    Decision,
    End,
    Ended,
    Event,
    Grant,
    Reached,
    Restart,
    Retry,
    Start,
    Stop,
    Submit,
    TaskId,
    Tick,
    Waiting,
    Wake,
    Withdraw,
)
from pytest_cbx.schedule.scheduler import Scheduler
from pytest_cbx.transaction.recovery import JournalResult


class Dispatcher:
    """All commands of all clients."""

    def __init__(self, token: str, workspace: Path, executor: Executor, others: Callable[[Session], bool]) -> None:
        self._token = token
        self._workspace = workspace
        self._executor = executor
        # Whether anybody but this session is connected, greeted or not.
        self._others = others
        self._scheduler: Scheduler | None = None
        self._attempts: Attempts | None = None
        self._holds: Holds | None = None
        self._capacity: Capacity | None = None
        self._sessions: dict[ClientId, Session] = {}
        self._commands: dict[TaskId, Command] = {}
        self._next_task = 1
        self._wake: float | None = None
        self._herald = Herald(token, self._sessions)
        self._events: deque[Event] = deque()
        self._feeding = False
        self.recovered: tuple[JournalResult, ...] = ()
        """What dead engines had left when this one started."""
        self.ending = False
        """The last client has been told so: nobody else is to be let in."""

    def client_id(self, number: int) -> ClientId:
        """The identity of the n-th client."""
        return ClientId(number)

    def next_wake(self) -> float | None:
        """When the scheduler wants to be asked again."""
        guard = self._guard()
        look = guard.next_look() if guard is not None else None
        again = self._holds.next_look() if self._holds is not None else None
        due = self._attempts.injector.next_due() if self._attempts is not None else None
        return min((at for at in (self._wake, look, again, due) if at is not None), default=None)

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
            case protocol.Journal():
                self._known_holds().announced(session, message)
            case Heal():
                self._on_heal(session, message)
            case protocol.Reach():
                self._known_holds().wish(session, message)
            case Release():
                self._known_holds().release(session, message)
            case Leave():
                session.leaving = True
                self._feed(Cancel(client=session.id, tasks=None, reason="its client left"))
                self._known_holds().forsake(session.id)
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
                command = self._commands.get(task) if task is not None else None
                if command is None or not isinstance(command.spec, CommandSpec):
                    raise ProtocolError("the command that this client was started in has ended")
                return task
        return None

    def _on_settle(self, session: Session, message: Settle) -> None:
        if not session.greeted or session.settled:
            raise ProtocolError("Settle must come once, after Hello")
        check_settle(message)
        attempts, capacity = self._set_up(message)
        reached = attempts.keeper.reached
        session.settled = True
        self._sessions[session.id] = session
        session.post(
            Welcome(
                version=VERSION,
                pid=os.getpid(),
                token=self._token,
                isolation=reached.level,
                isolation_reason=reached.reason,
                jobs=capacity.jobs,
                cpus=capacity.cpus,
                memory=capacity.memory,
                recovered=[told(result) for result in self.recovered],
            )
        )
        if len(self._sessions) == 1 and not self._herald.told:
            self._herald.tell(
                events.EngineStarted,
                pid=os.getpid(),
                workspace=os.fsencode(self._workspace).decode("utf-8", "backslashreplace"),
                isolation=reached.level,
                jobs=capacity.jobs,
                cpus=capacity.cpus,
                memory=capacity.memory,
            )
            for result in self.recovered:
                self._herald.tell(
                    events.JournalRecovered, label=result.label, action=result.action.value, reason=result.reason
                )
        self.recovered = ()
        self._herald.tell(events.ClientJoined, client=session.id, name=session.name, pid=session.pid)

    def _set_up(self, message: Settle) -> tuple[Attempts, Capacity]:
        """As the first client wishes."""
        if self._attempts is None or self._capacity is None:
            self._capacity = capacity_of(message, measure())
            self._scheduler = Scheduler(self._capacity, jitter=random.random)
            self._attempts = Attempts(
                token=self._token,
                workspace=os.path.realpath(os.fsencode(self._workspace)),
                executor=self._executor,
                scheduler=self._scheduler,
                settle=message,
                slots=self._capacity.jobs,
                herald=self._herald,
                commands=self._commands,
                sessions=self._sessions,
                feed=self._feed,
            )
            self._holds = Holds(
                workspace=os.path.realpath(os.fsencode(self._workspace)),
                scheduler=self._scheduler,
                keeper=self._attempts.keeper,
                herald=self._herald,
                commands=self._commands,
                sessions=self._sessions,
                feed=self._feed,
            )
        return self._attempts, self._capacity

    def _known_holds(self) -> Holds:
        assert self._holds is not None, "a hold was spoken of before the first client"
        return self._holds

    def _on_submission(self, session: Session, message: Submission) -> None:
        check_submission(session, message)
        now = time.monotonic()
        ids = {node.id: TaskId(self._next_task + offset) for offset, node in enumerate(message.nodes)}
        commands = [Command(id=ids[node.id], client=session.id, spec=node, submitted=now) for node in message.nodes]
        self._set_rungs(session, commands)
        known = {**session.commands, **ids}
        parent = self._known_holds().around(session)
        tasks = tuple(task_of(command, known, parent) for command in commands)
        submit = Submit(client=session.id, tasks=tasks, fail_fast=message.fail_fast)
        self._next_task += len(commands)
        session.commands = known
        for command in commands:
            self._commands[command.id] = command
            session.live.add(command.id)
            if isinstance(command.spec, CommandSpec):
                command.claims = list(command.spec.claims)
                command.descriptors = self._descriptors(session, command.spec)
                self._herald.submitted(session, command)
        self._feed(submit)

    def _set_rungs(self, session: Session, commands: Sequence[Command]) -> None:
        assert self._attempts is not None
        above = self._commands.get(session.parent) if session.parent is not None else None
        around = above.isolation if above is not None else "off"
        for command in commands:
            if isinstance(command.spec, CommandSpec):
                command.isolation = self._attempts.keeper.rung(command.spec, around)

    def _descriptors(self, session: Session, node: CommandSpec) -> tuple[int, int, int] | None:
        waiting = session.connection.descriptors
        return (waiting.popleft(), waiting.popleft(), waiting.popleft()) if node.descriptors else None

    def _on_heal(self, session: Session, message: Heal) -> None:
        assert self._attempts is not None
        self._attempts.injector.heal(message.faults)
        session.post(Healed(faults=message.faults))

    def _on_abandon(self, session: Session, message: Abandon) -> None:
        given = message.ids
        known = None if given is None else tuple(session.commands[i] for i in given if i in session.commands)
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
        self._known_holds().forsake(session.id)
        if self._attempts is not None:
            self._attempts.injector.forsake(session.id)
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
            self._exited(done)
        guard = self._guard()
        if guard is not None:
            for task, number in guard.dead_callers():
                self._feed(Withdraw(task=task, number=number))
            guard.feed_starved()
        if self._attempts is not None and self._holds is not None:
            self._attempts.injector.attend()
            self._holds.attend()
        if self._wake is not None and time.monotonic() >= self._wake:
            self._wake = None
            self._feed(Tick())

    def _guard(self) -> Guard | None:
        return self._attempts.keeper.guard if self._attempts is not None else None

    def _exited(self, done: Exit) -> None:
        if self._attempts is None or self._holds is None:
            raise InternalError("an instance ended before the first client")
        self._holds.undo_below(TaskId(done.key))
        self._attempts.exited(done)

    def undo_everything(self) -> list[str]:
        """The engine ends, and all instances are dead: undo what was not committed. Returns what could not be undone."""
        if self._attempts is None or self._holds is None:
            return []
        self._holds.close()
        self._attempts.injector.close()
        return self._attempts.close()

    def wait(self, selector: selectors.BaseSelector, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for something to happen, and answer trapped calls meanwhile."""
        if self._attempts is not None:
            self._attempts.lending.share(selector)
        guard = self._guard()
        return selector.select(timeout) if guard is None else guard.wait(selector, timeout)

    def _feed(self, event: Event) -> None:
        """Give the scheduler an event, and do what it decides until nothing more follows from it."""
        if self._scheduler is None or self._attempts is None:
            raise InternalError("an event came before the first client")
        self._events.extend((*self._attempts.lending.collected(event), event))
        if self._feeding:
            return
        self._feeding = True
        try:
            while self._events or self._attempts.release():
                while self._events:
                    self._handle(self._events.popleft(), self._scheduler, self._attempts)
        finally:
            self._feeding = False

    def _handle(self, event: Event, scheduler: Scheduler, attempts: Attempts) -> None:
        now = time.monotonic()
        for task, claims in attempts.keeper.untold():
            if not isinstance(event, Ended) or event.task != task:
                scheduler.handle(Reached(task=task, claims=attempts.keeper.judged(claims)), now)
        for decision in scheduler.handle(event, now):
            follow = self._obey(decision, attempts)
            if follow is not None:
                self._events.append(follow)

    def _obey(self, decision: Decision, attempts: Attempts) -> Event | None:
        if isinstance(decision, Start | Stop | Restart | Grant | Commit) and self._is_hold(decision.task):
            self._known_holds().obey(decision)
            return None
        match decision:
            case Start():
                return self._start(decision, attempts)
            case Stop():
                return attempts.stop(decision.task, decision.reason)
            case Restart():
                return attempts.restart(decision)
            case Grant():
                attempts.keeper.granted(decision.task, decision.number)
            case Commit():
                attempts.commit(decision.task)
            case Waiting():
                self._tell_waiting(decision)
            case Retry():
                self._tell_retry(decision)
            case End():
                self._tell_end(decision)
            case Wake():
                self._wake = decision.at
        return None

    def _is_hold(self, task: TaskId) -> bool:
        return isinstance(self._commands[task].spec, HoldSpec)

    def _start(self, decision: Start, attempts: Attempts) -> Event | None:
        command = self._commands[decision.task]
        session = self._sessions.get(command.client)
        if decision.attempt == 1 and not decision.restarts and session is not None:
            command.queued = time.monotonic() - command.submitted
            self._note_predecessors(session, command)
        return attempts.start(decision)

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
        if isinstance(command.spec, CommandSpec):
            blockers = [blocker for blocker in decision.blockers if not self._is_hold(blocker)]
            self._herald.tell(events.CommandWaiting, command=command.id, reason=reason, blockers=blockers)
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
        elif isinstance(command.spec, HoldSpec) and session is not None:
            self._known_holds().tell_end(session, command.spec, decision)
        if session is None:
            del self._commands[command.id]
            return
        session.live.discard(command.id)
        self._say_farewell(session)
