"""Finds what a command's first word means, a function, an alias, a listed program, and applies it."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from pytest_cbx.effects import catalogue, outputs, readings, redirects, scripts
from pytest_cbx.effects.facts import Sign
from pytest_cbx.effects.grammar import Entry, compile_entry
from pytest_cbx.effects.interpreter import Call
from pytest_cbx.effects.loops import leaving
from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.paths import resolve
from pytest_cbx.effects.special import interpreter_named
from pytest_cbx.effects.state import listed
from pytest_cbx.effects.values import UNKNOWN, Field, Shape

if TYPE_CHECKING:
    from pytest_cbx.effects.walker import Walker

SYSTEM_DIRECTORIES = frozenset({"/bin", "/usr/bin", "/usr/local/bin", "/sbin", "/usr/sbin", "/usr/local/sbin"})
"""Programs in these are what their names say. Any other path is a program of someone's own."""

GNU_FAMILIES = frozenset({"basics", "files", "text"})
GNU_OTHERS = frozenset(
    {"egrep", "env", "fgrep", "grep", "kill", "nice", "nohup", "stdbuf", "timeout", "users", "who", "xargs"}
)
"""Families of the catalogue and programs that carry a `g` before their names where others have these (Homebrew, the BSDs)."""

DEEPEST = 8
"""Texts within texts (`bash -c`, `eval`, aliases) and functions deeper than this count as unknown."""


def run(
    walker: Walker, fields: list[Field], *, operands: int = 0, direct: bool = False, functions: bool = True
) -> Field:
    """Run a command. `operands`: how many assignments stood among a declaration builtin's operands.

    `direct`: the shell runs it, and not a program that it runs. `functions`: those of the shell, and its aliases, count.
    """
    first = fields[0]
    if first.span is not None:
        walker.record.word = first.span
    if first.many and first.unknown and not first.text and len(fields) == 1:
        walker.doubt("what runs here is not known beforehand")
        return UNKNOWN
    if not first.known:
        walker.doubt("the program's name is not known beforehand", first.text)
        if _GUESS not in walker.active:
            # Once: what sudo would then run is a pattern, too, in `$((1)) $((1)) $((1))`.
            walker.active.append(_GUESS)
            for name in _destroyers(first):
                program(walker, name, fields[1:])
            walker.active.remove(_GUESS)
        return UNKNOWN
    name = first.text
    state = walker.state
    if functions and state.expand_aliases and name in state.aliases and (name, -1) not in walker.active:
        # Quotes keep an alias from counting, and so does a line or function that was read before it was defined.
        before = state.copy()
        with walker.maybe():
            _alias(walker, name, fields)
        state.merge(before)
    if functions and name in state.functions:
        output = _function(walker, name, fields[1:])
        if name not in state.doubtful:
            return output
    searched = direct and "/" not in name
    if "/" in name:
        directory, name = posixpath.split(posixpath.normpath(name))
        if directory not in SYSTEM_DIRECTORIES:
            return _own_program(walker, first.text, fields[1:])
    return program(walker, name, fields[1:], operands=operands, searched=searched)


LONGEST_NAME = 255
"""Characters. A longer pattern in place of a program's name is taken to match whatever it may."""

_GUESS = ("", -2)
"""Among the walker's running functions: a pattern in place of a program's name is being tried."""

_DESTROYERS = ("rm", "shred", "dd", "mkfs", "wipefs", "shutdown", "reboot", "sudo")


def _destroyers(name: Field) -> list[str]:
    """Programs that a pattern in place of a program's name (`/bin/r?`) may find, and that must not pass for merely unknown."""
    if name.shape is not Shape.PATTERN or not name.many:
        return []
    base = posixpath.basename(name.text)
    return [found for found in _DESTROYERS if len(base) > LONGEST_NAME or fnmatchcase(found, base)]


def program(walker: Walker, name: str, arguments: list[Field], *, operands: int = 0, searched: bool = False) -> Field:
    """Run a program by its base name."""
    spec = catalogue.program(name)
    if name.startswith("git-") and _is_git_command(name):
        return program(walker, "git", [Field(name[4:]), *arguments], searched=searched)
    if spec is None and name[:1] == "g" and _is_gnu(name[1:]):
        return program(walker, name[1:], arguments, searched=searched)
    reason = catalogue.unclassifiable().get(name) if spec is None else None
    walker.program(name, known=spec is not None or reason is not None, searched=searched)
    if spec is None:
        walker.record.invocation(name, tuple(arguments))
        walker.doubt(_unlisted(name, reason), name)
        return UNKNOWN
    return entry(walker, name, arguments, compile_entry(spec), operands=operands)


def _is_gnu(name: str) -> bool:
    return name in GNU_OTHERS or catalogue.family_of(name) in GNU_FAMILIES


def _unlisted(name: str, reason: str | None) -> str:
    if reason is not None:
        return f"what {name} does cannot be told beforehand ({reason})"
    return f"the program {name} is not in the catalogue" if name else "an empty program name"


def _is_git_command(name: str) -> bool:
    """Whether `git-NAME` is an entry that counts as `git NAME`, with all that git does first."""
    return catalogue.is_listed(name)


