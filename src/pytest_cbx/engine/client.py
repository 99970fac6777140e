"""The client's end: find the engine or start one, talk to it, and clean up when it is gone."""

from __future__ import annotations

import atexit
import dataclasses
import fcntl
import os
import select
import socket
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import msgspec

from pytest_cbx.config.model import Settings
from pytest_cbx.engine import launch
from pytest_cbx.engine.framing import FROM_ENGINE, Connection, peer_of
from pytest_cbx.engine.places import Rendezvous, rendezvous
from pytest_cbx.engine.protocol import (
    INTERNAL_ERROR,
    VERSION,
    Abandon,
    CommandSpec,
    Environment,
    Farewell,
    Finished,
    FromEngine,
    Heal,
    Hello,
    HoldSpec,
    JoinSpec,
    Journal,
    Leave,
    Message,
    Reach,
    Refused,
    Release,
    Settle,
    Started,
    Submission,
    Welcome,
)
from pytest_cbx.engine.sweep import kill_of_engine
from pytest_cbx.errors import CbxError, EngineLost, InternalError, ProtocolError
from pytest_cbx.execute import processes
from pytest_cbx.plan.model import Claim

START_PATIENCE = 30.0
"""Seconds for an engine to come up; a loaded machine may take a few."""
LEAVE_PATIENCE = 30.0
"""Seconds for the engine to stop what this client still runs."""
_PAUSE = 0.005

_open: weakref.WeakSet[Client] = weakref.WeakSet()


