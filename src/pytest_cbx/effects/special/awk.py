"""awk: reads the program text for what reaches out of awk. Facts: the manuals of GNU awk 5.2, mawk 1.3.4 and the one true awk."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_cbx.effects.languages.awk import Token, Values, readings
from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.special.sed import given_programs
from pytest_cbx.effects.values import UNKNOWN, Field, concat

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

_ASSIGNMENT = re.compile(r"^([A-Za-z_][\w:]*)=")
LONGEST = 8_000
"""A longer program is not read."""

_GOES_ON = frozenset({",", "&&", "||", "?", ":", "|", "|&", ">", ">>", "<"})
"""After these a line end does not end a statement (some only in gawk)."""


def awk(call: Call) -> None:
    """Note what awk reads, and what its program writes and runs."""
    operands = list(call.parsed.operands)
    programs = given_programs(call, confined="-S", unseen="the text of a program file is not seen")
    if not programs:
        if not operands:
            return
        programs.append(operands.pop(0))
    known = _assigned(call)
    in_place = _libraries(call)
    files: list[Field] = []
    for operand in operands:
        assigned = _ASSIGNMENT.match(operand.text)
        if assigned:
            known.pop(assigned.group(1), None)
            continue
        files.append(operand)
        call.touch(Kind.READ, operand)
        if in_place:
            call.touch(Kind.WRITE, operand, why="-i inplace edits in place")
            suffix = known.get("inplace::suffix", known.get("INPLACE_SUFFIX"))
            if suffix is not None:
                call.touch(Kind.WRITE, concat([operand.single(), suffix]), why="the copy that inplace keeps")
    if call.given("-S"):
        return
    if not all(program is None or program.known for program in programs):
        call.doubt("the program is not known beforehand: it may write files and run programs")
        return
    text = "\n".join(program.text for program in programs if program is not None)
    found = readings(text) if len(text) <= LONGEST else []
    if not found:
        call.doubt("the program could not be read")
    for tokens in found:
        _Program(call, tokens, Values(tokens, known, files)).walk()


def _libraries(call: Call) -> bool:
    """Note what -i and -l bring in; whether it is gawk's `inplace`."""
    in_place = False
    for given in call.parsed.options:
        if "-i" not in given.option.names or given.value is None:
            continue
        if given.value.known and given.value.text in ("inplace", "inplace.awk"):
            in_place = True
        else:
            in_place |= not given.value.known or "inplace" in given.value.text
            call.effect(Kind.EXECUTE, "the text of a library is not seen")
    return in_place


def _assigned(call: Call) -> dict[str, Field]:
    """The variables that -v sets."""
    known: dict[str, Field] = {}
    for given in call.parsed.options:
        name, equals, value = (given.value.text if given.value is not None else "").partition("=")
        if "-v" in given.option.names and given.value is not None and equals and "\\" not in value:
            known[name] = given.value.after(len(name) + 1).single()
    return known


class _Program:
    """One reading of a program."""

    __slots__ = ("call", "tokens", "values")

    def __init__(self, call: Call, tokens: Sequence[Token], values: Values) -> None:
        self.call = call
        self.tokens = tokens
        self.values = values

    def walk(self) -> None:
        printing, depth = False, 0
        for index, (kind, token) in enumerate(self.tokens):
            if kind == "name":
                if token in ("print", "printf"):
                    printing, depth = True, 0
                elif token in ("system", "getline") or token.startswith("@"):
                    self._name(index, token)
            elif kind == "newline":
                printing &= depth > 0 or (index > 0 and self.tokens[index - 1][1] in _GOES_ON)
            elif token in (";", "}"):
                printing = False
            elif token in ("(", "["):
                depth += 1
            elif token in (")", "]"):
                depth -= 1
            elif token in (">", ">>") and printing and depth <= 0:
                self._output(index, Kind.APPEND if token == ">>" else Kind.WRITE)
            elif token in ("|", "|&"):
                self._pipe(index)

    def _name(self, index: int, token: str) -> None:
        call = self.call
        if token == "system":
            if self._at(index + 1)[1] == "(":
                self._run(self.values.until(index + 2, {")"}), "system() runs text that is not known beforehand")
            else:
                call.effect(Kind.EXECUTE, "system() runs text that is not known beforehand")
        elif token == "getline":
            at = next((at for at in (index + 1, index + 2) if self._at(at)[1] == "<"), None)
            if at is not None:
                self._file(Kind.READ, self.values.one(at + 1))
        elif token in ("@include", "@load"):
            call.effect(Kind.EXECUTE, f"{token} brings in text that is not seen")
        elif token != "@namespace":
            call.effect(Kind.EXECUTE, "calls a function by a name that is not known beforehand")

    def _at(self, index: int) -> Token:
        return self.tokens[index] if 0 <= index < len(self.tokens) else ("", "")

    def _output(self, index: int, kind: Kind) -> None:
        self._file(kind, self.values.until(index + 1, {")"}))

    def _pipe(self, index: int) -> None:
        """`print … | "command"`, `"command" | getline`, `|&`."""
        unknown = "a pipe runs text that is not known beforehand"
        if self._at(index + 1)[1] != "getline":
            self._run(self.values.until(index + 1, {")"}), unknown)
            return
        kind, _ = self._at(index - 1)
        before = self._at(index - 2)
        alone = before[0] in ("", "newline") or before[1] in ("{", "}", ";", "(", "&&", "||", "!", "=")
        self._run(self.values.one(index - 1) if alone and kind in ("string", "name") else None, unknown)

    def _run(self, text: Field | None, unknown: str) -> None:
        call = self.call
        if text is None or not text.known:
            call.effect(Kind.EXECUTE, unknown)
        elif text.text.startswith("/inet"):
            call.effect(Kind.NETWORK, text.text)
        else:
            # What it reads is awk's output, or what awk has left of its own input.
            with call.host.maybe(), call.process(), call.host.input(UNKNOWN):
                call.host.run_text(text, call.name)

    def _file(self, kind: Kind, target: Field | None) -> None:
        why = "print redirects its output" if kind is not Kind.READ else ""
        if target is None:
            self.call.touch(kind, UNKNOWN, why=why)
        elif target.text.startswith("/inet"):
            self.call.effect(Kind.NETWORK, target.text)
        elif target.text != "-":
            self.call.touch(kind, target, why=why)
