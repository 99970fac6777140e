"""Programs that run another command: env, xargs, parallel, sudo, watch."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.values import UNKNOWN, UNKNOWN_MANY, Field, Shape

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call


def env(call: Call) -> None:
    """`env [-i] [-u NAME] [-C DIR] [-S TEXT] [NAME=VALUE…] [COMMAND…]`; `-S` splits its text into further words."""
    host = call.host
    words = list(call.parsed.operands)
    text = call.value("-S", "--split-string")
    if text is not None:
        words = [*_split(call, text), *words]
    with call.process():
        rest = call.assignments(words)
        while rest and rest[0].known and rest[0].text.startswith("-"):
            call.output = host.run([Field("env"), *rest])
            return
        if rest:
            call.output = host.run(rest)


def _split(call: Call, text: Field) -> list[Field]:
    if not text.known or "${" in text.text:
        call.effect(Kind.EXECUTE, "the command in -S is not known beforehand")
        return []
    try:
        return [Field(word) for word in shlex.split(text.text)]
    except ValueError:
        call.doubt("the text of -S could not be read")
        return []


def wrapper(call: Call) -> None:
    """Runs its operands as a command in a process of its own, after `NAME=VALUE` operands (sudo, doas)."""
    with call.process():
        rest = call.assignments(list(call.parsed.operands))
        if rest:
            call.output = call.host.run(rest)


def flock(call: Call) -> None:
    """`flock FILE|DIRECTORY COMMAND…`, `flock FILE -c TEXT`, `flock DESCRIPTOR`."""
    operands = call.parsed.operands
    if not operands:
        return
    if not operands[0].text.isdigit():
        call.touch(Kind.CREATE, operands[0])
    rest = operands[1:]
    with call.process():
        if rest and rest[0].known and rest[0].text in ("-c", "--command"):
            call.host.run_text(rest[1] if len(rest) > 1 else UNKNOWN, call.name)
        elif rest:
            call.output = call.host.run(rest)


def xargs(call: Call) -> None:
    """`xargs [OPTION…] [COMMAND [ARGUMENT…]]`: adds words from its input, which are not known beforehand."""
    host = call.host
    words = list(call.parsed.operands) or [Field("echo")]
    files = _from_input(call)
    marker = call.value("-I", "-i", "--replace")
    if call.given("-I", "-i", "--replace"):
        text = marker.text if marker is not None and marker.text else "{}"
        words = [_replaced(word, text) for word in words]
    else:
        words = [*words, *files]
    with host.maybe(), call.process(), host.input(UNKNOWN):
        host.run(words)


def _from_input(call: Call) -> list[Field]:
    """The words that the input gives, where its text is known."""
    text = call.host.stdin
    if call.given("-a", "--arg-file") or not text.known or len(text.text) > 2_000:
        return [UNKNOWN_MANY]
    try:
        return [Field(word) for word in shlex.split(text.text)]
    except ValueError:
        return [UNKNOWN_MANY]


def _replaced(word: Field, marker: str) -> Field:
    if not word.known or marker not in word.text:
        return word
    return Field(word.text.split(marker, 1)[0], Shape.UNKNOWN)


def parallel(call: Call) -> None:
    """GNU parallel: the command runs through a shell, with words from `:::` or the input put in."""
    words = list(call.parsed.operands)
    texts = [word.text for word in words]
    cut = next((index for index, text in enumerate(texts) if text in (":::", "::::", ":::+", "::::+")), len(words))
    command, sources = words[:cut], words[cut + 1 :]
    for source in sources if cut < len(words) and texts[cut].startswith("::::") else ():
        call.touch(Kind.READ, source)
    if not command:
        call.effect(Kind.EXECUTE, "the commands come from the input")
        return
    if len(command) == 1 and (not command[0].known or " " in command[0].text):
        marked = command[0]
        if marked.known and "{" not in marked.text:
            with call.host.maybe():
                call.host.run_text(marked, call.name)
        else:
            call.effect(Kind.EXECUTE, "the command is built from its input")
        return
    replaced = [_replaced(word, "{") for word in command]
    if replaced == command:
        replaced = [*command, UNKNOWN_MANY]
    with call.host.maybe(), call.process():
        call.host.run(replaced)


INTERPRETERS: dict[str, Callable[[Call], None]] = {
    "env": env,
    "wrapper": wrapper,
    "xargs": xargs,
    "parallel": parallel,
    "flock": flock,
}
