"""sed: reads its scripts for the commands that write files or run programs. Facts: the manual of GNU sed 4.9."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.values import UNKNOWN, Field, concat

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call


LONGEST = 8_000
"""A longer script is not read."""


class Unclear(Exception):
    """The script does not follow the grammar that is known here."""


_UNSEEN = "the text of the script file is not seen: it may write files and run programs"


def sed(call: Call) -> None:
    """Note what sed reads, its edits in place, and what its scripts do."""
    operands = list(call.parsed.operands)
    in_place = call.given("-i")
    scripts = given_programs(call, confined="--sandbox", unseen=_UNSEEN)
    if not scripts:
        if not operands:
            return
        if in_place and call.value("-i") is None and len(operands) > 1 and _is_suffix(operands[0]):
            operands.pop(0)  # BSD's -i takes its suffix from the next word, for GNU that is the script: read both
            scripts.append(operands[0])
        scripts.append(operands.pop(0))
    if not call.given("--sandbox"):
        _scripts(call, [script for script in scripts if script is not None])
    suffix = call.value("-i")
    for operand in operands:
        call.touch(Kind.READ, operand)
        if in_place:
            call.touch(Kind.WRITE, operand, why="-i edits in place")
            if suffix is not None and (suffix.text or not suffix.known):
                call.touch(Kind.WRITE, backup(operand, suffix), why="the copy that -i keeps")


def given_programs(call: Call, *, confined: str, unseen: str) -> list[Field | None]:
    """The program texts of -e and -f in their order; None for one that is not seen.

    `confined`: an option under which no program can do harm; without it an unseen one is code, for the reason `unseen`.
    """
    programs: list[Field | None] = []
    for given in call.parsed.options:
        if given.value is None:
            continue
        if "-e" in given.option.names:
            programs.append(given.value)
        elif "-f" in given.option.names:
            call.touch(Kind.READ, given.value)
            text = program_text(call, given.value)
            programs.append(text)
            if text is None and not call.given(confined):
                call.effect(Kind.EXECUTE, unseen)
    return programs


def program_text(call: Call, file: Field) -> Field | None:
    """The text of a file that a program takes its own program from, where that is known."""
    if not file.known:
        return None
    if file.text in ("-", "/dev/stdin"):
        return call.host.stdin if call.host.stdin.known else None
    piped = call.host.pipes.get(file.text)
    if piped is not None:
        return piped if piped.known else None
    seen = call.host.file_text(file, call.base, call.name)
    return Field(seen) if seen is not None else None


def _is_suffix(operand: Field) -> bool:
    return operand.known and re.fullmatch(r"(?:[.~_][\w.~*]*)?", operand.text) is not None


def backup(operand: Field, suffix: Field) -> Field:
    """The name of the copy: `*` in the suffix stands for the file's name, else the suffix goes behind it."""
    if not suffix.known:
        return concat([operand, suffix])
    if "*" not in suffix.text:
        return concat([operand.single(), Field(suffix.text)])
    pieces: list[Field] = []
    for index, text in enumerate(suffix.text.split("*")):
        pieces += [operand.single()] if index else []
        pieces += [Field(text)] if text else []
    return concat(pieces)


def _scripts(call: Call, scripts: list[Field]) -> None:
    if all(script.known for script in scripts):
        _script(call, "\n".join(script.text for script in scripts))
        return
    # Wildcards stand for text without slashes, blanks and line ends, so they change nothing between slashes.
    text = "\n".join(re.sub(r"\[([*?\[])\]", r"\1", script.text) for script in scripts)
    try:
        tame = not any(script.unknown or script.many for script in scripts) and not actions(text)
    except Unclear:
        tame = False
    if not tame or re.search(r"(?<!\\)[sy][^/\w\s\\]", text):
        call.doubt("the script is not known beforehand: it may write files and run programs")


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
                        with call.host.maybe(), call.process(), call.host.input(UNKNOWN):
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
    if len(text) > LONGEST:
        raise Unclear("it is too long")
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
            self.found.append((_FILES[char], text[position:end].lstrip(" \t")))
            return end
        if char == "#":
            return _line_end(text, position)
        if char in "qQlL":
            return _skip(text, position, "0123456789 ")
        if char in ":btTv":
            position = _skip(text, position, " \t")
            return next((at for at in range(position, len(text)) if text[at] in "\n;} \t"), len(text))
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
                self.found.append(("w", text[position:end].lstrip(" \t")))
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
    brackets = brackets and "]" in text[position:]
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
    """The end of the text of a, i, c: the line, or several joined by backslashes. (Two backslashes stand for one.)"""
    while True:
        end = _line_end(text, position)
        backslashes = len(text[position:end]) - len(text[position:end].rstrip("\\"))
        if end == len(text) or not backslashes % 2:
            return end
        position = end + 1
