"""Shells: `-c` text, a script file, or text on standard input."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.scripts import run_script
from pytest_cbx.effects.values import UNKNOWN, Field, concat

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

_OPTIONS = "shopt -s expand_aliases lastpipe\n"
"""What `-i` and `-O` may have set."""


def shell(call: Call) -> None:
    """bash, sh, dash, zsh, ksh. Text that is known is read as bash text; zsh and ksh differ little where programs start."""
    operands = list(call.parsed.operands)
    if call.given("-i", "-l", "--login") and not call.given("--norc", "--noprofile"):
        _startup(call)
    if call.given("--rcfile", "--init-file") and call.given("-i"):
        call.effect(Kind.EXECUTE, "the start-up file's text is not seen")
    if call.given("-i"):
        _prompts(call)
    if call.given("-n"):
        for operand in operands[:1] if not call.given("-c") else []:
            call.touch(Kind.READ, operand)
        return
    if call.given("-c"):
        if not operands:
            return
        if operands[0].many:
            call.effect(Kind.EXECUTE, "the text after -c is not known beforehand", operands[0])
            return
        text = concat([Field(_OPTIONS), operands[0]]) if call.given("-i", "-O") else operands[0]
        call.output = call.host.run_text(text, call.name, positional=operands[2:])
    elif operands and not call.given("-s"):
        _script(call, operands[0], operands[1:])
    else:
        _standard_input(call, operands)


def _prompts(call: Call) -> None:
    """An interactive shell expands its prompts, with their substitutions."""
    for name in ("PS0", "PS1", "PS2"):
        value = call.exported(name)
        if value is not None and ("$(" in value.text or "`" in value.text):
            call.doubt(f"{name} runs a command")


def _startup(call: Call) -> None:
    home = call.host.state.variables.get("HOME", UNKNOWN)
    if call.given("-i") and isinstance(home, Field):
        call.touch(Kind.READ, Field(f"{home.text}/.bashrc", home.shape))


def _script(call: Call, file: Field, arguments: list[Field]) -> None:
    text = call.host.pipes.get(file.text) if file.known else None
    if text is not None and text.known:
        call.output = call.host.run_text(text, call.name, positional=arguments)
        return
    call.touch(Kind.READ, file)
    seen = call.host.file_text(file, call.base, call.name)
    if seen is not None:
        call.output = run_script(call.host, file, seen, call.name, positional=arguments)
    else:
        call.effect(Kind.EXECUTE, f"the text of {file.text or 'the script'} is not seen", text or file)


def _standard_input(call: Call, operands: list[Field]) -> None:
    redirected = call.host.input_text(call.name) if not call.host.stdin.known else None
    if call.host.stdin.known:
        call.output = call.host.run_text(call.host.stdin, call.name, positional=operands)
    elif redirected is not None:
        call.output = call.host.run_text(Field(redirected), call.name, positional=operands)
    else:
        call.effect(Kind.EXECUTE, "the commands on its standard input are not known beforehand", call.host.stdin)


INTERPRETERS: dict[str, Callable[[Call], None]] = {"shell": shell}
