"""The only package that imports pytest. PYTEST_DONT_REWRITE

pytest rewrites the assertions of every plugin's modules. Ours hold none that a test would show, and where bytecode is not
written (`PYTHONDONTWRITEBYTECODE`, usual in containers) rewriting them again would cost each start of pytest half a
second. So what is imported below `pytest_cbx` from here on is imported as Python does it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType


class _PlainImports:
    """A finder in front of pytest's, for our own modules only."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """What Python itself would find."""
        return PathFinder.find_spec(name, path, target) if name.startswith("pytest_cbx.") else None


if not any(isinstance(finder, _PlainImports) for finder in sys.meta_path):
    sys.meta_path.insert(0, _PlainImports())
