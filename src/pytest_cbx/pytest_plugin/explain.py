"""`--cbx-explain`: say what would happen, run nothing."""

from __future__ import annotations

import pytest

from pytest_cbx.client.jobs import plan
from pytest_cbx.execute.machine import measure
from pytest_cbx.plan.render import render_plan
from pytest_cbx.pytest_plugin import _compat
from pytest_cbx.pytest_plugin.board import Board
from pytest_cbx.pytest_plugin.items import CbxItem
from pytest_cbx.pytest_plugin.loop import ControllerPlugin


class ExplainPlugin:
    """Takes the place of the loop: nothing runs, neither commands nor tests."""

    def __init__(self, board: Board, controller: ControllerPlugin) -> None:
        self._board = board
        self._controller = controller

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Print the plan of the selected commands."""
        if not self._board.options.explain or session.config.option.collectonly:
            return None
        under_xdist = _compat.is_xdist_controller(session.config)
        items = self._controller.items if under_xdist else [i for i in session.items if isinstance(i, CbxItem)]
        jobs = self._board.prepare(items)
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            slots = self._board.options.settings.jobs or int(measure().cpus)
            reporter.ensure_newline()
            reporter.write_line(render_plan(plan(jobs, slots=slots)) if jobs else "cbx: no commands to explain")
        return True
