"""Faults of memory."""

from __future__ import annotations

from pytest_cbx.chaos.faults.kinds import Kind

KINDS: tuple[Kind, ...] = ()
