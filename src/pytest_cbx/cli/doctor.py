"""`cbx doctor`: what this machine offers."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec

from pytest_cbx.cli.project import open_project
from pytest_cbx.client.doctor import examine, render
from pytest_cbx.client.jobs import Site, prepare


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the sub-command takes."""
    parser.add_argument("--json", action="store_true", help="JSON instead of text")


def main(arguments: argparse.Namespace) -> int:
    """Examine the machine and the tools of the project around the current directory."""
    project = open_project(Path.cwd())
    site = Site(base=project.root, root=project.root)
    folder = project.file.parent if project.file else project.root
    jobs = prepare(project.settings.commands, site=site, settings=project.settings, folder=folder)
    uses = [use.name for job in jobs if job.request.effects for use in job.request.effects.programs if use.searched]
    report = examine(project.root, tools=tuple(dict.fromkeys(uses)))
    if arguments.json:
        sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
    else:
        print(render(report))
    return 0
