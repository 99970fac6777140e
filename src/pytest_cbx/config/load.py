"""From a configuration file to `Settings`, or to the list of everything that is wrong with it."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from pytest_cbx.config import checks, keys, values
from pytest_cbx.config.model import CommandConfig, Limits, Settings, Thresholds, Timeouts
from pytest_cbx.config.positions import KeyPath, Positions, positions
from pytest_cbx.config.reading import Document, Table
from pytest_cbx.config.values import kind
from pytest_cbx.errors import ConfigError, Problem

T = TypeVar("T")

_SYNTAX_HINTS = {
    "Invalid value": 'texts stand in quotes: name = "lint"',
    "Cannot overwrite a value": "this key is set twice in the same table",
    "Cannot declare": "a table may have one header only; a further command needs [[cbx.command]]",
    "Unescaped": "write a backslash as \\\\, or use single quotes",
    "Illegal character": "a text of several lines stands in three quotes",
    "Expected '=' after": "a line is key = value",
    "Invalid statement": "a line is key = value, [table] or # comment",
    "Expected newline or end of document": "one key = value a line",
    "Unclosed array": "close the list with ]",
    "Invalid initial character for a key": "a key is letters, digits, _ and -, or stands in quotes",
}


def load_settings(
    path: Path, *, workspace: Path | None = None, shown: str | None = None, memory_total: int | None = None
) -> Settings:
    """The settings in `path`: `[cbx]`, or `[tool.cbx]` where the file is called `pyproject.toml`.

    `workspace` is the folder that no `cwd` may leave, by default the file's own. `shown` is the file's name in problems, by default
    relative to the workspace where it lies there. `memory_total`: bytes of which "20%" is a share, by default the physical memory.
    Raises ConfigError with every problem of the file, in the order of its lines.
    """
    source = os.path.abspath(path)
    base = os.path.abspath(workspace if workspace is not None else os.path.dirname(source))
    if shown is None:
        relative = os.path.relpath(source, base)
        shown = str(path) if relative.startswith("..") else relative
    text = _read(source, shown)
    total = _physical_memory if memory_total is None else lambda: memory_total
    return parse_settings(text, source=source, shown=shown, workspace=base, memory_total=total)


def parse_settings(text: str, *, source: str, shown: str, workspace: str, memory_total: Callable[[], int]) -> Settings:
    """The settings that `text` gives, without reading anything else. `source` and `workspace` are absolute. Raises ConfigError."""
    content, lines = _parse(text, shown)
    in_project = os.path.basename(source) == "pyproject.toml"
    document = Document(shown=shown, top=("tool", "cbx") if in_project else ("cbx",), positions=lines)
    top = _own_table(document, content, in_project)
    settings = _settings(top, source, workspace, memory_total) if top is not None else None
    if settings is None or document.problems:
        raise ConfigError(tuple(sorted(document.problems, key=lambda problem: problem.line)))
    return settings


def _physical_memory() -> int:
    # Not psutil: every import of the settings' types passes here, and it costs more than all of them.
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _read(source: str, shown: str) -> str:
    """The file's text, without a byte-order mark."""
    try:
        with open(source, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        raise _whole_file(shown, "there is no such file", "create it, or name another file") from None
    except IsADirectoryError:
        raise _whole_file(shown, "this is a folder, not a file", "name the file in it") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        hint = "check its permissions" if isinstance(error, PermissionError) else ""
        raise _whole_file(shown, f"cannot be read: {reason}", hint) from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The offsets count from behind a byte-order mark, but that holds no line end.
        line = error.object.count(b"\n", 0, error.start) + 1
        message = f"this is not UTF-8: byte 0x{error.object[error.start]:02x}"
        raise ConfigError((Problem(file=shown, line=line, message=message, hint="save the file as UTF-8"),)) from None


def _whole_file(shown: str, message: str, hint: str) -> ConfigError:
    return ConfigError((Problem(file=shown, line=0, message=message, hint=hint),))


def _parse(text: str, shown: str) -> tuple[dict[str, Any], Positions]:
    """The document and where everything in it stands."""
    try:
        return tomllib.loads(text), positions(text)
    except RecursionError:
        raise _whole_file(shown, "lists or tables are nested too deeply", "cbx needs three levels at most") from None
    except ValueError as error:
        # Beside TOMLDecodeError, Python refuses numbers of thousands of digits with a plain ValueError.
        raise ConfigError((_syntax_problem(str(error), text, shown),)) from None


def _syntax_problem(said: str, text: str, shown: str) -> Problem:
    """tomllib's words "… (at line 3, column 5)" as a problem of ours."""
    found = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", said)
    what = said[: found.start()] if found else said
    hint = next((hint for start, hint in _SYNTAX_HINTS.items() if what.startswith(start)), "")
    if found is None:
        return Problem(file=shown, line=0, message=f"this is not valid TOML: {what}", hint=hint)
    if found[1] is None:
        line = text.rstrip().count("\n") + 1
        return Problem(
            file=shown, line=line, message=f"this is not valid TOML: {what}, at the end of the file", hint=hint
        )
    return Problem(
        file=shown, line=int(found[1]), message=f"this is not valid TOML: {what}, at column {found[2]}", hint=hint
    )


def _own_table(document: Document, content: dict[str, Any], in_project: bool) -> Table | None:
    """`[cbx]` or `[tool.cbx]`; None, with the reason reported, when it is no table or not there although it must be."""
    if in_project:
        tool = content.get("tool")
        if not isinstance(tool, dict) or "cbx" not in tool:
            document.report((), "there is no [tool.cbx] table in this file", "add [tool.cbx], or use a cbx.toml")
            return None
        own = tool["cbx"]
    else:
        for key, value in content.items():
            if key != "cbx":
                document.report((key,), f"unknown table or key {kind(key)}", _top_level_hint(key, value))
        own = content.get("cbx", {})
    if not isinstance(own, dict):
        document.report(
            document.top, f"`{document.title}` must be a table, not {kind(own)}", f"write [{document.title}]"
        )
        return None
    return Table(document=document, path=document.top, title=f"[{document.title}]", content=own)


def _top_level_hint(key: str, value: object) -> str:
    if key == "tool" and isinstance(value, dict) and "cbx" in value:
        return "[tool.cbx] is for pyproject.toml; here write [cbx]"
    if key in ("command", "commands"):
        return "write [[cbx.command]]"
    if key in (*keys.SECTIONS, keys.PROFILES, keys.POOLS):
        return f"write [cbx.{key}]"
    return "it belongs in [cbx]" if key in keys.GENERAL else "everything here stands under [cbx]"


def _settings(top: Table, source: str, workspace: str, memory_total: Callable[[], int]) -> Settings:
    """All of our table. Problems go to the document; a faulty key leaves its default."""
    document = top.document
    sections = keys.sections(memory_total)
    elsewhere = {key: f"[{document.title}.{section}]" for section, readers in sections.items() for key in readers}
    elsewhere |= {key: f"[[{document.title}.command]]" for key in keys.command(memory_total) if key not in elsewhere}
    elsewhere |= dict.fromkeys(keys.GENERAL, f"[{document.title}]")
    top.refuse_unknown([*keys.GENERAL, *keys.SECTIONS, keys.PROFILES, keys.POOLS, "command"], elsewhere)
    general = top.read(keys.GENERAL)
    tables = {section: _section(top, section) for section in keys.SECTIONS}
    for section, table in tables.items():
        table.refuse_unknown(sections[section], elsewhere)
    written = {section: table.read(sections[section]) for section, table in tables.items()}
    instances = checks.check_capacity(tables["instances"], written["instances"])
    thresholds = Thresholds(**written["thresholds"])
    checks.check_thresholds(tables["thresholds"], thresholds)
    checks.check_jobs(top, general.get("jobs", 0), instances)
    folder = os.path.dirname(source)
    pools = _own_names(top, keys.POOLS, values.whole(1))
    places = (folder, workspace, general.get("protect", ()))
    commands = _commands(top, keys.command(memory_total), elsewhere, places, list(pools))
    return Settings(
        source=source,
        instances=instances,
        limits=Limits(**written["limits"]),
        timeouts=Timeouts(**written["timeouts"]),
        thresholds=thresholds,
        profiles=_own_names(top, keys.PROFILES, values.texts),
        pools=pools,
        commands=commands,
        **general,
    )


def _own_names(top: Table, section: str, reader: values.Reader[T]) -> Mapping[str, T]:
    """A table whose keys are the user's own."""
    table = _section(top, section)
    return MappingProxyType(table.read(dict.fromkeys(table.content, reader)))


def _section(top: Table, name: str) -> Table:
    """The table `[cbx.<name>]`; empty when it is not there or no table."""
    content = top.content.get(name, {})
    title = f"{top.document.title}.{name}"
    if not isinstance(content, dict):
        top.report(name, f"must be a table, not {kind(content)}", f"write [{title}]")
        content = {}
    return Table(document=top.document, path=(*top.path, name), title=f"[{title}]", content=content)


def _commands(
    top: Table,
    readers: keys.Readers,
    elsewhere: Mapping[str, str],
    places: tuple[str, str, tuple[str, ...]],
    pools: list[str],
) -> tuple[CommandConfig, ...]:
    """All commands that are right by themselves. `places`: the file's folder, the workspace, the protected roots."""
    found = [(table, table.read(readers)) for table in _command_tables(top)]
    commands = []
    for table, content in found:
        table.refuse_unknown(readers, elsewhere)
        for key in ("name", "run"):
            if key not in table.content:
                example = 'name = "lint"' if key == "name" else 'run = "ruff check ."'
                table.document.report(table.path, f"{table.title} has no `{key}`", f"write {example}")
        if "name" in content and "run" in content:
            commands.append(CommandConfig(line=table.document.positions.line(table.path), **content))
    named = [(table, content["name"], content) for table, content in found if "name" in content]
    checks.check_names([(table, name) for table, name, _ in named])
    known = [str(table.content["name"]) for table, _ in found if isinstance(table.content.get("name"), str)]
    checks.check_needs([(table, name, content.get("needs", ())) for table, name, content in named], known)
    checks.check_pools([table for table, _ in found], pools)
    folder, workspace, protect = places
    checks.check_folders(
        [(table, content["cwd"]) for table, content in found if "cwd" in content], folder, workspace, protect
    )
    return tuple(commands)


def _command_tables(top: Table) -> list[Table]:
    """The tables of `[[cbx.command]]`."""
    content = top.content.get("command", [])
    title = f"{top.document.title}.command"
    if not isinstance(content, list):
        top.report("command", f"must be a list of tables, not {kind(content)}", f"write [[{title}]] in double brackets")
        content = []
    path: KeyPath = (*top.path, "command")
    tables = []
    for number, element in enumerate(content):
        if not isinstance(element, dict):
            top.report("command", f"must hold tables only, not {kind(element)}", f"write [[{title}]]", (number,))
            continue
        name = element.get("name")
        label = f"command {kind(name)}" if isinstance(name, str) and name else f"command {number + 1}"
        tables.append(Table(document=top.document, path=(*path, number), title=label, content=element))
    return tables
