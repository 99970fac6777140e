"""Walks loops until another round would know nothing more, and keeps what `break`, `continue` and `return` carry out of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_cbx.effects.listings import together
from pytest_cbx.effects.state import State
from pytest_cbx.effects.values import TAME, UNKNOWN, UNKNOWN_MANY, Field
from pytest_cbx.shell.nodes import For, Script

if TYPE_CHECKING:
    from pytest_cbx.effects.walker import Walker

MOST_ROUNDS = 8
"""A loop over at most this many known words is walked once for each."""

EVERY_LEVEL = 1_000
"""Levels of a `break` whose number is not known."""


@dataclass(frozen=True, slots=True)
class Left:
    """A loop, or (`levels` 0) a function or a file that is sourced, was left in this state."""

    state: State
    levels: int


@contextmanager
def leaving(walker: Walker, *, loop: bool) -> Iterator[None]:
    """What is walked inside is a loop, or a function: afterwards the state is also that of each place where it was left."""
    outer, walker.left = walker.left, []
    try:
        yield
    finally:
        for left in walker.left:
            if loop is bool(left.levels):
                walker.state.merge(left.state)
            if left.levels > 1 or (loop and not left.levels):
                outer.append(replace(left, levels=max(0, left.levels - 1)))
        walker.left = outer


def leave(walker: Walker, *, levels: int) -> None:
    """The loops around are left, or (0) the function."""
    state = walker.state.copy()
    state.ended = False
    walker.left.append(Left(state, levels))
    walker.state.ended = True


def loop(walker: Walker, body: Script, condition: Script | None = None) -> Field:
    """Walk a loop until another round would know nothing more."""
    with leaving(walker, loop=True):
        if condition is not None:
            walker.script(condition)
        with walker.maybe():
            _rounds(walker, body, condition)
    return UNKNOWN


def _rounds(walker: Walker, body: Script, condition: Script | None) -> None:
    for _ in range(3):
        before = walker.state.copy()
        _round(walker, body)
        if condition is not None:
            walker.script(condition)
        walker.state.ended = before.ended
        walker.state.merge(before)
        if walker.state.same_as(before):
            return
    for name in walker.state.variables.keys() - {"IFS", "HOME"}:
        walker.state.variables[name] = UNKNOWN
    walker.state.cwd, walker.state.positional = UNKNOWN, None
    walker.script(body)


def _round(walker: Walker, body: Script) -> Field:
    """Walk a loop's body once; where it was left counts for the next round, too."""
    first = len(walker.left)
    output = walker.script(body)
    for left in walker.left[first:]:
        if left.levels:
            walker.state.merge(left.state)
    return output


def loop_over(walker: Walker, node: For) -> Field:
    """Walk `for NAME in WORDS` and `select`."""
    if node.words is None:
        values = [UNKNOWN_MANY] if walker.state.positional is None else list(walker.state.positional)
    else:
        values = walker.expander.words(node.words)
    if node.select or len(values) > MOST_ROUNDS:
        for value in values[MOST_ROUNDS:]:
            if not value.known and value.text.startswith("-"):
                walker.doubt("a loop over words that are not known beforehand")
        walker.assign(node.variable, UNKNOWN if any(not value.known for value in values) else _joined(values))
        return loop(walker, node.body)
    ended = walker.state.ended
    outputs: list[Field] = []
    with leaving(walker, loop=True), walker.maybe():
        for value in values:
            before = walker.state.copy()
            walker.assign(node.variable, value.single())
            outputs.append(_round(walker, node.body))
            walker.state.ended = ended
            if value.many:
                loop(walker, node.body)
                walker.state.merge(before)
    return together(outputs) if outputs and not any(value.many for value in values) else UNKNOWN


def _joined(values: Sequence[Field]) -> Field:
    """One of several known words."""
    tame = (
        "/" not in value.text and not value.text.startswith("-") and value.text not in ("", "..") for value in values
    )
    return TAME if all(tame) else UNKNOWN
