"""`cbx explain`: what a command would touch, and which tier that gives. Runs nothing, needs no configuration."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pytest_cbx.cli.project import directory
from pytest_cbx.client.explained import Explained, explained, legible
from pytest_cbx.client.jobs import Job, Site, prepare
from pytest_cbx.config.locate import find_workspace
from pytest_cbx.config.model import CommandConfig, Settings
from pytest_cbx.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

_BATCH = 1024
_COLOUR = {
    "SAFE_PARALLEL": "green",
    "CONDITIONAL_PARALLEL": "cyan",
    "SEQUENTIAL_REQUIRED": "yellow",
    "DANGEROUS_ISOLATED": "red",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the sub-command takes."""
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    parser.add_argument("--cwd", metavar="DIR", help="as if called in this directory")
    parser.add_argument(
        "--stdin0", action="store_true", help="NUL-separated commands on standard input, one JSON line each"
    )
    parser.add_argument("text", metavar="COMMAND", nargs="?", help="bash text, quoted as one argument")


def main(arguments: argparse.Namespace) -> int:
    """Explain one command, or many."""
    cwd = directory(arguments.cwd)
    if arguments.stdin0:
        if arguments.text is not None:
            raise UsageError("--stdin0 takes the commands from standard input: leave the one on the command line out")
        if not arguments.json:
            raise UsageError("--stdin0 answers in JSON only: add --json")
        for line in _many(_split(sys.stdin.buffer.read()), cwd):
            sys.stdout.buffer.write(line)
        return 0
    if arguments.text is None or not arguments.text.strip():
        raise UsageError("explain needs a command, e.g. cbx explain 'rm -rf build'")
    (job,) = _jobs([arguments.text], cwd)
    value = legible(explained(job))
    if arguments.json:
        sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
    else:
        _print(value, job)
    return 0


def _split(data: bytes) -> list[str]:
    texts = data.decode("utf-8", "surrogateescape").split("\0")
    return texts[:-1] if texts and not texts[-1] else texts


def _many(texts: list[str], cwd: Path) -> Iterator[bytes]:
    for start in range(0, len(texts), _BATCH):
        for job in _jobs(texts[start : start + _BATCH], cwd):
            yield msgspec.json.encode(legible(explained(job))) + b"\n"


def _jobs(texts: Iterable[str], cwd: Path) -> tuple[Job, ...]:
    root = find_workspace(cwd)
    configs = [CommandConfig(name=f"{number}", run=text, line=0) for number, text in enumerate(texts)]
    return prepare(configs, site=Site(base=root, root=root), settings=Settings(), folder=cwd, in_order=False)


def _print(value: Explained, job: Job) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False)
    console.print(
        Text(value.tier, style=f"bold {_COLOUR[value.tier]}"), Text(value.command, style="bold"), soft_wrap=True
    )
    _section(console, "because", value.reasons)
    effects = value.effects
    for name in ("reads", "writes", "creates", "deletes", "ports", "network", "processes", "unknown"):
        _section(console, name, getattr(effects, name))
    _section(console, "claims", value.claims)
    _section(console, "findings", [f"{f.severity}: {f.message}" for f in value.findings])
    unknown = [use.name for use in (job.request.effects.programs if job.request.effects else ()) if not use.known]
    if unknown:
        _section(console, "unlisted", [f"{', '.join(dict.fromkeys(unknown))} (not in the catalogue of programs)"])


def _section(console: Console, label: str, values: list[str]) -> None:
    from rich.text import Text  # noqa: PLC0415

    for number, text in enumerate(values):
        console.print(Text(f"  {label if number == 0 else '':<10}", style="dim"), Text(text), sep="", soft_wrap=True)
