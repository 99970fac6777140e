"""Builtins of bash that change where and what the shell runs: cd, eval, source, trap, exec, alias, shopt, set, exit."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_cbx.effects import loops
from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.paths import join
from pytest_cbx.effects.scripts import run_script
from pytest_cbx.effects.state import listed
from pytest_cbx.effects.values import UNKNOWN, Field, Shape, concat

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call
    from pytest_cbx.effects.state import State


_NAMED = re.compile(r"(?<![$\w{])[A-Za-z_]\w*")
"""Words that may name a variable to set; what stands behind a dollar is only looked at."""


def cd(call: Call) -> None:
    """`cd [DIR]`: no operand is HOME, `-` the directory before. CDPATH makes relative ones unknown."""
    state = call.host.state
    operands = call.parsed.operands
    home = state.variables.get("HOME", UNKNOWN)
    if not operands:
        target = home if isinstance(home, Field) else UNKNOWN
    elif operands[0].known and operands[0].text == "-":
        before = state.variables.get("OLDPWD", UNKNOWN)
        target = before if isinstance(before, Field) else UNKNOWN
    elif operands[0].many or operands[0].shape is Shape.PATTERN:
        target = UNKNOWN
    else:
        relative = not operands[0].text.startswith(("/", ".", "~"))
        target = UNKNOWN if relative and "CDPATH" in state.variables else join(state.cwd, operands[0])
        # Whoever makes or removes the directory comes before or after.
        call.host.listed(operands[0])
    state.change_directory(target if target.known else UNKNOWN)


def pushd(call: Call) -> None:
    """`pushd DIR`: the directory that is left is kept on the stack, `DIRSTACK`; `pushd` alone changes places with it."""
    state = call.host.state
    stack, operands, before = state.variables.get("DIRSTACK", ()), call.parsed.operands, state.cwd
    if not isinstance(stack, tuple) or call.given("-n") or (operands and operands[0].text.startswith(("+", "-"))):
        _lose(state)
    elif operands:
        cd(call)
        state.variables["DIRSTACK"] = (before, *stack)
    elif stack:
        state.change_directory(stack[0])
        state.variables["DIRSTACK"] = (before, *stack[1:])


def popd(call: Call) -> None:
    """`popd`: back to the directory on top of the stack; it fails when there is none."""
    state = call.host.state
    stack = state.variables.get("DIRSTACK", ())
    if not isinstance(stack, tuple) or call.fields:
        _lose(state)
    elif stack:
        state.change_directory(stack[0])
        state.variables["DIRSTACK"] = stack[1:]


def _lose(state: State) -> None:
    state.change_directory(UNKNOWN)
    state.variables["DIRSTACK"] = UNKNOWN


def evaluate(call: Call) -> None:
    """`eval WORDS…`: runs the words, joined by blanks, in this shell."""
    words = call.fields[1:] if call.fields and call.fields[0].text == "--" else call.fields
    pieces: list[Field] = []
    for index, word in enumerate(words):
        pieces.extend([Field(" "), word] if index else [word])
    if pieces:
        call.output = call.host.run_text(concat(pieces), call.name, isolated=False)


def source(call: Call) -> None:
    """`. FILE`, `source FILE`: runs the file's text in this shell."""
    if not call.fields:
        return
    file = call.fields[0]
    text = call.host.pipes.get(file.text) if file.known else None
    if text is None and file.text in ("/dev/stdin", "-"):
        text = call.host.stdin
    if text is not None:
        call.output = call.host.run_text(text, call.name, isolated=False)
        return
    call.touch(Kind.READ, file)
    # Without a slash the shell looks along PATH first, where no file of the workspace is expected.
    seen = call.host.file_text(file, call.base, call.name)
    if seen is not None:
        call.output = run_script(call.host, file, seen, call.name, isolated=False, positional=call.fields[1:] or None)
        return
    call.effect(Kind.EXECUTE, f"the text of {file.text or 'a file'} is not seen")
    forget(call)


def forget(call: Call) -> None:
    """Unseen text ran in this shell: nothing that was known of its variables and directory holds any more."""
    state = call.host.state
    for name in list(state.variables):
        if name not in ("HOME", "IFS"):
            state.variables[name] = UNKNOWN
    state.cwd, state.positional = UNKNOWN, None


def trap(call: Call) -> None:
    """`trap TEXT SIGNAL…`: the text runs later, perhaps."""
    operands = call.parsed.operands
    if not operands or call.given("-l", "-p", "-P"):
        return
    text = operands[0]
    if text.known and (text.text in ("", "-") or len(operands) == 1):
        return
    if any(not word.known or word.text.upper().removeprefix("SIG") not in ("EXIT", "0") for word in operands[1:]):
        _unsettle(call, text)
    call.host.later.append((text, call.host.state.copy()))


