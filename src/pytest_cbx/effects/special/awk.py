"""awk: scans the program text for what reaches out of awk. Facts: the manual of GNU awk 5.2."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.values import UNKNOWN, Field

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

_ASSIGNMENT = re.compile(r"^[A-Za-z_]\w*=")
_TOKEN = re.compile(
    r"""(?P<string>"(?:[^"\\\n]|\\.)*")|(?P<comment>\#[^\n]*)|(?P<name>@?[A-Za-z_][\w:]*)|(?P<number>\d[\w.]*|\.\d[\w]*)"""
    r"""|(?P<operator>>>|\|&|\|\||&&|[<>=!]=|\+\+|--|\S)|(?P<newline>\n)|(?P<blank>[ \t\r\\]+)""",
    re.DOTALL | re.VERBOSE,
)
_REGEX = re.compile(r"/(?:[^/\\\n\[]|\\.|\[\^?\]?(?:[^\]\\\n]|\\.)*\])*/")
_VALUE_ENDS = frozenset({"name", "number", "string", ")", "]", "$", "++", "--"})
_ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "/": "/"}

Token = tuple[str, str]


def awk(call: Call) -> None:
    """Note what awk reads, and what its program writes and runs."""
    operands = list(call.parsed.operands)
    programs = [given.value for given in call.parsed.options if "-e" in given.option.names and given.value is not None]
    from_file = call.given("-f", "-E", "-i", "-l")
    if not programs and not call.given("-f", "-E"):
        if not operands:
            return
        programs.append(operands.pop(0))
    in_place = any(
        given.value is not None and (not given.value.known or "inplace" in given.value.text)
        for given in call.parsed.options
        if "-i" in given.option.names
    )
    for operand in operands:
        if operand.known and _ASSIGNMENT.match(operand.text):
            continue
        call.touch(Kind.READ, operand)
        if in_place:
            call.touch(Kind.WRITE, operand, why="-i inplace edits in place")
    if from_file:
        call.effect(Kind.EXECUTE, "the text of a program file is not seen")
    for program in programs:
        if program.known:
            _program(call, program.text)
        else:
            call.doubt("the program is not known beforehand: it may write files and run programs")


def tokens(text: str) -> list[Token] | None:
    """The tokens of a program as (kind, text), blanks and comments left out; None when it could not be read."""
    found: list[Token] = []
    position = 0
    while position < len(text):
        if text[position] == "/" and not _after_value(found):
            regex = _REGEX.match(text, position)
            if regex is None:
                return None
            found.append(("regex", regex.group()))
            position = regex.end()
            continue
        match = _TOKEN.match(text, position)
        if match is None:
            return None
        kind = match.lastgroup or ""
        if kind == "operator" and match.group() == '"':
            return None
        if kind not in ("blank", "comment"):
            found.append((kind, match.group()))
        position = match.end()
    return found


def _after_value(found: list[Token]) -> bool:
    if not found:
        return False
    kind, text = found[-1]
    if kind == "name" and text in ("print", "printf", "return", "case", "in", "getline", "else", "do"):
        return False
    return kind in _VALUE_ENDS or text in _VALUE_ENDS


def _program(call: Call, text: str) -> None:
    found = tokens(text)
    if found is None:
        call.doubt("the program could not be read")
        return
    printing = False
    depth = 0
    for index, (kind, token) in enumerate(found):
        if kind == "name":
            if token in ("print", "printf"):
                printing, depth = True, 0
            elif token in ("system", "getline") or token.startswith("@"):
                _name(call, found, index, token)
        elif kind == "newline" or token in (";", "}"):
            printing = False
        elif token in ("(", "["):
            depth += 1
        elif token in (")", "]"):
            depth -= 1
        elif token in (">", ">>") and printing and depth <= 0:
            _output(call, found, index, Kind.APPEND if token == ">>" else Kind.WRITE)
        elif token in ("|", "|&"):
            _pipe(call, found, index)


def _name(call: Call, found: list[Token], index: int, token: str) -> None:
    following = found[index + 1 : index + 4]
    if token == "system":
        if len(following) == 3 and following[0][1] == "(" and following[1][0] == "string" and following[2][1] == ")":
            _run(call, following[1])
        else:
            call.effect(Kind.EXECUTE, "system() runs text that is not known beforehand")
    elif token == "getline":
        names = [item for item in following[:2] if item[1] == "<"]
        if names:
            at = found.index(names[0], index)
            target = found[at + 1] if at + 1 < len(found) else ("", "")
            if target[0] == "string" and not _concatenated(found, at + 2):
                _file(call, Kind.READ, target)
            else:
                call.touch(Kind.READ, UNKNOWN)
    elif token in ("@include", "@load"):
        call.effect(Kind.EXECUTE, f"{token} brings in text that is not seen")
    elif token != "@namespace":
        call.effect(Kind.EXECUTE, "calls a function by a name that is not known beforehand")


def _output(call: Call, found: list[Token], index: int, kind: Kind) -> None:
    target = found[index + 1] if index + 1 < len(found) else ("", "")
    if target[0] == "string" and not _concatenated(found, index + 2):
        _file(call, kind, target)
    else:
        call.touch(kind, UNKNOWN, why="print redirects its output")


def _pipe(call: Call, found: list[Token], index: int) -> None:
    """`print … | "command"`, `"command" | getline`, `|&`."""
    after = found[index + 1] if index + 1 < len(found) else ("", "")
    if after[1] == "getline":
        command = found[index - 1] if index else ("", "")
        alone = index < 2 or found[index - 2][0] in ("newline",) or found[index - 2][1] in "{};(&&||!"
    else:
        command, alone = after, not _concatenated(found, index + 2)
    if command[0] == "string" and alone:
        _run(call, command)
    else:
        call.effect(Kind.EXECUTE, "a pipe runs text that is not known beforehand")


def _concatenated(found: list[Token], index: int) -> bool:
    """Whether the value before `index` goes on."""
    return index < len(found) and found[index][0] != "newline" and found[index][1] not in (";", "}", ")")


def _text(token: Token) -> str | None:
    body = token[1][1:-1]
    if re.search(r"\\[^nt\"\\/]", body):
        return None
    return re.sub(r"\\(.)", lambda found: _ESCAPES[found.group(1)], body)


def _run(call: Call, token: Token) -> None:
    text = _text(token)
    if text is None:
        call.effect(Kind.EXECUTE, "runs text that could not be read")
        return
    with call.host.maybe():
        call.host.run_text(Field(text), call.name)


def _file(call: Call, kind: Kind, token: Token) -> None:
    text = _text(token)
    if text is not None and text.startswith("/inet"):
        call.effect(Kind.NETWORK, text)
    elif text is None:
        call.touch(kind, UNKNOWN)
    elif text != "-":
        call.touch(kind, Field(text), why="print redirects its output" if kind is not Kind.READ else "")
