"""sed: reads its scripts for the commands that write files or run programs. Facts: the manual of GNU sed 4.9."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.values import Field

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call


class Unclear(Exception):
    """The script does not follow the grammar that is known here."""


def sed(call: Call) -> None:
    """Note what sed reads, its edits in place, and what its scripts do."""
    operands = list(call.parsed.operands)
    scripts: list[Field] = []
    files = False
    for given in call.parsed.options:
        if "-e" in given.option.names and given.value is not None:
            scripts.append(given.value)
        elif "-f" in given.option.names and given.value is not None:
            files = True
            call.touch(Kind.READ, given.value)
            call.effect(Kind.EXECUTE, "the text of the script file is not seen: it may write files and run programs")
    if not scripts and not files:
        if not operands:
            return
        scripts.append(operands.pop(0))
    text = "\n".join(script.text for script in scripts)
    if not all(script.known for script in scripts):
        call.doubt("the script is not known beforehand: it may write files and run programs")
    elif not call.given("--sandbox"):
        _script(call, text)
    in_place = call.given("-i", "--in-place")
    suffix = call.value("-i", "--in-place")
    for operand in operands:
        call.touch(Kind.READ, operand)
        if in_place:
            call.touch(Kind.WRITE, operand, why="-i edits in place")
            if suffix is not None and suffix.text:
                backup = suffix.text.replace("*", operand.text) if "*" in suffix.text else operand.text + suffix.text
                call.touch(Kind.WRITE, Field(backup, operand.shape), why="the copy that -i keeps")


def _script(call: Call, text: str) -> None:
    try:
        for action, argument in actions(text):
            match action:
                case "w":
                    call.touch(Kind.WRITE, Field(argument), why="the w command of the script")
                case "r":
                    call.touch(Kind.READ, Field(argument))
                case _:
                    if argument:
                        with call.host.maybe():
                            call.host.run_text(Field(argument), call.name)
                    else:
                        call.effect(Kind.EXECUTE, "the e command runs text of the input")
    except Unclear as error:
        call.doubt(f"the script could not be read: {error}")


def actions(text: str) -> list[tuple[str, str]]:
    """What a script does besides printing: ("w", file), ("r", file), ("e", command or ""). Raises `Unclear`."""
    found: list[tuple[str, str]] = []
    position = 0
    while position < len(text):
        position = _address(text, position)
        if position >= len(text):
            break
        char = text[position]
        position += 1
        if char in "{};\n \t":
            continue
        if char == "#":
            position = _line_end(text, position)
        elif char in "=dDgGhHnNpPxzF":
            continue
        elif char in "qQlL":
            while position < len(text) and text[position] in "0123456789 ":
                position += 1
        elif char in ":btTv":
            while position < len(text) and text[position] not in "\n;}":
                position += 1
        elif char in "aic":
            position = _text_end(text, position)
        elif char in "rRwW":
            end = _line_end(text, position)
            found.append(("r" if char in "rR" else "w", text[position:end].strip(" \t")))
            position = end
        elif char == "e":
            end = _line_end(text, position)
            found.append(("e", text[position:end].strip()))
            position = end
        elif char == "s":
            position = _substitution(text, position, found)
        elif char == "y":
            position = _delimited(
                text, _delimited(text, position + 1, text[position : position + 1]), text[position : position + 1]
            )
        else:
            raise Unclear(f"the command {char!r}")
    return found


def _address(text: str, position: int) -> int:
    """Skip blanks, addresses, `,`, `!`."""
    while position < len(text):
        char = text[position]
        if char in " \t\n;,!~+$0123456789":
            position += 1
        elif char == "/":
            position = _flags(text, _delimited(text, position + 1, "/"))
        elif char == "\\" and position + 1 < len(text):
            position = _flags(text, _delimited(text, position + 2, text[position + 1]))
        else:
            break
    return position


def _flags(text: str, position: int) -> int:
    while position < len(text) and text[position] in "IM":
        position += 1
    return position


def _delimited(text: str, position: int, delimiter: str) -> int:
    """The position after the next unescaped delimiter. A delimiter inside a bracket expression ends the text too, as in GNU sed's
    scanner; the reading that stops earlier can only see more commands."""
    if not delimiter or delimiter in "\n\\":
        raise Unclear("a delimiter")
    while position < len(text):
        if text[position] == "\\":
            position += 2
        elif text[position] == delimiter:
            return position + 1
        else:
            position += 1
    raise Unclear(f"a {delimiter} is missing")


def _line_end(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end


def _text_end(text: str, position: int) -> int:
    """The end of the text of a, i, c: the line, or several joined by backslashes."""
    while True:
        end = _line_end(text, position)
        if end == len(text) or text[end - 1] != "\\":
            return end
        position = end + 1


def _substitution(text: str, position: int, found: list[tuple[str, str]]) -> int:
    """`s/regex/replacement/flags`; the flags `w FILE` and `e` matter. The pattern's bracket expressions may hide the delimiter."""
    if position >= len(text):
        raise Unclear("an s without delimiter")
    delimiter = text[position]
    position = _delimited(text, _regex_end(text, position + 1, delimiter), delimiter)
    while position < len(text) and text[position] not in ";\n}# \t":
        char = text[position]
        position += 1
        if char == "w":
            end = _line_end(text, position)
            found.append(("w", text[position:end].strip(" \t")))
            return end
        if char == "e":
            found.append(("e", ""))
        elif char not in "gpiImM0123456789":
            raise Unclear(f"the flag {char!r} of s")
    return position


def _regex_end(text: str, position: int, delimiter: str) -> int:
    return _delimited(text, position, delimiter)
