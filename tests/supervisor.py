"""Runs a command under a listener and hands every trapped call to a callback: the engine's part, as small as it can be."""

from __future__ import annotations

import dataclasses
import os
import select
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pytest_cbx.execute.kernel.seccomp import Listener, Notification
from pytest_cbx.execute.model import Guard, GuardKind, InstanceSpec
from pytest_cbx.execute.spawn import spawn
from pytest_cbx.execute.supervision.decode import Decoder
from pytest_cbx.execute.supervision.deeds import Deed, Trap
from pytest_cbx.execute.supervision.inflight import InFlight, Way
from pytest_cbx.execute.supervision.spawner import Spawner

PATIENCE = 60.0
"""Seconds after which a command is given up and killed."""
_RETRY = 0.0005

Verdict = int | None
"""None: let the call go on. Else the error number that it is refused with (0: it returns 0, unrun)."""


def proceed(_: Trap) -> Verdict:
    """Let everything go on."""
    return None


@dataclass(kw_only=True)
class Watched:
    """What a command did, and how it ended."""

    exit_code: int = -1
    """Negative for a signal."""
    output: str = ""
    """Standard output and error, together."""
    traps: list[Trap] = field(default_factory=list)
    """In the order of the answers, with those that change nothing."""

    @property
    def deeds(self) -> list[tuple[str, bytes]]:
        """(deed, path) of all that would change something."""
        return [(trap.deed.value, trap.path) for trap in self.traps if trap.deed is not Deed.NONE]


def supervise(
    argv: Sequence[str | bytes],
    cwd: Path | bytes,
    *,
    before: Callable[[Trap], Verdict] = proceed,
    roots: tuple[bytes, ...] | None = None,
    reads: bool = False,
    honour_races: bool = True,
    environment: dict[bytes, bytes] | None = None,
) -> Watched:
    """Run a command to its end. `before` is called with each trap before it is answered, and decides about it
    (what can only fail, with `Trap.error`, fails with that unless it decides otherwise).

    `roots` are the work trees; by default the command's directory. With `honour_races` false, structural calls do not wait.
    """
    folder = os.path.realpath(os.fsencode(cwd))
    roots = (folder,) if roots is None else roots
    with tempfile.TemporaryDirectory() as place:
        output = Path(place) / "output"
        spec = InstanceSpec(
            argv=tuple(os.fsencode(word) for word in argv),
            cwd=folder,
            umask=0o022,
            environment=environment if environment is not None else dict(os.environb),
            marker="test",
            stdout=os.fsencode(output),
            stderr=os.fsencode(output),
            guard=Guard(kind=GuardKind.SUPERVISED, reads=reads),
        )
        done = _run(spec, _Answering(Decoder(roots, reads), before, honour_races))
        return dataclasses.replace(done, output=output.read_text("utf-8", "replace"))


class _Answering:
    def __init__(self, decoder: Decoder, before: Callable[[Trap], Verdict], honour_races: bool) -> None:
        self._decoder = decoder
        self._before = before
        self._inflight = InFlight() if honour_races else None
        self._later: list[Notification] = []
        self.traps: list[Trap] = []

    def serve(self, listener: Listener) -> None:
        """Take one call, and answer it or put it aside."""
        notification = listener.receive()
        if notification is None:
            return
        if self._inflight is not None:
            self._inflight.arrived(notification.pid)
        self._decide(listener, notification)

    def again(self, listener: Listener) -> bool:
        """Look at what was put aside; whether something still is."""
        later, self._later = self._later, []
        for notification in later:
            self._decide(listener, notification)
        return bool(self._later)

    def _decide(self, listener: Listener, notification: Notification) -> None:
        if self._inflight is not None and not self._inflight.may_decode(notification.pid):
            self._later.append(notification)
            return
        trap = self._decoder.decode(listener, notification)
        if trap is None:
            return
        if self._inflight is not None and self._inflight.way(trap) is not Way.FREE:
            self._later.append(notification)
            return
        self.traps.append(trap)
        verdict = self._before(trap)
        if trap.error and verdict is None:
            verdict = trap.error
        if verdict is None:
            if self._inflight is not None:
                self._inflight.note(trap)
            listener.proceed(trap.id)
        elif verdict:
            listener.refuse(trap.id, verdict)
        else:
            listener.answer(trap.id, 0)


def _run(spec: InstanceSpec, answering: _Answering) -> Watched:
    here = os.getcwd()
    spawner = Spawner()
    try:
        spawned = spawn(spec, spawner)
    finally:
        os.chdir(here)
    listener = spawned.listener
    assert listener is not None
    poll = select.poll()
    poll.register(listener.fileno(), select.POLLIN)
    deadline = time.monotonic() + PATIENCE
    waiting = False
    try:
        while True:
            # A timeout of 0 would spin; poll counts in whole milliseconds, so the wait is `sleep`'s.
            events = poll.poll(0 if waiting else 1000)
            if events and events[0][1] & select.POLLIN:
                answering.serve(listener)
            elif events and events[0][1] & select.POLLHUP:
                break
            elif waiting:
                time.sleep(_RETRY)
            waiting = answering.again(listener)
            if time.monotonic() > deadline:
                os.killpg(spawned.pid, 9)
                raise AssertionError(f"{spec.argv!r} did not end within {PATIENCE:g} s")
    finally:
        listener.close()
        spawner.close()
    _, status = os.waitpid(spawned.pid, 0)
    return Watched(exit_code=os.waitstatus_to_exitcode(status), traps=answering.traps)
