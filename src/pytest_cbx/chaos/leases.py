"""The faults that are in force in this process: each ends with its block, its time, and its process."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import msgspec

from pytest_cbx.chaos.faults.kinds import Planned
from pytest_cbx.chaos.places import make_folder, sweep
from pytest_cbx.client.output import cache_home
from pytest_cbx.client.runner import Runner
from pytest_cbx.errors import EngineLost
from pytest_cbx.faults.model import Fault, Hit

_DECODER = msgspec.json.Decoder(Hit)


class Planted:
    """One fault in force. A context manager: it is healed at the end of its block."""

    def __init__(self, fault: Fault, leases: Leases) -> None:
        self.fault = fault
        self._leases = leases

    @property
    def id(self) -> str:
        """Its id, as in `Outcome.faults`."""
        return self.fault.id

    @property
    def hits(self) -> tuple[Hit, ...]:
        """Every strike so far, the first one first. Also those of an engine, or a client, that died of them."""
        try:
            lines = Path(self.fault.record).read_bytes().splitlines()
        except FileNotFoundError:
            return ()
        found = (_DECODER.decode(line) for line in lines)
        return tuple(hit for hit in found if hit.fault == self.fault.id)

    @property
    def fired(self) -> bool:
        """Whether it struck at all."""
        return bool(self.hits)

    def heal(self) -> None:
        """End it now. Who hangs or is stopped because of it goes on."""
        self._leases.heal(self)

    def __enter__(self) -> Planted:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.heal()

    def __repr__(self) -> str:
        struck = len(self.hits)
        return f"<{self.fault.kind} {self.fault.id}: struck {struck} time{'s' if struck != 1 else ''}>"


class Leases:
    """All faults of one process. `connect` gives the runner through which its commands go."""

    def __init__(self, connect: Callable[[], Runner]) -> None:
        self._connect = connect
        self._planted: dict[str, Planted] = {}
        self._numbers = itertools.count(1)
        self._folder: Path | None = None

    def planted(self) -> tuple[Fault, ...]:
        """What every command carries that starts now."""
        return tuple(one.fault for one in self._planted.values())

    def plant(self, kind: str, planned: Planned) -> Planted:
        """Put a fault in force for all commands that are started from now on."""
        fault = Fault(
            id=f"{kind}-{os.getpid()}-{next(self._numbers)}",
            kind=kind,
            trigger=planned.trigger,
            action=planned.action,
            lease=planned.lease,
            record=os.fspath(self._records() / "hits.jsonl"),
        )
        planted = self._planted[fault.id] = Planted(fault, self)
        return planted

    def heal(self, *planted: Planted) -> None:
        """End faults; none given: all."""
        ended = [one for one in planted or tuple(self._planted.values()) if self._planted.pop(one.id, None)]
        if ended:
            with contextlib.suppress(EngineLost):  # then they are gone with it
                self._connect().heal([one.id for one in ended])

    def close(self) -> None:
        """End all, and remove their record."""
        self.heal()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _records(self) -> Path:
        if self._folder is None:
            self._folder = make_folder()
        return self._folder


def sweep_records() -> None:
    """Remove the records of processes that are gone, where there are any."""
    home = Path(cache_home()) / "pytest-cbx" / "chaos"
    if home.is_dir():
        sweep(home)
