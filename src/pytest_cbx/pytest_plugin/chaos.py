"""The `chaos` fixture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from pytest_cbx.pytest_plugin.gate import COLLECTOR

if TYPE_CHECKING:
    from pytest_cbx.chaos.api import Chaos
    from pytest_cbx.chaos.leases import Leases
    from pytest_cbx.client.api import Cbx
    from pytest_cbx.client.connection import Connection


@pytest.fixture
def chaos(
    request: pytest.FixtureRequest, _cbx_leases: Leases, _cbx_connection: Connection, cbx: Cbx
) -> Iterator[Chaos]:
    """Faults for the commands of the `cbx` fixture: `with chaos.disk_full(at=3) as fault: cbx.run(...)`; `fault.fired` tells."""
    from pytest_cbx.chaos.api import Chaos  # noqa: PLC0415

    collector = request.config.stash[COLLECTOR]
    yield Chaos(
        _cbx_leases,
        cbx,
        renew=_cbx_connection.close,
        record=collector.record,
        seed=collector.seed,
        hooks=request.config.pluginmanager,
    )
    _cbx_leases.heal()
