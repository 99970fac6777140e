"""An engine for each process that runs tests: who kills it on purpose harms nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_cbx.chaos.leases import Leases
from pytest_cbx.client.api import Cbx
from pytest_cbx.client.connection import Connection
from pytest_cbx.config.model import Settings


@pytest.fixture(scope="session")
def own_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work tree whose engine serves the tests of this process."""
    return tmp_path_factory.mktemp("own")


@pytest.fixture(scope="session")
def _cbx_connection(own_root: Path) -> Iterator[Connection]:
    connection = Connection(own_root, Settings(), name="a chaos test")
    yield connection
    connection.close()


@pytest.fixture
def cbx(tmp_path: Path, own_root: Path, _cbx_connection: Connection, _cbx_leases: Leases) -> Cbx:
    """As the plugin's, with that engine."""
    return Cbx(tmp_path, root=own_root, settings=Settings(), connect=_cbx_connection, faults=_cbx_leases.planted)
