"""perl: switches, and one-liners that surely only compute, print, or edit files in place. Facts: perlrun of Perl 5.36."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_cbx.effects.languages.perl import only_prints
from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.special.languages import hint
from pytest_cbx.effects.special.sed import backup
from pytest_cbx.effects.values import UNKNOWN, Field

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

_FLAGS = frozenset("acfgnpStTuUwWX")
_NUMBERED = {"l": r"[0-7]*", "0": r"(?:[xX][\da-fA-F]+)?[0-7]*", "C": r"\w*"}
"""Switches behind which a number may stand, then more switches."""

_MODULES = re.compile(
    r"-?(?:strict|warnings|utf8|feature|integer|bigint|List::Util|POSIX|Data::Dumper|Time::HiRes|Encode|open)(?:=[\w:,.-]*)?|v?5[.\d]*"
)
_SEPARATOR = re.compile(r"/[^/\\$@]*/|[^\"'/$@]+")
_MAGIC = re.compile(r"^[\s<>|+]|[\s|]$|^-$")
"""perl opens the files among its arguments the old way: `> x` writes, `cmd |` runs."""


@dataclass(slots=True)
class _Switches:
    programs: list[Field] = field(default_factory=list)
    letters: set[str] = field(default_factory=set)
    suffix: Field | None = None
    refused: str = ""
    """Why it may do anything."""
    quits: bool = False


def perl(call: Call) -> None:
    """`perl [SWITCH…] [-e PROGRAM… | FILE] [ARGUMENT…]`."""
    found, operands = _switches(call.fields)
    if found.quits and not found.refused:
        return
    in_place = found.suffix is not None
    if not found.programs:
        if found.refused or not operands:
            call.effect(Kind.EXECUTE, found.refused or "runs the program on its standard input")
            return
        call.touch(Kind.READ, operands[0])
        call.effect(Kind.EXECUTE, f"the text of {operands[0].text or 'the script'} is not seen")
        hint(call, "perl", call.host.file_text(operands[0], call.base, call.name))
        return
    program = "\n".join(text.text for text in found.programs)
    if found.letters & {"n", "p", "a"} or re.search(r"<>|\beof\b|\bARGV\b", program):
        _files(call, operands, found.suffix if in_place else None)
    if found.refused:
        call.effect(Kind.EXECUTE, found.refused)
    elif not all(text.known for text in found.programs) or not only_prints(program):
        call.effect(Kind.EXECUTE, "runs program text that is not followed")
        hint(call, "perl", program if all(text.known for text in found.programs) else None)


def _files(call: Call, operands: Sequence[Field], suffix: Field | None) -> None:
    """What `<>`, and so `-n` and `-p`, reads; with `-i` it is written."""
    for operand in operands:
        if operand.unknown or (operand.known and operand.text != "-" and _MAGIC.search(operand.text)):
            call.effect(Kind.EXECUTE, "perl may take the name of a file for a command")
        call.touch(Kind.READ, operand)
        if suffix is None:
            continue
        call.touch(Kind.WRITE, operand, why="-i edits in place")
        if suffix.text or not suffix.known:
            call.touch(Kind.WRITE, backup(operand, suffix), why="the copy that -i keeps")


def _switches(words: Sequence[Field]) -> tuple[_Switches, list[Field]]:
    found = _Switches()
    index = 0
    while index < len(words):
        word = words[index]
        if not word.text.startswith("-") or (word.known and word.text == "-"):
            if word.unknown and not word.text and not found.programs:
                found.refused = "an argument that is not known beforehand may be any switch"
            break
        index += 1
        if word.known and word.text == "--":
            break
        if word.known and word.text in ("--version", "--help"):
            found.quits = True
            break
        index = _cluster(found, word, words, index)
    return found, list(words[index:])


def _cluster(found: _Switches, word: Field, words: Sequence[Field], index: int) -> int:
    """Read one word of switches; gives the index of the next word."""
    text, position = word.text, 1
    while position < len(text):
        letter = text[position]
        position += 1
        rest = word.after(position)
        if letter in "eE":
            following = words[index] if index < len(words) else UNKNOWN
            found.programs.append(rest if rest.text or not rest.known else following)
            return index if rest.text or not rest.known else index + 1
        if letter in _FLAGS or letter in "- \t\n":
            found.letters.add(letter)
        elif letter in _NUMBERED:
            position += _length(_NUMBERED[letter], rest.text)
        else:
            _ending(found, letter, rest)
            return index
    if not word.known:
        found.refused = "a switch that is not known beforehand"
    return index


def _ending(found: _Switches, letter: str, rest: Field) -> None:
    """A switch that takes the rest of its word."""
    if letter == "i":
        found.suffix = rest
    elif letter == "F":
        found.letters |= {"a", "n"}
        if not rest.known or not _SEPARATOR.fullmatch(rest.text):
            found.refused = "the text of -F is code"
    elif letter in "mM":
        if not rest.known or not _MODULES.fullmatch(rest.text):
            found.refused = f"loads the module {rest.text}"
    elif letter in "vVh?":
        found.quits = not found.programs
    else:
        found.refused = f"the switch -{letter} may bring in other code"


def _length(pattern: str, text: str) -> int:
    found = re.match(pattern, text)
    return found.end() if found else 0


def ruby(call: Call) -> None:
    """ruby, php and others with a switch that only checks the syntax of files."""
    loads = call.given("-r", "-I") or any(
        "extension" in given.value.text for given in call.parsed.options if given.value
    )
    if call.given("-c", "-l", "--syntax-check") and not loads:
        for operand in call.parsed.operands:
            call.touch(Kind.READ, operand)
        return
    if call.name == "ruby" and [word.text for word in call.fields] == ["-v"]:
        return
    for operand in call.parsed.operands[:1] if not call.given("-e", "-r", "-R") else []:
        call.touch(Kind.READ, operand)
    call.effect(Kind.EXECUTE, "runs program text that is not followed")


INTERPRETERS: dict[str, Callable[[Call], None]] = {"perl": perl, "checked-language": ruby}
