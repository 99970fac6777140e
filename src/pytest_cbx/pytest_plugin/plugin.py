"""The plugin that pytest loads: options, set-up, header, summary, true times in reports."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

from pytest_cbx.client.hookspecs import CbxSpecs
from pytest_cbx.pytest_plugin import _compat, collect, explain, options, terminal
from pytest_cbx.pytest_plugin.board import Board
from pytest_cbx.pytest_plugin.fixture import _cbx_connection, cbx
from pytest_cbx.pytest_plugin.items import MARKER, CbxItem
from pytest_cbx.pytest_plugin.keys import BOARD
from pytest_cbx.pytest_plugin.loop import ControllerPlugin, LoopPlugin

__all__ = ["_cbx_connection", "cbx"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the options."""
    options.add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Register our hook specifications."""
    pluginmanager.add_hookspecs(CbxSpecs)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Read the settings, declare the marks, take up the commands."""
    chosen = options.read_options(config)
    board = Board(config, chosen)
    config.stash[BOARD] = board
    config.addinivalue_line("markers", f"{MARKER}: a command of the project's cbx configuration")
    for tag in dict.fromkeys(tag for command in board.commands for tag in command.tags):
        config.addinivalue_line("markers", f"{tag}: a tag of commands in the project's cbx configuration")
    controller = ControllerPlugin(board)
    manager = config.pluginmanager
    manager.register(collect.CollectPlugin(board, controller), "cbx-collect")
    if not _compat.is_xdist_worker(config):
        manager.register(controller, "cbx-controller")
        manager.register(LoopPlugin(board), "cbx-loop")
        manager.register(explain.ExplainPlugin(board, controller), "cbx-explain")
    # Inside a command of ours a bare `pytest` means the Python tests, or it would run that command again.
    nested = "CBX_INSTANCE" in os.environ
    if chosen.file is not None and board.commands and not nested:
        collect.add_file_to_arguments(config, chosen.file)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave the engine, whatever happened."""
    board = config.stash.get(BOARD, None)
    if board is not None:
        board.close()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop what still runs before the summary is printed."""
    session.config.stash[BOARD].close()


def pytest_report_header(config: pytest.Config) -> str | None:
    """One line: the rung and why, the machine, how many commands from where."""
    return terminal.header(config.stash[BOARD])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """One line on what the commands came to."""
    terminal.summary(terminalreporter, config.stash[BOARD])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Give a command's report its own start, end and duration: those of its instance, not of its item."""
    report = yield
    if isinstance(item, CbxItem) and report.when == "call":
        outcome = item.board.outcomes.get(item.command.name)
        if outcome is not None and outcome.attempts:
            report.start, report.stop, report.duration = outcome.started_at, outcome.ended_at, outcome.duration
    return report
