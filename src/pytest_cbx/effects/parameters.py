"""What `$x`, `${x:-y}`, `"$@"` and all their kin stand for (bash manual, 3.5.3), as far as it is known."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_cbx.effects.state import NUMBERS
from pytest_cbx.effects.values import (
    EMPTY,
    GIVEN,
    TAME,
    UNKNOWN,
    UNKNOWN_MANY,
    Field,
    Shape,
    Variable,
    concat,
    strip,
    substitute,
    substring,
)
from pytest_cbx.shell.decode import ansi_c
from pytest_cbx.shell.nodes import Glob, Literal, Parameter, Word

if TYPE_CHECKING:
    from pytest_cbx.effects.expansion import Expander

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_NUMBER = re.compile(r"\s*(-?(?:0|[1-9][0-9]{0,8}))\s*")
_CONDITIONAL = frozenset({":-", "-", ":=", "=", ":+", "+", ":?", "?"})
CHOOSING = frozenset({":-", "-", ":+", "+"})
"""Operators that may put their argument, with its own quotes, in the place of the value."""

_CASES: dict[str, Callable[[str], str]] = {
    "^": lambda text: text[:1].upper() + text[1:],
    "^^": str.upper,
    ",": lambda text: text[:1].lower() + text[1:],
    ",,": str.lower,
    "@u": lambda text: text[:1].upper() + text[1:],
    "@U": str.upper,
    "@L": str.lower,
}


def values_of(expander: Expander, node: Parameter) -> list[Field]:
    """The values before splitting: several for `"$@"` and arrays, none where these are empty."""
    if not (node.operator or node.index or node.length or node.indirect or node.arguments):
        return _positional(expander, node) if node.name in "@*" else [value_of(expander, node.name)]
    many = _is_list(node)
    values = _base(expander, node)
    patterns = node.operator[:1] in "#%/"
    arguments = [
        expander.one(argument, pattern=patterns and not index) for index, argument in enumerate(node.arguments)
    ]
    if node.operator == ":":
        for value in arguments:
            expander.calculated(value)
    if node.length:
        return [TAME]
    if many:
        return _each(expander, node, values, arguments)
    return [_operated(expander, node, values[0] if values else EMPTY, arguments)]


def choice(expander: Expander, node: Parameter) -> tuple[list[Field], Word | None]:
    """For an operator of `CHOOSING`: the values, or the argument that surely stands in their place."""
    if _is_list(node):
        return values_of(expander, node), None
    values = _base(expander, node)
    value = values[0] if values else EMPTY
    empty = value.known and not value.text
    if node.operator[0] == ":" and (value.known or value.shape is Shape.PATTERN):
        if empty is (node.operator == ":-"):
            return [], node.arguments[0]
        return [EMPTY if empty else value], None
    return [_conditional(expander, node, value, expander.one(node.arguments[0]))], None


def value_of(expander: Expander, name: str) -> Field:
    """A variable or a positional parameter, as one value."""
    state = expander.host.state
    value = state.variables.get(name)
    if value is not None:
        return scalar(value)
    if name.isdigit() and name != "0":
        if state.positional is None:
            return GIVEN
        return state.positional[int(name) - 1] if int(name) <= len(state.positional) else EMPTY
    return TAME if name in NUMBERS else GIVEN


def scalar(value: Variable) -> Field:
    """A variable without a subscript: an array gives its first element."""
    if isinstance(value, Field):
        return value
    if not value:
        return EMPTY
    return UNKNOWN if value[0].many and value[0].unknown else value[0].single()


def joined(values: Sequence[Field], separator: str = " ") -> Field:
    """The values as one, with the separator between them."""
    pieces: list[Field] = []
    for index, value in enumerate(values):
        if index:
            pieces.append(Field(separator))
        pieces.append(value.single())
    return concat(pieces) if pieces else EMPTY


def _starred(expander: Expander, values: Sequence[Field]) -> Field:
    """`"$*"`: one field, joined by the first character of IFS. How many there are must be known."""
    separators = expander.separators()
    if separators is None or any(value.many for value in values):
        return UNKNOWN
    return joined(values, separators[:1])


def _positional(expander: Expander, node: Parameter) -> list[Field]:
    values = expander.host.state.positional
    if values is None:
        return [UNKNOWN] if node.name == "*" and node.quoted else [UNKNOWN_MANY]
    return [_starred(expander, values)] if node.name == "*" and node.quoted else list(values)


def _is_list(node: Parameter) -> bool:
    if node.indirect:
        return False
    return node.name in ("@", "*") or (node.index is not None and _literal(node.index) in ("@", "*"))


def _is_starred(node: Parameter) -> bool:
    return node.quoted and (node.name == "*" or (node.index is not None and _literal(node.index) == "*"))


def _base(expander: Expander, node: Parameter) -> list[Field]:
    """The values before the operator."""
    host = expander.host
    if node.indirect:
        name = value_of(expander, node.name)
        if name.known:
            expander.evaluated(name)
        if node.operator or node.index is not None or not (name.known and _NAME.fullmatch(name.text)):
            return [UNKNOWN_MANY]
        return [value_of(expander, name.text)]
    if node.name in ("@", "*"):
        return list(host.state.positional) if host.state.positional is not None else [UNKNOWN_MANY]
    if node.index is None:
        return [value_of(expander, node.name)]
    index = expander.one(node.index)
    expander.subscript(node.name, index)
    value = host.state.variables.get(node.name)
    if index.text in ("@", "*") and index.known:
        # One that is not known may be an array.
        return list(value) if isinstance(value, tuple) else [UNKNOWN_MANY if value is None or value.unknown else value]
    number = _NUMBER.fullmatch(index.text) if index.known else None
    if isinstance(value, tuple) and number is not None and int(number[1]) >= 0:
        place = int(number[1])
        return [
            UNKNOWN if any(one.many for one in value[: place + 1]) else value[place] if place < len(value) else EMPTY
        ]
    return [value if isinstance(value, Field) and index.known and index.text == "0" else UNKNOWN]


def _each(expander: Expander, node: Parameter, values: list[Field], arguments: list[Field]) -> list[Field]:
    """An operator on `"$@"` or an array: it counts for each value, `:` for the list."""
    if node.operator == ":":
        values = _slice(node, values, arguments)
    elif node.operator in _CONDITIONAL and not values:
        return [_operated(expander, node, EMPTY, arguments)] if node.operator in (":-", "-", ":=") else []
    elif node.operator:
        values = [
            replace(_operated(expander, node, value, arguments), many=value.many) if value.many
            else _operated(expander, node, value, arguments) for value in values
        ]  # fmt: skip
    return [_starred(expander, values)] if _is_starred(node) else values


def _slice(node: Parameter, values: list[Field], arguments: list[Field]) -> list[Field]:
    numbers = [_NUMBER.fullmatch(argument.text) if argument.known else None for argument in arguments]
    places = [int(number[1]) for number in numbers if number is not None]
    positional = node.name in ("@", "*")
    if len(places) != len(arguments) or any(value.many for value in values) or min(places) < positional:
        return [UNKNOWN_MANY]
    start = places[0] - positional
    return values[start : start + places[1] if len(places) > 1 else None]


def _operated(expander: Expander, node: Parameter, value: Field, arguments: list[Field]) -> Field:
    operator = node.operator
    argument = arguments[0] if arguments else EMPTY
    if not operator:
        return value
    if operator in _CONDITIONAL:
        return _conditional(expander, node, value, argument)
    if operator in ("#", "##", "%", "%%"):
        return strip(value, operator, argument)
    if operator[0] == "/":
        return substitute(value, operator, argument, arguments[1] if len(arguments) > 1 else EMPTY)
    if operator == ":":
        return substring(value, arguments)
    if operator in _CASES and argument.known and not argument.text and value.known and value.text.isascii():
        return Field(_CASES[operator](value.text), origin=value.origin)
    if operator == "@E" and value.known:
        decoded = ansi_c(value.text)
        return UNKNOWN if decoded is None else Field(decoded, origin=value.origin)
    if operator == "@P":
        expander.host.doubt("${…@P} expands the value again, with its substitutions")
    return UNKNOWN


def _conditional(expander: Expander, node: Parameter, value: Field, argument: Field) -> Field:
    """`:-`, `-`, `:=`, `=`, `:+`, `+`, `:?`, `?`."""
    operator = node.operator
    state = expander.host.state
    empty = value.known and not value.text
    if empty and operator[0] != ":" and (node.name in state.variables or node.index is not None):
        # An empty variable may be one that was unset.
        value, empty = UNKNOWN, False
    if operator[-1] == "?":
        return _if_empty(value, None)
    if operator[-1] == "+":
        if not value.known and value.shape is not Shape.PATTERN:
            return UNKNOWN
        return EMPTY if empty else argument
    result = argument if empty else _if_empty(value, argument.text if argument.known else None)
    if operator[-1] == "=":
        if node.name in state.integers:
            expander.calculated(argument)
        if node.index is None and not node.indirect:
            expander.host.assign(node.name, result)
        else:
            expander.host.doubt("which variable an expansion sets is not followed")
    return result


def _if_empty(value: Field, text: str | None) -> Field:
    """The value, where nothing from outside can make it empty: the text stands in for it then, or (None) the shell stops."""
    if value.origin is None or value.origin.if_empty is None:
        return value
    return replace(value, origin=replace(value.origin, if_empty=text))


def _literal(word: Word) -> str | None:
    """The word's text when it is literal or a bare `*`."""
    texts = [
        part.text if isinstance(part, Literal) else part.pattern if isinstance(part, Glob) else None
        for part in word.parts
    ]
    return "".join(text for text in texts if text is not None) if None not in texts else None
