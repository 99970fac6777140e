"""A connection to the engine that is made when it is first needed, and made anew when the engine was lost."""

from __future__ import annotations

from pathlib import Path

from pytest_cbx.client.runner import Runner
from pytest_cbx.config.model import Settings


class Connection:
    """Call it for the runner."""

    def __init__(self, root: Path, settings: Settings, *, name: str) -> None:
        self._root = root
        self._settings = settings
        self._name = name
        self._runner: Runner | None = None

    def __call__(self) -> Runner:
        """The runner."""
        if self._runner is not None and self._runner.lost:
            self.close()
        if self._runner is None:
            self._runner = Runner(self._root, self._settings, name=self._name)
        return self._runner

    def close(self) -> None:
        """Leave the engine; the next call makes another runner."""
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.close()
