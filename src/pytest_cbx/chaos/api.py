"""`Chaos`: faults from Python. The `chaos` fixture is one of these."""

from __future__ import annotations

import errno
from typing import Any, Unpack

from pytest_cbx.chaos.faults import disk, instance
from pytest_cbx.chaos.faults.catalogue import own_kinds
from pytest_cbx.chaos.faults.kinds import Kind, Planned, When
from pytest_cbx.chaos.leases import Leases, Planted
from pytest_cbx.errors import FaultUnsupported, UsageError


class Chaos:
    """Puts faults in force for the commands of this process: `with chaos.disk_full(at=3) as fault: cbx.run(...)`."""

    def __init__(self, leases: Leases) -> None:
        self._leases = leases

    @property
    def kinds(self) -> dict[str, Kind]:
        """All kinds of faults by name."""
        return dict(own_kinds())

    def inject(self, kind: str, **keywords: Any) -> Planted:
        """A fault of a kind that is given by its name.

        Raises:
            UsageError: there is no such kind, or it takes no such keyword.
            FaultUnsupported: this machine cannot do it.
        """
        found = self.kinds.get(kind)
        if found is None:
            raise UsageError(f"there is no fault {kind!r}; there are {', '.join(sorted(self.kinds))}")
        try:
            return self._plant(kind, found.build(**keywords))
        except TypeError as error:
            raise UsageError(f"chaos.{kind}: {error}") from error

    def _plant(self, kind: str, planned: Planned) -> Planted:
        missing = self.kinds[kind].missing()
        if missing:
            raise FaultUnsupported(f"{kind} cannot be had here: {missing}")
        return self._leases.plant(kind, planned)

    # --- instances -----------------------------------------------------------------------------------------

    def kill(self, *, whom: str = "instance", **when: Unpack[When]) -> Planted:
        """SIGKILL before the call. `whom`: `process` (the caller), `instance` (all of the command), `client`, `engine`."""
        return self._plant("kill", instance.kill(whom=whom, **when))

    def stop(self, *, seconds: float = 0.0, whom: str = "instance", **when: Unpack[When]) -> Planted:
        """SIGSTOP; SIGCONT after so many seconds, else at the end of the block."""
        return self._plant("stop", instance.stop(seconds=seconds, whom=whom, **when))

    def hang(self, **when: Unpack[When]) -> Planted:
        """A system call does not come back until the end of the block."""
        return self._plant("hang", instance.hang(**when))

    def exit_code(self, code: int, **when: Unpack[When]) -> Planted:
        """The command does its work, and a wrong exit code is reported. `at` counts attempts."""
        return self._plant("exit_code", instance.exit_code(code, **when))

    def no_start(self, error: int = errno.EAGAIN, **when: Unpack[When]) -> Planted:
        """The command cannot be started. `at` counts attempts."""
        return self._plant("no_start", instance.no_start(error, **when))

    # --- disk ----------------------------------------------------------------------------------------------

    def disk_full(self, **when: Unpack[When]) -> Planted:
        """ENOSPC."""
        return self._plant("disk_full", disk.disk_full(**when))

    def disk_error(self, error: int = errno.EIO, **when: Unpack[When]) -> Planted:
        """EIO, or another error of the disk."""
        return self._plant("disk_error", disk.disk_error(error, **when))

    def read_only(self, **when: Unpack[When]) -> Planted:
        """EROFS from the n-th change on."""
        return self._plant("read_only", disk.read_only(**when))

    def quota(self, **when: Unpack[When]) -> Planted:
        """EDQUOT."""
        return self._plant("quota", disk.quota(**when))

    def short_write(self, share: float = 0.5, **when: Unpack[When]) -> Planted:
        """A write writes only a share of its bytes, and says so."""
        return self._plant("short_write", disk.short_write(share, **when))

    def torn_write(self, share: float = 0.5, **when: Unpack[When]) -> Planted:
        """A write writes a share of its bytes, then the caller is killed."""
        return self._plant("torn_write", disk.torn_write(share, **when))

    def slow(self, seconds: float = 0.1, **when: Unpack[When]) -> Planted:
        """Changes, writes and flushes take longer, from the n-th on."""
        return self._plant("slow", disk.slow(seconds, **when))

    def fsync_lies(self, error: int = errno.EIO, **when: Unpack[When]) -> Planted:
        """A flush fails once; each later one succeeds without doing anything."""
        return self._plant("fsync_lies", disk.fsync_lies(error, **when))
