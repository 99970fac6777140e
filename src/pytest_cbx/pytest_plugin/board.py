"""The state of one pytest session: which commands there are, which run, which have ended."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import pluggy
import pytest

from pytest_cbx.client.denial import never_ran, refusal, without_need
from pytest_cbx.client.jobs import Job, Site, plan, prepare
from pytest_cbx.client.outcome import Outcome, tail_of_file
from pytest_cbx.client.protection import less_than_said
from pytest_cbx.client.runner import Capture, Runner, Watch
from pytest_cbx.client.tools import missing_tools, tool_not_found
from pytest_cbx.config.model import CommandConfig
from pytest_cbx.errors import CbxError
from pytest_cbx.events import AnyEvent
from pytest_cbx.observe.recorder import Recorder
from pytest_cbx.observe.summary import Summary, summarise, write_summary
from pytest_cbx.plan.model import Plan
from pytest_cbx.pytest_plugin.commands import all_commands, chosen_by_profile, deadline
from pytest_cbx.pytest_plugin.items import CbxItem
from pytest_cbx.pytest_plugin.options import Options

STOP_PATIENCE = 4.0
"""Seconds for commands to end after they were told to; the engine kills those that do not listen after 2."""
NOT_FOUND = 127
"""Exit code of a shell that found no such program."""


class Board:
    """Prepares, starts and collects the commands of a session; the only one who talks to the engine for items."""

    def __init__(self, config: pytest.Config, options: Options) -> None:
        self.config = config
        self.options = options
        found = all_commands(config, options)
        self.commands: tuple[CommandConfig, ...] = found.commands
        self.chosen: frozenset[str] | None = chosen_by_profile(options, found.commands)
        """Names of the profile's commands; None: there is no profile."""
        self.jobs: dict[str, Job] = {}
        self.plan: Plan | None = None
        self.slots = 0
        """Slots of the engine that ran the commands; 0 before there was one."""
        self.outcomes: dict[str, Outcome] = {}
        """The last outcome of every command that has ended, by name."""
        self.notes: list[str] = [*found.notes]
        """For the terminal summary."""
        self._untaken: dict[str, Outcome] = {}
        self._fresh: list[CbxItem] = []
        self._running: dict[int, CbxItem] = {}
        self._nodeids: dict[str, str] = {}
        self._runner: Runner | None = None
        self._recorder: Recorder | None = None

    # --- the connection ------------------------------------------------------------------------------

    def record(self) -> None:
        """Write a report of this session, where one was asked for.

        Raises:
            UsageError: its directory cannot be written.
        """
        # A pytest inside one of our commands reads the same ini file: the report there is the outer session's.
        inside = "CBX_INSTANCE" in os.environ and not self.config.getoption("cbx_report")
        if self.options.report is not None and not inside:
            self._recorder = Recorder(self.options.report)

    def connect(self) -> Runner:
        """The session's connection to the engine; made at the first call."""
        if self._runner is None:
            watch = Watch(event=self._observe if self._recorder or self._event_hook().get_hookimpls() else None)
            self._runner = Runner(self.options.root, self.options.settings, name="pytest", watch=watch)
            welcome = self._runner.welcome
            self.slots = welcome.jobs
            less = less_than_said(self.options.rung, welcome.isolation, welcome.isolation_reason)
            self.notes += [less] if less else []
        return self._runner

    def _event_hook(self) -> pluggy.HookCaller:
        hook: pluggy.HookCaller = self.config.hook.pytest_cbx_event
        return hook

    def _observe(self, event: AnyEvent) -> None:
        if self._recorder is not None:
            self._recorder(event)
        self._event_hook()(event=event)

    def cancel(self, reason: str) -> None:
        """Stop whatever still runs."""
        if self._runner is not None:
            self._runner.cancel(None, reason)

    def close(self) -> None:
        """Stop what still runs, leave the engine, finish the report. Safe to call twice."""
        runner, self._runner = self._runner, None
        recorder, self._recorder = self._recorder, None
        try:
            if runner is not None:
                self._drain(runner)
                runner.close()
                self.notes += runner.notes
        finally:
            if recorder is not None:
                recorder.close()
                write_summary(self.summary(), recorder.directory)

    def _drain(self, runner: Runner) -> None:
        """Stop what still runs, and learn how it ended."""
        patience = time.monotonic() + STOP_PATIENCE
        with suppress(CbxError):
            runner.cancel(None, "pytest was stopped")
            while runner.outstanding and time.monotonic() < patience:
                for number, outcome in runner.poll(patience - time.monotonic()):
                    self._end(outcome, self._running.pop(number))

    def summary(self) -> Summary:
        """The session's commands so far, in figures, in the order of the file."""
        outcomes = [self.outcomes[command.name] for command in self.commands if command.name in self.outcomes]
        isolation = self.options.rung.name
        return summarise(outcomes, plan=self.plan, slots=self.slots, isolation=isolation, nodeids=self._nodeids)

    # --- planning and starting -------------------------------------------------------------------------

    def prepare(self, items: Sequence[CbxItem]) -> list[Job]:
        """The jobs of these items, in the order of the file."""
        by_name = {item.command.name: item for item in items}
        new = [
            replace(command, timeout=deadline(self.config, by_name[command.name]))
            for command in self.commands
            if command.name in by_name and command.name not in self.jobs
        ]
        root = self.options.root
        made = prepare(
            new,
            site=Site(base=root, root=root),
            settings=self.options.settings,
            hooks=self.config.pluginmanager,
            folder=self.options.folder,
            notes=self.notes,
        )
        self.jobs.update((job.config.name, job) for job in made)
        self._nodeids.update((name, item.nodeid) for name, item in by_name.items())
        return [self.jobs[command.name] for command in self.commands if command.name in by_name]

    def start(self, items: Sequence[CbxItem]) -> None:
        """Hand all of these to the engine at once. Those that cannot run get their outcome right away."""
        if not items:
            return
        by_name = {item.command.name: item for item in items}
        jobs: list[Job] = []
        with ThreadPoolExecutor(1) as helper:
            # An engine takes a moment to come up; reading the commands meanwhile costs nothing.
            connected = helper.submit(self.connect)
            prepared = self.prepare(items)
        runner = connected.result()
        left = prepared
        while left:
            # Once more for those that need one which is listed after them, and does not start.
            jobs = []
            for job in left:
                refused = self._refusal(job)
                if refused is None:
                    jobs.append(job)
                else:
                    self._end(refused, by_name[job.config.name])
            if len(jobs) == len(left):
                break
            left = jobs
        if not jobs:
            return
        self.plan = plan(jobs, slots=self.slots, settings=self.options.settings)
        self._submit(runner, jobs, self.plan, by_name)

    def _submit(self, runner: Runner, jobs: Sequence[Job], graph: Plan, by_name: dict[str, CbxItem]) -> None:
        ids = runner.submit(
            jobs,
            graph,
            capture=Capture.INTERLEAVED,
            environment=lambda job: {"PYTEST_CURRENT_TEST": f"{self._nodeids[job.config.name]} (call)"},
        )
        self._running.update((number, by_name[job.config.name]) for number, job in zip(ids, jobs, strict=True))

    def _refusal(self, job: Job) -> Outcome | None:
        """The outcome of a command that is not started: it is denied, what it needs did not pass, or a tool is missing."""
        options = self.options
        refused = refusal(job, options.settings, options.rung) or without_need(job, self.outcomes)
        if refused is not None:
            return refused
        missing = missing_tools(job, os.environ)
        if not missing:
            return None
        plural = "s" if len(missing) > 1 else ""
        reason = f"tool{plural} not installed: {', '.join(missing)}"
        return never_ran(job, "failed" if self.options.strict else "skipped", reason)

    # --- collecting --------------------------------------------------------------------------------------

    @property
    def outstanding(self) -> bool:
        """Whether started commands have not been handed out by `poll` yet."""
        return bool(self._fresh or self._running)

    def running_item(self) -> CbxItem | None:
        """Some item whose command has not ended yet."""
        return next(iter(self._running.values()), None)

    def poll(self, timeout: float | None) -> list[CbxItem]:
        """Items whose command has ended since the last call; waits up to `timeout` seconds (None: for ever) for the first."""
        if not self._fresh and self._running:
            self._receive(timeout)
        fresh, self._fresh = self._fresh, []
        return fresh

    def take(self, item: CbxItem) -> Outcome:
        """The outcome of an item; runs its command now, alone, if it has none (not parallel, or run again)."""
        outcome = self._untaken.pop(item.command.name, None)
        if outcome is not None:
            return outcome
        (job,) = self.prepare([item])
        refused = self._refusal(job)
        if refused is not None:
            self._end(refused, item)
        else:
            runner = self.connect()
            self._submit(
                runner, [job], plan([job], slots=self.slots, settings=self.options.settings), {item.command.name: item}
            )
            try:
                while item.command.name not in self._untaken:
                    self._receive(None)
            except BaseException:
                # Ctrl-C, or a time-out of another plugin: the command must not go on without its test.
                self.cancel("its test was interrupted")
                raise
        self._fresh.remove(item)
        return self._untaken.pop(item.command.name)

    def discard(self, outcome: Outcome) -> None:
        """Forget the output of a command that passed."""
        if self._runner is not None:
            self._runner.discard(outcome)

    def _receive(self, timeout: float | None) -> None:
        assert self._runner is not None
        for number, outcome in self._runner.poll(timeout):
            self._end(self._with_missing_tool(outcome), self._running.pop(number))

    def _end(self, outcome: Outcome, item: CbxItem) -> None:
        self.outcomes[outcome.name] = outcome
        self._untaken[outcome.name] = outcome
        self._fresh.append(item)

    def _with_missing_tool(self, outcome: Outcome) -> Outcome:
        """A shell that found no such program makes a skip, as if it had been known before the start."""
        if outcome.exit_code != NOT_FOUND or outcome.log is None or self.options.strict:
            return outcome
        tool = tool_not_found("\n".join(tail_of_file(outcome.log)[0]))
        return replace(outcome, status="skipped", reason=f"tool not installed: {tool}") if tool else outcome
