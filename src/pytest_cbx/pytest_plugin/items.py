"""The collector and the items: `cbx.toml` and its commands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_cbx.client.outcome import Outcome
from pytest_cbx.config.model import CommandConfig
from pytest_cbx.errors import CbxError
from pytest_cbx.pytest_plugin import _compat
from pytest_cbx.pytest_plugin.failure import describe_failure, how_it_ended, output_section

if TYPE_CHECKING:
    from pytest_cbx.pytest_plugin.board import Board

MARKER = "cbx"


class CommandFailed(Exception):
    """Raised in an item whose command did not pass; carries the outcome to the report."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        super().__init__(str(outcome))


class CbxFile(pytest.File):
    """A configuration file as a collector."""

    board: Board

    @classmethod
    def make(cls, parent: pytest.Collector, path: Path, board: Board) -> CbxFile:
        """A collector for `path` below `parent`."""
        node: CbxFile = cls.from_parent(parent, path=path)
        node.board = board
        return node

    def collect(self) -> Iterator[CbxItem]:
        """One item a command, in the order of the file."""
        for command in self.board.commands:
            yield CbxItem.make(self, command, self.board)


class CbxItem(pytest.Item):
    """One command."""

    # pytest-run-parallel: this item brings its own concurrency.
    _parallel_custom_item = True
    command: CommandConfig
    board: Board

    @classmethod
    def make(cls, parent: CbxFile, command: CommandConfig, board: Board) -> CbxItem:
        """An item for a command; its tags become marks."""
        item: CbxItem = cls.from_parent(parent, name=command.name)
        item.command = command
        item.board = board
        item.add_marker(MARKER)
        for tag in command.tags:
            item.add_marker(tag)
        return item

    def runtest(self) -> None:
        """Take the command's outcome if it has one already, else run it now."""
        outcome = self.board.take(self)
        if outcome.status == "skipped":
            pytest.skip(outcome.reason)
        section = output_section(outcome)
        if outcome.ok and section:
            self.add_report_section("call", "output of the command", section)
        if not outcome.ok:
            raise CommandFailed(outcome)
        self.board.discard(outcome)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The command, its end, and the last lines of its output, instead of a traceback."""
        if isinstance(excinfo.value, CommandFailed):
            outcome = excinfo.value.outcome
            text = describe_failure(outcome, self.board.jobs.get(self.command.name), self.board.options.settings.deny)
            return _compat.HeadedText(how_it_ended(outcome), text, path=self.path, line=self.command.line)
        if isinstance(excinfo.value, CbxError):
            return f"cbx: {excinfo.value}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the command stands in its file."""
        return self.path, max(0, self.command.line - 1), f"command: {self.name}"
