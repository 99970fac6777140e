"""`--cbx-explain`: say what would happen, run nothing."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pytest_cbx.client.denial import findings_against, told
from pytest_cbx.client.jobs import Job, plan
from pytest_cbx.client.slots import slots_for
from pytest_cbx.plan.model import Plan
from pytest_cbx.plan.render import render_plan
from pytest_cbx.pytest_plugin import _compat
from pytest_cbx.pytest_plugin.board import Board
from pytest_cbx.pytest_plugin.items import CbxItem
from pytest_cbx.pytest_plugin.loop import ControllerPlugin
from pytest_cbx.severity import Severity


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
        settings = self._board.options.settings
        reporter: pytest.TerminalReporter | None = session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.ensure_newline()
            for line in explain(jobs, plan(jobs, slots=slots_for(settings), settings=settings), deny=settings.deny):
                reporter.write_line(line)
        return True


def explain(jobs: Sequence[Job], graph: Plan, *, deny: Severity | None = None) -> list[str]:
    """Tier, reasons, findings, claims and what each command would wait for, and what would be refused; then the plan as a whole."""
    if not jobs:
        return ["cbx: no commands to explain"]
    waits = _waits(graph)
    by_name = {job.request.name: job for job in jobs}
    lines: list[str] = []
    for planned in graph.commands:
        request = planned.request
        lines += ["", f"{request.name}  {request.tier.value}"]
        lines += [f"    runs       {line}" for line in request.text.strip().splitlines()]
        lines += [f"    because    {reason}" for reason in (request.assessment.reasons if request.assessment else ())]
        lines += [
            f"    finding    {told(finding)}" for finding in (request.assessment.findings if request.assessment else ())
        ]
        lines += [f"    claims     {claim}" for claim in request.claims]
        lines += [f"    learned    {line}" for line in by_name[request.name].learned]
        lines += [f"    waits for  {wait}" for wait in waits.get(planned.number, ())]
        lines += [f"    refused    {told(finding)}" for finding in findings_against(by_name[request.name], deny)]
    return [*lines, "", *render_plan(graph).splitlines()]


def _waits(graph: Plan) -> dict[int, list[str]]:
    """For each command what stands directly before it, and why; a join is shown by its own reason."""
    names = {planned.number: planned.request.name for planned in graph.commands}
    names.update((join.number, join.reason) for join in graph.joins)
    waits: dict[int, list[str]] = {}
    for edge in graph.edges:
        waits.setdefault(edge.after, []).append(f"{names[edge.before]}: {edge.reason}")
    return waits
