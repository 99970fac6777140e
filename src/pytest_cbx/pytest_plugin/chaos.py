"""The `chaos` fixture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_cbx.chaos.api import Chaos
    from pytest_cbx.chaos.leases import Leases
    from pytest_cbx.client.api import Cbx


@pytest.fixture
def chaos(_cbx_leases: Leases, cbx: Cbx) -> Iterator[Chaos]:
    """Faults for the commands of the `cbx` fixture: `with chaos.disk_full(at=3) as fault: cbx.run(...)`; `fault.fired` tells."""
    from pytest_cbx.chaos.api import Chaos  # noqa: PLC0415

    yield Chaos(_cbx_leases, cbx)
    _cbx_leases.heal()
