"""What a session with commands has: marks, collection, a loop, true times in reports, lines in the terminal."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

from pytest_cbx.errors import CbxError
from pytest_cbx.pytest_plugin import _compat, cases, terminal
from pytest_cbx.pytest_plugin.board import Board
from pytest_cbx.pytest_plugin.collect import (
    CollectPlugin,
    NoFilePlugin,
    add_file_to_arguments,
    name_shards_in_arguments,
)
from pytest_cbx.pytest_plugin.explain import ExplainPlugin
from pytest_cbx.pytest_plugin.items import CbxItem
from pytest_cbx.pytest_plugin.loop import ControllerPlugin, LoopPlugin
from pytest_cbx.pytest_plugin.options import Options


def take_up(config: pytest.Config, options: Options) -> None:
    """Register all that the session's commands need.

    Raises:
        pytest.UsageError: the report's directory cannot be written.
    """
    board = Board(config, options)
    for tag in dict.fromkeys(tag for command in board.commands for tag in command.tags):
        config.addinivalue_line("markers", f"{tag}: a tag of commands in the project's cbx configuration")
    # Inside a command of ours a bare `pytest` means the Python tests, or it would run that command again.
    hidden = "CBX_INSTANCE" in os.environ and not _compat.names_given_on_command_line(config)
    if hidden:
        return
    controller = ControllerPlugin(board)
    manager = config.pluginmanager
    manager.register(CollectPlugin(board, controller), "cbx-collect")
    if not _compat.is_xdist_worker(config):
        try:
            board.record()
        except CbxError as error:
            raise pytest.UsageError(str(error)) from error
        manager.register(controller, "cbx-controller")
        manager.register(LoopPlugin(board), "cbx-loop")
        manager.register(ExplainPlugin(board, controller), "cbx-explain")
        manager.register(ReportPlugin(board), "cbx-report")
    if options.file is None:
        manager.register(NoFilePlugin(board), "cbx-no-file")
    if board.commands:
        name_shards_in_arguments(config, options.node, board.commands)
    if options.file is not None and board.commands:
        add_file_to_arguments(config, options.file)


class ReportPlugin:
    """What people see of the commands."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def pytest_sessionfinish(self) -> None:
        """Stop what still runs before the summary is printed."""
        self._board.close()

    def pytest_unconfigure(self) -> None:
        """Leave the engine, whatever happened."""
        self._board.close()

    def pytest_report_header(self) -> str | None:
        """One line: the rung and why, the machine, how many commands from where."""
        return terminal.header(self._board)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """One line on what the commands came to."""
        terminal.summary(terminalreporter, self._board)

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def pytest_timeout_set_timer(self, item: pytest.Item) -> bool | None:
        """The engine holds a command to its deadline; a second clock in this process could only strike at the same time."""
        return True if isinstance(item, CbxItem) else None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Report the cases of a command after the command."""
        result = yield
        if isinstance(item, CbxItem):
            outcome = self._board.outcomes.get(item.command.name)
            if outcome is not None and outcome.cases:
                cases.tell(item, outcome)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Give a command's report its own start, end and duration: those of its instance, not of its item."""
        report = yield
        if isinstance(item, CbxItem) and report.when == "call":
            outcome = self._board.outcomes.get(item.command.name)
            if outcome is not None and outcome.attempts:
                report.start, report.stop, report.duration = outcome.started_at, outcome.ended_at, outcome.duration
        return report
