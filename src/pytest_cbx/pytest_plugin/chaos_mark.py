"""`@pytest.mark.chaos("disk_full", at=3)`: a fault in force for the commands of a test's `cbx` fixture."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from typing import TYPE_CHECKING, cast

import pytest

from pytest_cbx.errors import CbxError
from pytest_cbx.pytest_plugin._compat import fixture_value

if TYPE_CHECKING:
    from pytest_cbx.chaos.api import Chaos
    from pytest_cbx.chaos.leases import Planted

MARK = "chaos"
LINE = f"{MARK}(kind, **when): put a fault in force for the commands of the cbx fixture; one that does not strike fails the test"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Put the faults of the marks in force around the test."""
    marks = list(item.iter_markers(MARK))
    if not marks:
        yield
        return
    with ExitStack() as stack:
        planted = [stack.enter_context(_plant(item, mark)) for mark in marks]
        yield
        unfired = [fault for fault in planted if not fault.fired]
    if unfired:
        told = ", ".join(f"{fault.fault.kind} (at={fault.fault.trigger.at})" for fault in unfired)
        pytest.fail(f"INVALID: the planned fault did not strike: {told}. The test shows nothing", pytrace=False)


def _plant(item: pytest.Item, mark: pytest.Mark) -> Planted:
    where = f"{item.location[0]}:{(item.location[1] or 0) + 1}"
    if not isinstance(item, pytest.Function) or "cbx" not in item.fixturenames:
        pytest.fail(f"{where}: @pytest.mark.chaos needs the cbx fixture in {item.name}", pytrace=False)
    if len(mark.args) != 1 or not isinstance(mark.args[0], str):
        pytest.fail(f"{where}: @pytest.mark.chaos takes the kind of fault first, such as 'disk_full'", pytrace=False)
    try:
        chaos = cast("Chaos", fixture_value(item, "chaos"))
        return chaos.inject(mark.args[0], **mark.kwargs)
    except CbxError as error:
        pytest.fail(f"{where}: @pytest.mark.chaos: {error}", pytrace=False)
