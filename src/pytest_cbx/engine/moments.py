"""From a trapped call to what the trigger of a fault asks about: which call, what about, by whom."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_cbx.engine.coverage import shown
from pytest_cbx.engine.ledger import Command
from pytest_cbx.engine.protocol import CommandSpec
from pytest_cbx.engine.watched import Watched
from pytest_cbx.execute import processes
from pytest_cbx.execute.kernel.seccomp import Notification
from pytest_cbx.execute.supervision.decode import Decoder
from pytest_cbx.execute.supervision.deeds import CHANGING as CHANGING_DEEDS
from pytest_cbx.execute.supervision.endpoints import SOCKET_CALLS, endpoint_of, peer_of
from pytest_cbx.execute.supervision.strikes import DESCRIPTOR_OF, descriptor_path, programs_of
from pytest_cbx.faults.model import CHANGING
from pytest_cbx.faults.trigger import Aim, Moment


@dataclass(slots=True, eq=False)
class Observer:
    """Tells what the calls of one attempt are about."""

    command: Command
    spec: CommandSpec
    watched: Watched
    decoder: Decoder
    """With reads, whatever the attempt's rung is."""
    began: float
    """Clock of the loop."""

    def moment(self, notification: Notification, name: str, aims: Sequence[Aim]) -> Moment | None:
        """What a call is; None where none of the triggers asks about such a call."""
        named = any(aim.concerns(name) for aim in aims)
        if not named and not any(aim.concerns(CHANGING) for aim in aims):
            return None
        path, changes = self._place(notification, name)
        if not changes and not named:
            return None
        wanted = any(aim.trigger.program != "*" for aim in aims)
        return Moment(
            call=name,
            changing=changes,
            path=path,
            programs=programs_of(notification.pid, self.command.pid, _parent) if wanted else (),
            command=self.spec.name,
            age=time.monotonic() - self.began,
        )

    def _place(self, notification: Notification, name: str) -> tuple[str, bool]:
        """What a call is about, and whether it changes it."""
        if name in SOCKET_CALLS:
            return endpoint_of(name, notification), False
        if notification.number not in self.decoder.known:
            if name not in DESCRIPTOR_OF:
                return "", False
            descriptor = notification.args[DESCRIPTOR_OF[name]]
            path = descriptor_path(notification.pid, descriptor)
            return self.shown(path) if path else peer_of(notification.pid, descriptor), False
        trap = self.decoder.decode(self.watched.listener, notification)
        if trap is None or (trap.deed not in CHANGING_DEEDS and not trap.path):
            return "", False
        return self.shown(trap.path), trap.deed in CHANGING_DEEDS

    def shown(self, path: bytes) -> str:
        """A path relative to the work tree, or to another root of the transaction; absolute elsewhere."""
        for root in self.watched.roots[1:]:
            if path.startswith(root + b"/"):
                return os.fsdecode(path[len(root) + 1 :])
        return shown(path, self.watched.roots[0]) if path else ""


def attempt_of(spec: CommandSpec, call: str = "attempt") -> Moment:
    """The start or the end of an attempt: no system call of the command's own."""
    return Moment(call=call, changing=False, path="", programs=(), command=spec.name, age=0.0)


def _parent(pid: int) -> int:
    found = processes.stat_of(pid)
    return found.parent if found is not None else 0
