"""Builtins of bash that set or evaluate variables: export, declare, unset, read, printf -v, let, test -v, mapfile, getopts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_cbx.effects.file_tests import files_tested
from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.outputs import printed
from pytest_cbx.effects.special.find import inner
from pytest_cbx.effects.values import EMPTY, GIVEN, TAME, UNKNOWN, Field, Shape, concat

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

_NUMERIC = frozenset({"-eq", "-ne", "-lt", "-le", "-gt", "-ge"})


def declare(call: Call) -> None:
    """`export`, `declare`, `local`, `readonly`, `typeset`: operands with `=` that the reader did not see as assignments."""
    host = call.host
    exported = call.name == "export" or call.given("-x")
    if call.given("-f") and exported:
        host.state.functions_exported = True
        return
    if call.given("-f", "-F", "-p"):
        return
    if call.given("-n") and call.name != "export":
        call.doubt("a name that stands for another variable is not followed")
    for operand in call.parsed.operands:
        name, equals, _ = operand.text.partition("=")
        host.expander.evaluated(Field(name, operand.shape if not equals else EMPTY.shape))
        if call.name in ("local", "declare", "typeset"):
            host.localise(name)
        if call.given("-i"):
            host.state.integers.add(name)
        if not equals and not operand.known:
            call.doubt("which variable it sets is not known beforehand")
        elif equals:
            host.assign(name, operand.after(len(name) + 1).single(), temporary=exported)
        elif exported:
            host.state.exported.add(name)
        elif call.name == "local":
            host.state.variables[name] = EMPTY


def unset(call: Call) -> None:
    """`unset NAME…`, `-f` for functions."""
    host = call.host
    for operand in call.parsed.operands:
        host.expander.evaluated(operand)
        if not operand.known:
            call.doubt("which variable it unsets is not known beforehand")
        elif call.given("-f") or (operand.text in host.state.functions and operand.text not in host.state.variables):
            host.state.doubtful.add(operand.text)
        else:
            host.state.integers.discard(operand.text)
            host.assign(operand.text, EMPTY)


def read(call: Call) -> None:
    """`read NAME…`: the values are not known, but for one line of known text, and for lines that all match a pattern."""
    host = call.host
    names = list(call.parsed.operands)
    array = call.value("-a")
    line = _only_line(call)
    if line is not None:
        words = line.text.split(maxsplit=len(names) - 1)
        for index, name in enumerate(names):
            host.assign(name.text, replace(line, text=words[index] if index < len(words) else ""))
        return
    lines = host.stdin.shape is Shape.PATTERN and not call.given("-u", "-n", "-N", "-a")
    if lines and len(names) == 1 and names[0].known and names[0].text.isidentifier():
        host.assign(names[0].text, inner(host.stdin).single())
        return
    for operand in [*names, *([array] if array else [])]:
        host.expander.evaluated(operand)
        if operand.known:
            host.assign(operand.text, concat([GIVEN, replace(UNKNOWN, origin=host.stdin.origin)]))
        else:
            call.doubt("which variable it sets is not known beforehand")


def _only_line(call: Call) -> Field | None:
    """The input, when it is known and one line: of several, a loop would read one after the other."""
    stdin, names = call.host.stdin, call.parsed.operands
    if not names or not all(name.known and name.text.isidentifier() for name in names) or call.parsed.names - {"-r"}:
        return None
    text = stdin.text.strip(" \t").removesuffix("\n").rstrip(" \t")
    tame = stdin.known and "\n" not in text and ("\\" not in text or call.given("-r"))
    return replace(stdin, text=text) if tame and call.host.state.variables.get("IFS") == Field(" \t\n") else None


def printf(call: Call) -> None:
    """`printf -v NAME FORMAT…` sets a variable."""
    words = call.fields
    if len(words) > 1 and words[0].known and words[0].text.startswith("-v"):
        name = words[0].after(2) if len(words[0].text) > 2 else words[1]
        call.host.expander.evaluated(name)
        if name.known:
            call.host.assign(name.text, printed([word for word in words if word is not name][1:]))
        else:
            call.doubt("which variable it sets is not known beforehand")
    elif words and words[0].unknown and not words[0].text:
        call.doubt("the first word may be -v and set any variable")


def let(call: Call) -> None:
    """`let EXPRESSION…`."""
    for operand in call.fields:
        call.host.expander.arithmetic(operand.text)
        call.host.expander.evaluated(operand)


def test(call: Call) -> None:
    """`test` and `[`: they look at files; `-v NAME[…]` evaluates its subscript; the numeric comparisons take only numbers."""
    words = call.fields
    for file in files_tested(words):
        call.touch(Kind.READ, file)
    for index, word in enumerate(words[:-1]):
        if word.known and word.text == "-v":
            call.host.expander.evaluated(words[index + 1])


def mapfile(call: Call) -> None:
    """`mapfile`, `readarray`: `-C TEXT` runs the text as lines are read."""
    host = call.host
    for operand in call.parsed.operands or [Field("MAPFILE")]:
        host.expander.evaluated(operand)
        if operand.known:
            host.assign(operand.text, host.stdin.single() if operand.text in host.state.integers else UNKNOWN)
            if host.stdin.shape is Shape.PATTERN and call.given("-t") and operand.text.isidentifier():
                host.state.variables[operand.text] = (Field(host.stdin.text, Shape.PATTERN, True),)
    callback = call.value("-C")
    if callback is not None:
        with host.maybe():
            host.run_text(concat([callback, Field(" 0 ''")]), call.name, isolated=False)


def getopts(call: Call) -> None:
    """`getopts STRING NAME`."""
    for operand in call.fields[1:2]:
        if operand.known:
            call.host.assign(operand.text, UNKNOWN)
    call.host.state.variables["OPTARG"] = UNKNOWN


def wait(call: Call) -> None:
    """`wait -p NAME` sets a variable."""
    name = call.value("-p")
    if name is not None:
        call.host.expander.evaluated(name)
        if name.known:
            call.host.assign(name.text, TAME)
        else:
            call.doubt("which variable it sets is not known beforehand")


INTERPRETERS: dict[str, Callable[[Call], None]] = {
    "declare": declare, "unset": unset, "read": read, "printf": printf, "let": let, "test": test, "mapfile": mapfile,
    "getopts": getopts, "wait": wait,
}  # fmt: skip
