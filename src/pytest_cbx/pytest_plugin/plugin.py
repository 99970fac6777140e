"""The plugin that pytest loads. Light: whatever has to do with commands is imported only where there are some."""

from __future__ import annotations

import pytest

from pytest_cbx.client.hookspecs import CbxSpecs
from pytest_cbx.pytest_plugin import chaos_mark, gate, options
from pytest_cbx.pytest_plugin.chaos import chaos
from pytest_cbx.pytest_plugin.fixture import _cbx_connection, _cbx_leases, cbx
from pytest_cbx.pytest_plugin.keys import OPTIONS
from pytest_cbx.pytest_plugin.shard import ShardPlugin, parse_shard

__all__ = ["_cbx_connection", "_cbx_leases", "cbx", "chaos"]

MARKER = "cbx"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the options."""
    options.add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Register our hook specifications."""
    pluginmanager.add_hookspecs(CbxSpecs)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Read the settings, declare the marks, take up the commands."""
    config.addinivalue_line("markers", f"{MARKER}: a command of the project's cbx configuration")
    chosen = options.read_options(config)
    config.addinivalue_line("markers", chaos_mark.LINE)
    config.pluginmanager.register(chaos_mark, "cbx-chaos-mark")
    config.stash[OPTIONS] = chosen
    gate.take_up(config, chosen)
    if shard := config.getoption("cbx_shard") or config.getini("cbx_shard"):
        config.pluginmanager.register(ShardPlugin(*parse_shard(shard)), "cbx-shard")
    if _has_commands(config):
        from pytest_cbx.pytest_plugin.session import take_up  # noqa: PLC0415

        take_up(config, chosen)


def _has_commands(config: pytest.Config) -> bool:
    settings = config.stash[OPTIONS].settings
    return bool(settings.commands or settings.discover or config.hook.pytest_cbx_commands.get_hookimpls())


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say so when commands were asked for and there are none."""
    chosen = config.stash[OPTIONS]
    if _has_commands(config) or not (chosen.parallel or chosen.explain):
        return None
    where = chosen.file or f"{chosen.root}: there is neither a cbx.toml nor a [tool.cbx] table in pyproject.toml"
    return f"cbx: no commands in {where}"
