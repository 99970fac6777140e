"""Slots that no command waits for, lent to tools that run several jobs themselves.

The protocol is that of GNU make's jobserver: a named pipe with a byte in it for each further job that may be started; who
reads one may run a job more than the one that it always may, and writes the byte back at that job's end
(https://www.gnu.org/software/make/manual/html_node/Job-Slots.html). Cargo and rustc speak it as well.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Collection, Mapping
from importlib import resources

from pytest_cbx.schedule.model import TaskId

_NAMES = (b"make", b"gmake")
_PIPE = b"jobs"
_FOLDER = b"bin"


class Jobserver:
    """One for all commands of an engine, so that one budget is shared. `slots`: how many there are in all."""

    def __init__(self, folder: bytes, slots: int) -> None:
        self._pipe = os.path.join(folder, _PIPE)
        self._programs = os.path.join(folder, _FOLDER)
        self._slots = slots
        self.lent = 0
        """Bytes that were put into the pipe and not taken out again: they lie there, or somebody has them."""
        self.doubtful = False
        """Whether some of these may be lost."""
        self._doubted: set[TaskId] = set()
        os.mkfifo(self._pipe, 0o600)
        self._descriptor = os.open(self._pipe, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        os.mkdir(self._programs, 0o700)
        shell = shutil.which("bash") or "/bin/bash"
        text = resources.files("pytest_cbx.engine").joinpath("make_shim.sh").read_bytes()
        for name in _NAMES:
            program = os.path.join(self._programs, name)
            with open(program, "wb") as file:
                file.write(b"#!" + os.fsencode(shell) + b"\n" + text)
            os.chmod(program, 0o700)

    def fileno(self) -> int:
        """Readable when somebody has given back a slot, if none lies there unasked."""
        return self._descriptor

    def variables(self, environment: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
        """What an instance with this environment gets on top. A jobserver that it brings along is respected."""
        if any(b"--jobserver" in environment.get(name, b"") for name in (b"MAKEFLAGS", b"CARGO_MAKEFLAGS")):
            return {}
        jobs = b"%d" % self._slots
        return {
            b"CBX_JOBSERVER": self._pipe,
            b"CBX_JOBS": jobs,
            b"CARGO_MAKEFLAGS": b"-j" + jobs + b" --jobserver-auth=fifo:" + self._pipe,
            **({b"PATH": self._programs + b":" + environment[b"PATH"]} if b"PATH" in environment else {}),
        }

    def reclaim(self) -> None:
        """Take out all that lies in the pipe; what is still lent then is in somebody's hand."""
        if self.lent:
            with contextlib.suppress(BlockingIOError):
                self.lent = max(0, self.lent - len(os.read(self._descriptor, 4096)))

    def lend(self, slots: int) -> None:
        """Let there be so many lent, if more than there are."""
        if slots > self.lent:
            os.write(self._descriptor, b"+" * (slots - self.lent))
            self.lent = slots

    def ended(self, task: TaskId, others: Collection[TaskId], *, killed: bool) -> None:
        """A command has ended beside these others. If it was killed, slots may have died in its hand, nobody knows how many.

        Nothing is lent then until all those others have ended, too: who starts meanwhile gets none, so that none is in
        anybody's hand at that time.
        """
        self._doubted.discard(task)
        if killed:
            self.reclaim()  # what lies there is in nobody's hand
        if killed and self.lent:
            self.doubtful = True
            self._doubted.update(others)
        if not others or (self.doubtful and not self._doubted):
            self.reclaim()
            self.lent = 0
            self.doubtful = False

    def close(self) -> None:
        """Give the descriptor back. The pipe goes with the folder that it lies in."""
        os.close(self._descriptor)