class Client:
    """A connection to the engine of one work tree. Not thread-safe, and of no use in a forked child."""

    def __init__(self, place: Rendezvous, connection: Connection[FromEngine]) -> None:
        self._place = place
        self._connection = connection
        self._owner = os.getpid()
        self._leaders: dict[int, tuple[int, int]] = {}
        """Pid and start of running instances' leaders by command id, for the case that the engine dies."""
        self._environments = 0
        self._refused = ""
        self._lost: CbxError | None = None
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
            UsageError: there is no private directory for the socket.
        """
        deadline = time.monotonic() + START_PATIENCE
        while True:
            place = rendezvous(workspace)
            found = _try(place) or _start_one(place, workspace, deadline)
            if found is not None:
                client = cls(place, found)
                if client._greet(name, settings, parent, subscribe):
                    _open.add(client)
                    return client
                found.close()
            if time.monotonic() > deadline:
                raise EngineLost(f"no engine answered within {START_PATIENCE:g} s: {launch.said(place)}")
            time.sleep(_PAUSE)

    def fileno(self) -> int:
        """For selectors: readable when `receive` has something."""
        return self._connection.fileno()

    @property
    def lost(self) -> bool:
        """Whether the engine was found to be gone. Nothing can be asked of it any more."""
        return self._lost is not None

    def environment(self, variables: Mapping[bytes, bytes]) -> int:
        """Register an environment; commands name it by the number returned."""
        self._environments += 1
        self._send(Environment(number=self._environments, variables=dict(variables)))
        return self._environments

    def submit(self, submission: Submission, descriptors: Sequence[int] = ()) -> None:
        """Hand in commands, with the descriptors for the one that wants them."""
        try:
            self._send(submission, descriptors)
        except UnicodeEncodeError:
            self._send(_without_surrogates(submission), descriptors)

    def abandon(self, ids: list[int] | None, reason: str) -> None:
        """Cancel commands, or all."""
        self._send(Abandon(ids=ids, reason=reason))

    def journal(self, folder: bytes, *, opens: bool) -> None:
        """Tell of the undo journal of a hold that is not handed in yet."""
        self._send(Journal(folder=folder, open=opens))

    def heal(self, faults: list[str]) -> None:
        """End these faults; `Healed` will come."""
        self._send(Heal(faults=faults))

    def reach(self, hold: int, number: int, claims: Sequence[Claim]) -> None:
        """Ask for claims for a hold; `Granted` with this number, or `Lost`, will come."""
        self._send(Reach(id=hold, number=number, claims=list(claims)))

    def release(self, hold: int, *, committed: bool) -> None:
        """Let a hold go."""
        self._send(Release(id=hold, committed=committed))

    def receive(self, timeout: float | None) -> list[FromEngine]:
        """Messages that have come; waits up to `timeout` seconds (None: as long as it takes) for the first.

        Raises:
            EngineLost: the engine has gone; everything that it ran for anybody is dead now.
            InternalError: it ended because of a bug in it; the message names the file to report.
        """
        self._check()
        if self._backlog:
            waiting, self._backlog = self._backlog, []
            return waiting
        deadline = None if timeout is None else time.monotonic() + timeout
        poll = select.poll()
        poll.register(self._connection.socket, select.POLLIN)
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
            messages = self._read() if poll.poll(left) else []
            if messages or (deadline is not None and time.monotonic() >= deadline):
                return messages

    def close(self) -> None:
        """Leave. Whatever still runs for this client is stopped first; the last one to leave sees the engine out."""
        _open.discard(self)
        if os.getpid() != self._owner or self._connection.closed:
            self._connection.close()
            return
        last = False
        try:
            self._send(Leave())
            deadline = time.monotonic() + LEAVE_PATIENCE
            farewell: list[Farewell] = []
            while not farewell and time.monotonic() < deadline:
                messages = self.receive(max(0.0, deadline - time.monotonic()))
                farewell = [message for message in messages if isinstance(message, Farewell)]
            last = bool(farewell) and farewell[0].last
        except (EngineLost, InternalError):
            pass  # nothing of ours runs any more, which is all that was wanted
        finally:
            self._connection.close()
            if last:
                self._see_out()
            launch.reap()

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
                    durability=settings.durability,
                    preimage_limit=settings.limits.preimage_bytes,
                    roots=[os.fsencode(root) for root in settings.roots],
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
        for number, message in enumerate(messages):
            match message:
                case Started() if message.pid:
                    self._leaders[message.id] = (message.pid, message.start_ticks)
                case Finished():
                    self._leaders.pop(message.id, None)
                case Refused():
                    # What came before it counts; it is told at the next call.
                    self._refused = message.reason
                    del messages[number:]
                    break
                case _:
                    pass
        if not messages:
            if self._refused:
                self._check()
            if self._connection.closed:
                self._fail("the engine was killed, or died")
        return messages

    def _check(self) -> None:
        if os.getpid() != self._owner:
            raise EngineLost("a forked process cannot use its parent's connection to the engine; make one of its own")
        if self._lost is not None:
            raise self._lost
        if self._refused:
            if not hasattr(self, "welcome"):
                self._connection.close()
                self._lost = ProtocolError(self._refused)
                raise self._lost
            self._fail(self._refused)

    def _fail(self, what: str) -> NoReturn:
        """The engine is gone: kill what it can no longer watch over, and say so from now on."""
        _open.discard(self)
        self._connection.close()
        if not hasattr(self, "welcome"):
            self._lost = EngineLost(what)
            raise self._lost
        left = kill_of_engine(self.welcome.token, leaders=dict(self._leaders.values()))
        told = f"{what}; its commands were stopped, their results are lost: run again"
        if left:
            told += f" (these could not be killed: {', '.join(processes.describe(stat.pid) for stat in left)})"
        launch.reap()
        self._lost = InternalError(told) if INTERNAL_ERROR in what else EngineLost(told)
        raise self._lost

    def _see_out(self) -> None:
        """Wait until the engine has gone, so that nothing is left when we are."""
        deadline = time.monotonic() + LEAVE_PATIENCE
        ticks = processes.start_ticks(self.welcome.pid)
        while time.monotonic() < deadline and self._engine_lives(ticks):
            time.sleep(_PAUSE / 2)

    def _engine_lives(self, ticks: int) -> bool:
        ours = launch.lives(self.welcome.pid)
        if ours is not None:
            return ours
        if not processes.visible():
            return self._place.lock.exists()
        stat = processes.stat_of(self.welcome.pid)
        return stat is not None and stat.start_ticks == ticks and stat.state not in "ZX"


def _try(place: Rendezvous) -> Connection[FromEngine] | None:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.connect(os.fspath(place.socket))
    except OSError:
        sock.close()
        return None
    return Connection(sock, FROM_ENGINE)


def _start_one(place: Rendezvous, workspace: Path, deadline: float) -> Connection[FromEngine] | None:
    """Start an engine and connect to it, unless another client is just doing so. None: try again.

    Raises:
        EngineLost: it ended with an error.
    """
    try:
        # Not through filelock, which would make a missing directory for everybody to enter.
        lock = os.open(place.start_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        found = _try(place)
        if found is not None:
            return found
        process = launch.start(place, workspace)
        while time.monotonic() < deadline:
            found = _try(place)
            if found is not None:
                if peer_of(found.socket)[0] not in (0, process.pid):
                    # Another one was elected; ours must not come up later, when that one has left.
                    process.kill()
                    process.wait()
                return found
            if process.poll() is not None:
                if process.returncode:
                    said = launch.said(place)
                    place.log.unlink(missing_ok=True)
                    raise EngineLost(f"the engine could not be started: {said}")
                return None
            time.sleep(_PAUSE)
        return None
    except (BlockingIOError, FileNotFoundError):
        # Another client starts one; or an engine that was just leaving has removed the directory.
        return None
    finally:
        os.close(lock)


def _without_surrogates(message: Submission) -> Submission:
    """Names and claims with undecodable bytes written out as \\udcXX: messages are UTF-8. What is run stays as it is."""

    def clean(text: str) -> str:
        return text.encode("utf-8", "backslashreplace").decode("utf-8")

    nodes: list[CommandSpec | JoinSpec | HoldSpec] = []
    for node in message.nodes:
        if isinstance(node, CommandSpec | HoldSpec):
            claims = [dataclasses.replace(claim, target=clean(claim.target)) for claim in node.claims]
            nodes.append(msgspec.structs.replace(node, name=clean(node.name), claims=claims))
        else:
            nodes.append(msgspec.structs.replace(node, name=clean(node.name)))
    return msgspec.structs.replace(message, nodes=nodes)


def _close_all() -> None:
    """At the end of the process: leave in good order whatever was not left."""
    for client in list(_open):
        client.close()


# After the engines' own, as that is to run last.
atexit.register(_close_all)
