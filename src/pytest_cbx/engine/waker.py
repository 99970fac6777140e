"""Stops an engine or a client, as a fault, in such a way that it goes on again: a stopped process cannot see to that itself.

A small process of its own waits until the time is over or whoever the fault belongs to is dead, and sends SIGCONT then. It knows both by
descriptors, so it never signals somebody who has got a number anew. Source: pidfd_open(2), pidfd_send_signal(2).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from pytest_cbx.execute.processes import ENGINE

_SCRIPT = """
import os, select, signal, sys
target, other = (os.pidfd_open(int(number)) for number in sys.argv[1:3])
os.write(1, b"!")
os.close(1)
select.select([target, other], [], [], float(sys.argv[3]))
try:
    signal.pidfd_send_signal(target, signal.SIGCONT)
except ProcessLookupError:
    pass
"""


def stop(target: int, other: int, seconds: float) -> None:
    """SIGSTOP for a process; SIGCONT after so many seconds, or when the other process is dead. Nothing where it is dead already.

    Raises:
        OSError: nobody could be started who would let it go on; it was not stopped.
    """
    waker = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _SCRIPT, str(target), str(other), str(seconds)],
        cwd="/",
        env={ENGINE: "waker"},  # so that it is not taken for something that a command has left behind
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert waker.stdout is not None
    with waker.stdout:
        on_duty = bool(waker.stdout.read())
    waker.returncode = 0  # whoever reaps this process's children reaps it
    if on_duty:
        os.kill(target, signal.SIGSTOP)
