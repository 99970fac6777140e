"""Programs that run texts with the shell: each operand of pee, mispipe, hyperfine; `split --filter`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.values import TAME, Field, concat

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call


def texts(call: Call) -> None:
    """Run every operand as the text of a shell of its own. hyperfine puts its parameters (`-L`, `-P`) in."""
    for operand in call.parsed.operands:
        if call.given("-L", "-P") and "{" in operand.text:
            call.effect(Kind.EXECUTE, "the command is built from parameters")
            continue
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
