"""The client's end: find the engine or start one, talk to it, and clean up when it is gone."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_cbx.config.model import Settings
from pytest_cbx.engine.framing import FROM_ENGINE, Connection
from pytest_cbx.engine.places import Rendezvous, rendezvous
from pytest_cbx.engine.protocol import (
    VERSION,
    Abandon,
    Environment,
    Farewell,
    Finished,
    FromEngine,
    Hello,
    Leave,
    Message,
    Refused,
    Settle,
    Started,
    Submission,
    Welcome,
)
from pytest_cbx.engine.sweep import kill_of_engine
from pytest_cbx.errors import EngineLost, ProtocolError
from pytest_cbx.execute import processes

START_PATIENCE = 20.0
"""Seconds for an engine to come up; a loaded machine may take a few."""
LEAVE_PATIENCE = 30.0
"""Seconds for the engine to stop what this client still runs."""
_PAUSE = 0.005


class Client:
    """A connection to the engine of one work tree. Not thread-safe, and of no use in a forked child."""

    def __init__(
        self, place: Rendezvous, connection: Connection[FromEngine], started: subprocess.Popen[bytes] | None
    ) -> None:
        self._place = place
        self._connection = connection
        self._process = started
        self._owner = os.getpid()
        self._sessions: dict[int, int] = {}
        """Leaders of running instances by command id, for the case that the engine dies."""
        self._environments = 0
        self._lost: EngineLost | None = None
        self._backlog: list[FromEngine] = []
        self.welcome: Welcome

    @classmethod
    def connect(
        cls, workspace: Path, *, name: str, settings: Settings, parent: str = "", subscribe: bool = False
    ) -> Client:
        """Connect to the work tree's engine; start one if there is none.

        Raises:
            EngineLost: no engine could be started; the message says what it printed.
            ProtocolError: the engine that runs is of another version.
        """
        place = rendezvous(workspace)
        deadline = time.monotonic() + START_PATIENCE
        started: subprocess.Popen[bytes] | None = None
        while True:
            found = _try(place)
            if found is not None:
                client = cls(place, found, started)
                if client._greet(name, settings, parent, subscribe):
                    return client
                found.close()
            elif started is None or started.poll() is not None:
                if started is not None and started.returncode:
                    raise EngineLost(f"the engine could not be started: {_said(place)}")
                started = _start(place, workspace)
            if time.monotonic() > deadline:
                raise EngineLost(f"no engine answered within {START_PATIENCE:g} s: {_said(place)}")
            time.sleep(_PAUSE)

    def fileno(self) -> int:
        """For selectors: readable when `receive` has something."""
        return self._connection.fileno()

    def environment(self, variables: Mapping[bytes, bytes]) -> int:
        """Register an environment; commands name it by the number returned."""
        self._environments += 1
        self._send(Environment(number=self._environments, variables=dict(variables)))
        return self._environments

    def submit(self, submission: Submission, descriptors: Sequence[int] = ()) -> None:
        """Hand in commands, with the descriptors for the one that wants them."""
        self._send(submission, descriptors)

    def abandon(self, ids: list[int] | None, reason: str) -> None:
        """Cancel commands, or all."""
        self._send(Abandon(ids=ids, reason=reason))

    def receive(self, timeout: float | None) -> list[FromEngine]:
        """Messages that have come; waits up to `timeout` seconds (None: as long as it takes) for the first.

        Raises:
            EngineLost: the engine has gone; everything that it ran for anybody is dead now.
        """
        self._check()
        if self._backlog:
            waiting, self._backlog = self._backlog, []
            return waiting
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select([self._connection.socket], [], [], left)
            messages = self._read() if ready else []
            if messages or (deadline is not None and time.monotonic() >= deadline):
                return messages

    def close(self) -> None:
        """Leave. Whatever still runs for this client is stopped first; the last one to leave sees the engine out."""
        if self._connection.closed or os.getpid() != self._owner:
            self._connection.socket.close()
            return
        last = False
        try:
            self._send(Leave())
            deadline = time.monotonic() + LEAVE_PATIENCE
            while not last and time.monotonic() < deadline:
                messages = self.receive(max(0.0, deadline - time.monotonic()))
                farewells = [message for message in messages if isinstance(message, Farewell)]
                if farewells:
                    last = farewells[0].last
                    break
        except EngineLost:
            pass
        finally:
            self._connection.close()
            self._see_out(last)

    # --- inside ------------------------------------------------------------------------------------------

    def _greet(self, name: str, settings: Settings, parent: str, subscribe: bool) -> bool:
        """Say hello; False when this engine was just leaving."""
        try:
            self._send(Hello(version=VERSION, pid=os.getpid(), name=name, parent=parent, subscribe=subscribe))
            self._send(
                Settle(
                    instances=settings.instances,
                    limits=settings.limits,
                    timeouts=settings.timeouts,
                    policy=settings.policy,
                    jobs=settings.jobs,
                )
            )
            messages = self.receive(START_PATIENCE)
        except EngineLost:
            return False
        if not messages:
            raise EngineLost(
                f"the engine does not answer; kill the process that holds {self._place.lock} and try again"
            )
        first, *self._backlog = messages
        if not isinstance(first, Welcome):
            raise ProtocolError(f"the engine answered with {type(first).__name__} instead of Welcome")
        self.welcome = first
        return True

    def _send(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        self._check()
        self._connection.queue(message, descriptors)
        self._connection.flush()
        if self._connection.closed:
            self._fail("the engine has gone")

    def _read(self) -> list[FromEngine]:
        try:
            messages = self._connection.receive()
        except ProtocolError as error:
            self._fail(f"the engine sent what is no message ({error})")
            raise
        for message in messages:
            match message:
                case Started():
                    self._sessions[message.id] = message.pid
                case Finished():
                    self._sessions.pop(message.id, None)
                case Refused() if hasattr(self, "welcome"):
                    self._fail(message.reason)
                case Refused():
                    self._connection.close()
                    raise ProtocolError(message.reason)
                case _:
                    pass
        if self._connection.closed and not messages:
            self._fail("the engine was killed, or died")
        return messages

    def _check(self) -> None:
        if os.getpid() != self._owner:
            raise EngineLost("a forked process cannot use its parent's connection to the engine; make one of its own")
        if self._lost is not None:
            raise self._lost

    def _fail(self, what: str) -> None:
        """The engine is gone: kill what it can no longer watch over, and say so from now on."""
        self._connection.close()
        if not hasattr(self, "welcome"):
            self._lost = EngineLost(what)
            raise self._lost
        sessions = frozenset(self._sessions.values())
        left = kill_of_engine(self.welcome.token, sessions=sessions)
        told = f"{what}; its commands were stopped, their results are lost: run again"
        if left:
            told += f" (these could not be killed: {', '.join(processes.describe(stat.pid) for stat in left)})"
        self._reap()
        self._lost = EngineLost(told)
        raise self._lost

    def _see_out(self, last: bool) -> None:
        """Wait until the engine has gone, so that nothing is left when we are."""
        if last:
            deadline = time.monotonic() + LEAVE_PATIENCE
            ticks = processes.start_ticks(self.welcome.pid)
            while time.monotonic() < deadline and self._engine_lives(ticks):
                time.sleep(_PAUSE / 2)
        self._reap()

    def _engine_lives(self, ticks: int) -> bool:
        if self._process is not None and self._process.pid == self.welcome.pid:
            return self._process.poll() is None
        stat = processes.stat_of(self.welcome.pid)
        return stat is not None and stat.start_ticks == ticks and stat.state not in "ZX"

    def _reap(self) -> None:
        if self._process is not None:
            self._process.poll()
            # An engine that serves others outlives the client that started it; that is no neglected child.
            self._process.returncode = self._process.returncode or 0


def _try(place: Rendezvous) -> Connection[FromEngine] | None:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.connect(os.fspath(place.socket))
    except OSError:
        sock.close()
        return None
    return Connection(sock, FROM_ENGINE)


def _start(place: Rendezvous, workspace: Path) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if name != "CBX_INSTANCE"}
    with open(place.log, "wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "pytest_cbx.engine", os.fspath(workspace)],
            cwd="/",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _said(place: Rendezvous) -> str:
    try:
        lines = place.log.read_text(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1] if lines else "it said nothing"
