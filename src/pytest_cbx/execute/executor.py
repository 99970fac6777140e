"""Supervises instances: starts, deadlines, stopping, reaping, leaks. Driven by the engine's loop; never blocks for long.

An instance is its whole session and all that descends from it, not its leader alone. It has ended when nothing of it
runs any more: after its leader, whatever is left gets a moment to end by itself and is then a leak, named and killed.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum

from pytest_cbx.execute import processes
from pytest_cbx.execute.memory import held_bytes, too_much
from pytest_cbx.execute.model import Cause, Exit, InstanceSpec
from pytest_cbx.execute.processes import Stat
from pytest_cbx.execute.spawn import spawn

LEAK_GRACE = 0.2
"""Seconds that what is left after the leader has to end by itself."""
WATCH_AFTER = 0.5
"""Seconds before an instance's memory is looked at: most commands are over by then."""
WATCH_EVERY = 1.0
KILL_PATIENCE = 5.0
"""Seconds after which a process that does not die of SIGKILL (blocked in the kernel) is given up and named."""
_STEP = 0.02
_MAX_RSS_UNIT = 1024


class _Phase(Enum):
    RUNNING = "running"
    LINGERING = "lingering"
    """The leader has ended, others of its session have not."""
    TERMINATED = "terminated"
    """SIGTERM was sent."""


@dataclass(slots=True)
class _Instance:
    key: int
    spec: InstanceSpec
    pid: int
    started: float
    due: float
    """When to look at it again."""
    phase: _Phase = _Phase.RUNNING
    cause: Cause | None = None
    reason: str = ""
    status: int | None = None
    """Wait status of the leader."""
    ended: float = 0.0
    kill_at: float = 0.0
    cpu: float = 0.0
    max_rss: int = 0
    leaks: list[str] = field(default_factory=list)


