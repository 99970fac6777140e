"""fd: a search that may run a command for what it finds. Facts: fd(1) 10.2."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_cbx.effects.found import ANYTHING, Filter, Search, name_test, narrowed, widened
from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.paths import name_of, parent_of
from pytest_cbx.effects.special.find import filled, inner, put
from pytest_cbx.effects.values import UNKNOWN, Field, Shape, concat, escape

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

_EXECUTES = ("-x", "--exec", "-X", "--exec-batch")
_LITERAL = re.compile(r"(\^?)((?:[\w@%~,:=-]|\\[.+-])+)(\$?)")
"""A regular expression without operators."""


def fd(call: Call) -> None:
    """`fd [OPTION…] [PATTERN [PATH…]] [-x COMMAND…]`."""
    operands, command = _command(call)
    paths = [given.value for given in call.parsed.options if "--search-path" in given.option.names and given.value]
    roots = operands[1:] or paths or [Field(".")]
    for root in roots:
        call.touch(Kind.READ, root, "tree")
    depth = call.value("-d", "--exact-depth")
    deepest = int(depth.text) if depth is not None and depth.known and depth.text.isdigit() else None
    search = Search(roots=tuple(roots), shallowest=1, deepest=deepest)
    found = narrowed(_named(call, operands[0] if operands else None), _suffixed(call))
    if command is None:
        if not call.given("-l", "--format", "-0"):
            call.output = search.line(found)
        return
    if not command:
        call.doubt("-x without a command")
        return
    batch = call.given("-X")
    with call.host.maybe(), call.process():
        for path in search.paths(found):
            words = [_filled(word, replace(path, many=batch)) for word in command]
            added = filled(command[0], replace(path, many=batch)) if words == list(command) else []
            call.host.run([*words, *added])


def _command(call: Call) -> tuple[list[Field], list[Field] | None]:
    """The operands before `-x`, and the command after it; None without `-x`."""
    parsed = call.parsed
    if not call.given("-x", "-X"):
        return parsed.operands, None
    rest = list(call.fields[parsed.rest :])
    operands = parsed.operands[: len(parsed.operands) - len(rest)]
    last = call.fields[parsed.rest - 1]
    if last.text.startswith("--"):
        rest = [last.after(last.text.index("=") + 1), *rest] if "=" in last.text else rest
    else:
        letter = re.search("[xX]", last.text)
        attached = last.after(letter.end()) if letter else UNKNOWN
        rest = [attached, *rest] if attached.text or not attached.known else rest
    for index, word in enumerate(rest):
        if word.known and word.text == ";":
            if index + 1 < len(rest):
                call.doubt("options behind the command of -x are not read")
            return operands, rest[:index]
    return operands, rest


def _named(call: Call, pattern: Field | None) -> Filter:
    """What the pattern says of base names."""
    if pattern is None or not pattern.known or call.given("-p", "--full-path"):
        return ANYTHING
    if call.given("-g"):
        return name_test(pattern.text, fold=call.given("-i"))
    if call.given("-F"):
        return name_test(f"*{escape(pattern.text)}*", fold=call.given("-i"))
    literal = _LITERAL.fullmatch(pattern.text)
    if literal is None:
        return ANYTHING
    text = re.sub(r"\\(.)", r"\1", literal.group(2))
    return name_test(f"{'' if literal.group(1) else '*'}{text}{'' if literal.group(3) else '*'}", fold=call.given("-i"))


def _suffixed(call: Call) -> Filter:
    """What `-e SUFFIX`, any number of them, says of base names."""
    values = [given.value for given in call.parsed.options if "-e" in given.option.names and given.value is not None]
    if not values or not all(value.known for value in values):
        return ANYTHING
    return widened(name_test(f"*.{value.text.lstrip('.')}") for value in values)


def _filled(word: Field, path: Field) -> Field:
    for marker, value in PLACEHOLDERS.items():
        word = put(word, value(path), marker) if marker in word.text and word.known else word
    return word


def bare(path: Field) -> Field:
    """The path without its last suffix."""
    if path.unknown:
        return UNKNOWN
    path = inner(path)
    stem = re.sub(r"(?<=[^/])\.[^./]*$", "", path.text)
    if path.shape is Shape.PATTERN and stem == path.text and stem.endswith("*"):
        return path
    return Field(stem, path.shape, path.many)


def _base(path: Field) -> Field:
    name = name_of(path)
    return Field("*", Shape.PATTERN) if name.text == "**" else name


def folder(path: Field) -> Field:
    """The directory that a path lies in; below `a/**` it may be `a` or any directory in it."""
    parent = parent_of(path)
    if path.shape is Shape.PATTERN and path.text.endswith("**"):
        return concat([parent, Field("/**", Shape.PATTERN)])
    return parent


PLACEHOLDERS: dict[str, Callable[[Field], Field]] = {
    "{/.}": lambda path: bare(_base(path)), "{//}": folder, "{/}": _base, "{.}": bare, "{}": lambda path: path,
}  # fmt: skip
"""What fd and GNU parallel put in place of them; longer ones first."""


INTERPRETERS: dict[str, Callable[[Call], None]] = {"fd": fd}
