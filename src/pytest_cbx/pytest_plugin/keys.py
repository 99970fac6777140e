"""Keys of `config.stash`."""

from __future__ import annotations

import pytest

from pytest_cbx.pytest_plugin.board import Board

BOARD = pytest.StashKey[Board]()
