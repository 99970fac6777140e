"""sed: reads its scripts for the commands that write files or run programs. Facts: the manual of GNU sed 4.9."""

from __future__ import annotations

import re
from contextlib import suppress
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


_BARE = frozenset("{};\n \t=dDgGhHnNpPxzF")
_BRACKET = re.compile(r"\[\^?\]?(?:\[[:.=][^\]]*[:.=]\]|[^\]])*\]")
_FILES = {"r": "r", "R": "r", "w": "w", "W": "w", "e": "e"}


def actions(text: str) -> list[tuple[str, str]]:
    """What a script does besides printing: ("w", file), ("r", file), ("e", command or ""). Raises `Unclear`.

    In GNU sed 4.9 a delimiter inside a bracket expression does not end a regular expression; in other seds it does. What a
    script does under the second reading, where that is a script at all, is added.
    """
    found = _Reader(text, brackets=True).read()
    if "[" in text:
        with suppress(Unclear):
            found += [action for action in _Reader(text, brackets=False).read() if action not in found]
    return found


class _Reader:
    """One reading of one script."""

    __slots__ = ("brackets", "found", "text")

    def __init__(self, text: str, *, brackets: bool) -> None:
        self.text = text
        self.brackets = brackets
        self.found: list[tuple[str, str]] = []

    def read(self) -> list[tuple[str, str]]:
        position = self._address(0)
        while position < len(self.text):
            position = self._address(self._command(position + 1, self.text[position]))
        return self.found

    def _command(self, position: int, char: str) -> int:
        """Read the rest of the command `char`; gives the position after it."""
        text = self.text
        if char in _BARE:
            return position
        if char in _FILES:
            end = _line_end(text, position)
            self.found.append((_FILES[char], text[position:end].strip(" \t")))
            return end
        if char == "#":
            return _line_end(text, position)
        if char in "qQlL":
            return _skip(text, position, "0123456789 ")
        if char in ":btTv":
            return next((at for at in range(position, len(text)) if text[at] in "\n;}"), len(text))
        if char in "aic":
            return _text_end(text, position)
        if char == "s":
            return self._substitution(position)
        if char == "y":
            delimiter = text[position : position + 1]
            return _delimited(text, _delimited(text, position + 1, delimiter), delimiter)
        raise Unclear(f"the command {char!r}")

    def _address(self, position: int) -> int:
        """Skip blanks, addresses, `,`, `!`."""
        text = self.text
        while position < len(text):
            char = text[position]
            if char in " \t\n;,!~+$0123456789":
                position += 1
            elif char == "/":
                position = _skip(text, self._regex(position + 1, "/"), "IM")
            elif char == "\\" and position + 1 < len(text):
                position = _skip(text, self._regex(position + 2, text[position + 1]), "IM")
            else:
                break
        return position

    def _regex(self, position: int, delimiter: str) -> int:
        return _delimited(self.text, position, delimiter, brackets=self.brackets)

    def _substitution(self, position: int) -> int:
        """`s/regex/replacement/flags`; the flags `w FILE` and `e` matter."""
        text = self.text
        delimiter = text[position : position + 1]
        position = _delimited(text, self._regex(position + 1, delimiter), delimiter)
        while position < len(text) and text[position] not in ";\n}# \t":
            char = text[position]
            position += 1
            if char == "w":
                end = _line_end(text, position)
                self.found.append(("w", text[position:end].strip(" \t")))
                return end
            if char == "e":
                self.found.append(("e", ""))
            elif char not in "gpiImM0123456789":
                raise Unclear(f"the flag {char!r} of s")
        return position


def _skip(text: str, position: int, characters: str) -> int:
    while position < len(text) and text[position] in characters:
        position += 1
    return position


def _delimited(text: str, position: int, delimiter: str, *, brackets: bool = False) -> int:
    """The position after the next unescaped delimiter, those inside bracket expressions not counted with `brackets`."""
    if not delimiter or delimiter in "\n\\":
        raise Unclear("a delimiter")
    while position < len(text):
        if text[position] == "\\":
            position += 2
        elif text[position] == delimiter:
            return position + 1
        elif brackets and (bracket := _BRACKET.match(text, position)):
            position = bracket.end()
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
