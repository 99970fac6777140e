"""`cbx run`: one command in the current directory, beside everything else that runs in the work tree."""

from __future__ import annotations

import argparse
import dataclasses
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

import msgspec

from pytest_cbx.cli.project import Project, open_project
from pytest_cbx.cli.told import tell
from pytest_cbx.client.denial import REFUSED, findings_against, refusal, shown
from pytest_cbx.client.hookspecs import plugin_manager
from pytest_cbx.client.isolation import Rung, check_rollback, reach
from pytest_cbx.client.jobs import Job, Site, plan, prepare
from pytest_cbx.client.outcome import Outcome
from pytest_cbx.client.protection import less_than_said
from pytest_cbx.client.runner import Capture, Runner, Watch
from pytest_cbx.config.model import CommandConfig, Rollback
from pytest_cbx.config.override import override
from pytest_cbx.errors import UsageError
from pytest_cbx.observe.summary import row_of
from pytest_cbx.severity import Severity
from pytest_cbx.tier import Tier

EXIT_TIMEOUT = 124
EXIT_DENIED = 126
"""As shells say that a command was found but must not be executed."""
EXIT_OURS = 125
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Interrupted(Exception):
    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"signal {number}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the sub-command takes."""
    parser.usage = "cbx run [OPTION ...] -- SCRIPT"
    parser.description = (
        "Standard input, output and error and the exit code are the command's own; 124 on time-out, 128+n on signal n, 126 when "
        "it is refused, 125 when cbx itself could not run it, 4 when the call is wrong. At isolation guard a failed command's changes "
        "are undone (--rollback), at off they stay."
    )
    parser.add_argument("--workspace", metavar="DIR", help="the work tree (default: around the current directory)")
    parser.add_argument(
        "--rollback",
        metavar="WHEN",
        choices=[r.value for r in Rollback],
        help="when its changes are undone: auto, never, on-crash, on-failure, or always (a dry run: shows the changes)",
    )
    parser.add_argument("--timeout", metavar="S", help='stop it after this long, e.g. 30 or "2m"')
    parser.add_argument(
        "--deny", metavar="SEVERITY", help="refuse it for a finding as grave as this: notice, warning, critical or off"
    )
    parser.add_argument("--isolation", metavar="L", help="auto, off, guard or serializable")
    parser.add_argument(
        "--changes", action="store_true", help="list what it created, modified and deleted, on standard error"
    )
    parser.add_argument("--json", metavar="FILE", help="write what came of it into this file")
    parser.add_argument("--reads", metavar="GLOB", action="append", default=[], help="it also reads these")
    parser.add_argument("--writes", metavar="GLOB", action="append", default=[], help="it also writes these")
    parser.add_argument(
        "--lock", metavar="NAME", action="append", default=[], help="hold this named lock (NAME:read shares it)"
    )
    parser.add_argument(
        "--tier",
        metavar="TIER",
        choices=[tier.value for tier in Tier],
        help=f"at least this tier: {', '.join(tier.value for tier in Tier)}",
    )
    parser.add_argument("--name", help="what others that wait for it are told (default: its text)")
    parser.add_argument(
        "script", metavar="SCRIPT", nargs="+", help="bash text as one argument, or the words of one plain command"
    )


def main(arguments: argparse.Namespace) -> int:
    """Run it and hand on its exit code."""
    project, rung = _project(arguments)
    text = arguments.script[0] if len(arguments.script) == 1 else shlex.join(arguments.script)
    if not text.strip():
        raise UsageError("there is no command to run: the text is empty")
    command = CommandConfig(
        name=arguments.name or " ".join(text.split())[:60],
        run=text,
        line=0,
        reads=tuple(arguments.reads),
        writes=tuple(arguments.writes),
        locks=tuple(arguments.lock),
        tier=Tier(arguments.tier) if arguments.tier else None,
    )
    site = Site(base=project.root, root=project.root)
    notes: list[str] = []
    (job,) = prepare(
        [command], site=site, settings=project.settings, hooks=plugin_manager(), folder=Path.cwd(), notes=notes
    )
    for note in notes:
        print(f"cbx: {note}", file=sys.stderr)
    refused = refusal(job, project.settings, rung)
    if refused is not None:
        _say_refused(job, project.settings.deny, refused)
    outcome = refused or _run(project, job, rung)
    tell(outcome, project.settings, rung, changes=arguments.changes)
    if arguments.json:
        Path(arguments.json).write_bytes(msgspec.json.encode(row_of(outcome)) + b"\n")
    return _exit_code(outcome)


