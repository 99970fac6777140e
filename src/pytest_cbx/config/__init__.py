"""Typed settings, read from `cbx.toml` or `pyproject.toml`."""

from pytest_cbx.config.load import load_settings, parse_settings
from pytest_cbx.config.locate import find_config, find_workspace
from pytest_cbx.config.model import CommandConfig, Settings
from pytest_cbx.config.override import override

__all__ = ["CommandConfig", "Settings", "find_config", "find_workspace", "load_settings", "override", "parse_settings"]
