"""The six criteria over all that the `chaos` fixture tried in a session, and `--cbx-gate`."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pytest_cbx.pytest_plugin._compat import add_junit_properties

if TYPE_CHECKING:
    from pytest_cbx.chaos.criteria import Judgement
    from pytest_cbx.chaos.model import Evidence
    from pytest_cbx.pytest_plugin.options import Options

FILE = "criteria.json"
_FROM_WORKER = "cbx_evidence"


class Collector:
    """Takes what is tried in this process, and on the controller of xdist what its workers tried; judges at the end."""

    def __init__(self, options: Options, config: pytest.Config) -> None:
        self._options = options
        self._config = config
        self._evidence: Evidence | None = None
        self._judgement: Judgement | None = None

    @property
    def seed(self) -> int:
        """Of all campaigns of this run."""
        return self._options.chaos_seed

    def record(self, evidence: Evidence) -> None:
        """Add to what the criteria are judged by."""
        self._evidence = evidence if self._evidence is None else self._evidence + evidence

    # --- hooks -----------------------------------------------------------------------------------------------

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker of xdist is done."""
        sent = getattr(node, "workeroutput", {}).get(_FROM_WORKER)
        if sent:
            from pytest_cbx.chaos.model import Evidence  # noqa: PLC0415

            self.record(msgspec.json.decode(sent, type=Evidence))

    @pytest.hookimpl(tryfirst=True)  # before the JUnit file is written
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Judge, or hand over what this worker tried."""
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            if self._evidence is not None:
                output[_FROM_WORKER] = msgspec.json.encode(self._evidence).decode("utf-8", "backslashreplace")
            return
        if not self._options.gate and (self._evidence is None or self._evidence.only_points):
            return  # single points are judged by their own test
        self._judge()
        if (
            self._options.gate
            and not self._passed
            and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        ):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table."""
        if self._judgement is None:
            return
        from pytest_cbx.chaos.report import lines  # noqa: PLC0415

        gate = ", enforced by --cbx-gate" if self._options.gate else ""
        terminalreporter.section(f"chaos: the six criteria{gate}")
        for line in lines(self._judgement):
            terminalreporter.write_line(line)

    # --- inside ----------------------------------------------------------------------------------------------

    @property
    def _passed(self) -> bool:
        return self._judgement is not None and self._judgement.state.value == "passed"

    def _judge(self) -> None:
        from pytest_cbx.chaos import report  # noqa: PLC0415
        from pytest_cbx.chaos.criteria import judge  # noqa: PLC0415
        from pytest_cbx.chaos.model import Evidence  # noqa: PLC0415

        evidence = self._evidence or Evidence(seed=self.seed, invalid=("no fault was tried: nothing is shown",))
        repeat = (
            evidence.repeat
            or f"pytest --cbx-gate --cbx-chaos-seed {self.seed} {shlex.join(map(str, self._config.args))}".strip()
        )
        self._judgement = judge(dataclasses.replace(evidence, repeat=repeat))
        folder = self._options.report
        cache = getattr(self._config, "cache", None)  # not there under -p no:cacheprovider
        if folder is None and cache is not None:
            folder = Path(str(cache.mkdir("cbx")))
        if folder is not None:
            report.write(self._judgement, folder / FILE)
        add_junit_properties(self._config, report.properties(self._judgement))


COLLECTOR = pytest.StashKey[Collector]()


def take_up(config: pytest.Config, options: Options) -> None:
    """Begin to collect."""
    collector = config.stash[COLLECTOR] = Collector(options, config)
    config.pluginmanager.register(collector, "cbx-gate")
