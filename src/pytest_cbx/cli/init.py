"""`cbx init`: write the `cbx.toml` of what the project's frameworks declare, for a person to trim."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from pytest_cbx.cli.project import directory
from pytest_cbx.client.hookspecs import plugin_manager
from pytest_cbx.config.locate import find_config
from pytest_cbx.config.model import Phase
from pytest_cbx.errors import UsageError
from pytest_cbx.frameworks.discovery import Discovered, Discovery, discover

_MEGABYTE = 1024 * 1024
_TITLES = {
    Phase.DEPENDENCIES: "dependencies",
    Phase.COMPILE: "compile",
    Phase.ASSETS: "assets",
    Phase.CHECK: "checks",
    Phase.PACKAGE: "package",
}
_HEAD = """\
# The commands by which this project checks itself, as its frameworks declare them: written by `cbx init`, yours from here on.
#
#   pytest --cbx-parallel      run them at once, beside your tests
#   cbx plan                   the order in which they would run, and why
#
# What each touches, and whom it must wait for, is read from its text. Where that cannot tell, say it: `reads`, `writes`, `locks`, `needs`.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the sub-command takes."""
    parser.add_argument("--workspace", metavar="DIR", help="the project's folder (default: the current directory)")
    parser.add_argument("--stdout", action="store_true", help="print it, write nothing")


def main(arguments: argparse.Namespace) -> int:
    """Look, and write."""
    root = directory(arguments.workspace)
    file = root / "cbx.toml"
    there = find_config(root)
    if there is not None and not arguments.stdout:
        raise UsageError(
            f"{there} has commands already; `cbx init --stdout` prints what would be found, or take `discover = true`"
        )
    found = discover(
        root, more=[one for answer in plugin_manager().hook.pytest_cbx_framework() for one in answer or ()]
    )
    for note in found.notes:
        print(f"# {note}" if arguments.stdout else f"cbx: {note}")
    if not found.commands:
        raise UsageError(
            f"{root}: no framework that is known declares a command here; write a [[cbx.command]] into a cbx.toml"
        )
    text = "\n".join(_lines(found))
    if arguments.stdout:
        print(text)
        return 0
    _write(file, text + "\n")
    count = len(found.commands)
    print(
        f"{file}: {count} command{'s' if count != 1 else ''}. Read it, take out what you do not want; `cbx plan` shows the order."
    )
    return 0


def _write(file: Path, text: str) -> None:
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise UsageError(f"{file} is there already; it is left as it is") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error


def _lines(found: Discovery) -> Iterator[str]:
    yield _HEAD.rstrip()
    phase = None
    for one in found.commands:
        if one.found.phase is not phase:
            phase = one.found.phase
            yield f"\n# --- {_TITLES[phase]} ".ljust(100, "-")
        yield ""
        yield from _command(one)


def _command(one: Discovered) -> Iterator[str]:
    command = one.command
    if one.found.runs_pytest and one.place == ".":
        yield "# A pytest that runs here collects these tests itself. Take this in where you call pytest in another folder."
        yield from (f"# {line}" for line in _table(one))
        return
    yield f"# {one.found.source}" + (f", in {command.cwd}/" if command.cwd != "." else "")
    yield from _table(one)


def _table(one: Discovered) -> Iterator[str]:
    command = one.command
    yield "[[cbx.command]]"
    yield f"name = {_text(command.name)}"
    yield f"run = {_text(command.run)}"
    if command.cwd != ".":
        yield f"cwd = {_text(command.cwd)}"
    for key in ("needs", "writes"):
        values: tuple[str, ...] = getattr(command, key)
        if values:
            yield f"{key} = [{', '.join(map(_text, values))}]"
    if command.results is not None:
        yield f"results = {_text(command.results)}"
    if command.cpus is not None:
        yield f"cpus = {command.cpus:g}"
    if command.memory is not None:
        yield f'memory = "{command.memory // _MEGABYTE}MB"'
    if command.timeout is not None:
        yield f"timeout = {command.timeout:g}"
    if command.tags:
        yield f"tags = [{', '.join(map(_text, command.tags))}]"


def _text(text: str) -> str:
    """TOML takes JSON's texts, and literal ones read better where there are quotes."""
    return (
        f"'{text}'" if '"' in text and "'" not in text and text.isprintable() else json.dumps(text, ensure_ascii=False)
    )
