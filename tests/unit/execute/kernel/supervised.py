"""A real process under a real filter, for the tests of this folder."""

from __future__ import annotations

import os
import queue
import select
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

from pytest_cbx.execute import ladder
from pytest_cbx.execute.kernel.filter import FilterPolicy, build
from pytest_cbx.execute.kernel.seccomp import Listener, Notification, install

needs_guard = pytest.mark.skipif(
    ladder.probe().level == "off" and os.environ.get("CBX_REQUIRE") != "1",
    reason=f"no rung guard here: {ladder.probe().reason}",
)
"""What it skips for could be our own mistake; `test_ladder` has a test that does not take the ladder's word for it."""

T = TypeVar("T")
Answerer = Callable[[Listener, Notification], object]
SECONDS = 20


def in_thread(deed: Callable[[], T]) -> T:
    """Do something in a thread of its own, so that nothing of it sticks to the tests."""
    answers: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put((deed(), None))
        except BaseException as error:
            answers.put((None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    value, error = answers.get(timeout=SECONDS)
    thread.join()
    if error is not None:
        raise error
    return value  # type: ignore[return-value]  # None only where the deed gives None


@contextmanager
def supervised(
    command: list[str], policy: FilterPolicy | None = None
) -> Iterator[tuple[Listener, queue.SimpleQueue[subprocess.CompletedProcess[str]]]]:
    """Start a command from a filtered thread; whoever enters answers its calls. The queue gets what came of it."""
    begun: queue.SimpleQueue[int | OSError] = queue.SimpleQueue()
    done: queue.SimpleQueue[subprocess.CompletedProcess[str]] = queue.SimpleQueue()

    def run() -> None:
        try:
            begun.put(install(build(policy or FilterPolicy())))
        except OSError as error:
            begun.put(error)
            return
        # Its pipes are no trapped calls, and it opens no /dev/null.
        done.put(subprocess.run(command, input="", capture_output=True, text=True, check=False, timeout=SECONDS))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    descriptor = begun.get(timeout=SECONDS)
    if isinstance(descriptor, OSError):
        raise descriptor
    listener = Listener(descriptor)
    try:
        yield listener, done
    finally:
        listener.close()
        thread.join(SECONDS)


def run(command: list[str], answer: Answerer, policy: FilterPolicy | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command, with each of its trapped calls answered by `answer`, to its end."""
    with supervised(command, policy) as (listener, done):
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        while True:
            events = poll.poll(SECONDS * 1000)
            assert events, "neither a call nor an end"
            if not events[0][1] & select.POLLIN:
                return done.get(timeout=SECONDS)
            call = listener.receive()
            if call is not None:
                answer(listener, call)
