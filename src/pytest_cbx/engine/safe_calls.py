"""Answers the trapped calls of SAFE commands, which share one listener.

What only looks, or stays in their private folder, goes on. Anything else is a surprise: it stays suspended, and the command
starts again under its true tier.
"""

from __future__ import annotations

import errno
import select
from collections import deque

from pytest_cbx.engine.arbiter import Arbiter
from pytest_cbx.engine.borders import Borders, probe
from pytest_cbx.execute.kernel.landlock import DEVICES
from pytest_cbx.execute.kernel.seccomp import Listener, Notification
from pytest_cbx.execute.supervision.decode import Decoder
from pytest_cbx.execute.supervision.deeds import CHANGING, READING, Deed, Trap

DEVICE_FOLDERS = tuple(device + b"/" for device in DEVICES)
"""Nothing that is there outlives a command."""


class SafeCalls:
    """The shared listener; `folder` is all that these commands may write, beside devices."""

    def __init__(self, listener: Listener, decoder: Decoder, arbiter: Arbiter, borders: Borders, folder: bytes) -> None:
        self._listener = listener
        self._decoder = decoder
        self._arbiter = arbiter
        self._borders = borders
        self._folder = folder + b"/"
        self._waits = select.poll()
        self._waits.register(listener.fileno(), select.POLLIN)
        self._put_off: deque[Notification] = deque()
        """Calls that came up in the midst of longer work and need more than a nod."""

    def fileno(self) -> int:
        """The listener's."""
        return self._listener.fileno()

    def serve(self) -> bool:
        """Answer the call that waits. True: something was decided that the engine's loop has to act on."""
        notification = self._listener.receive()
        return notification is not None and self._answer(notification)

    def glance(self) -> bool:
        """In the midst of longer work: let those go on whose calls are harmless, as a shell's look for its terminal is.

        True: there are others, for `serve_put_off`.
        """
        while self._waits.poll(0):
            notification = self._listener.receive()
            if notification is not None and not self._nod(notification):
                self._put_off.append(notification)
        return bool(self._put_off)

    def serve_put_off(self) -> bool:
        """Answer what `glance` left. True: as for `serve`."""
        decided = False
        while self._put_off:
            decided |= self._answer(self._put_off.popleft())
        return decided

    def _nod(self, notification: Notification) -> bool:
        trap = self._decoder.decode(self._listener, notification)
        if trap is not None and trap.deed is not Deed.NONE and trap.deed not in READING:
            return False
        if trap is not None:
            let_go(self._listener, trap)
        return True

    def _answer(self, notification: Notification) -> bool:
        listener = self._listener
        trap = self._decoder.decode(listener, notification)
        if trap is None:
            return False
        if trap.deed is Deed.NONE or trap.deed in READING:
            let_go(listener, trap)
        elif trap.deed is Deed.SIGNAL and not trap.number:
            probe(listener, trap)
        elif self._is_its_own(trap):
            listener.proceed(trap.id)
        elif self._arbiter.surprised(self._arbiter.leader_of(trap.pid), trap):
            return True  # it stays suspended
        else:
            listener.refuse(trap.id, errno.EACCES)
        return False

    def _is_its_own(self, trap: Trap) -> bool:
        if trap.deed is Deed.SIGNAL:
            return self._borders.is_own_signal(trap)
        if trap.deed not in CHANGING:
            return False
        return trap.path.startswith(self._folder) or (trap.outside and trap.path.startswith(DEVICE_FOLDERS))


def let_go(listener: Listener, trap: Trap) -> None:
    """Nothing would change; what can only fail must not look again, later, when it might not."""
    if trap.error:
        listener.refuse(trap.id, trap.error)
    else:
        listener.proceed(trap.id)
