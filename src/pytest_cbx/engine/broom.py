"""Removes what is not needed any more in a thread, so that nobody waits for it."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable

from pytest_cbx.engine.own_disk import FaultyDisk
from pytest_cbx.transaction.disk import Disk
from pytest_cbx.transaction.transaction import Later


class Broom:
    """Calls what it is given, one after the other. What fails is left to recovery, which finds it at the next start."""

    def __init__(self) -> None:
        self._todo: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def later(self, work: Callable[[], None]) -> None:
        """Have this called soon."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._sweep, daemon=True)
            self._thread.start()
        self._todo.put(work)

    def of(self, disk: Disk) -> Later:
        """`later`; on a disk with faults at once, and without any: all is decided, and strikes after the end would be told too late."""
        if not isinstance(disk, FaultyDisk):
            return self.later

        def at_once(work: Callable[[], None]) -> None:
            with disk.sound(), contextlib.suppress(OSError):
                work()

        return at_once

    def close(self) -> None:
        """Wait until everything is done."""
        if self._thread is not None:
            self._todo.put(None)
            self._thread.join()
            self._thread = None

    def _sweep(self) -> None:
        while (work := self._todo.get()) is not None:
            with contextlib.suppress(OSError):
                work()
