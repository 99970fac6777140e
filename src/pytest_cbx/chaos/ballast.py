"""A process that takes memory away from everybody else, within bounds, and never longer than whoever asked for it lives.

It grows by small steps while the machine bears it: it stops at its cap, where tasks begin to stall for memory (PSI), and gives back when
what is available falls below a reserve. It ends with its parent (PR_SET_PDEATHSIG, and a look at who the parent is), and with its lease.
Source: `accounting/psi.rst`, proc_meminfo(5).
"""

from __future__ import annotations

import argparse
import mmap
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from pytest_cbx.errors import FaultUnsupported, UsageError
from pytest_cbx.execute.kernel.prctl import die_with_parent

STEP = 16 * 1024 * 1024
"""Bytes of one step."""
RESERVE = 0.25
"""Share of the machine's memory that is always left available."""
CAP = 0.10
"""Share of what is available that is taken by default."""
STALL = 10.0
"""Per cent of time in which some task stalls for memory (`some avg10`), above which it does not grow."""
_EVERY = 0.05
_PATIENCE = 20.0


class Ballast:
    """Memory that is held while the block lasts."""

    def __init__(self, cap: int | None = None, *, lease: float = 300.0) -> None:
        """`cap` in bytes; `lease` in seconds.

        Raises:
            UsageError: so much would endanger the machine.
            FaultUnsupported: this machine does not tell how much memory is left.
        """
        total, available = memory()
        room = available - int(total * RESERVE)
        self.cap = int(available * CAP) if cap is None else cap
        if self.cap > room:
            raise UsageError(f"a ballast of {self.cap} bytes leaves too little: {max(0, room)} can be taken at most")
        self._lease = lease
        self._process: subprocess.Popen[bytes] | None = None
        self._held = 0
        self._said_settled = False

    def __enter__(self) -> Ballast:
        self._process = subprocess.Popen(
            [
                sys.executable, "-m", "pytest_cbx.chaos.ballast",
                "--cap", str(self.cap), "--lease", str(self._lease), "--parent", str(os.getpid()),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            bufsize=0,  # a line in a buffer of ours would not be seen by `select`
        )  # fmt: skip
        deadline = time.monotonic() + _PATIENCE
        while not self.settled and time.monotonic() < deadline:
            self._listen(0.05)
        return self

    @property
    def pid(self) -> int:
        """Of the process that holds it; 0 outside the block."""
        return self._process.pid if self._process is not None else 0

    @property
    def held(self) -> int:
        """Bytes that it holds now."""
        self._listen(0.0)
        return self._held

    @property
    def settled(self) -> bool:
        """Whether it has grown as far as it may."""
        return self._process is None or self._process.poll() is not None or self._said_settled

    def _listen(self, timeout: float) -> None:
        if self._process is None or self._process.stdout is None:
            return
        stream = self._process.stdout
        while select.select([stream], [], [], timeout)[0]:
            line = stream.readline()
            if not line:
                return
            word, _, number = line.decode().partition(" ")
            self._held = int(number)
            self._said_settled = word == "settled"
            timeout = 0.0

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        self._held = 0


def memory() -> tuple[int, int]:
    """Bytes that the machine has, and bytes that are available.

    Raises:
        FaultUnsupported: it does not tell.
    """
    try:
        text = Path("/proc/meminfo").read_text("ascii")
    except OSError as error:
        raise FaultUnsupported(f"no ballast without /proc/meminfo: {error.strerror}") from error
    found = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in text.splitlines() if line.endswith("kB")}
    return found["MemTotal"], found["MemAvailable"]


def stalled() -> float | None:
    """Per cent of the last ten seconds in which some task stalled for memory; None: the kernel does not tell."""
    try:
        line = Path("/proc/pressure/memory").read_text("ascii").splitlines()[0]
    except (OSError, IndexError):
        return None
    return float(line.partition("avg10=")[2].split()[0])


def main() -> int:
    """The process itself."""
    parser = argparse.ArgumentParser()
    for name in ("--cap", "--parent"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--lease", type=float, required=True)
    given = parser.parse_args()
    die_with_parent(signal.SIGKILL)
    until = time.monotonic() + given.lease
    blocks: list[mmap.mmap] = []
    said = ""
    while os.getppid() == given.parent and time.monotonic() < until:
        word = _breathe(blocks, given.cap)
        line = f"{word} {sum(map(len, blocks))}\n"
        if line != said:
            said = line
            sys.stdout.write(line)
            sys.stdout.flush()
        if word == "settled":
            time.sleep(_EVERY)
    return 0


def _breathe(blocks: list[mmap.mmap], cap: int) -> str:
    """Take one step, give one back, or stay."""
    total, available = memory()
    reserve = int(total * RESERVE)
    if blocks and available < reserve:
        blocks.pop().close()
        return "growing"
    step = min(STEP, cap - sum(map(len, blocks)))
    if step <= 0 or available - step < reserve or (stalled() or 0.0) > STALL:
        return "settled"
    block = mmap.mmap(-1, step)
    for offset in range(0, step, mmap.PAGESIZE):
        block[offset] = 1
    blocks.append(block)
    return "growing"


if __name__ == "__main__":
    sys.exit(main())
