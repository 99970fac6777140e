"""What the scheduler can spare, lent by the jobserver, and taken back when a command wants to start."""

from __future__ import annotations

import selectors
from collections.abc import Callable, Collection, Mapping

from pytest_cbx.engine.jobserver import Jobserver
from pytest_cbx.schedule.model import Event, Lent, Reach, Reached, TaskId, Tick, Withdraw
from pytest_cbx.schedule.scheduler import Scheduler


class Lending:
    """Between one engine's scheduler and its jobserver, which is made in `folder` when the first instance starts."""

    def __init__(
        self, *, scheduler: Scheduler, slots: int, folder: Callable[[], bytes], feed: Callable[[Event], None]
    ) -> None:
        self._scheduler = scheduler
        self._slots = slots
        self._folder = folder
        self._feed = feed
        self._jobserver: Jobserver | None = None
        self._told = 0
        """Slots that are lent as far as the scheduler knows."""
        self._selector: selectors.BaseSelector | None = None
        """Where the jobserver is registered, while somebody waits for a slot that is lent."""

    def variables(self, environment: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
        """Those by which a command with this environment finds the jobserver."""
        if self._jobserver is None:
            self._jobserver = Jobserver(self._folder(), self._slots)
        return self._jobserver.variables(environment)

    def collected(self, event: Event) -> tuple[Lent, ...]:
        """Before an event that may start something: take back what nobody makes use of."""
        if self._jobserver is None or isinstance(event, Reach | Reached | Withdraw | Lent):
            return ()
        self._jobserver.reclaim()
        if self._jobserver.lent == self._told:
            return ()
        self._told = self._jobserver.lent
        return (Lent(slots=self._told),)

    def share(self, selector: selectors.BaseSelector) -> None:
        """After all events: lend what nobody waits for, or else look out for what is given back."""
        jobs = self._jobserver
        if jobs is None:
            return
        spare = 0 if jobs.doubtful else self._scheduler.spare()
        if spare > jobs.lent:
            jobs.lend(spare)
            self._told = jobs.lent
            self._feed(Lent(slots=jobs.lent))
        looks = bool(jobs.lent) and not spare
        if looks and self._selector is None:
            selector.register(jobs, selectors.EVENT_READ, lambda: self._feed(Tick()))
            self._selector = selector
        elif not looks:
            self._look_away()

    def ended(self, task: TaskId, others: Collection[TaskId], *, killed: bool) -> None:
        """A command has ended beside these others."""
        if self._jobserver is not None:
            self._jobserver.ended(task, others, killed=killed)

    def close(self) -> None:
        """Everything has ended."""
        self._look_away()
        if self._jobserver is not None:
            self._jobserver.close()
            self._jobserver = None

    def _look_away(self) -> None:
        if self._selector is not None and self._jobserver is not None:
            self._selector.unregister(self._jobserver)
            self._selector = None
