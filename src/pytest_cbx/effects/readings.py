"""Walks what the readers found in a text: the tree of the reader of record, then what only the second reader finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_cbx.effects.values import UNKNOWN, UNKNOWN_MANY, Field
from pytest_cbx.shell.both import Reading

if TYPE_CHECKING:
    from pytest_cbx.effects.walker import Walker


def walk(walker: Walker, reading: Reading) -> Field:
    """Walk a reading in the walker's state; gives its output as far as known."""
    for difference in reading.differences:
        walker.record.differences[difference.sentence] = None
    if not reading.extra:
        return walker.script(reading.script)
    before = walker.state.copy()
    walker.script(reading.script)
    # Nobody can say when these would run: only what holds before and after the script is known to them.
    state = walker.state.copy()
    state.ended = before.ended = False
    state.merge(before)
    with walker.maybe(), walker.fork(state), walker.input(UNKNOWN):
        for command in reading.extra:
            if walker.own_text:
                walker.record.span, walker.record.word = command.span, None
            # Its words were read one by one: their places are none of the text's.
            with walker.nested():
                walker.command(command)
    return UNKNOWN_MANY
