"""Short ways to build the trees that tests expect, and to compare trees without their spans."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from pytest_cbx.shell.nodes import Command, Literal, Redirect, Script, Simple, Span, Statement, Word, WordPart

NOWHERE = Span(0, 0)
Node = TypeVar("Node")


def bare(node: Node) -> Node:
    """The same tree with all spans the same."""
    return _bare(node)  # type: ignore[no-any-return]


def _bare(node: Any) -> Any:
    if isinstance(node, Span):
        return NOWHERE
    if isinstance(node, tuple):
        return tuple(_bare(one) for one in node)
    if is_dataclass(node) and not isinstance(node, type):
        return replace(node, **{field.name: _bare(getattr(node, field.name)) for field in fields(node)})
    return node


def lit(text: str, *, quoted: bool = False) -> Literal:
    return Literal(text=text, quoted=quoted)


def word(*parts: WordPart | str) -> Word:
    return Word(parts=tuple(lit(part) if isinstance(part, str) else part for part in parts), span=NOWHERE)


def simple(*words: str | Word, **rest: Any) -> Simple:
    return Simple(words=tuple(word(one) if isinstance(one, str) else one for one in words), span=NOWHERE, **rest)


def redirect(operator: str, target: str | Word, descriptor: str | None = None) -> Redirect:
    made = word(target) if isinstance(target, str) else target
    return Redirect(operator=operator, target=made, descriptor=descriptor, span=NOWHERE)


def script(*commands: Command | Statement) -> Script:
    statements = tuple(one if isinstance(one, Statement) else Statement(command=one) for one in commands)
    return Script(statements=statements, span=NOWHERE)


def nodes(node: Any) -> list[Any]:
    """All values of the tree, itself first."""
    found: list[Any] = []
    left: list[Any] = [node]
    while left:
        one = left.pop()
        if isinstance(one, tuple):
            left.extend(one)
        elif is_dataclass(one) and not isinstance(one, type):
            found.append(one)
            left.extend(getattr(one, field.name) for field in fields(one))
    return found
