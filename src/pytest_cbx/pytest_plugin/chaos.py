"""The `chaos` fixture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_cbx.chaos.api import Chaos
    from pytest_cbx.chaos.leases import Leases
    from pytest_cbx.client.api import Cbx
    from pytest_cbx.pytest_plugin.fixture import FixtureConnection


@pytest.fixture
def chaos(_cbx_leases: Leases, _cbx_connection: FixtureConnection, cbx: Cbx) -> Iterator[Chaos]:
    """Faults for the commands of the `cbx` fixture: `with chaos.disk_full(at=3) as fault: cbx.run(...)`; `fault.fired` tells."""
    from pytest_cbx.chaos.api import Chaos  # noqa: PLC0415

    yield Chaos(_cbx_leases, cbx, renew=_cbx_connection.close)
    _cbx_leases.heal()
