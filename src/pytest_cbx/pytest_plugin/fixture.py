"""The `cbx` fixture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_cbx.pytest_plugin.keys import OPTIONS

if TYPE_CHECKING:
    from pytest_cbx.chaos.leases import Leases
    from pytest_cbx.client.api import Cbx
    from pytest_cbx.client.runner import Runner
    from pytest_cbx.pytest_plugin.options import Options


class FixtureConnection:
    """One connection to the engine for all tests of a process, made at the first command."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._runner: Runner | None = None

    def __call__(self) -> Runner:
        """The connection."""
        if self._runner is not None and self._runner.lost:
            self.close()
        if self._runner is None:
            from pytest_cbx.client.runner import Runner  # noqa: PLC0415

            self._runner = Runner(self._options.root, self._options.settings, name="a test's cbx fixture")
        return self._runner

    def close(self) -> None:
        """Leave the engine."""
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.close()


@pytest.fixture(scope="session")
def _cbx_connection(request: pytest.FixtureRequest) -> Iterator[FixtureConnection]:
    connection = FixtureConnection(request.config.stash[OPTIONS])
    yield connection
    connection.close()


@pytest.fixture(scope="session")
def _cbx_leases(_cbx_connection: FixtureConnection) -> Iterator[Leases]:
    from pytest_cbx.chaos.leases import Leases  # noqa: PLC0415

    leases = Leases(_cbx_connection)
    yield leases
    leases.close()


@pytest.fixture
def cbx(request: pytest.FixtureRequest, tmp_path: Path, _cbx_connection: FixtureConnection, _cbx_leases: Leases) -> Cbx:
    """Run shell commands from a test: `cbx.run("make dist")`, `cbx.run_all([...])`, `cbx.at(path)`, `cbx.tier("rm -rf x")`.

    Bound to the test's `tmp_path`. Commands share locks, caps and budget with everything else that runs in the project's work tree.
    """
    from pytest_cbx.client.api import Cbx  # noqa: PLC0415

    options = request.config.stash[OPTIONS]
    return Cbx(
        tmp_path,
        root=options.root,
        settings=options.settings,
        connect=_cbx_connection,
        hooks=request.config.pluginmanager,
        faults=_cbx_leases.planted,
    )
