"""One run of a workload that is killed at a point, its recovery, and the verdict."""

from __future__ import annotations

import contextlib
import dataclasses
import faulthandler
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from pytest_cbx.client.jobs import Job, Site, plan, prepare
from pytest_cbx.client.outcome import Outcome
from pytest_cbx.client.runner import Capture, Runner
from pytest_cbx.config.model import CommandConfig, Durability, Isolation, Limits, Rollback, Settings
from pytest_cbx.engine import __main__ as engine_process
from pytest_cbx.engine.places import rendezvous
from pytest_cbx.engine.recover import recover
from pytest_cbx.execute import processes
from pytest_cbx.execute.kernel.prctl import become_subreaper
from tests.crash.points import Point, Side, Verdict, Where
from tests.crash.trigger import Board, Trigger
from tests.workloads.compare import differences, look, without_times
from tests.workloads.model import Workload
from tests.workloads.place import Place

PATIENCE = 30.0
"""Seconds after which a run is given up."""
NEVER = 1 << 60
"""A call that no run gets to."""


class Stuck(Exception):
    """A run, or its recovery, did not come to an end."""


class Crasher:
    """Runs one workload again and again. The process it lives in belongs to it: environment, children, all."""

    _failed: bool
    """Whether a process of the last run ended badly."""

    def __init__(self, base: Path, workload: Workload, durability: Durability = Durability.PROCESS) -> None:
        self.place = Place(base)
        self.workload = workload
        os.environ.clear()
        os.environ.update(self.place.environment())
        tempfile.tempdir = None
        become_subreaper()
        self._settings = dataclasses.replace(
            Settings(),
            isolation=Isolation.GUARD,
            durability=durability,
            limits=Limits(memory_per_instance=2 << 30),
            learn=False,
        )
        self._board = Board()
        self._log = base / "log"
        self._failed = False
        self.fired = False
        """Whether the last kill has happened; else the run ended first."""
        self.place.set_up(workload)
        self._before = look(self._tree)
        self._job = {rollback: self._prepare(rollback) for rollback in (Rollback.NEVER, Rollback.ALWAYS)}
        ran = self.place.run_bare(workload)
        assert ran.exit_code == workload.exit_code, ran.output
        self._after = without_times(look(self._tree), workload)
        self.place.set_up(workload)
        self._before = look(self._tree)

    @property
    def _tree(self) -> bytes:
        return os.fsencode(self.place.tree)

    def measure(self, where: Where) -> int:
        """How many points there are in a part of an undisturbed run."""
        if where is Where.RECOVERY:
            last = Point(where=Where.TRAP, number=self.measure(Where.TRAP), side=Side.AFTER)
            self._run(last)
            self._recover(Point(where=where, number=NEVER, side=Side.BEFORE))
        else:
            self._run(Point(where=where, number=NEVER, side=Side.BEFORE))
        count = self._board.count
        self._start_over()
        return count

    def strike(self, point: Point, traps: int) -> tuple[Verdict, str]:
        """Kill at a point; returns the verdict, and what speaks against it. `traps`: how many trapped calls the run has."""
        try:
            return self._strike(point, traps)
        except Stuck as stuck:
            self._start_over()
            return Verdict.WRONG, str(stuck)
        finally:
            self._bury()

    def _strike(self, point: Point, traps: int) -> tuple[Verdict, str]:
        if point.where is Where.RECOVERY:
            self._run(Point(where=Where.TRAP, number=traps, side=Side.AFTER))
            if not self._board.fired:
                self.fired = False
                self._start_over()
                return Verdict.UNKILLED, ""
            self._recover(point)
        else:
            self._run(point)
        self.fired = fired = self._board.fired
        if point.again and fired:
            self._recover(Point(where=Where.RECOVERY, number=point.again, side=Side.AFTER))
        if fired:
            self._recover(None)
        return self._judge(point, fired)

    def _judge(self, point: Point, fired: bool) -> tuple[Verdict, str]:
        left = self._left_behind()
        found = look(self._tree)
        against_before = differences(self._before, found)
        against_after = differences(self._after, without_times(found, self.workload))
        if against_before:
            self._start_over()
        if left:
            return Verdict.WRONG, f"left behind: {', '.join(left)}"
        if not fired:
            # A run that nobody disturbed, or one that was killed and whose recovery nobody disturbed.
            against = against_before if point.where in (Where.ROLL_BACK, Where.RECOVERY) else against_after
            if not against and not self._failed:
                return Verdict.UNKILLED, ""
            return Verdict.WRONG, f"undisturbed it went wrong: {'; '.join(against[:6])}; {self._said()}"
        if point.where.may_be_kept and not against_after:
            return Verdict.AFTER, ""
        if not against_before:
            return Verdict.BEFORE, ""
        return Verdict.WRONG, self._told(against_before, against_after)

    def _told(self, against_before: list[str], against_after: list[str]) -> str:
        told = [f"against before: {line}" for line in against_before[:6]]
        told += [f"against after: {line}" for line in against_after[:6]]
        return "; ".join(told)

    # --- processes ---------------------------------------------------------------------------------------

    def _run(self, point: Point) -> None:
        """A whole run: an engine with a trigger in it, and a client with the command."""
        self._board.clear()
        self._log.unlink(missing_ok=True)
        place = rendezvous(self.place.workspace)
        place.socket.unlink(missing_ok=True)
        engine = self._fork(lambda: self._be_engine(point))
        self._wait_until(place.socket.exists, engine, "the engine listens")
        client = self._fork(self._be_client_for(Rollback.ALWAYS if point.where is Where.ROLL_BACK else Rollback.NEVER))
        self._reap(engine, client)

    def _recover(self, point: Point | None) -> None:
        """Recover as `cbx recover` does; killed at a point of it, if there is one."""
        if point is not None:
            self._board.clear()

        def work() -> None:
            if point is not None:
                Trigger(self._board, point).install()
            recover(self.place.workspace)

        self._reap(self._fork(work))

    def _be_engine(self, point: Point) -> None:
        os.setsid()
        Trigger(self._board, point).install()
        code = engine_process.main(os.fspath(self.place.workspace))
        assert code == 0

    def _be_client_for(self, rollback: Rollback) -> Callable[[], None]:
        job = self._job[rollback]

        def work() -> None:
            self._board.client = os.getpid()
            outcome = self._run_command(job)
            print(outcome, flush=True)
            assert outcome.exit_code == self.workload.exit_code, outcome

        return work

    def _run_command(self, job: Job) -> Outcome:
        with Runner(self.place.workspace, self._settings, name="crash") as runner:
            runner.submit([job], plan([job], slots=2, settings=self._settings), capture=Capture.SEPARATE)
            while True:
                for _, outcome in runner.poll(None):
                    return outcome

    def _prepare(self, rollback: Rollback) -> Job:
        command = CommandConfig(name=self.workload.name, run=self.workload.script, line=0, rollback=rollback)
        site = Site(base=self.place.workspace, root=self.place.workspace)
        (job,) = prepare([command], site=site, settings=self._settings, folder=self.place.tree)
        return job

    def _fork(self, work: Callable[[], None]) -> int:
        pid = os.fork()
        if not pid:
            self._be(work)
        return pid

    def _be(self, work: Callable[[], None]) -> NoReturn:
        code = 1
        try:
            log = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            null = os.open(os.devnull, os.O_RDONLY)
            for number, given in ((0, null), (1, log), (2, log)):
                os.dup2(given, number)
            faulthandler.register(signal.SIGUSR1)
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)

    def _reap(self, *pids: int) -> None:
        """Wait for these, and see whether all ended well."""
        deadline = time.monotonic() + PATIENCE
        self._failed = False
        for pid in pids:
            while not (ended := os.waitpid(pid, os.WNOHANG))[0]:
                if time.monotonic() > deadline:
                    self._ask_where(pid)
                    for each in pids:
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(each, signal.SIGKILL)
                    raise Stuck(f"a run has not ended after {PATIENCE:g} s; it said: {self._said()}")
                time.sleep(0.0005)
            self._failed = self._failed or ended[1] != 0

    def _ask_where(self, pid: int) -> None:
        """Let a process write into the log where it stands."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGUSR1)
            time.sleep(0.2)

    def _wait_until(self, condition: Callable[[], bool], pid: int, what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) or time.monotonic() > deadline:
                raise Stuck(f"waited in vain until {what}: {self._said()}")
            time.sleep(0.0005)

    def _said(self) -> str:
        return self._log.read_text(errors="replace")[-2000:] if self._log.exists() else ""

    # --- what is left ------------------------------------------------------------------------------------

    def _left_behind(self) -> list[str]:
        """Journals, other files of ours, processes."""
        found = [str(path) for path in self.place.state.rglob("*") if not path.is_dir() and path.suffix != ".lock"]
        found += [str(path) for path in self.place.workspace.iterdir() if path.name != "tree"]
        return found + [f"process {processes.describe(pid)}" for pid in self._children()]

    def _children(self) -> list[int]:
        """Orphans that came to us and can still do something: who has no memory any more is only being cleared away."""
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
            pids = [int(word) for word in file.read().split()]
        return [pid for pid in pids if Path(f"/proc/{pid}/cmdline").read_bytes() or not os.waitpid(pid, 0)]

    def _bury(self) -> None:
        """End what should not be there, so that the next run starts alone."""
        for pid in self._children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitpid(-1, 0)

    def _start_over(self) -> None:
        self.place.set_up(self.workload)
        self._before = look(self._tree)
