"""What no command may do to others: signal their processes, or make calls after which it could not be supervised.

Such calls fail, and it is told which and why. A signal is judged by whose process would get it: an instance's own processes
are those of its session, those that carry its mark, and their descendants. A process that has shed all three is unknown by
these; then Landlock decides (ABI 6), whose domain nobody can leave.
"""

from __future__ import annotations

import errno
import os
from typing import Protocol

from pytest_cbx.engine.watched import Watched
from pytest_cbx.execute import processes
from pytest_cbx.execute.kernel import landlock
from pytest_cbx.execute.kernel.seccomp import Listener
from pytest_cbx.execute.supervision.deeds import Deed, Trap
from pytest_cbx.schedule.model import TaskId


class Registrar(Protocol):
    """Who knows which process is whose, and is told what was refused."""

    def leader_of(self, pid: int) -> int:
        """The pid of the leader of the instance that a process belongs to; 0: of none."""

    def pid_of(self, task: TaskId) -> int:
        """The pid of the leader of a running command."""

    def refused(self, watched: Watched, trap: Trap, target: str) -> None:
        """A signal to a foreign process was refused."""

    def denied(self, watched: Watched, trap: Trap, reason: str) -> None:
        """Another call was refused."""


def probe(listener: Listener, trap: Trap) -> None:
    """Signal 0 only asks whether there is such a process, which everybody may know; inside of a domain the kernel would not tell."""
    try:
        os.kill(trap.target, 0)
    except OSError as error:
        listener.refuse(trap.id, error.errno or errno.EPERM)
    else:
        listener.answer(trap.id, 0)


class Borders:
    """Answers calls that are about other processes or about the system."""

    def __init__(self, registrar: Registrar) -> None:
        self._registrar = registrar

    def refuse(self, watched: Watched, trap: Trap) -> None:
        """Let a call fail that nobody may make, and say so."""
        who = processes.describe(trap.pid)
        error, what, reason = errno.EACCES, f"{trap.call} of {who}", "its memory cannot be read"
        if trap.deed is Deed.FOREIGN:
            error, reason = errno.ENOSYS, "32-bit and x32 programs cannot be supervised"
        elif trap.deed is Deed.REFUSED:
            error, reason = trap.error, trap.why
        watched.note_refused(f'{what}: {reason}; isolation = "off" would let it')
        self._registrar.denied(watched, trap, reason)
        watched.listener.refuse(trap.id, error)

    def signal(self, watched: Watched, trap: Trap) -> None:
        """Let a signal reach the command's own processes only."""
        if trap.number == 0:
            probe(watched.listener, trap)
            return
        if self._may_signal(self._registrar.pid_of(watched.task), trap.target, alone=True):
            watched.listener.proceed(trap.id)
            return
        who = "every process" if trap.target == -1 else processes.describe(abs(trap.target))
        watched.note_refused(f"signal {trap.number} to {who}: not a process of this command")
        self._registrar.refused(watched, trap, who)
        watched.listener.refuse(trap.id, errno.EPERM)

    def is_own_signal(self, trap: Trap) -> bool:
        """Whether a SAFE command signals its own processes."""
        leader = self._registrar.leader_of(trap.pid)
        return bool(leader) and self._may_signal(leader, trap.target, alone=False)

    def _may_signal(self, leader: int, target: int, *, alone: bool) -> bool:
        """`alone`: its Landlock domain is its own, and not shared as by SAFE commands."""
        if target == -1:
            return False
        pid = abs(target)
        if target > 0:
            return processes.stat_of(pid) is None or self._is_own(leader, pid, alone=alone)
        members = [stat.pid for stat in processes.all_processes() if stat.group == pid]
        return all(self._is_own(leader, member, alone=alone) for member in members)

    def _is_own(self, leader: int, pid: int, *, alone: bool) -> bool:
        found = self._registrar.leader_of(pid)
        if found:
            return found == leader
        return alone and landlock.abi() >= landlock.SCOPE_ABI and processes.is_filtered(pid)
