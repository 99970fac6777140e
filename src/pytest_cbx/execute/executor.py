"""Supervises instances: starts, deadlines, stopping, reaping, leaks. Driven by the engine's loop; never blocks for long.

An instance is its whole session and all that descends from it, not its leader alone. It has ended when nothing of it
runs any more. It is RUNNING until its leader ends or it is stopped; what outlives the leader is LINGERING for a moment
and is then a leak, named and ended as a stopped instance is: TERMINATING (SIGTERM, a grace), KILLING until none is left.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from pytest_cbx.execute import processes
from pytest_cbx.execute.family import Head, leftovers, members
from pytest_cbx.execute.kernel.seccomp import Listener
from pytest_cbx.execute.memory import held_bytes, too_much
from pytest_cbx.execute.model import Cause, Exit, InstanceSpec
from pytest_cbx.execute.processes import Stat
from pytest_cbx.execute.spawn import spawn
from pytest_cbx.execute.supervision.spawner import Spawner

LEAK_GRACE = 0.2
"""Seconds that what is left after the leader has to end by itself."""
LEAK_TERM_GRACE = 2.0
"""Seconds from a leak's SIGTERM to its SIGKILL, or the command's own grace if that is shorter."""
LEAKS_TOLD = 20
WATCH_AFTER = 0.5
"""Seconds before an instance's memory is looked at: most commands are over by then."""
WATCH_EVERY = 1.0
KILL_PATIENCE = 5.0
"""Seconds after which a process that does not die of SIGKILL (blocked in the kernel, another user's) is given up and named."""
_STEP = 0.02
_STEP_MAX = 0.2
_MAX_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class _Phase(Enum):
    RUNNING = "running"
    LINGERING = "lingering"
    """The leader has ended, others of its session have not."""
    TERMINATING = "terminating"
    """SIGTERM was sent."""
    KILLING = "killing"


@dataclass(slots=True, eq=False)
class _Instance:
    key: int
    spec: InstanceSpec
    head: Head
    started: float
    due: float
    """When to look at it again."""
    listener: Listener | None
    phase: _Phase = _Phase.RUNNING
    until: float = math.inf
    """When the next phase begins, unless it has ended by then."""
    step: float = _STEP
    cause: Cause | None = None
    reason: str = ""
    status: int | None = None
    """Wait status of the leader."""
    ended: float = 0.0
    cpu: float = 0.0
    max_rss: int = 0
    leaks: list[str] = field(default_factory=list)


