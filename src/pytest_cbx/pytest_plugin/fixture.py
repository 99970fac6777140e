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
    from pytest_cbx.client.connection import Connection


@pytest.fixture(scope="session")
def _cbx_connection(request: pytest.FixtureRequest) -> Iterator[Connection]:
    """One connection to the engine for all tests of a process, made at the first command."""
    from pytest_cbx.client.connection import Connection  # noqa: PLC0415

    options = request.config.stash[OPTIONS]
    connection = Connection(options.root, options.settings, name="a test's cbx fixture")
    yield connection
    connection.close()


@pytest.fixture(scope="session")
def _cbx_leases(_cbx_connection: Connection) -> Iterator[Leases]:
    from pytest_cbx.chaos.leases import Leases  # noqa: PLC0415

    leases = Leases(_cbx_connection)
    yield leases
    leases.close()


@pytest.fixture
def cbx(request: pytest.FixtureRequest, tmp_path: Path, _cbx_connection: Connection, _cbx_leases: Leases) -> Cbx:
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
