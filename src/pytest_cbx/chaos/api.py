"""`Chaos`: faults from Python. The `chaos` fixture is one of these."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Unpack

import pluggy

from pytest_cbx.chaos.ballast import Ballast
from pytest_cbx.chaos.campaign import Result, campaign
from pytest_cbx.chaos.fake_disk import FakeDisk
from pytest_cbx.chaos.faults import clock, disk, instance, memory, network, own
from pytest_cbx.chaos.faults.catalogue import all_kinds
from pytest_cbx.chaos.faults.kinds import Kind, Planned, When
from pytest_cbx.chaos.leases import Leases, Planted
from pytest_cbx.chaos.model import Evidence
from pytest_cbx.chaos.points import Points, every_point
from pytest_cbx.chaos.recovering import recover_under
from pytest_cbx.chaos.schedules import Strike
from pytest_cbx.chaos.tree import Snapshot, alike, assert_same, snapshot
from pytest_cbx.client.api import Cbx
from pytest_cbx.client.outcome import Outcome
from pytest_cbx.engine.recover import RecoverySummary
from pytest_cbx.errors import FaultUnsupported, UsageError


class Chaos:
    """Puts faults in force for the commands of this process: `with chaos.disk_full(at=3) as fault: cbx.run(...)`."""

    def __init__(
        self,
        leases: Leases,
        cbx: Cbx | None = None,
        *,
        renew: Callable[[], None] = lambda: None,
        record: Callable[[Evidence], None] = lambda evidence: None,
        seed: int = 1,
        hooks: pluggy.PluginManager | None = None,
    ) -> None:
        """`cbx` runs the commands of `every_point` and of campaigns; `renew` leaves its engine, the next command starts another.

        `record` takes the evidence for the criteria; `seed` is the run's; `hooks` know further kinds of faults.
        """
        self._hooks = hooks
        self.record = record
        self.seed = seed
        self._leases = leases
        self._cbx = cbx
        self._renew = renew

    @property
    def kinds(self) -> dict[str, Kind]:
        """All kinds of faults by name."""
        return dict(all_kinds(self._hooks))

    def inject(self, kind: str, **keywords: Any) -> Planted:
        """A fault of a kind that is given by its name.

        Raises:
            UsageError: there is no such kind, or it takes no such keyword.
            FaultUnsupported: this machine cannot do it.
        """
        found = self.kinds.get(kind)
        if found is None:
            raise UsageError(f"there is no fault {kind!r}; there are {', '.join(sorted(self.kinds))}")
        try:
            return self._plant(kind, found.build(**keywords))
        except TypeError as error:
            raise UsageError(f"chaos.{kind}: {error}") from error

    def _plant(self, kind: str, planned: Planned) -> Planted:
        missing = self.kinds[kind].missing()
        if missing:
            raise FaultUnsupported(f"{kind} cannot be had here: {missing}")
        return self._leases.plant(kind, planned)

    def every_point(
        self,
        kind: str,
        command: str,
        *,
        lasting: tuple[bool, ...] = (False,),
        accept: Callable[[], str] | None = None,
        step: int = 1,
        most: int = 0,
        timeout: float = 60.0,
        work: str = "",
        **keywords: Any,
    ) -> Points:
        """Strike a command with a fault at its first call, its second … until it ends untouched: `assert not points.wrong, str(points)`.

        The tree is put back between the points. `lasting=(False, True)`: each point once, and from it on. See `points.every_point`.
        `most`: no more points than that, evenly spread. `work`: what sort of operation it is, for the criteria; by default the command's
        first word.

        Raises:
            UsageError: this object runs no commands, or the fault would strike the client itself.
        """
        if self._cbx is None:
            raise UsageError("chaos.every_point needs the cbx fixture")
        if keywords.get("whom") == "client":
            raise UsageError('chaos.every_point: whom="client" would end this very process; a campaign can do that')

        def plant(number: int, again: bool) -> Planted:
            return self.inject(kind, at=number, lasting=again, **keywords)

        points = every_point(
            self._cbx, plant, command, kind=kind, lasting=lasting, accept=accept, step=step, most=most, timeout=timeout,
            renew=self._renew,
        )  # fmt: skip
        self.record(Evidence(seed=self.seed, trials=points.trials(work=work)))
        return points

    def campaign(
        self,
        commands: Sequence[str | tuple[str, str]],
        faults: Sequence[str] = (),
        trials: int = 100,
        seed: int | None = None,
        *,
        seconds: float = 600.0,
        together: int = 2,
        check: Callable[[], str] | None = None,
    ) -> Result:
        """Many trials of these commands under faults drawn from a seed: `found = chaos.campaign([...]); assert found.ok, str(found)`.

        Each trial runs up to `together` of the commands at once under one or two faults; then all faults heal, and everything has to come
        right. A command may be given with the sort of work that it is: `("./save x", "save")`. `faults`: names of kinds or of classes, by
        default all that this machine has. `check`: says what is wrong with the tree where a command passed that does not do the same each
        time. Trials that did not fit into `seconds` make the run invalid.

        Raises:
            UsageError: a command fails by itself, or there is no such fault.
        """
        if self._cbx is None:
            raise UsageError("chaos.campaign needs the cbx fixture")
        found = campaign(
            self._cbx, self._leases, self.kinds, commands, faults=faults, trials=trials,
            seed=self.seed if seed is None else seed, seconds=seconds, together=together, check=check, renew=self._renew,
        )  # fmt: skip
        self.record(found.evidence)
        return found

    @contextmanager
    def apply(self, strikes: Iterable[Strike]) -> Iterator[list[Planted]]:
        """Put all faults of a schedule in force: one of `chaos.strategies`, or of a campaign."""
        with ExitStack() as stack:
            yield [stack.enter_context(self.inject(strike.kind, **strike.given)) for strike in strikes]

    @property
    def strategies(self) -> ModuleType:
        """Hypothesis strategies for schedules: `@given(strategies.schedules())`. Needs Hypothesis."""
        return import_module("pytest_cbx.chaos.strategies")

    @staticmethod
    def fake_disk(size: int | str = "1MB") -> FakeDisk:
        """A disk in memory for Python code of this process, with a size and faults of its own. See `fake_disk.FakeDisk`."""
        return FakeDisk(size)

    @staticmethod
    def alike(one: Snapshot, other: Snapshot) -> bool:
        """Whether two pictures are the same but for times."""
        return alike(one, other)

    def recover(self, root: str | os.PathLike[str]) -> RecoverySummary:
        """`cbx recover` for a work tree, in this process, under the faults of the engine's own disk that are in force.

        This object leaves its engine first; where another client keeps one alive, nothing is done, and the journals are told as busy.
        """
        self._renew()
        return recover_under(Path(root), self._leases.planted())

    @staticmethod
    def assert_rolled_back(outcome: Outcome) -> None:
        """Raise AssertionError unless a command failed and everything that it had changed was undone."""
        assert not outcome.ok, f"it passed, so nothing was undone: {outcome}"
        changed = outcome.changes is None or outcome.changes.count
        assert outcome.rolled_back or not changed, f"it was not rolled back: {outcome}"
        assert not outcome.rollback_incomplete, f"it was not rolled back completely: {outcome}"

    @staticmethod
    def assert_whole(before: Snapshot, path: str | os.PathLike[str]) -> None:
        """Raise AssertionError, with the differences, unless a tree is exactly as in `before = chaos.picture(path)`."""
        assert_same(before, snapshot(path))

    @staticmethod
    def picture(path: str | os.PathLike[str]) -> Snapshot:
        """A tree as strictly as it can be seen: content, mode, owner, times, links, attributes, holes."""
        return snapshot(path)

    # --- instances -----------------------------------------------------------------------------------------

    def kill(self, *, whom: str = "instance", **when: Unpack[When]) -> Planted:
        """SIGKILL before the call. `whom`: `process` (the caller), `instance` (all of the command), `client`, `engine`."""
        return self._plant("kill", instance.kill(whom=whom, **when))

    def stop(self, *, seconds: float = 0.0, whom: str = "instance", **when: Unpack[When]) -> Planted:
        """SIGSTOP; SIGCONT after so many seconds, else at the end of the block."""
        return self._plant("stop", instance.stop(seconds=seconds, whom=whom, **when))

    def hang(self, **when: Unpack[When]) -> Planted:
        """A system call does not come back until the end of the block."""
        return self._plant("hang", instance.hang(**when))

    def exit_code(self, code: int, **when: Unpack[When]) -> Planted:
        """The command does its work, and a wrong exit code is reported. `at` counts attempts."""
        return self._plant("exit_code", instance.exit_code(code, **when))

    def no_start(self, error: int = errno.EAGAIN, **when: Unpack[When]) -> Planted:
        """The command cannot be started. `at` counts attempts."""
        return self._plant("no_start", instance.no_start(error, **when))

    # --- disk ----------------------------------------------------------------------------------------------

    def disk_full(self, **when: Unpack[When]) -> Planted:
        """ENOSPC."""
        return self._plant("disk_full", disk.disk_full(**when))

    def disk_error(self, error: int = errno.EIO, **when: Unpack[When]) -> Planted:
        """EIO, or another error of the disk."""
        return self._plant("disk_error", disk.disk_error(error, **when))

    def read_only(self, **when: Unpack[When]) -> Planted:
        """EROFS from the n-th change on."""
        return self._plant("read_only", disk.read_only(**when))

    def quota(self, **when: Unpack[When]) -> Planted:
        """EDQUOT."""
        return self._plant("quota", disk.quota(**when))

    def short_write(self, share: float = 0.5, **when: Unpack[When]) -> Planted:
        """A write writes only a share of its bytes, and says so."""
        return self._plant("short_write", disk.short_write(share, **when))

    def torn_write(self, share: float = 0.5, **when: Unpack[When]) -> Planted:
        """A write writes a share of its bytes, then the caller is killed."""
        return self._plant("torn_write", disk.torn_write(share, **when))

    def slow(self, seconds: float = 0.1, **when: Unpack[When]) -> Planted:
        """Changes, writes and flushes take longer, from the n-th on."""
        return self._plant("slow", disk.slow(seconds, **when))

    def fsync_lies(self, error: int = errno.EIO, **when: Unpack[When]) -> Planted:
        """A flush fails once; each later one succeeds without doing anything."""
        return self._plant("fsync_lies", disk.fsync_lies(error, **when))

    # --- memory --------------------------------------------------------------------------------------------

    def memory_limit(self, limit: int, *, by: str = "", **when: Unpack[When]) -> Planted:
        """So many bytes and no more, from a command's start on; `by`: `cgroup` (all its processes together) or `rlimit` (each)."""
        return self._plant("memory_limit", memory.memory_limit(limit, by=by, **when))

    def memory_pressure(self, limit: int, **when: Unpack[When]) -> Planted:
        """Beyond so many bytes a command is slowed down."""
        return self._plant("memory_pressure", memory.memory_pressure(limit, **when))

    def no_memory(self, **when: Unpack[When]) -> Planted:
        """ENOMEM: a request for memory fails."""
        return self._plant("no_memory", memory.no_memory(**when))

    @staticmethod
    def ballast(cap: int | None = None, *, lease: float = 300.0) -> Ballast:
        """A process of ours takes so many bytes away from everybody, a tenth of what is available by default. See `ballast.Ballast`."""
        return Ballast(cap, lease=lease)

    # --- network -------------------------------------------------------------------------------------------

    def refused(self, **when: Unpack[When]) -> Planted:
        """A connection is refused. `path` is the other end: `127.0.0.1:5432`, `*:443`."""
        return self._plant("refused", network.refused(**when))

    def timed_out(self, seconds: float = 0.2, **when: Unpack[When]) -> Planted:
        """A connection times out, after so many seconds."""
        return self._plant("timed_out", network.timed_out(seconds, **when))

    def no_route(self, **when: Unpack[When]) -> Planted:
        """No route to the other end."""
        return self._plant("no_route", network.no_route(**when))

    def no_name(self, **when: Unpack[When]) -> Planted:
        """No name server can be reached."""
        return self._plant("no_name", network.no_name(**when))

    def partition(
        self, commands: Sequence[str] = ("*",), peers: str = network.ANYBODY, **when: Unpack[When]
    ) -> Planted:
        """A set of commands, by globs on their names, reaches nobody (or none of `peers`) any more, until the end of the block."""
        return self._plant("partition", network.partition(commands, peers, **when))

    def latency(self, seconds: float = 0.05, *, jitter: float = 0.0, **when: Unpack[When]) -> Planted:
        """To connect and to send takes longer."""
        return self._plant("latency", network.latency(seconds, jitter=jitter, **when))

    # --- clock ---------------------------------------------------------------------------------------------

    def clock_jump(self, seconds: float, *, monotonic: bool = False, **when: Unpack[When]) -> Planted:
        """The time of day is so many seconds ahead; with `monotonic`, so is the clock that must never jump."""
        return self._plant("clock_jump", clock.clock_jump(seconds, monotonic=monotonic, **when))

    # --- the engine's own disk -----------------------------------------------------------------------------

    def journal_full(self, *, phase: str = "any", **when: Unpack[When]) -> Planted:
        """No space where the engine keeps (`keep`), or commits and undoes (`end`), what a command changes."""
        return self._plant("journal_full", own.journal_full(phase=phase, **when))

    def journal_error(self, error: int = errno.EIO, *, phase: str = "any", **when: Unpack[When]) -> Planted:
        """The same with another error of the disk."""
        return self._plant("journal_error", own.journal_error(error, phase=phase, **when))

    def journal_short_write(self, *, phase: str = "any", **when: Unpack[When]) -> Planted:
        """The engine's write writes one half."""
        return self._plant("journal_short_write", own.journal_short_write(phase=phase, **when))