def entry(walker: Walker, name: str, arguments: list[Field], found: Entry, *, operands: int = 0) -> Field:
    """Apply an entry to the words after the program's name."""
    call = Call(walker, name, arguments, found)
    call.assigned = operands
    fetches = walker.record.fetches
    goes_on = call.read()
    walker.record.invocation(
        name, tuple(arguments), path=call.path, operands=tuple(call.parsed.operands),
        given=tuple((given.option.names, given.value) for parsed in call.readings for given in parsed.options),
    )  # fmt: skip
    walker.use(call.entry)
    if not goes_on:
        call.load()
        return UNKNOWN
    call.apply()
    for above in call.chain[:-1]:
        if above.code:
            interpreter_named(above.code)(call)
    code = call.entry.spec.otherwise if call.unlisted else call.entry.code
    if code:
        interpreter_named(code)(call)
    output = call.output if call.output is not None else outputs.known_output(call)
    return outputs.traced(call, output, fetched=walker.record.fetches > fetches)


def _own_program(walker: Walker, path: str, arguments: list[Field]) -> Field:
    base = posixpath.basename(path)
    text = walker.file_text(Field(path), walker.state.cwd, base)
    seen = text is not None and scripts.is_shell_script(text)
    walker.program(base, known=seen, searched=False)
    for place in resolve(Field(path), walker.state.cwd, walker.context, "path") or ():
        walker.note(Kind.READ, place, base, "")
    if text is not None and seen:
        return scripts.run_script(walker, Field(path), text, base, positional=arguments)
    if _is_installed(walker, path):
        return program(walker, base, arguments)
    walker.note(Kind.EXECUTE, None, base, f"{path} is a program of its own")
    return UNKNOWN


_INSTALLED = re.compile(
    r"^(?:[^~/].*/|)(?:node_modules/\.bin|vendor/bin|\.?venv[\w.-]*/bin|env/bin|\.(?:tox|nox)/[\w.-]+/bin)/[\w.-]+$"
)
"""Where package tools put the programs of a project's dependencies."""
_ECOSYSTEMS = ("javascript", "python", "php", "linters", "docs", "security")
_PYTHON = re.compile(r"python[\d.]*$")


def _is_installed(walker: Walker, path: str) -> bool:
    """Whether a package tool has put this listed program there, in the work tree: it is what PATH, npx or `python -m` would find."""
    base = posixpath.basename(path)
    if not catalogue.family_of(base).startswith(_ECOSYSTEMS) and not (
        _PYTHON.match(base) and catalogue.is_listed(base)
    ):
        return False
    places = resolve(Field(path), walker.state.cwd, walker.context, "path") or []
    return bool(places) and all(_INSTALLED.match(place.path) and not place.path.startswith("..") for place in places)


def _function(walker: Walker, name: str, arguments: list[Field]) -> Field:
    running = [forks for function, forks in walker.active if function == name]
    if running and walker.forks > running[0]:
        walker.note(Kind.SYSTEM, None, name, f"the machine: the function {name} starts itself over and over")
        walker.record.sign(Sign.MULTIPLIES, name)
        return UNKNOWN
    if len(running) >= 2 or walker.depth >= DEEPEST:
        walker.doubt(f"the function {name} calls itself", name)
        return UNKNOWN
    node = walker.state.functions[name]
    state = walker.state
    saved = state.positional, state.ended
    state.positional = listed(arguments)
    walker.active.append((name, walker.forks))
    walker.frames.append({})
    walker.depth += 1
    with walker.maybe(), walker.input(walker.stdin), leaving(walker, loop=False):
        printed = redirects.apply(walker, node.redirects, name)
        output = walker.command(node.body)
    walker.depth -= 1
    walker.active.pop()
    walker.restore(walker.frames.pop())
    walker.state.positional, walker.state.ended = saved
    return output if printed is None else printed


def _alias(walker: Walker, name: str, fields: list[Field]) -> Field:
    text = walker.state.aliases[name]
    if text is None or not all(field.known for field in fields) or walker.depth >= DEEPEST:
        walker.doubt(f"the alias {name} is not known beforehand", name)
        return UNKNOWN
    words = " ".join([text, *(shlex.quote(field.text) for field in fields[1:])])
    walker.active.append((name, -1))
    with walker.nested():
        output = readings.walk(walker, walker.read(words))
    walker.active.pop()
    return output


def run_text(walker: Walker, text: Field, by: str, *, isolated: bool, positional: Sequence[Field] = ()) -> Field:
    """Run text as a shell would; in a process of its own when `isolated`."""
    if not text.known:
        walker.note(Kind.EXECUTE, None, by, "the text that it runs is not known beforehand", text)
        return UNKNOWN
    if text.origin is not None and (text.origin.decoded or text.origin.fetched):
        walker.record.sign(Sign.HIDDEN_TEXT, by, text.span)
    if walker.depth >= DEEPEST:
        walker.doubt("commands within commands, too deep to follow", by)
        return UNKNOWN
    reading = walker.read(text.text)
    walker.record.word = text.span or walker.record.word
    with walker.nested():
        if not isolated:
            return readings.walk(walker, reading)
        arguments = listed(positional)
        with walker.fork(walker.state.process(arguments)):
            return readings.walk(walker, reading)
