"""The mutants of the engine: each function breaks one thing, as a bug would."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

MUTANTS: dict[str, Callable[[], None]] = {}


def apply(name: str) -> None:
    """Break it, in this process, for good."""
    MUTANTS[name]()


def mutant(function: Callable[[], None]) -> Callable[[], None]:
    """Register one."""
    MUTANTS[function.__name__] = function
    return function


def _nothing(self: Any, record: Any) -> bool:
    return True


@mutant
def roll_back_skips_a_file() -> None:
    """Of what a command changed, one content is not put back."""
    from pytest_cbx.transaction.undo import Undo

    step = Undo._content_step
    skipped: list[Any] = []

    def skip(self: Undo, record: Any) -> bool:
        if not skipped:
            skipped.append(record)
        return record is skipped[0] or step(self, record)

    Undo._content_step = skip  # type: ignore[method-assign]


@mutant
def roll_back_leaves_what_was_made() -> None:
    """New files stay."""
    from pytest_cbx.transaction.undo import Undo

    Undo._absent_step = _nothing  # type: ignore[method-assign]


@mutant
def roll_back_forgets_renames() -> None:
    """What was moved stays moved."""
    from pytest_cbx.transaction.undo import Undo

    Undo._rename_step = _nothing  # type: ignore[method-assign]


@mutant
def roll_back_forgets_removed_files() -> None:
    """What was removed stays removed."""
    from pytest_cbx.transaction.undo import Undo

    Undo._linked_step = _nothing  # type: ignore[method-assign]


@mutant
def roll_back_forgets_modes() -> None:
    """Content comes back, permissions do not."""
    from pytest_cbx.transaction.undo import Undo

    Undo._meta_step = _nothing  # type: ignore[method-assign]


@mutant
def roll_back_forgets_times() -> None:
    """The time of a folder says that something was there."""
    from pytest_cbx.transaction.undo import Undo

    Undo._times_step = _nothing  # type: ignore[method-assign]


@mutant
def journal_after_the_call() -> None:
    """The call is let go, then the pre-image is taken."""
    from pytest_cbx.engine.guard import Guard

    record = Guard._record

    def late(self: Guard, watched: Any, trap: Any) -> None:
        watched.listener.proceed(trap.id)
        time.sleep(0.005)
        record(self, watched, trap)

    Guard._record = late  # type: ignore[method-assign]


@mutant
def orphans_survive() -> None:
    """Who outlives the leader of its command is left alone."""
    from pytest_cbx.execute import executor

    executor.leftovers = lambda head, heads: []  # type: ignore[attr-defined]
    executor.members = lambda head, heads: []  # type: ignore[attr-defined]


@mutant
def says_passed_though_undone() -> None:
    """What was rolled back is told as passed."""
    from pytest_cbx.engine import dispatcher, translate

    finished = translate.finished

    def lie(*arguments: Any) -> Any:
        done = finished(*arguments)
        return msgspec.structs.replace(done, status="passed", exit_code=0) if done.rolled_back else done

    setattr(dispatcher, "finished", lie)  # noqa: B010


@mutant
def exit_codes_are_lost() -> None:
    """Whatever happens, the exit code is 0: half of a command is kept."""
    from pytest_cbx.execute.executor import Executor

    handle = Executor.handle

    def lose(self: Executor) -> list[Any]:
        from pytest_cbx.execute.model import Cause

        return [dataclasses.replace(done, exit_code=0, cause=Cause.EXIT, signal=0, reason="") for done in handle(self)]

    Executor.handle = lose  # type: ignore[method-assign]


@mutant
def recovery_skips_journals() -> None:
    """What a killed engine left is left."""
    from pytest_cbx.transaction import recovery

    def skip(*arguments: Any) -> Iterator[Any]:
        yield from ()

    setattr(recovery, "_finish_all", skip)  # noqa: B010


@mutant
def recovery_removes_journals() -> None:
    """The journal goes, and nothing is undone."""
    from pytest_cbx.transaction import recovery
    from pytest_cbx.transaction.model import Report

    def remove(transaction: Any) -> Any:
        transaction._shared.journal.remove()
        return recovery._result(
            transaction.folder, recovery.Action.ROLLED_BACK, "", label="", restored=Report().restored
        )

    recovery._finish = remove


@mutant
def time_outs_are_not_kept() -> None:
    """A command that hangs goes on hanging."""
    from pytest_cbx.execute.executor import Executor, _Phase

    act = Executor._act

    def wait(self: Executor, instance: Any, now: float) -> None:
        if instance.phase is _Phase.RUNNING:
            instance.due = now + 1
        else:
            act(self, instance, now)

    Executor._act = wait  # type: ignore[method-assign]


@mutant
def two_writers_at_once() -> None:
    """Nobody waits for a lock."""
    from pytest_cbx.schedule.locks import LockTable

    LockTable.obstacle = lambda self, entry: None  # type: ignore[method-assign]
    LockTable.rivals = lambda self, entry, nodes: {}  # type: ignore[method-assign]


@mutant
def unconfirmed_is_called_kept() -> None:
    """A flush of the journal that fails is called good."""
    from pytest_cbx.transaction.journal import Journal

    append = Journal.append

    def pretend(self: Journal, data: bytes) -> None:
        fsync = self.disk.fsync

        def quiet(descriptor: int) -> None:
            with contextlib.suppress(OSError):
                fsync(descriptor)

        self.disk.fsync = quiet  # type: ignore[assignment]
        try:
            append(self, data)
        finally:
            self.disk.fsync = fsync

    Journal.append = pretend  # type: ignore[method-assign]


@mutant
def slots_stay_idle() -> None:
    """Each start comes late."""
    from pytest_cbx.engine.attempts import Attempts

    start = Attempts.start

    def late(self: Attempts, decision: Any) -> Any:
        time.sleep(0.05)
        return start(self, decision)

    Attempts.start = late  # type: ignore[method-assign]
