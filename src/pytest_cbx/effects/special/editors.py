"""Editors used as filters: ed and red, ex and vim -es. What their commands write follows from their text, where it is seen.

Facts: the manual of GNU ed 1.19, Vim's manual (9.0).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.values import Field

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

_ADDRESS = r"(?:[\d.$,;%+-]|'[a-z]|/(?:\\.|[^/\\])*/|\?(?:\\.|[^?\\])*\?|\s)*"
_ED = re.compile(rf"^{_ADDRESS}(?P<command>[a-zA-Z!=#&]?)(?P<rest>.*)$")
_ED_FILE = re.compile(r"^(?:q|!)?\s+(?P<file>\S.*)$")
_GLOBAL = re.compile(r"^(?P<mark>[^\w\s])(?:\\.|(?!(?P=mark)).)*(?P=mark)(?P<rest>.*)$")

_VIM_SAFE = re.compile(
    rf"""^{_ADDRESS}(?:
        s(?:ubstitute)?(?P<mark>[^\w\s\\|"])(?:\\[^=]|(?!(?P=mark))[^\\|])*(?P=mark)(?!\\=)(?:\\[^=]|(?!(?P=mark))[^\\|])*(?P=mark)?[&cegiInp#lr]*
        | (?:d(?:elete)?|y(?:ank)?|j(?:oin)?!?|>+|<+|[mt]\s?\d+|m\s?\$|p(?:rint)?|sort!?(?:\s?[nriuxf/].*)?
            | retab!?(?:\s?\d+)?|u(?:ndo)?|k[a-z])
        | set?(?:local)?\s+(?!\S*(?:
            shell|makeprg|grepprg|equalprg|formatprg|keywordprg|backupdir|directory|undo|patchmode|exrc|modeline))[\w=,&?!:. ]+
        | (?:w(?:rite)?|wq|x(?:it)?|wn|up(?:date)?|wa(?:ll)?|wqa(?:ll)?|xa(?:ll)?)!?
        | (?:q(?:uit)?|qa(?:ll)?|cq(?:uit)?)!?
        | (?:\d+|\$)?
        | norm(?:al)?!?\s+(?:gg=G|gg|G|dd|[0-9]*dd|=G|J|\d*[<>]{{2}})
        | silent!? | syntax\s+\w+ | filetype\s[\w ]+ | noh(?:lsearch)?
    )\s*$""",
    re.VERBOSE,
)
_VIM_WRITES = re.compile(r"^(?:[\d,.$% ]*)(?:w|wq|x|xit|write|up|update|wn|wa|wall|wqa|wqall|xa|xall)!?$")
_VIM_WRITES_TO = re.compile(r"^(?:[\d,.$%' a-z]*?)(?:w|write|sav|saveas)!?\s+(?:>>\s*)?(?P<file>[^!|\s]\S*)$")


_COMMANDS = frozenset({"-c", "-sc"})


def ed(call: Call) -> None:
    """`ed [-s] [FILE]`: its commands come from the input."""
    file = call.parsed.operands[-1] if call.parsed.operands else None
    if file is not None and file.text.startswith("!"):
        call.host.run_text(file.after(1), call.name)
        file = None
    if file is not None:
        call.touch(Kind.READ, file)
    text = call.host.input_text(call.name)
    if text is None:
        call.effect(Kind.EXECUTE, "its commands are not known beforehand")
        if file is not None:
            call.touch(Kind.WRITE, file)
        return
    for command, rest in _ed_commands(text.splitlines()):
        _ed_command(call, command, rest, file)


def _ed_commands(lines: Iterable[str]) -> Iterable[tuple[str, str]]:
    """The commands with what follows their letter; text that is put in is left out."""
    text = False
    for line in lines:
        if text:
            text = line != "."
            continue
        found = _ED.match(line)
        if found is None:
            yield "!", line
            continue
        command, rest = found["command"], found["rest"]
        if command in ("g", "v", "G", "V"):
            inner = _GLOBAL.match(rest)
            yield from _ed_commands([inner["rest"]]) if inner else [("!", rest)]
            continue
        text = command in ("a", "i", "c")
        yield command, rest


def _ed_command(call: Call, command: str, rest: str, file: Field | None) -> None:
    named = _ED_FILE.match(rest)
    if command == "!" or (named and named["file"].startswith("!") and command in ("e", "E", "r", "w", "W", "f")):
        if call.name == "red":
            return
        call.effect(Kind.EXECUTE, "a command of its text runs a shell")
    elif command in ("w", "W"):
        target = Field(named["file"].strip()) if named else file
        if target is not None:
            call.touch(Kind.APPEND if command == "W" else Kind.WRITE, target, why="w writes")
    elif command in ("e", "E", "r") and named:
        call.touch(Kind.READ, Field(named["file"].strip()))
        if command != "r" and file is not None:
            call.effect(Kind.EXECUTE, "it goes on with another file")


def vim(call: Call) -> None:
    """`vim -es -c COMMAND FILE…`, `ex -s FILE`: commands come from `-c`, `+…` and the input."""
    operands = [operand for operand in call.parsed.operands if not operand.text.startswith("+")]
    commands: list[Field | None] = [
        given.value for given in call.parsed.options if _COMMANDS.intersection(given.option.names)
    ]
    commands += [operand.after(1) for operand in call.parsed.operands if operand.text.startswith("+")]
    for operand in operands:
        call.touch(Kind.READ, operand)
    ex = call.given("-e", "-E", "-es", "-Es", "-Nes", "-nes") or call.name == "ex"
    silent = call.given("-es", "-Es", "-Nes", "-nes", "--headless") or (ex and call.given("-s", "-sc"))
    if (call.given("-s") and not ex) or (call.given("-l") and call.name == "nvim"):
        call.effect(Kind.EXECUTE, "runs a script of keys or of Lua")
    elif not silent:
        call.effect(Kind.EXECUTE, "an interactive program")
        return
    if call.given("-es", "-Es", "-Nes", "-nes", "-s", "-sc") and not any(_ends(command) for command in commands):
        text = call.host.input_text(call.name)
        commands.append(Field(text) if text is not None else None)
    lines = [line for command in commands for line in _lines(command)]
    for line in lines:
        _vim_command(call, line, operands)


def _ends(command: Field | None) -> bool:
    """Whether the editor is left by it, so that the input does not count."""
    return (
        command is not None
        and re.search(r"(?:^|\|)\s*(?:wq|x|q|qa|wqa|xa|cq)(?:a|all|uit)?!?\s*$", command.text) is not None
    )


def _lines(command: Field | None) -> Iterable[str | None]:
    if command is None or not command.known:
        return [None]
    return [part.strip().lstrip(":") for line in command.text.splitlines() for part in re.split(r"(?<!\\)\|", line)]


def _vim_command(call: Call, line: str | None, operands: list[Field]) -> None:
    if line is not None and (to := _VIM_WRITES_TO.match(line)):
        call.touch(Kind.WRITE, Field(to["file"]), why="writes there")
        return
    writes = line is not None and _VIM_WRITES.match(line) is not None
    body = re.sub(rf"^{_ADDRESS}(?:g!?|v|global!?|vglobal)([^\w\s])(?:\\.|(?!\1).)*\1", "", line) if line else line
    if not writes and (body is None or not _VIM_SAFE.match(body)):
        call.effect(Kind.EXECUTE, "a command of its text may do anything")
        writes = line is None or bool(re.search(r"w|x|normal", line))
    if writes:
        for operand in operands:
            call.touch(Kind.WRITE, operand, why="writes what it edits")


INTERPRETERS: dict[str, Callable[[Call], None]] = {"ed": ed, "vim": vim}
