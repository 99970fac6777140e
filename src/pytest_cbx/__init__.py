"""Run a project's checks at once, as pytest items, and keep the work tree whole."""

from __future__ import annotations

__version__ = "0.1.0"

__all__ = ["__version__"]
