"""Strikes commands with the faults that they carry. Nothing here runs for a command without faults.

A fault is armed by the first command that carries it, and counts over all of them. It is healed when its client says so or is gone, when
its lease is over, and at the end of the engine; who hangs or is stopped because of it goes on then.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from pytest_cbx import events
from pytest_cbx.engine import hits, waker
from pytest_cbx.engine.herald import Herald
from pytest_cbx.engine.ledger import Command
from pytest_cbx.engine.memory_faults import MemoryBounds
from pytest_cbx.engine.moments import Observer, attempt_of
from pytest_cbx.engine.own_disk import HALF, FaultyDisk
from pytest_cbx.engine.protocol import CommandSpec
from pytest_cbx.engine.watched import Watched
from pytest_cbx.execute.executor import Executor
from pytest_cbx.execute.kernel.seccomp import Notification
from pytest_cbx.execute.kernel.syscalls import table
from pytest_cbx.execute.supervision.clocks import READING, SLEEPING, STARTING, Clocks, Sleep, concerns
from pytest_cbx.execute.supervision.clocks import tell as tell_time
from pytest_cbx.execute.supervision.decode import Decoder
from pytest_cbx.execute.supervision.strikes import (
    fail,
    leader_of_thread,
    write_part,
)
from pytest_cbx.faults import model
from pytest_cbx.faults.model import Fault
from pytest_cbx.faults.trigger import Aim, Moment
from pytest_cbx.schedule.model import ClientId
from pytest_cbx.transaction.disk import Disk

_TOLD_MAX = 1000
"""Strikes of one fault that are told: a clock is read very often."""
_CLOCK_CALLS = frozenset((*READING, SLEEPING))


@dataclass(slots=True, eq=False)
class Armed:
    """A fault on duty."""

    fault: Fault
    aim: Aim
    client: ClientId
    until: float
    """Clock of the loop."""
    arrived: list[tuple[Watched, Notification, Command, Moment]] = field(default_factory=list)
    """Who waits to be struck together with others."""
    hanging: list[tuple[Watched, Notification]] = field(default_factory=list)
    """Whose call waits for the healing."""
    stopped: list[int] = field(default_factory=list)
    """Tasks that were stopped."""
    chance: random.Random = field(default_factory=random.Random)


@dataclass(slots=True, order=True)
class _Later:
    at: float
    armed: Armed = field(compare=False)
    act: Callable[[], None] = field(compare=False)


@dataclass(slots=True, eq=False)
class _Carrier:
    """A running attempt with faults."""

    command: Command
    spec: CommandSpec
    began: float
    watched: Watched | None
    observer: Observer | None
    """Of its calls, where they are seen."""
    faults: tuple[Armed, ...]
    clocks: Clocks | None = None
    """There where a clock is to tell another time."""
    phase: str = "keep"
    """What the engine does for it: `keep`, then `end`."""


class Injector:
    """All faults of one engine. Used in the turn of the engine's loop or of a receiver."""

    def __init__(
        self,
        executor: Executor,
        herald: Herald,
        resume: Callable[[Watched, Notification], None],
        client_pid: Callable[[ClientId], int],
    ) -> None:
        self._executor = executor
        self._herald = herald
        self._resume = resume
        self._client_pid = client_pid
        self._armed: dict[str, Armed] = {}
        self._carriers: dict[int, _Carrier] = {}
        self._later: list[_Later] = []
        self._healed: set[str] = set()
        self._bounds = MemoryBounds()
        self._own = threading.Lock()
        self._untold: deque[tuple[Armed, Command, Moment]] = deque()
        """Strikes at our own disk that no event has told yet: they happen in any thread."""

    # --- coming and going ----------------------------------------------------------------------------------

    def start_error(self, command: Command, spec: CommandSpec) -> int:
        """The error with which the start of an attempt is to fail; 0: it is not."""
        for armed in self._arm(command, spec):
            action = armed.fault.action
            if isinstance(action, model.NoStart) and armed.aim.meets(attempt_of(spec)):
                self._tell(armed, command, attempt_of(spec, "execve"), pid=0)
                return action.error
        return 0

    def disk(self, task: int) -> Disk | None:
        """The disk for the transaction of a running attempt, where a fault is to strike the engine's own work for it."""
        carrier = self._carriers.get(task)
        if carrier is None:
            return None
        own = [(armed, armed.fault.action) for armed in carrier.faults]
        faults = [(armed, action) for armed, action in own if isinstance(action, model.OwnDisk)]
        if not faults:
            return None

        def judge(operation: str, path: bytes) -> int:
            for armed, action in faults:
                if armed.fault.id not in self._armed or action.phase not in ("any", carrier.phase):
                    continue
                moment = self._own_moment(carrier, operation, path)
                with self._own:  # copies and removals have threads of their own
                    if armed.aim.meets(moment):
                        self._record(armed, carrier.command, moment, os.getpid())
                        self._untold.append((armed, carrier.command, moment))
                        return HALF if action.short else action.error
            return 0

        return FaultyDisk(judge)

    @staticmethod
    def _own_moment(carrier: _Carrier, operation: str, path: bytes) -> Moment:
        seen = carrier.observer.shown(path) if carrier.observer is not None else ""
        shown = f"journal/{os.path.basename(seen)}" if seen.startswith("/") else seen
        age = time.monotonic() - carrier.began
        return Moment(call=operation, changing=False, path=shown, programs=(), command=carrier.spec.name, age=age)

    def begin(self, command: Command, spec: CommandSpec, watched: Watched | None) -> None:
        """An attempt runs."""
        faults = self._arm(command, spec)
        if not faults:
            return
        now = time.monotonic()
        observer = None
        if watched is not None:
            observer = Observer(command, spec, watched, Decoder(watched.roots, True), now)
        clocks = Clocks() if any(isinstance(armed.fault.action, model.Clock) for armed in faults) else None
        carrier = _Carrier(command, spec, now, watched, observer, tuple(faults), clocks)
        self._carriers[command.id] = carrier
        for armed in faults:
            self._begin_one(carrier, armed, now)

    def _begin_one(self, carrier: _Carrier, armed: Armed, now: float) -> None:
        fault = armed.fault
        if isinstance(fault.action, model.Memory):
            if armed.aim.meets(attempt_of(carrier.spec)):
                self._bounds.put(carrier.command.id, carrier.command.pid, fault.action)
                self._tell(armed, carrier.command, attempt_of(carrier.spec), carrier.command.pid)
        elif not fault.trigger.calls and isinstance(fault.action, model.Signal | model.Delay):
            self._schedule(now + fault.trigger.after, armed, lambda: self._strike_by_time(carrier, armed))

    def ended(self, command: Command, code: int) -> int:
        """An attempt has ended, with this exit code; the one that is to be reported."""
        carrier = self._carriers.get(command.id)
        if carrier is None:
            return code
        carrier.phase = "end"
        self._bounds.end(command.id)
        for armed in carrier.faults:
            armed.hanging = [one for one in armed.hanging if one[0] is not carrier.watched]
            armed.arrived = [one for one in armed.arrived if one[0] is not carrier.watched]
            if command.id in armed.stopped:
                armed.stopped.remove(command.id)
            action = armed.fault.action
            if isinstance(action, model.Exit) and armed.aim.meets(attempt_of(carrier.spec)):
                self._tell(armed, command, attempt_of(carrier.spec, "exit_group"), pid=command.pid)
                code = action.code
        return code

    def settled(self, command: Command) -> None:
        """What an attempt changed has been kept or undone."""
        self._carriers.pop(command.id, None)

    def _arm(self, command: Command, spec: CommandSpec) -> list[Armed]:
        found = []
        for fault in spec.faults:
            armed = self._armed.get(fault.id)
            if armed is None and fault.id not in self._healed:
                until = time.monotonic() + fault.lease
                armed = self._armed[fault.id] = Armed(fault, Aim(fault.trigger), command.client, until)
                armed.chance.seed(fault.trigger.seed)
            if armed is not None:
                found.append(armed)
        return found

    def heal(self, ids: Iterable[str]) -> None:
        """These faults are over, whether they have struck or not. Who waits because of them goes on."""
        for one in list(ids):
            armed = self._armed.pop(one, None)
            self._healed.add(one)
            if armed is not None:
                self._release(armed)

    def forsake(self, client: ClientId) -> None:
        """A client is gone, and its faults with it."""
        self.heal([one for one, armed in self._armed.items() if armed.client == client])

    def close(self) -> None:
        """The engine ends."""
        self._bounds.close()

    def _release(self, armed: Armed) -> None:
        if isinstance(armed.fault.action, model.Memory):
            for task, carrier in self._carriers.items():
                if armed in carrier.faults:
                    self._bounds.lift(task)
        self._later = [one for one in self._later if one.armed is not armed]
        waiting = [*armed.hanging, *((watched, call) for watched, call, _, _ in armed.arrived)]
        armed.hanging, armed.arrived = [], []
        for watched, notification in waiting:
            self._go_on(watched, notification)
        for task in armed.stopped:
            self._executor.strike(task, signal.SIGCONT)
        armed.stopped = []

    # --- time ----------------------------------------------------------------------------------------------

    def next_due(self) -> float | None:
        """When `attend` is to be called at the latest, on the clock of `time.monotonic`."""
        dues = [one.at for one in self._later[:1]] + [armed.until for armed in self._armed.values()]
        return min(dues, default=None)

    def attend(self) -> None:
        """Do what is due."""
        while self._untold:
            self._announce(*self._untold.popleft(), os.getpid())
        now = time.monotonic()
        while self._later and self._later[0].at <= now:
            self._later.pop(0).act()
        self.heal([one for one, armed in self._armed.items() if armed.until <= now])

    def _schedule(self, at: float, armed: Armed, act: Callable[[], None]) -> None:
        self._later.append(_Later(at, armed, act))
        self._later.sort()

    # --- calls ---------------------------------------------------------------------------------------------

    def meet(self, watched: Watched, notification: Notification) -> bool:
        """A command with faults makes a call. True: it was struck, and its answer is the fault's; else it is to go on as ever."""
        carrier = self._carriers.get(watched.task)
        name = table().names.get(notification.number, "")
        if carrier is None or carrier.observer is None or not name:
            return False
        faults = [
            armed
            for armed in carrier.faults
            if not armed.aim.spent
            and armed.fault.id in self._armed
            and not isinstance(armed.fault.action, model.OwnDisk)  # that counts our calls, not the command's
        ]
        if not faults:
            return False
        if carrier.clocks is not None and name in STARTING:
            carrier.clocks.replace(notification.pid)
        moment = carrier.observer.moment(notification, name, [armed.aim for armed in faults])
        for armed in faults:
            action = armed.fault.action
            if isinstance(action, model.Clock) and not (
                name in _CLOCK_CALLS and concerns(name, notification, monotonic=action.monotonic)
            ):
                continue
            if moment is not None and armed.aim.meets(moment):
                return self._strike(carrier, armed, notification, moment)
        return False

    # --- strikes -------------------------------------------------------------------------------------------

    def _strike(self, carrier: _Carrier, armed: Armed, notification: Notification, moment: Moment) -> bool:
        together = armed.fault.trigger.together
        assert carrier.watched is not None
        if together > 1:
            armed.arrived.append((carrier.watched, notification, carrier.command, moment))
            if len({command.id for _, _, command, _ in armed.arrived}) < together:
                return True
            arrived, armed.arrived = armed.arrived, []
            for watched, call, _, at in arrived:
                other = self._carriers.get(watched.task)
                if other is not None and not self._act(other, armed, call, at):
                    self._go_on(watched, call)
            return True
        return self._act(carrier, armed, notification, moment)

    def _act(self, carrier: _Carrier, armed: Armed, notification: Notification, moment: Moment) -> bool:
        watched = carrier.watched
        assert watched is not None
        listener, action = watched.listener, armed.fault.action
        if isinstance(action, model.Part):
            # Only what has been written in part can be told truly.
            return self._tear(carrier, armed, action, notification, moment)
        self._tell(armed, carrier.command, moment, notification.pid)
        match action:
            case model.Fail():
                fail(listener, notification, action.error)
            case model.FailThenPretend():
                if armed.aim.struck == 1:
                    listener.refuse(notification.id, action.error)
                else:
                    listener.answer(notification.id, 0)
            case model.Delay():
                self._delay(watched, armed, action, notification)
            case model.Signal():
                return self._signal(carrier, armed, action, notification)
            case model.Clock():
                return self._tell_time(watched, armed, action, notification, moment.call)
            case _:
                return False
        return True

    def _tear(
        self, carrier: _Carrier, armed: Armed, action: model.Part, notification: Notification, moment: Moment
    ) -> bool:
        assert carrier.watched is not None
        listener = carrier.watched.listener
        written = write_part(listener, notification, action.share)
        if written is None:
            armed.aim.take_back()
            return False
        self._tell(armed, carrier.command, moment, notification.pid)
        if action.kill and listener.valid(notification.id):
            os.kill(leader_of_thread(notification.pid), signal.SIGKILL)
        else:
            listener.answer(notification.id, written)
        return True

    def _delay(self, watched: Watched, armed: Armed, action: model.Delay, notification: Notification) -> None:
        if not action.seconds:
            armed.hanging.append((watched, notification))
            return
        held = (watched, notification)
        armed.hanging.append(held)
        seconds = action.seconds + (armed.chance.uniform(0, action.jitter) if action.jitter else 0.0)

        def end() -> None:
            if held not in armed.hanging:
                return
            armed.hanging.remove(held)
            if action.error:
                watched.listener.refuse(notification.id, action.error)
            else:
                self._go_on(watched, notification)

        self._schedule(time.monotonic() + seconds, armed, end)

    def _tell_time(
        self, watched: Watched, armed: Armed, action: model.Clock, notification: Notification, call: str
    ) -> bool:
        listener = watched.listener
        try:
            told = tell_time(call, notification, action.shift)
        except OSError:
            return False  # the kernel tells the caller what is wrong with its pointer
        if not isinstance(told, Sleep):
            listener.answer(notification.id, told)
            return True
        held = (watched, notification)
        armed.hanging.append(held)

        def wake() -> None:
            if held in armed.hanging:
                armed.hanging.remove(held)
                listener.answer(notification.id, 0)

        self._schedule(told.until, armed, wake)
        return True

    def _signal(self, carrier: _Carrier, armed: Armed, action: model.Signal, notification: Notification) -> bool:
        """Whether the call is not to be made."""
        number = signal.Signals(action.number)
        match action.whom:
            case "process":
                os.kill(leader_of_thread(notification.pid), number)
            case "instance":
                self._signal_instance(carrier, armed, action)
            case _:
                self._signal_one_of_us(carrier, armed, action)
                return False
        # A stopped caller makes its call once it goes on; of a dead one it is not known.
        return number is signal.SIGKILL

    def _signal_instance(self, carrier: _Carrier, armed: Armed, action: model.Signal) -> None:
        task = carrier.command.id
        self._executor.strike(task, signal.Signals(action.number))
        if action.number == signal.SIGSTOP:
            armed.stopped.append(task)
            if action.resume_after:
                self._schedule(time.monotonic() + action.resume_after, armed, lambda: self._resume_stopped(armed, task))

    def _signal_one_of_us(self, carrier: _Carrier, armed: Armed, action: model.Signal) -> None:
        client, engine = self._client_pid(carrier.command.client), os.getpid()
        target, other = (client, engine) if action.whom == "client" else (engine, client)
        if action.number == signal.SIGSTOP:
            waker.stop(target, other, action.resume_after or max(0.0, armed.until - time.monotonic()))
        else:
            os.kill(target, action.number)

    def _resume_stopped(self, armed: Armed, task: int) -> None:
        if task in armed.stopped:
            armed.stopped.remove(task)
            self._executor.strike(task, signal.SIGCONT)

    def _strike_by_time(self, carrier: _Carrier, armed: Armed) -> None:
        if self._carriers.get(carrier.command.id) is not carrier or (armed.aim.struck and not armed.aim.lasting):
            return
        armed.aim.struck += 1
        moment = Moment(
            call="", changing=False, path="", programs=(), command=carrier.spec.name, age=armed.fault.trigger.after
        )
        self._tell(armed, carrier.command, moment, carrier.command.pid)
        action = armed.fault.action
        if isinstance(action, model.Signal):
            if action.whom in ("process", "instance"):
                self._signal_instance(carrier, armed, action)
            else:
                self._signal_one_of_us(carrier, armed, action)

    def _go_on(self, watched: Watched, notification: Notification) -> None:
        if not watched.ended:
            self._resume(watched, notification)

    # --- telling -------------------------------------------------------------------------------------------

    def _tell(self, armed: Armed, command: Command, moment: Moment, pid: int) -> None:
        if armed.aim.struck <= _TOLD_MAX:
            self._record(armed, command, moment, pid)
            self._announce(armed, command, moment, pid)

    def _record(self, armed: Armed, command: Command, moment: Moment, pid: int) -> None:
        command.hits.append(armed.fault.id)
        hits.record(armed.fault, moment, task=command.id, attempt=command.attempts, pid=pid, nth=armed.aim.counted)

    def _announce(self, armed: Armed, command: Command, moment: Moment, pid: int) -> None:
        fault = armed.fault
        self._herald.tell(
            events.FaultStruck, fault=fault.id, kind=fault.kind, command=command.id, attempt=command.attempts,
            call=moment.call, path=moment.path, pid=pid, nth=armed.aim.counted,
        )  # fmt: skip


def extra_calls(faults: Sequence[Fault]) -> frozenset[str]:
    """The system calls that have to be trapped for these faults, whatever else is."""
    known = table().numbers
    wanted = {name for fault in faults if not isinstance(fault.action, model.OwnDisk) for name in fault.trigger.calls}
    if any(isinstance(fault.action, model.Memory) for fault in faults):
        wanted |= {"brk", "mmap"}  # so that it waits at its first request, until it is bounded
    if any(isinstance(fault.action, model.Clock) for fault in faults):
        wanted.update(STARTING)
    return frozenset(wanted & known.keys())