def _unsettle(call: Call, text: Field) -> None:
    """Between any two commands the trap's text may set the variables that it names."""
    names = set(_NAMED.findall(text.text)) if text.known else set(call.host.state.variables)
    call.host.transformed |= names
    for name in names & call.host.state.variables.keys():
        call.host.state.variables[name] = UNKNOWN


def execute(call: Call) -> None:
    """`exec COMMAND…` replaces the shell; without a command only its redirects count."""
    if call.parsed.operands:
        with call.process():
            call.output = call.host.run(call.parsed.operands)
        call.host.state.ended = True


def command(call: Call) -> None:
    """`command NAME …` and `builtin NAME …`: functions and aliases are passed by; `-v` and `-V` only describe."""
    operands = call.parsed.operands
    if not operands or call.given("-v", "-V"):
        return
    call.output = call.host.run(operands, functions=False)


def alias(call: Call) -> None:
    """`alias NAME=TEXT…`; they count only after `shopt -s expand_aliases`."""
    for operand in call.parsed.operands:
        name, equals, text = operand.text.partition("=")
        if equals:
            call.host.state.aliases[name] = text if operand.known else None


def unalias(call: Call) -> None:
    """`unalias NAME…`, `-a` for all."""
    if call.given("-a"):
        call.host.state.aliases.clear()
    for operand in call.parsed.operands:
        call.host.state.aliases.pop(operand.text, None)


def shopt(call: Call) -> None:
    """`shopt -s expand_aliases lastpipe` matters; the other options change no effects that are claimed here."""
    names = {operand.text for operand in call.parsed.operands}
    unknown = any(not operand.known for operand in call.parsed.operands)
    if call.given("-s"):
        call.host.state.expand_aliases |= unknown or "expand_aliases" in names
        call.host.state.last_in_shell |= unknown or "lastpipe" in names


_TAKES_NAME = re.compile(r"[-+][A-Za-z]*o$")
"""`-o`, also at the end of a cluster: `set -euo pipefail`."""


def set_(call: Call) -> None:
    """`set -- WORDS` sets the positional parameters; `set -a` exports what is defined afterwards."""
    words = call.fields
    for index, word in enumerate(words):
        if word.known and word.text in ("--", "-"):
            rest = words[index + 1 :]
            call.host.state.positional = listed(rest)
            return
        if not word.known:
            call.host.state.positional = None
            call.host.state.functions_exported = True
            return
        if (word.text[0:1] == "-" and "a" in word.text) or word.text == "allexport":
            call.host.state.functions_exported = True
        if not word.text.startswith(("-", "+")):
            if index and _TAKES_NAME.match(words[index - 1].text):
                continue
            call.host.state.positional = listed(words[index:])
            return


def shift(call: Call) -> None:
    """`shift [N]`."""
    state = call.host.state
    count = call.fields[0].text if call.fields else "1"
    if state.positional is not None and count.isdecimal():
        # With fewer of them nothing is shifted.
        if int(count) <= len(state.positional):
            state.positional = state.positional[int(count) :]
    else:
        state.positional = None


def leave(call: Call) -> None:
    """`exit`, `return`, `break`, `continue`."""
    if call.name in ("break", "continue"):
        count = call.fields[0].text if call.fields else "1"
        loops.leave(call.host, levels=int(count) if count.isdecimal() else loops.EVERY_LEVEL)
    elif call.name == "return":
        loops.leave(call.host, levels=0)
    else:
        call.host.state.ended = True


def enable(call: Call) -> None:
    """`enable -f FILE` loads code; `-n` and names only switch builtins."""
    if call.given("-f"):
        call.effect(Kind.EXECUTE, "enable -f loads code from a file")


def kill(call: Call) -> None:
    """`kill -9 -1` reaches every process that may be reached; the rest is data."""
    if any(operand.known and operand.text == "-1" for operand in call.parsed.operands[1:]):
        call.effect(Kind.SYSTEM, "every process")


INTERPRETERS: dict[str, Callable[[Call], None]] = {
    "cd": cd, "pushd": pushd, "popd": popd, "eval": evaluate, "source": source, "trap": trap, "exec": execute,
    "command": command, "alias": alias, "unalias": unalias, "shopt": shopt, "set": set_, "shift": shift, "leave": leave,
    "enable": enable, "kill": kill,
}  # fmt: skip