def _project(arguments: argparse.Namespace) -> tuple[Project, Rung]:
    project = open_project(Path.cwd(), workspace=arguments.workspace)
    settings = override(
        project.settings,
        isolation=arguments.isolation,
        rollback=arguments.rollback,
        timeout=_seconds(arguments.timeout),
        deny=arguments.deny,
    )
    rung = reach(settings.isolation)
    note = check_rollback(settings.rollback, rung)
    if note:
        print(f"cbx: {note}", file=sys.stderr)
    return dataclasses.replace(project, settings=settings), rung


def _seconds(text: str | None) -> float | str | None:
    """`--timeout 2.5` is a number, `--timeout 2m` a duration with its unit."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


def _run(project: Project, job: Job, rung: Rung) -> Outcome:
    with _signals_raise():
        try:
            return _run_to_end(project, job, rung)
        except _Interrupted as interrupt:
            return Outcome(
                name=job.request.name,
                command=job.request.text,
                tier=job.request.tier,
                status="cancelled",
                cause="cancelled",
                exit_code=128 + interrupt.number,
                signal=interrupt.number,
            )


def _run_to_end(project: Project, job: Job, rung: Rung) -> Outcome:
    watch = Watch(waiting=lambda _, reason, blockers: print(f"cbx: waiting for {reason}", file=sys.stderr))
    with Runner(project.root, project.settings, name="cbx run", watch=watch) as runner:
        welcome = runner.welcome
        less = less_than_said(rung, welcome.isolation, welcome.isolation_reason)
        if less:
            print(f"cbx: {less}", file=sys.stderr)
        graph = plan([job], slots=welcome.jobs, settings=project.settings)
        runner.submit([job], graph, capture=Capture.INHERIT)
        ended: list[Outcome] = []
        while not ended:
            ended = [outcome for _, outcome in runner.poll(None)]
    for note in runner.notes:
        print(f"cbx: {note}", file=sys.stderr)
    return ended[0]


def _say_refused(job: Job, deny: Severity | None, outcome: Outcome) -> None:
    against = findings_against(job, deny)
    if against:
        lines = [*shown(job, against), "refused: change the command, or call with --deny off"]
    else:
        lines = [outcome.reason, "to run it without protection, call with --isolation off"]
    for line in ["nothing was run:", *lines]:
        print(f"cbx: {line}", file=sys.stderr)


def _exit_code(outcome: Outcome) -> int:
    if outcome.cause == REFUSED:
        return EXIT_DENIED
    if outcome.cause == "timeout":
        print(f"cbx: {outcome.reason}", file=sys.stderr)
        return EXIT_TIMEOUT
    if outcome.status == "cancelled" and outcome.signal:
        return 128 + outcome.signal
    if outcome.reason:
        print(f"cbx: {outcome.reason}", file=sys.stderr)
    return EXIT_OURS if outcome.exit_code is None else outcome.exit_code


@contextmanager
def _signals_raise() -> Iterator[None]:
    """A signal stops the command and then us; the command runs in a session of its own and would not hear it."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        for other in _SIGNALS:
            signal.signal(other, signal.SIG_IGN)
        raise _Interrupted(number)

    # Under `nohup` SIGHUP is ignored, and is to stay so.
    heard = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