class Executor:
    """All instances of one engine. `handle` after every SIGCHLD and whenever `next_due` has come; it returns what has ended."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._instances: dict[int, _Instance] = {}
        self._by_pid: dict[int, _Instance] = {}
        self._heads: dict[int, Head] = {}
        self._next_watch = math.inf
        self._starts = processes.StartTimes()
        self._exits: list[Exit] = []
        self._spawner = Spawner()

    def __len__(self) -> int:
        return len(self._instances)

    def start(self, key: int, spec: InstanceSpec) -> int:
        """Start an instance under a key of the caller's; returns the leader's pid.

        Raises:
            SpawnError: it could not be started.
        """
        now, tick = self._clock(), self._starts.tick()
        spawned = spawn(spec, self._spawner)
        pid = spawned.pid
        marks = tuple(spec.environment.get(b"CBX_INSTANCE", b"").decode("ascii", "replace").split(":"))
        head = Head(
            pid=pid,
            start_ticks=self._starts.of(pid, tick),
            marks=marks if spec.marker in marks else (spec.marker, *marks),
        )
        instance = _Instance(
            key=key, spec=spec, head=head, started=now, due=now + spec.timeout, listener=spawned.listener
        )
        self._instances[key] = self._by_pid[pid] = instance
        self._heads[pid] = head
        if spec.memory:
            self._next_watch = min(self._next_watch, now + WATCH_AFTER)
        return pid

    def listener(self, key: int) -> Listener | None:
        """Where the trapped calls of an instance arrive that is supervised, while it runs. Whoever asked for it closes it."""
        instance = self._instances.get(key)
        return instance.listener if instance is not None else None

    @property
    def safe_listener(self) -> Listener | None:
        """Where the trapped calls of all SAFE instances arrive; None before the first one. `close` closes it."""
        return self._spawner.safe_listener

    def close(self) -> None:
        """Nothing is started any more."""
        self._spawner.close()

    def start_ticks(self, key: int) -> int:
        """When an instance's leader started, in clock ticks since boot; 0 where there is no /proc."""
        return self._instances[key].head.start_ticks

    def stop(self, key: int, reason: str, *, grace: float | None = None) -> None:
        """Ask an instance to end, and make it end after `grace` seconds (None: its own; 0: at once)."""
        instance = self._instances.get(key)
        if instance is not None:
            self._stop(instance, Cause.CANCELLED, reason, instance.spec.grace if grace is None else grace)

    def strike(self, key: int, number: signal.Signals) -> None:
        """Strike all processes of an instance with a signal that counts as its own bad luck, not as ours."""
        instance = self._instances.get(key)
        if instance is None:
            return
        if number is signal.SIGKILL:
            self._begin_killing(instance, self._clock())
            return
        for stat in members(instance.head, self._heads):
            processes.send(stat.pid, number)

    def ending(self, key: int) -> bool:
        """Whether an instance was asked to end, or has ended."""
        instance = self._instances.get(key)
        return instance is None or instance.phase in (_Phase.TERMINATING, _Phase.KILLING)

    def next_due(self) -> float | None:
        """When `handle` should be called at the latest, on the executor's clock."""
        if not self._instances:
            return None
        return min(self._next_watch, *(instance.due for instance in self._instances.values()))

    def handle(self) -> list[Exit]:
        """Reap what has died, act on what is due, and return what has ended."""
        self._reap()
        now = self._clock()
        for instance in [i for i in self._instances.values() if i.due <= now]:
            if self._instances.get(instance.key) is instance:
                self._act(instance, now)
        if now >= self._next_watch:
            self._watch_memory(now)
        exits, self._exits = self._exits, []
        return exits

    def kill_everything(self, reason: str = "the engine ends") -> list[Exit]:
        """SIGKILL all instances at once and wait until they are gone."""
        for instance in self._instances.values():
            if instance.cause is None and instance.status is None:
                instance.cause, instance.reason = Cause.CANCELLED, reason
            instance.phase, instance.due = _Phase.KILLING, math.inf
        processes.kill_all(self._everybody, KILL_PATIENCE, self._reap)
        for instance in list(self._instances.values()):
            if self._instances.get(instance.key) is instance:
                instance.until = 0.0
                self._kill(instance, self._clock())
        exits, self._exits = self._exits, []
        return exits

    # --- reaping -------------------------------------------------------------------------------------

    def _reap(self) -> None:
        """Collect every dead child."""
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None:
                return
            pid = found.si_pid
            leader = self._by_pid.get(pid)
            # A zombie still has its session, but no environment any more.
            owner = leader or self._by_pid.get(_session_of(pid))
            _, status, usage = os.wait4(pid, 0)
            if owner is not None:
                owner.cpu += usage.ru_utime + usage.ru_stime
                owner.max_rss = max(owner.max_rss, usage.ru_maxrss * _MAX_RSS_UNIT)
            if leader is not None and leader.status is None:
                self._on_leader_ended(leader, status)
            elif owner is not None and owner.phase is not _Phase.RUNNING:
                owner.due = self._clock()

    def _on_leader_ended(self, instance: _Instance, status: int) -> None:
        instance.status = status
        instance.ended = now = self._clock()
        if instance.phase is not _Phase.RUNNING:
            instance.due = min(instance.due, now)
        elif leftovers(instance.head, self._heads):
            instance.phase, instance.until, instance.due = _Phase.LINGERING, now + LEAK_GRACE, now + _STEP
        else:
            self._finish(instance)

    # --- the steps of stopping -----------------------------------------------------------------------

    def _act(self, instance: _Instance, now: float) -> None:
        """What is due for one instance."""
        if instance.phase is _Phase.RUNNING:
            reason = f"stopped after its time-out of {instance.spec.timeout:g} s"
            self._stop(instance, Cause.TIMEOUT, reason, instance.spec.grace)
        elif instance.phase is _Phase.KILLING:
            self._kill(instance, now)
        elif instance.status is not None and not leftovers(instance.head, self._heads):
            self._finish(instance)
        elif now < instance.until:
            self._look_again(instance, now)
        elif instance.phase is _Phase.LINGERING:
            self._tell_leaks(instance)
            self._end(instance, min(instance.spec.grace, LEAK_TERM_GRACE), now)
        else:
            self._begin_killing(instance, now)

    def _look_again(self, instance: _Instance, now: float) -> None:
        instance.due = min(instance.until, now + instance.step)
        instance.step = min(2 * instance.step, _STEP_MAX)

    def _stop(self, instance: _Instance, cause: Cause, reason: str, grace: float) -> None:
        # What its leader did of its own accord stays so; then only its leftovers are hurried.
        if instance.cause is None and instance.status is None:
            instance.cause, instance.reason = cause, reason
        self._end(instance, grace, self._clock())

    def _end(self, instance: _Instance, grace: float, now: float) -> None:
        """Begin to end all of it, or hurry what has begun."""
        if instance.phase is _Phase.KILLING:
            return
        if grace <= 0:
            self._begin_killing(instance, now)
        elif instance.phase is _Phase.TERMINATING:
            instance.until = min(instance.until, now + grace)
        else:
            instance.phase, instance.until, instance.step = _Phase.TERMINATING, now + grace, _STEP
            self._look_again(instance, now)
            found = members(instance.head, self._heads)
            processes.ask_to_end(found)
            if not found and self._group_lives(instance):
                processes.send_group(instance.head.pid, signal.SIGTERM)

    def _begin_killing(self, instance: _Instance, now: float) -> None:
        instance.phase, instance.until, instance.step = _Phase.KILLING, now + KILL_PATIENCE, _STEP
        instance.due = now

    def _kill(self, instance: _Instance, now: float) -> None:
        """One round of SIGKILL for all of it."""
        found = processes.freeze_and_kill(lambda: members(instance.head, self._heads))
        if not found and self._group_lives(instance):
            processes.send_group(instance.head.pid, signal.SIGKILL)
        self._reap()
        if instance.status is not None and not found and not leftovers(instance.head, self._heads):
            self._finish(instance)
        elif now >= instance.until:
            names = [processes.describe(stat.pid) for stat in found[:LEAKS_TOLD]]
            instance.leaks += [f"{name} cannot be killed" for name in names]
            self._finish(instance)
        else:
            self._look_again(instance, now)

    @staticmethod
    def _group_lives(instance: _Instance) -> bool:
        return instance.status is None or processes.group_exists(instance.head.pid)

    def _tell_leaks(self, instance: _Instance) -> None:
        left = members(instance.head, self._heads)
        instance.leaks += [processes.describe(stat.pid) for stat in left[:LEAKS_TOLD]]
        if not left:
            instance.leaks.append(f"process group {instance.head.pid}")
        if len(left) > LEAKS_TOLD:
            instance.leaks.append(f"and {len(left) - LEAKS_TOLD} more")

    def _everybody(self) -> list[Stat]:
        found: dict[int, Stat] = {}
        for instance in self._instances.values():
            found.update({stat.pid: stat for stat in members(instance.head, self._heads)})
        return list(found.values())

    def _finish(self, instance: _Instance) -> None:
        pid = instance.head.pid
        del self._instances[instance.key], self._by_pid[pid], self._heads[pid]
        status = instance.status if instance.status is not None else signal.SIGKILL
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        cause = instance.cause or (Cause.SIGNAL if number else Cause.EXIT)
        reason = instance.reason or (f"ended by signal {number} ({_signal_name(number)})" if number else "")
        self._exits.append(
            Exit(
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
        )

    # --- memory ----------------------------------------------------------------------------------------

    def _watch_memory(self, now: float) -> None:
        """Stop instances whose processes hold more than their limit together."""
        watched = [i for i in self._instances.values() if i.spec.memory and i.phase is _Phase.RUNNING]
        self._next_watch = now + WATCH_EVERY if watched else math.inf
        old = [instance for instance in watched if now - instance.started >= WATCH_AFTER]
        if not old:
            return
        by_session: dict[int, list[Stat]] = {}
        for stat in processes.all_processes():
            by_session.setdefault(stat.session, []).append(stat)
        for instance in old:
            limit = instance.spec.memory
            held = held_bytes(by_session.get(instance.head.pid, ()), limit)
            if held > limit:
                self._stop(instance, Cause.MEMORY, too_much(held, limit), instance.spec.grace)


def _session_of(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return 0


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
