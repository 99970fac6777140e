"""A work tree with an engine that nobody else uses, so that to leave it ends it."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from pytest_cbx.chaos.api import Chaos
from pytest_cbx.chaos.leases import Leases
from pytest_cbx.client.api import Cbx
from pytest_cbx.client.runner import Runner
from pytest_cbx.config.model import Durability, Settings
from pytest_cbx.errors import EngineLost
from pytest_cbx.transaction.home import find_home, possible_homes


class Bench:
    """A work tree with an engine that nobody else uses."""

    def __init__(self, root: Path, durability: Durability = Durability.PROCESS) -> None:
        self.root, self.work = root, root / "work"
        for name in ("a", "b", "c/d/x"):
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        self._settings = dataclasses.replace(Settings(), durability=durability)
        self._runner: Runner | None = None
        self.open = True
        self.leases = Leases(self.connect)
        self.cbx = Cbx(self.work, root=root, settings=self._settings, connect=self.connect, faults=self.leases.planted)
        self.chaos = Chaos(self.leases, self.cbx, renew=self.leave)

    def connect(self) -> Runner:
        if not self.open:  # as to heal a fault takes no engine that does not run
            raise EngineLost("no engine is to be started")
        if self._runner is not None and self._runner.lost:
            self.leave()
        if self._runner is None:
            self._runner = Runner(self.root, self._settings, name="a bench")
        return self._runner

    def close(self) -> None:
        """Heal all, leave, and see that no journal is left."""
        self.leases.close()
        self.leave()
        assert not self.chaos.recover(self.root).journals
        assert not self.journals()

    def leave(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.close()

    @property
    def journals_inside(self) -> bool:
        """Whether they lie in the work tree."""
        return find_home(os.path.realpath(os.fsencode(self.root)), os.environb).inside

    def journals(self) -> list[bytes]:
        """Homes of journals that are there."""

        homes = possible_homes(os.path.realpath(os.fsencode(self.root)), os.environb)
        return [home.path for home in homes if os.path.lexists(home.path)]
