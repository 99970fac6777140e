"""One command as several, each with a part of its tests: what `shards` in the configuration asks for.

`splits` knows how the text of a part is made. Each shard has its number in its environment as `$CBX_SHARD` (from 1), and how many there
are as `$CBX_SHARDS`.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterable
from types import MappingProxyType

from pytest_cbx.config.model import CommandConfig, parse_results
from pytest_cbx.errors import Problem, UsageError
from pytest_cbx.frameworks.splits import SHARD, SHARDS, Refused, Writer, writer

# No brackets: pytest takes the first one of a node id for the begin of parameters.
_NAME = re.compile(r"(.+)#\d+/\d+")
_MENTIONED = re.compile(rf"\$(?:\{{{SHARD}\}}|{SHARD}\b)")


def group_of(name: str) -> str:
    """The command that a shard of this name is a part of; the name itself where it is no shard's."""
    found = _NAME.fullmatch(name)
    return found[1] if found else name


def expand(commands: Iterable[CommandConfig], file: str = "") -> list[CommandConfig]:
    """The same commands with shards in the place of those that ask for them; whoever needs one needs all of its shards.

    Args:
        commands: as they are configured.
        file: what messages call the file that they stand in.

    Raises:
        UsageError: a command cannot be split; the message says which, where, and what to do.
    """
    given = list(commands)
    parts: dict[str, list[CommandConfig]] = {one.name: _shards(one, file) for one in given if one.shards > 1}
    if not parts:
        return given
    made = [part for one in given for part in parts.get(one.name, [one])]
    names = {one.name for one in given}
    for part in made:
        if part.name in names and part not in given:
            raise _problem(file, part.line, f'a shard and another command are both called "{part.name}"', "rename that")
    return [_needing_all(one, parts) for one in made]


def _needing_all(command: CommandConfig, parts: dict[str, list[CommandConfig]]) -> CommandConfig:
    if not any(need in parts for need in command.needs):
        return command
    needs = [part.name for need in command.needs for part in parts.get(need, [])] + [
        need for need in command.needs if need not in parts
    ]
    return dataclasses.replace(command, needs=tuple(needs))


def _shards(command: CommandConfig, file: str) -> list[CommandConfig]:
    def refuse(message: str, hint: str) -> UsageError:
        return _problem(file, command.line, f'command "{command.name}": {message}', hint)

    count = command.shards

    def write_of(text: str) -> Writer:
        found = writer(text, command.results or "")
        if isinstance(found, Refused):
            raise refuse(f"shards = {count}, but {found.message}", found.hint)
        return found

    write_of(command.run)
    made = []
    for shard in range(1, count + 1):
        whole, results = command.run, command.results
        if results is not None and parse_results(results)[1] != "-":
            found = _own_results(results, whole, shard, count)
            if found is None:
                raise refuse(
                    f"all {count} shards would write the same results, {results}",
                    f"name the file in `run`, or write ${SHARD} into `results`",
                )
            results, whole = found
        write = write_of(whole)
        made.append(
            dataclasses.replace(
                command, name=f"{command.name}#{shard}/{count}", run=write(shard, count), results=results, shards=1, whole=whole,
                env=MappingProxyType({**command.env, SHARD: str(shard), SHARDS: str(count)}),
            )
        )  # fmt: skip
    return made


def _problem(file: str, line: int, message: str, hint: str) -> UsageError:
    return UsageError(str(Problem(file=file, line=line, message=message, hint=hint)) if file else f"{message} ({hint})")


# --- the results ------------------------------------------------------------------------------------------


def _own_results(results: str, run: str, shard: int, shards: int) -> tuple[str, str] | None:
    """`results` and `run` of a shard, with a file of its own; None where that cannot be had."""
    if _MENTIONED.search(results):
        return _MENTIONED.sub(str(shard), results), run
    path = parse_results(results)[1]
    head = results[: len(results) - len(path)]
    for said in (path, os.path.basename(path)):
        whole = re.compile(rf"(?<![\w.-]){re.escape(said)}(?![\w.-])")
        if said and not re.search(r"[*?\[]", said) and whole.search(run):
            stem, suffix = os.path.splitext(said)
            own = f"{stem}-{shard}-of-{shards}{suffix}"
            return f"{head}{path[: len(path) - len(said)]}{own}", whole.sub(own.replace("\\", r"\\"), run)
    return None
