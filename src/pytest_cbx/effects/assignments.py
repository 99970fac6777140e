"""What assignments do to the state, and what they show."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_cbx.effects.catalogue import variable
from pytest_cbx.effects.facts import Assigned
from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.state import MOST_ELEMENTS
from pytest_cbx.effects.values import EMPTY, TAME, UNKNOWN, Field, Shape, concat
from pytest_cbx.shell.nodes import Assignment, Simple
from pytest_cbx.shell.simple import DECLARATIONS

if TYPE_CHECKING:
    from pytest_cbx.effects.walker import Walker

_CHANGES_CASE = re.compile(r"-\w*[luc]")
_KEYED = re.compile(r"\[.*\]\+?=", re.DOTALL)
_NUMBER = re.compile(r"0|[1-9][0-9]*")


def apply(walker: Walker, node: Assignment, *, exported: bool = False) -> None:
    """Apply an assignment of the tree."""
    word = walker.record.word
    if walker.own_text:
        walker.record.word = node.span
    _apply(walker, node, exported=exported)
    walker.record.word = word


def _apply(walker: Walker, node: Assignment, *, exported: bool) -> None:
    if node.index is not None:
        index = walker.expander.one(node.index)
        walker.expander.subscript(node.name, index)
    if node.elements is not None:
        values = tuple(walker.expander.words(node.elements))
        walker.assign(node.name, UNKNOWN if variable(node.name) else EMPTY, array=True)
        keyed = [field for field in values if _KEYED.match(field.text)]
        for element in keyed:
            walker.expander.evaluated(replace(element, text=f"{node.name}{element.text.rsplit(']', 1)[0]}]"))
        for element in values if node.name in walker.state.integers else ():
            walker.expander.calculated(element)
        known = not node.append and not keyed and len(values) <= MOST_ELEMENTS
        walker.state.variables[node.name] = values if known else UNKNOWN
        return
    value = walker.expander.one(node.value) if node.value is not None else EMPTY
    if node.name in walker.state.integers:
        walker.expander.calculated(value)
    if node.index is not None:
        value = UNKNOWN
    elif node.append:
        before = walker.state.variables.get(node.name, UNKNOWN)
        value = concat([before, value]).single() if isinstance(before, Field) else UNKNOWN
    walker.assign(node.name, value, temporary=exported)


def note_attributes(walker: Walker, fields: Sequence[Field], node: Simple) -> None:
    """Note which variables a declaration gives an attribute that changes the case of their values."""
    if fields[0].text not in DECLARATIONS or not any(_CHANGES_CASE.match(field.text) for field in fields[1:]):
        return
    walker.transformed.update(assignment.name for assignment in node.operands_assigned)
    walker.transformed.update(field.text for field in fields[1:] if field.known and field.text.isidentifier())


def assign(walker: Walker, name: str, value: Field, *, temporary: bool = False, array: bool = False) -> None:
    """Set a variable. Those that change what runs are an effect. `temporary`: programs get it too."""
    if name in walker.transformed:
        value = UNKNOWN
    listed = variable(name)
    told = value.known or (value.shape is Shape.PATTERN and "[" not in value.text)
    if listed is not None and not (told and listed.harmless(value.text)):
        kind = Kind.EXECUTE if listed.effect == "execute" else Kind.UNKNOWN
        walker.note(kind, None, name, f"{name} is set: {listed.why}")
    if name in walker.state.integers and not array:
        walker.expander.calculated(value)
        value = value if value.known and _NUMBER.fullmatch(value.text) else TAME
    for _, state in walker.later:
        if array or state.variables.get(name) != value:
            state.variables[name] = UNKNOWN
    walker.record.assigned.append(Assigned(name=name, value=value, span=walker.record.word or walker.record.span))
    if not array:
        walker.state.variables[name] = value
    if temporary:
        walker.state.exported.add(name)
