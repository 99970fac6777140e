"""The engine's loop: sockets, scheduler and executor in one thread."""

from __future__ import annotations

import contextlib
import os
import secrets
import selectors
import signal
import socket
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from pytest_cbx.engine.dispatcher import Dispatcher
from pytest_cbx.engine.framing import FROM_CLIENT, Connection, peer_of
from pytest_cbx.engine.ledger import Session
from pytest_cbx.engine.places import Rendezvous
from pytest_cbx.engine.protocol import INTERNAL_ERROR, FromClient, Refused
from pytest_cbx.engine.receivers import NUDGE
from pytest_cbx.engine.recover import recover_locked
from pytest_cbx.engine.sweep import kill_of_engine
from pytest_cbx.errors import ProtocolError
from pytest_cbx.execute.executor import Executor

FIRST_CLIENT_PATIENCE = 10.0
"""Seconds that an engine waits for the client that started it."""
GREETING_PATIENCE = 10.0
"""Seconds that a connection has to say Hello and Settle."""
_LISTENER, _WAKEUP = "listener", "wakeup"


@dataclass(frozen=True, slots=True)
class _Watched:
    """A client's process, as a descriptor that becomes readable when it dies."""

    session: Session


class Server:
    """Serves one work tree until its last client has left."""

    def __init__(self, place: Rendezvous, workspace: Path) -> None:
        self._place = place
        self._workspace = workspace
        self._token = f"{place.tree}-{os.getpid()}-{secrets.token_hex(4)}"
        self._selector = selectors.DefaultSelector()
        self._sessions: dict[int, Session] = {}
        self._watched: dict[int, int] = {}
        """Descriptors of the clients' processes; -1 where there is none."""
        self._next_client = 1
        self._executor = Executor()
        self._dispatcher = Dispatcher(self._token, workspace, self._executor, self._others)
        self._listener: socket.socket | None = None
        self._wakeup_in, self._wakeup_out = socket.socketpair()
        self._stopping = ""
        self._served = False

    def serve(self) -> None:
        """Run until nobody is left, or a signal ends it. All instances are dead on return."""
        self._dispatcher.recovered = recover_locked(self._place, self._workspace, self._token).journals
        self._listen_to_signals()
        self._listener = self._listen()
        patience = time.monotonic() + FIRST_CLIENT_PATIENCE
        try:
            while not self._stopping:
                self._turn(patience)
                if not self._sessions and (self._served or time.monotonic() > patience):
                    self._stopping = "the last client left"
        except Exception:
            self._stopping = f"{INTERNAL_ERROR}, please report it with {self._keep_traceback()}"
        finally:
            self._stop_listening()
            self._end()

    def _keep_traceback(self) -> str:
        """Write the traceback into a file that stays; returns its path."""
        kept = self._place.directory / f"internal-error-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
        text = traceback.format_exc()
        sys.stderr.write(text)
        with contextlib.suppress(OSError):
            kept.write_text(text, encoding="utf-8", errors="backslashreplace")
        return os.fspath(kept)

    # --- the loop ----------------------------------------------------------------------------------------

    def _turn(self, patience: float) -> None:
        """Wait for something to happen, and let it."""
        knocking = False
        for key, events in self._dispatcher.wait(self._selector, self._timeout(patience)):
            if key.data is _WAKEUP:
                with contextlib.suppress(BlockingIOError):
                    self._wakeup_in.recv(4096)
            elif key.data is _LISTENER:
                knocking = True
            elif callable(key.data):
                key.data()
            elif isinstance(key.data, Session):
                self._talk(key.data, events)
            else:
                self._on_client_died(key.data)
        self._dispatcher.advance()
        if self._dispatcher.ending:
            # Who knocks now is turned away by the closed socket, and starts an engine of its own.
            self._stop_listening()
        elif knocking and self._listener is not None:
            self._accept(self._listener)
        for session in list(self._sessions.values()):
            self._attend(session)

    def _others(self, session: Session) -> bool:
        return any(other is not session and not other.connection.closed for other in self._sessions.values())

    def _on_client_died(self, watched: _Watched) -> None:
        """A child that it forked may hold its socket open: then there is no end of file."""
        watched.session.connection.closed = True

    def _timeout(self, patience: float) -> float | None:
        dues = [due for due in (self._executor.next_due(), self._dispatcher.next_wake()) if due is not None]
        if not self._served:
            dues.append(patience)
        dues += [session.greet_by for session in self._sessions.values() if not session.settled]
        return max(0.0, min(dues) - time.monotonic()) if dues else None

    def _talk(self, session: Session, events: int) -> None:
        if not events & selectors.EVENT_READ or session.connection.closed:
            return
        try:
            for message in session.connection.receive():
                self._dispatcher.take(session, message)
                if session.settled and session.id not in self._watched:
                    self._served = True
                    self._watch(session)
        except ProtocolError as error:
            self._refuse(session, str(error))

    def _attend(self, session: Session) -> None:
        """Send what waits for a client, and let it go when it is gone."""
        connection = session.connection
        if not session.settled and not connection.closed and time.monotonic() > session.greet_by:
            self._refuse(session, f"no Hello and Settle came within {GREETING_PATIENCE:g} s")
        if not connection.closed:
            connection.flush()
        if connection.closed or (session.leaving and not session.live and not connection.wants_to_write):
            self._drop(session)
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.wants_to_write else 0)
        if self._selector.get_key(connection.socket).events != events:
            self._selector.modify(connection.socket, events, session)

    # --- clients come and go -----------------------------------------------------------------------------

    def _accept(self, listener: socket.socket) -> None:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        sock.setblocking(False)
        connection: Connection[FromClient] = Connection(sock, FROM_CLIENT)
        greet_by = time.monotonic() + GREETING_PATIENCE
        session = Session(id=self._dispatcher.client_id(self._next_client), connection=connection, greet_by=greet_by)
        self._next_client += 1
        self._sessions[session.id] = session
        self._selector.register(sock, selectors.EVENT_READ, session)
        _, uid = peer_of(sock)
        if uid not in (None, os.geteuid()):
            self._refuse(session, f"this engine serves the user with id {os.geteuid()}, not {uid}")

    def _watch(self, session: Session) -> None:
        """Be told when the client's process dies."""
        pid, _ = peer_of(session.connection.socket)
        self._watched[session.id] = -1
        if pid and hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                descriptor = self._watched[session.id] = os.pidfd_open(pid)
                self._selector.register(descriptor, selectors.EVENT_READ, _Watched(session))

    def _refuse(self, session: Session, reason: str) -> None:
        with contextlib.suppress(ProtocolError):
            session.connection.queue(Refused(reason=reason))
        session.connection.flush()
        session.connection.closed = True

    def _drop(self, session: Session) -> None:
        del self._sessions[session.id]
        watched = self._watched.pop(session.id, -1)
        if watched >= 0:
            self._selector.unregister(watched)
            os.close(watched)
        self._selector.unregister(session.connection.socket)
        session.connection.close()
        self._dispatcher.forget(session)

    # --- beginning and end ---------------------------------------------------------------------------------

    def _listen(self) -> socket.socket:
        """Bind under a name of our own and rename: the socket's real name always answers."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        temporary = self._place.directory / f"new.{os.getpid()}"
        temporary.unlink(missing_ok=True)
        listener.bind(os.fspath(temporary))
        os.chmod(temporary, 0o600)
        listener.listen(128)
        listener.setblocking(False)
        os.rename(temporary, self._place.socket)
        self._selector.register(listener, selectors.EVENT_READ, _LISTENER)
        return listener

    def _stop_listening(self) -> None:
        """From here on a new client starts an engine of its own, which waits for our lock."""
        listener, self._listener = self._listener, None
        if listener is not None:
            self._place.socket.unlink(missing_ok=True)
            self._selector.unregister(listener)
            listener.close()

    def _listen_to_signals(self) -> None:
        self._wakeup_in.setblocking(False)
        self._wakeup_out.setblocking(False)
        self._selector.register(self._wakeup_in, selectors.EVENT_READ, _WAKEUP)
        signal.set_wakeup_fd(self._wakeup_out.fileno(), warn_on_full_buffer=False)

        def stop(number: int, frame: FrameType | None) -> None:
            self._stopping = f"signal {signal.Signals(number).name}"

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, stop)
        # The wake-up descriptor is written only for signals that have a handler in Python.
        for number in (signal.SIGCHLD, NUDGE):
            signal.signal(number, lambda number, frame: None)

    def _end(self) -> None:
        try:
            self._executor.kill_everything(f"the engine ended: {self._stopping}")
            self._dispatcher.undo_everything()
            self._dispatcher.say_goodbye(self._stopping)
        except Exception:
            # Whatever the state of the executor: what runs still carries our token.
            kill_of_engine(self._token)
            self._keep_traceback()
        self._executor.close()
        for session in list(self._sessions.values()):
            session.connection.socket.setblocking(True)
            session.connection.socket.settimeout(1.0)
            with contextlib.suppress(ProtocolError, OSError):
                if session.settled:  # the others simply start the next engine
                    session.connection.queue(Refused(reason=f"the engine ended: {self._stopping}"))
                session.connection.flush()
            session.connection.close()
        signal.set_wakeup_fd(-1)
        self._wakeup_in.close()
        self._wakeup_out.close()
        for descriptor in self._watched.values():
            if descriptor >= 0:
                os.close(descriptor)
        self._selector.close()
