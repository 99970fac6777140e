"""Programs that run another command after words of their own: env, sudo, flock, and others."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.values import UNKNOWN, Field, concat

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call


def env(call: Call) -> None:
    """`env [-i] [-u NAME] [-C DIR] [-S TEXT] [NAME=VALUE…] [COMMAND…]`; `-S` splits its text into further words."""
    host = call.host
    words = list(call.parsed.operands)
    if words and words[0].known and words[0].text == "-":
        words = words[1:]
    texts = [given.value for given in call.parsed.options if "-S" in given.option.names and given.value is not None]
    for text in reversed(texts):
        found = split_string(call, text)
        if found is None:
            call.effect(Kind.EXECUTE, "the command in -S is not known beforehand")
            return
        words = [*found, *words]
    with call.process():
        # The words of -S may be options of env again.
        if texts and words and words[0].text.startswith("-"):
            call.output = host.run([Field("env"), *words])
            return
        rest = call.assignments(words)
        if rest:
            call.output = host.run(rest)


_ENV_ESCAPES = {
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "#": "#",
    "$": "$",
    '"': '"',
    "'": "'",
    "\\": "\\",
}
_ENV_PIECE = re.compile(
    r"""(?P<blank>[ \f\n\r\t\v]+)|'(?P<single>(?:[^'\\]|\\.)*)'|"(?P<double>(?:[^"\\]|\\.)*)"|\\(?P<escape>.)"""
    r"""|\$\{(?P<name>[A-Za-z_]\w*)\}|(?P<plain>[^\s'"\\$]+)""",
    re.DOTALL,
)


def split_string(call: Call, text: Field) -> list[Field] | None:
    r"""The words of `env -S TEXT`: blanks split, `\_` too outside quotes, `#` starts a comment, `${NAME}` is the environment's."""
    if not text.known:
        return None
    words: list[Field] = []
    pieces: list[Field] | None = None
    position = 0
    while position < len(text.text):
        if pieces is None and text.text[position] == "#":
            break
        found = _ENV_PIECE.match(text.text, position)
        if found is None:
            return None
        position = found.end()
        kind, body = found.lastgroup, found[found.lastgroup or 0]
        if kind == "escape" and body == "c":
            break
        if kind == "blank" or (kind == "escape" and body == "_"):
            words += [concat(pieces)] if pieces is not None else []
            pieces = None
            continue
        pieces = pieces or []
        match kind:
            case "name":
                value = call.host.state.variables.get(body, UNKNOWN)
                pieces.append(value.single() if isinstance(value, Field) else UNKNOWN)
            case "double":
                if "$" in re.sub(r"\\.", "", body):
                    return None
                pieces.append(
                    Field(
                        re.sub(r"\\(.)", lambda one: " " if one[1] == "_" else _ENV_ESCAPES.get(one[1], one[1]), body)
                    )
                )
            case "single":
                pieces.append(Field(re.sub(r"\\([\\'])", r"\1", body)))
            case "escape":
                pieces.append(Field(_ENV_ESCAPES.get(body, body)))
            case _:
                pieces.append(Field(body))
    return [*words, concat(pieces)] if pieces is not None else words


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


INTERPRETERS: dict[str, Callable[[Call], None]] = {
    "env": env, "wrapper": wrapper, "flock": flock,
}  # fmt: skip
