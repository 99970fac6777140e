"""How much slower, and how full, without any fault."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from pytest_cbx.chaos.api import Chaos
from pytest_cbx.chaos.measures import measure
from pytest_cbx.config.model import Settings


def test_degradation_and_utilisation(chaos: Chaos, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    evidence = measure(pytestconfig.rootpath, tmp_path, dataclasses.replace(Settings(), learn=False), seed=chaos.seed)
    chaos.record(evidence)
    assert len(evidence.pairs) >= 8
    assert evidence.occupancy is not None
    assert evidence.occupancy.wanted > 0