class Executor:
    """All instances of one engine. `handle` after every SIGCHLD and whenever `next_due` has come; it returns what has ended."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._instances: dict[int, _Instance] = {}
        self._by_pid: dict[int, _Instance] = {}
        self._next_watch = 0.0

    def __len__(self) -> int:
        return len(self._instances)

    def start(self, key: int, spec: InstanceSpec) -> int:
        """Start an instance under a key of the caller's; returns the leader's pid.

        Raises:
            SpawnError: it could not be started.
        """
        pid = spawn(spec)
        now = self._clock()
        instance = _Instance(key=key, spec=spec, pid=pid, started=now, due=now + spec.timeout)
        self._instances[key] = instance
        self._by_pid[pid] = instance
        return pid

    def stop(self, key: int, reason: str) -> None:
        """Ask an instance to end, and make it end after its grace."""
        instance = self._instances.get(key)
        if instance is not None and instance.cause is None:
            self._terminate(instance, Cause.CANCELLED, reason)

    def next_due(self) -> float | None:
        """When `handle` should be called at the latest, on the executor's clock."""
        dues = [instance.due for instance in self._instances.values()]
        if any(i.spec.memory and i.phase is _Phase.RUNNING for i in self._instances.values()):
            dues.append(max(self._next_watch, min(i.started for i in self._instances.values()) + WATCH_AFTER))
        return min(dues, default=None)

    def handle(self) -> list[Exit]:
        """Reap what has died, act on what is due, and return what has ended."""
        exits: list[Exit] = []
        for instance in self._reap():
            if not self._anything_left(instance):
                exits.append(self._finish(instance))
            elif instance.phase is _Phase.RUNNING:
                instance.phase = _Phase.LINGERING
                instance.due = self._clock() + LEAK_GRACE
        now = self._clock()
        for instance in [i for i in self._instances.values() if i.due <= now]:
            if instance.key in self._instances:
                exits += self._act(instance, now)
        self._watch_memory(now)
        return exits

    def kill_everything(self) -> list[Exit]:
        """SIGKILL all instances at once and wait until they are gone."""
        exits: list[Exit] = []
        for instance in list(self._instances.values()):
            instance.cause = instance.cause or Cause.CANCELLED
            instance.reason = instance.reason or "the engine ends"
            exits.append(self._kill(instance))
        return exits

    # --- reaping -------------------------------------------------------------------------------------

    def _reap(self) -> Iterator[_Instance]:
        """Collect every dead child; yields the instances whose leader was among them."""
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None:
                return
            pid = found.si_pid
            leader = self._by_pid.get(pid)
            owner = leader or self._owner_of(pid)
            _, status, usage = os.wait4(pid, 0)
            if owner is not None:
                owner.cpu += usage.ru_utime + usage.ru_stime
                owner.max_rss = max(owner.max_rss, usage.ru_maxrss * _MAX_RSS_UNIT)
            if leader is not None:
                leader.status = status
                leader.ended = self._clock()
                del self._by_pid[pid]
                yield leader

    def _owner_of(self, pid: int) -> _Instance | None:
        """The instance an adopted orphan belongs to. A zombie still has its session, but no environment."""
        stat = processes.stat_of(pid)
        if stat is None:
            return None
        return next((i for i in self._instances.values() if i.pid == stat.session), None)

    # --- what is left ----------------------------------------------------------------------------------

    def _anything_left(self, instance: _Instance) -> bool:
        """Whether something of an instance outlives its leader. Nearly free when nothing does."""
        if processes.group_exists(instance.pid):
            return True
        strangers = [pid for pid in processes.children_of_this_process() if pid not in self._by_pid]
        return bool(strangers) and bool(self._survivors(instance))

    def _survivors(self, instance: _Instance) -> list[Stat]:
        """Every live process of the instance: by session, and by marker for those that left the session."""
        own = os.getpid()
        return [
            stat
            for stat in processes.all_processes()
            if stat.pid != own
            and (
                instance.pid in (stat.session, stat.group)
                or processes.carries(processes.marker_of(stat.pid), instance.spec.marker)
            )
        ]

    # --- the steps of stopping -----------------------------------------------------------------------

    def _act(self, instance: _Instance, now: float) -> list[Exit]:
        """What is due for one instance."""
        if instance.phase is _Phase.RUNNING:
            self._terminate(instance, Cause.TIMEOUT, f"stopped after its time-out of {instance.spec.timeout:g} s")
            return []
        survivors = self._survivors(instance)
        if not survivors and instance.status is not None:
            return [self._finish(instance)]
        if instance.phase is _Phase.LINGERING:
            instance.leaks += [processes.describe(stat.pid) for stat in survivors]
            self._send_term(instance, survivors)
        elif now >= instance.kill_at:
            return [self._kill(instance)]
        else:
            instance.due = min(now + _STEP, instance.kill_at)
        return []

    def _terminate(self, instance: _Instance, cause: Cause, reason: str) -> None:
        instance.cause, instance.reason = cause, reason
        self._send_term(instance, self._survivors(instance))

    def _send_term(self, instance: _Instance, survivors: list[Stat]) -> None:
        """SIGTERM to all of it. A stopped process hears it only once it continues."""
        now = self._clock()
        instance.phase = _Phase.TERMINATED
        instance.kill_at = now + instance.spec.grace
        instance.due = now + _STEP
        for stat in survivors:
            processes.send(stat.pid, signal.SIGTERM)
            processes.send(stat.pid, signal.SIGCONT)

    def _kill(self, instance: _Instance) -> Exit:
        """SIGKILL to all of it; waits until the leader is reaped."""
        left = processes.kill_all(lambda: self._survivors(instance), KILL_PATIENCE)
        instance.leaks += [f"{processes.describe(stat.pid)} cannot be killed" for stat in left]
        deadline = self._clock() + KILL_PATIENCE
        while instance.status is None and self._clock() < deadline:
            # Others may die in the same moment; `handle` finds them by their status.
            for other in self._reap():
                other.due = min(other.due, self._clock())
            time.sleep(_STEP / 20)
        return self._finish(instance)

    def _finish(self, instance: _Instance) -> Exit:
        del self._instances[instance.key]
        self._by_pid.pop(instance.pid, None)
        status = instance.status if instance.status is not None else signal.SIGKILL
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        cause = instance.cause or (Cause.SIGNAL if number else Cause.EXIT)
        reason = instance.reason or (f"ended by signal {number} ({_signal_name(number)})" if number else "")
        return Exit(
            key=instance.key,
            cause=cause,
            exit_code=128 + number if number else os.WEXITSTATUS(status),
            signal=number,
            reason=reason,
            wall_s=(instance.ended or self._clock()) - instance.started,
            cpu_s=instance.cpu,
            max_rss=instance.max_rss,
            leaks=tuple(dict.fromkeys(instance.leaks)),
        )

    # --- memory ----------------------------------------------------------------------------------------

    def _watch_memory(self, now: float) -> None:
        """Stop instances whose processes hold more than their limit together."""
        watched = [
            instance
            for instance in self._instances.values()
            if instance.spec.memory and instance.phase is _Phase.RUNNING and now - instance.started >= WATCH_AFTER
        ]
        if not watched or now < self._next_watch:
            return
        self._next_watch = now + WATCH_EVERY
        by_session: dict[int, list[Stat]] = {}
        for stat in processes.all_processes():
            by_session.setdefault(stat.session, []).append(stat)
        for instance in watched:
            limit = instance.spec.memory
            held = held_bytes(by_session.get(instance.pid, ()), limit)
            if held > limit:
                self._terminate(instance, Cause.MEMORY, too_much(held, limit))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
