"""Programs that run texts with the shell: each operand of pee, mispipe, hyperfine; `split --filter`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_cbx.effects.values import TAME, Field, concat

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call


def texts(call: Call) -> None:
    """Run every operand as the text of a shell of its own."""
    for operand in call.parsed.operands:
        with call.process():
            call.host.run_text(operand, call.name)


def split(call: Call) -> None:
    """`split --filter=TEXT [FILE [PREFIX]]` runs the text for each piece, with its name in FILE."""
    text = call.value("--filter")
    if text is None:
        return
    operands = call.parsed.operands
    prefix = operands[1] if len(operands) > 1 else Field("x")
    with call.process():
        call.host.assign("FILE", concat([prefix, TAME]), temporary=True)
        call.host.run_text(text, call.name)
