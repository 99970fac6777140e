"""`cbx plan`: the order in which the project's commands would run, and why. Runs nothing."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import msgspec

from pytest_cbx.cli.project import open_project
from pytest_cbx.client.commands import commands_of
from pytest_cbx.client.denial import findings_against, told
from pytest_cbx.client.hookspecs import plugin_manager
from pytest_cbx.client.isolation import reach
from pytest_cbx.client.jobs import Site, collector_paused, plan, prepare
from pytest_cbx.client.profiles import profile_of
from pytest_cbx.client.protection import spoken
from pytest_cbx.client.slots import slots_for
from pytest_cbx.config.model import Isolation
from pytest_cbx.config.override import override
from pytest_cbx.errors import UsageError
from pytest_cbx.plan.export import to_json
from pytest_cbx.plan.render import render_plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the sub-command takes."""
    parser.add_argument("--json", action="store_true", help="JSON instead of text")
    parser.add_argument(
        "--deny", metavar="SEVERITY", help="say what would be refused: notice, warning, critical or off"
    )
    parser.add_argument("--profile", metavar="NAME", help="the commands of this environment only")
    parser.add_argument("--config", metavar="PATH", help="another file than cbx.toml or pyproject.toml")


def main(arguments: argparse.Namespace) -> int:
    """Plan all commands of the configuration."""
    with collector_paused():
        return _plan(arguments)


def _rung(wanted: Isolation) -> str:
    """The rung at which the commands would run; a plan can be made where they could not."""
    try:
        return spoken(reach(wanted))
    except UsageError as error:
        return str(error)


def _plan(arguments: argparse.Namespace) -> int:
    started = time.perf_counter()
    project = open_project(Path.cwd(), config=arguments.config)
    hooks = plugin_manager()
    found = commands_of(project.settings, hooks.hook, project.file.parent if project.file else project.root)
    commands = found.commands
    if arguments.profile is not None:
        chosen = profile_of(arguments.profile, project.settings, commands)
        commands = tuple(command for command in commands if command.name in chosen)
    for note in found.notes:
        print(f"cbx: {note}", file=sys.stderr)
    if not commands:
        where = project.file or project.root
        raise UsageError(f"{where} has no commands; add a [[cbx.command]] table with name and run to a cbx.toml")
    folder = project.file.parent if project.file else project.root
    site = Site(base=project.root, root=project.root)
    jobs = prepare(commands, site=site, settings=project.settings, hooks=hooks, folder=folder)
    graph = plan(jobs, slots=slots_for(project.settings), settings=project.settings)
    deny = override(project.settings, deny=arguments.deny).deny
    if arguments.json:
        sys.stdout.buffer.write(msgspec.json.encode(to_json(graph)) + b"\n")
    else:
        print(render_plan(graph))
    for job in jobs:
        for finding in findings_against(job, deny):
            line = f"refused: {job.request.name}: {told(finding)}"
            print(f"cbx: {line}" if arguments.json else line, file=sys.stderr if arguments.json else sys.stdout)
    print(
        f"cbx: planned {len(commands)} command{'s' if len(commands) != 1 else ''} in {time.perf_counter() - started:.2f} s; "
        f"{_rung(project.settings.isolation)}",
        file=sys.stderr,
    )
    return 0
