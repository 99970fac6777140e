"""Programs each of whose operands is a command line for the shell: pee, mispipe, hyperfine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call


def texts(call: Call) -> None:
    """Run every operand as the text of a shell of its own."""
    for operand in call.parsed.operands:
        with call.process():
            call.host.run_text(operand, call.name)
