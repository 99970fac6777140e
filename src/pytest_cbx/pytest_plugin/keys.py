"""Keys of `config.stash`."""

from __future__ import annotations

import pytest

from pytest_cbx.pytest_plugin.options import Options

OPTIONS = pytest.StashKey[Options]()
