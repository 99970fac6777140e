"""`cbx explain`: what a command would touch, and which tier that gives. Runs nothing, needs no configuration."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from pytest_cbx.cli.project import directory
from pytest_cbx.client.denial import findings_against
from pytest_cbx.client.explained import explained, legible
from pytest_cbx.client.jobs import Job, Site, prepare
from pytest_cbx.config.locate import find_workspace
from pytest_cbx.config.model import CommandConfig, Settings
from pytest_cbx.config.override import override
from pytest_cbx.errors import UsageError
from pytest_cbx.severity import Severity

EXIT_REFUSED = 1
"""With `--deny`: a command would be refused."""

_BATCH = 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the sub-command takes."""
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    parser.add_argument("--cwd", metavar="DIR", help="as if called in this directory")
    parser.add_argument(
        "--stdin0", action="store_true", help="NUL-separated commands on standard input, one JSON line each"
    )
    parser.add_argument(
        "--deny",
        metavar="SEVERITY",
        help="exit with 1 for a finding as grave as this: notice, warning, critical or off",
    )
    parser.add_argument("text", metavar="COMMAND", nargs="?", help="bash text, quoted as one argument; - reads it")


def main(arguments: argparse.Namespace) -> int:
    """Explain one command, or many."""
    cwd = directory(arguments.cwd)
    deny = override(Settings(), deny=arguments.deny).deny
    if arguments.stdin0:
        if arguments.text is not None:
            raise UsageError("--stdin0 takes the commands from standard input: leave the one on the command line out")
        if not arguments.json:
            raise UsageError("--stdin0 answers in JSON only: add --json")
        return _many(_split(sys.stdin.buffer.read()), cwd, deny)
    (job,) = _jobs([_text(arguments.text)], cwd)
    if arguments.json:
        sys.stdout.buffer.write(msgspec.json.encode(legible(explained(job))) + b"\n")
    else:
        from pytest_cbx.cli.portrait import show  # noqa: PLC0415 - rich takes long to import

        show(job, deny=deny)
    return EXIT_REFUSED if findings_against(job, deny) else 0


def _text(given: str | None) -> str:
    """The command that was named, or read for `-`."""
    if given == "-":
        given = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
        if "\0" in given:
            raise UsageError(
                "there is a NUL character in the command: --json --stdin0 takes many, with a NUL after each"
            )
        if not given.strip():
            raise UsageError("there is no command on standard input")
        return given.removesuffix("\n")
    if given is None or not given.strip():
        raise UsageError("explain needs a command, e.g. cbx explain 'rm -rf build', or - to read it")
    return given


def _split(data: bytes) -> list[str]:
    texts = data.decode("utf-8", "surrogateescape").split("\0")
    return texts[:-1] if texts and not texts[-1] else texts


def _many(texts: list[str], cwd: Path, deny: Severity | None) -> int:
    """Answer each command in order."""
    code = 0
    for job in _in_batches(texts, cwd):
        sys.stdout.buffer.write(msgspec.json.encode(legible(explained(job))) + b"\n")
        code = EXIT_REFUSED if findings_against(job, deny) else code
    return code


def _in_batches(texts: list[str], cwd: Path) -> Iterator[Job]:
    for start in range(0, len(texts), _BATCH):
        yield from _jobs(texts[start : start + _BATCH], cwd)


def _jobs(texts: Iterable[str], cwd: Path) -> tuple[Job, ...]:
    root = find_workspace(cwd)
    configs = [CommandConfig(name=f"{number}", run=text, line=0) for number, text in enumerate(texts)]
    return prepare(configs, site=Site(base=root, root=root), settings=Settings(), folder=cwd, in_order=False)
