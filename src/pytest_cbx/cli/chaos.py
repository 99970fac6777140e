"""`cbx chaos`: a campaign on the project's own commands, in a copy of its work tree, and the six criteria."""

from __future__ import annotations

import argparse
import dataclasses
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pytest_cbx.chaos import report
from pytest_cbx.chaos.api import Chaos
from pytest_cbx.chaos.assessment import Assessment, assess
from pytest_cbx.chaos.criteria import State, judge
from pytest_cbx.chaos.leases import Leases
from pytest_cbx.chaos.places import make_folder
from pytest_cbx.cli.project import Project, open_project
from pytest_cbx.client.api import Cbx
from pytest_cbx.client.connection import Connection
from pytest_cbx.config.model import CommandConfig, Settings
from pytest_cbx.errors import UsageError

EXIT_FAILED = 1
EXIT_INVALID = 2
"""The run shows nothing: a planned fault did not strike, or there was too little of something."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the sub-command takes."""
    parser.description = (
        "Runs the project's commands in a copy of its work tree under faults drawn from a seed, and judges by the six criteria. What "
        "commands do outside the work tree (network, services, devices) is done for real. Exits with 0 when all criteria pass, 1 when "
        "one fails, 2 when the run shows nothing."
    )
    parser.add_argument(
        "--config", metavar="FILE", help="the configuration (default: cbx.toml or pyproject.toml of the work tree)"
    )
    parser.add_argument("--workspace", metavar="DIR", help="the work tree (default: around the current directory)")
    parser.add_argument("--trials", metavar="N", type=int, default=300, help="how many trials (default: 300)")
    parser.add_argument("--seed", metavar="N", type=int, default=1, help="of everything that is drawn (default: 1)")
    parser.add_argument(
        "--seconds", metavar="S", type=float, default=900.0, help="the trials' time at most (default: 900)"
    )
    parser.add_argument(
        "--faults", metavar="NAMES", default="", help="kinds or classes, with commas between them (default: all)"
    )
    parser.add_argument(
        "--only", metavar="NAMES", default="", help="commands, with commas between them (default: all that pass)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="a minute or two less: leave out degradation, utilisation and recovery"
    )
    parser.add_argument("--report", metavar="DIR", help="write criteria.json there")


def main(arguments: argparse.Namespace) -> int:
    """Run the campaign, print what came of it."""
    if arguments.trials < 1:
        raise UsageError("--trials has to be at least 1")
    project = open_project(Path.cwd(), workspace=arguments.workspace, config=arguments.config)
    chosen = _commands(project, [name for name in arguments.only.split(",") if name])
    with _copy_of(project.root) as root:
        found = _assess(root, project.settings, chosen, arguments)
    repeat = f"cbx chaos --trials {arguments.trials} --seed {arguments.seed}"
    judgement = judge(dataclasses.replace(found.evidence, repeat=repeat))
    print()
    for line in report.lines(judgement, plain=not sys.stdout.isatty()):
        print(line)
    if found.campaign.shrunk is not None:
        print()
        print(found.campaign)
    if arguments.report:
        report.write(judgement, Path(arguments.report) / "criteria.json")
    return {State.PASSED: 0, State.FAILED: EXIT_FAILED, State.INVALID: EXIT_INVALID}[judgement.state]


def _assess(
    root: Path, settings: Settings, chosen: Sequence[CommandConfig], arguments: argparse.Namespace
) -> Assessment:
    settings = dataclasses.replace(settings, commands=(), learn=False)
    connection = Connection(root, settings, name="cbx chaos")
    leases = Leases(connection)
    cbx = Cbx(root, root=root, settings=settings, connect=connection, faults=leases.planted)
    try:
        return assess(
            Chaos(leases, cbx, renew=connection.close),
            _passing(cbx, root, chosen),
            root=root,
            folder=root,
            settings=settings,
            faults=[name for name in arguments.faults.split(",") if name],
            trials=arguments.trials,
            seed=arguments.seed,
            seconds=arguments.seconds,
            quick=arguments.quick,
            say=lambda text: print(text, flush=True),
        )
    finally:
        leases.close()
        connection.close()


def _commands(project: Project, names: Sequence[str]) -> list[CommandConfig]:
    known = {command.name: command for command in project.settings.commands}
    if not known:
        raise UsageError("there are no commands: cbx.toml, or [tool.cbx] in pyproject.toml, has to name some")
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(f"--only: there is no command {', '.join(unknown)}; there are {', '.join(known)}")
    return [known[name] for name in names or known]


def _passing(cbx: Cbx, root: Path, chosen: Sequence[CommandConfig]) -> list[tuple[str, str]]:
    """Those that pass when nothing strikes, with their name as the sort of work. The others are told, and left out.

    Raises:
        UsageError: none does.
    """
    found = []
    for command in chosen:
        text = _text(command)
        outcome = cbx.run(text, name=command.name, timeout=command.timeout, rollback="always")
        if outcome.ok:
            found.append((text, command.name))
        else:
            print(
                f"left out: {command.name}, which fails by itself ({outcome.reason or f'exit code {outcome.exit_code}'})"
            )
    if not found:
        raise UsageError("none of the commands passes when nothing strikes: there is nothing to compare with")
    return found


def _text(command: CommandConfig) -> str:
    """The command with its directory and its variables in its text: trials know texts only."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in command.env.items()]
    if command.cwd not in ("", "."):
        lines.append(f"cd {shlex.quote(command.cwd)}")
    return "\n".join([*lines, command.run])


@contextmanager
def _copy_of(root: Path) -> Iterator[Path]:
    folder = make_folder()
    try:
        target = folder / root.name
        target.mkdir()
        subprocess.run(["cp", "-a", "--reflink=auto", f"{root}/.", str(target)], check=True, stdin=subprocess.DEVNULL)
        yield target
    finally:
        shutil.rmtree(folder, ignore_errors=True)
