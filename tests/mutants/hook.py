"""Switches a mutant on in the engines that this process starts: test code puts the call into the line that boots them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_cbx.engine import launch

TOP = Path(__file__).parent.parent.parent
_RUN = "import runpy; "


def mutate_engines(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """From now on, engines that this process starts are mutants."""
    boot = launch._BOOT
    assert _RUN in boot
    call = f"sys.path.append({str(TOP)!r}); from tests.mutants import engine; engine.apply({name!r}); "
    monkeypatch.setattr(launch, "_BOOT", boot.replace(_RUN, call + _RUN))
