"""One command as several, each with a part of its tests: what `shards` in the configuration asks for.

A tool that can take a part by itself is told so, right behind its name; how is data, in `SPLITS`. Whoever splits by other means
says in the text what a shard is to do, by `$CBX_SHARD` (from 1) and `$CBX_SHARDS`, which each shard has in its environment.

Sources: jestjs.io "shard", vitest.dev "shard", playwright.dev "Sharding", nodejs.org `--test-shard`, nexte.st "Partitioning test
runs", ctest(1) `-I`, go.dev `go list`.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import MappingProxyType

from pytest_cbx.config.model import CommandConfig, parse_results
from pytest_cbx.errors import Problem, UsageError
from pytest_cbx.shell.nodes import Literal, Simple, Word
from pytest_cbx.shell.reader import read

SHARD, SHARDS = "CBX_SHARD", "CBX_SHARDS"
"""Environment variables of a shard: its number, from 1, and how many there are."""
# No brackets: pytest takes the first one of a node id for the begin of parameters.
_NAME = re.compile(r"(.+)#\d+/\d+")
_MENTIONED = re.compile(r"\$(?:\{CBX_SHARD\}|CBX_SHARD\b)")


@dataclass(frozen=True, slots=True)
class Split:
    """How a tool is told to take a part."""

    words: tuple[str, ...]
    """Its name, and what follows that; programs are compared without their directory."""
    option: str
    """Put right behind these words: `{shard}` of `{shards}`."""


SPLITS = (
    Split(("jest",), "--shard={shard}/{shards}"),
    Split(("vitest", "run"), "--shard={shard}/{shards}"),
    Split(("vitest",), "--shard={shard}/{shards}"),
    Split(("playwright", "test"), "--shard={shard}/{shards}"),
    Split(("cargo", "nextest", "run"), "--partition count:{shard}/{shards}"),
    Split(("ctest",), "-I {shard},,{shards}"),
    Split(("pytest",), "--cbx-shard={shard}/{shards}"),
    Split(("py.test",), "--cbx-shard={shard}/{shards}"),
)
_NODE = Split(("node",), "--test-shard={shard}/{shards}")
"""Only where `--test` is among its words."""
_LAUNCHERS = (
    ("npx", "--no-install"), ("npx",), ("pnpm", "exec"), ("pnpm",), ("yarn", "run"), ("yarn",), ("bunx",),
    ("poetry", "run"), ("uv", "run"), ("pipenv", "run"), ("pdm", "run"), ("hatch", "run"),
    ("python", "-m"), ("coverage", "run", "-m"), ("coverage", "run", "--parallel-mode", "-m"),
)  # fmt: skip
"""What may stand before a tool's name. Python by any of its names."""
_PYTHON = re.compile(r"python\d*(?:\.\d+)?")
_KNOWN = "Jest, Vitest, Playwright, node --test, pytest, go test, ctest, cargo nextest"


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
    if _writer(command.run) is None:
        raise refuse(
            f"shards = {count}, but how to split its text is not known",
            f"make it one plain call of {_KNOWN}, or have it use ${SHARD} and ${SHARDS}",
        )
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
        write = _writer(whole)
        assert write is not None
        made.append(
            dataclasses.replace(
                command, name=f"{command.name}#{shard}/{count}", run=write(shard, count), results=results, shards=1, whole=whole,
                env=MappingProxyType({**command.env, SHARD: str(shard), SHARDS: str(count)}),
            )
        )  # fmt: skip
    return made


def _problem(file: str, line: int, message: str, hint: str) -> UsageError:
    return UsageError(str(Problem(file=file, line=line, message=message, hint=hint)) if file else f"{message} ({hint})")


# --- the text ---------------------------------------------------------------------------------------------


def _writer(text: str) -> Callable[[int, int], str] | None:
    """What makes the text of a shard; None where nobody knows how."""
    if SHARD in text:
        return lambda shard, shards: text
    words = _plain_call(text)
    if words is None:
        return None
    values = [_value(word) for word in words]
    start = _behind_launchers(values)
    if [_program(value) for value in values[start : start + 1]] == ["go"] and values[start + 1 : start + 2] == ["test"]:
        return _packages(text, words[start + 2 :], values[start + 2 :])
    for split in (*SPLITS, *((_NODE,) if "--test" in values else ())):
        end = start + len(split.words)
        if (_program(values[start]) if start < len(values) else "", *values[start + 1 : end]) == split.words:
            at = words[end - 1].span.end
            return (
                lambda shard, shards, at=at, option=split.option: (  # type: ignore[misc]
                    f"{text[:at]} {option.format(shard=shard, shards=shards)}{text[at:]}"
                )
            )
    return None


def _plain_call(text: str) -> list[Word] | None:
    """The words of a text that is one simple command without expansions in its words; None for any other text."""
    statements = read(text).statements
    if len(statements) != 1 or statements[0].background:
        return None
    command = statements[0].command
    if not isinstance(command, Simple) or not command.words:
        return None
    return list(command.words) if all(_is_literal(word) for word in command.words) else None


def _is_literal(word: Word) -> bool:
    return all(isinstance(part, Literal) for part in word.parts)


def _value(word: Word) -> str:
    return "".join(part.text for part in word.parts if isinstance(part, Literal))


def _program(value: str) -> str:
    name = os.path.basename(value)
    return "python" if _PYTHON.fullmatch(name) else name


def _behind_launchers(values: list[str]) -> int:
    """Where the tool's own name stands."""
    start = 0
    while True:
        for launcher in _LAUNCHERS:
            end = start + len(launcher)
            if end < len(values) and (_program(values[start]), *values[start + 1 : end]) == launcher:
                start = end
                break
        else:
            return start


def _packages(text: str, words: list[Word], values: list[str]) -> Callable[[int, int], str] | None:
    """`go test` takes no part of its packages, but those that it is given: every `shards`-th of what `go list` names.

    With none left for a shard it must not be called, as it would take the current directory.
    """
    named = [number for number, value in enumerate(values) if value.startswith(("./", "../")) or value.endswith("...")]
    if not named or named != list(range(named[0], named[-1] + 1)):
        return None
    start, end = words[named[0]].span.start, words[named[-1]].span.end
    # Whoever reads events takes no output at all for a death.
    event = '{"Action":"output","Output":"no packages are left for this shard"}'
    said = f"'{event}'" if "-json" in values else "no packages are left for this shard"

    def write(shard: int, shards: int) -> str:
        chosen = f"go list {text[start:end]} | awk 'NR % {shards} == {shard % shards}'"
        test = f"{text[:start]}$packages{text[end:]}"
        return f'packages=$({chosen}) || exit; if [ -n "$packages" ]; then {test}; else echo {said}; fi'

    return write


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
