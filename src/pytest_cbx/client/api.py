"""`Cbx`: run commands from Python. The `cbx` fixture is one of these."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import pluggy

from pytest_cbx.client.denial import refuse
from pytest_cbx.client.isolation import check_rollback, reach
from pytest_cbx.client.jobs import Job, Site, plan, prepare
from pytest_cbx.client.outcome import Outcome
from pytest_cbx.client.runner import Capture, Runner
from pytest_cbx.client.transactions import Locks, file_transaction
from pytest_cbx.config import values
from pytest_cbx.config.model import CommandConfig, Isolation, Priority, Rollback, Settings
from pytest_cbx.config.override import override
from pytest_cbx.errors import TransactionConflict, UsageError
from pytest_cbx.faults.model import Fault
from pytest_cbx.plan.model import Claim
from pytest_cbx.tier import Tier
from pytest_cbx.transaction.atomic import FileTransaction

T = TypeVar("T")


class Cbx:
    """Runs shell commands in one directory through the engine of a work tree.

    Commands see the environment of this process. All calls block until their commands have ended.
    """

    def __init__(
        self,
        path: Path,
        *,
        root: Path,
        settings: Settings,
        connect: Callable[[], Runner],
        hooks: pluggy.PluginManager | None = None,
        faults: Callable[[], Sequence[Fault]] = tuple,
    ) -> None:
        """`faults`: asked before each run for what its commands carry."""
        self.path = Path(os.path.abspath(path))
        self._root = root
        self._settings = settings
        self._connect = connect
        self._hooks = hooks
        self._faults = faults

    def at(self, path: str | os.PathLike[str]) -> Cbx:
        """The same, bound to another directory (relative to this one's)."""
        target = self.path / Path(path)
        if not target.is_dir():
            raise UsageError(f"cbx.at({os.fspath(path)!r}): {target} is no directory")
        return Cbx(
            target,
            root=self._root,
            settings=self._settings,
            connect=self._connect,
            hooks=self._hooks,
            faults=self._faults,
        )

    @property
    def root(self) -> Path:
        """The work tree whose engine runs its commands, and whose journal is kept for them."""
        return self._root

    def transaction(self) -> FileTransaction:
        """File operations in this directory that happen all or not at all: `with cbx.transaction() as tx: tx.write(...)`.

        They take turns with the commands of the work tree: each file is waited for when it is first used, and nobody else gets it
        until the block ends. `tx` raises `TransactionConflict` when the block has to give way; `transact` then tries again.
        """
        return file_transaction(self.path, self._root, self._settings, Locks(self._connect))

    def transact(self, function: Callable[[FileTransaction], T], *, attempts: int = 3) -> T:
        """Call a function with a transaction; again, up to so many times, when it has to give way. Returns what the function returns.

        A second attempt waits at its start for all that the first one was seen to need, so that it meets nobody then.

        Raises:
            TransactionConflict: the last attempt had to give way, too. Nothing has changed.
        """
        if attempts < 1:
            raise UsageError(f"transact: attempts is {attempts}; it has to be at least 1")
        locks = Locks(self._connect)
        while True:
            attempts -= 1
            try:
                with file_transaction(self.path, self._root, self._settings, locks) as transaction:
                    return function(transaction)
            except TransactionConflict:
                if not attempts:
                    raise

    def run(
        self,
        command: str,
        *,
        name: str | None = None,
        env: Mapping[str, str] | None = None,
        reads: Sequence[str] = (),
        writes: Sequence[str] = (),
        locks: Sequence[str] = (),
        tier: Tier | None = None,
        trust: bool = False,
        allow: Sequence[str] = (),
        timeout: float | None = None,
        retries: int = 0,
        cpus: float | None = None,
        memory: int | None = None,
        priority: Priority = Priority.NORMAL,
        rollback: Rollback | str | None = None,
        isolation: Isolation | str | None = None,
        privileged: bool = False,
    ) -> Outcome:
        """Run one bash text. The keywords mean what the keys of `[cbx]` and `[[cbx.command]]` mean; `memory` is in bytes.

        Raises:
            EngineLost: the engine was killed meanwhile; the command is dead too.
            UsageError: a word that is none, a rung that cannot be had, or a dry run where nothing can be undone.
        """
        config = CommandConfig(
            name=name or _short(command),
            run=command,
            line=0,
            env=dict(env or {}),
            reads=tuple(reads),
            writes=tuple(writes),
            locks=tuple(locks),
            tier=tier,
            trust=trust,
            allow=_rules(allow),
            timeout=timeout,
            retries=retries,
            cpus=cpus,
            memory=memory,
            priority=priority,
            privileged=privileged,
        )
        return self._run([config], self._with(rollback, isolation), fail_fast=False)[0]

    def run_all(
        self,
        commands: Sequence[str | CommandConfig],
        *,
        fail_fast: bool = False,
        timeout: float | None = None,
        rollback: Rollback | str | None = None,
        isolation: Isolation | str | None = None,
    ) -> list[Outcome]:
        """Run texts (or full commands) at once, by tier and conflict; outcomes in the given order.

        Commands that touch the same things run in the given order. `fail_fast`: the first failure cancels the rest.
        `rollback` and `isolation` are those of `run`; a full command's own `rollback` goes before.
        """
        configs: list[CommandConfig] = []
        names: set[str] = set()
        for number, command in enumerate(commands, start=1):
            if isinstance(command, str):
                name = _short(command)
                name = name if name not in names else f"{name} #{number}"
                command = CommandConfig(name=name, run=command, line=0, timeout=timeout)  # noqa: PLW2901
            if command.name in names:
                raise UsageError(f'run_all: two commands are named "{command.name}"')
            names.add(command.name)
            configs.append(command)
        return self._run(configs, self._with(rollback, isolation), fail_fast=fail_fast)

    def tier(self, command: str) -> Tier:
        """The tier that the text of a command gives. Runs nothing."""
        return self.explain(command).request.tier

    def claims(self, command: str) -> tuple[Claim, ...]:
        """The claims that the text of a command gives. Runs nothing."""
        return self.explain(command).request.claims

    def explain(self, command: str) -> Job:
        """Everything that is known of a command before it runs. Runs nothing."""
        return self._prepare([CommandConfig(name=_short(command), run=command, line=0)])[0]

    def _prepare(self, configs: Sequence[CommandConfig]) -> tuple[Job, ...]:
        for config in configs:
            if not config.run.strip():
                raise UsageError("there is no command to run: the text is empty")
            if "\0" in config.run:
                raise UsageError("a command cannot hold a NUL character")
        site = Site(base=self.path, root=self._root)
        return prepare(configs, site=site, settings=self._settings, hooks=self._hooks)

    def _with(self, rollback: Rollback | str | None, isolation: Isolation | str | None) -> Settings:
        return override(self._settings, rollback=rollback, isolation=isolation)

    def _run(self, configs: Sequence[CommandConfig], settings: Settings, *, fail_fast: bool) -> list[Outcome]:
        rung = reach(settings.isolation)
        check_rollback(settings.rollback, rung)
        jobs = self._prepare(configs)
        refused = refuse(jobs, settings, rung)
        allowed = [job for job in jobs if job.request.name not in refused]
        ended = self._run_allowed(allowed, settings, fail_fast=fail_fast) if allowed else {}
        outcomes = {**refused, **ended}
        return [outcomes[job.request.name] for job in jobs]

    def _run_allowed(self, jobs: Sequence[Job], settings: Settings, *, fail_fast: bool) -> dict[str, Outcome]:
        """The outcomes of these, by name."""
        runner = self._connect()
        graph = plan(jobs, slots=runner.welcome.jobs, settings=settings)
        ids = runner.submit(
            jobs, graph, capture=Capture.SEPARATE, fail_fast=fail_fast, settings=settings, faults=self._faults()
        )
        outcomes: dict[int, Outcome] = {}
        wanted = set(ids)
        try:
            while not wanted <= outcomes.keys():
                outcomes.update(runner.poll(None))
        except BaseException:
            # Ctrl-C, a test's time-out: nobody will ask for these outcomes any more.
            runner.cancel(ids, "the caller was interrupted")
            raise
        runner.check_holds()
        return {job.request.name: outcomes[number] for number, job in zip(ids, jobs, strict=True)}


def _rules(names: Sequence[str]) -> tuple[str, ...]:
    try:
        return values.rules(list(names))
    except values.Wrong as error:
        fault = error.faults[0]
        raise UsageError(f"allow {fault.message}" + (f" ({fault.hint})" if fault.hint else "")) from error


def _short(command: str) -> str:
    """A name for a command without one: its first line, cut."""
    first = command.strip().splitlines()[0] if command.strip() else ""
    return first if len(first) <= 60 else first[:59] + "…"
