"""Typed settings, read from `cbx.toml` or `pyproject.toml`."""
