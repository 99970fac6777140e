"""Runs the text of a script file of the workspace, as a process of its own or within the shell that sources it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_cbx.effects.loops import leaving
from pytest_cbx.effects.state import listed
from pytest_cbx.effects.values import UNKNOWN, Field

if TYPE_CHECKING:
    from pytest_cbx.effects.walker import Walker

_SHEBANG = re.compile(
    r"#!\s*(?:\S*/env\s+(?:-S\s+)?)?(?:\S*/)?(?:ba|da|k|mk|z|a)?sh(?:\s+(?:-[euxvfabhmnpE]+|-[euxv]*o\s+\w+))*\s*(?:\n|$)"
)


def is_shell_script(text: str) -> bool:
    """Whether starting the file starts a shell that reads it: by its first line, or for want of one (bash's own rule)."""
    return not text.startswith("#!") or _SHEBANG.match(text) is not None


def run_script(
    walker: Walker,
    file: Field,
    text: str,
    by: str,
    *,
    isolated: bool = True,
    positional: Sequence[Field] | None = (),
) -> Field:
    """Run a script's text; gives its output as far as known.

    `positional`: its arguments; None leaves those of the shell as they are (`source FILE` without more).
    """
    key = (f"script:{file.text}", 0)
    if key in walker.active:
        walker.doubt(f"the script {file.text} runs itself", by)
        return UNKNOWN
    walker.active.append(key)
    # What the script does stands where its name does.
    walker.record.word = file.span or walker.record.word
    arguments = listed(positional or ())
    if isolated:
        state = walker.state.process(arguments)
        state.variables.update({"0": file, "BASH_SOURCE": (file,)})
        with walker.fork(state):
            output = walker.run_text(Field(text), by, isolated=False)
    else:
        output = _source(walker, file, text, by, walker.state.positional if positional is None else arguments)
    walker.active.pop()
    return output


def _source(walker: Walker, file: Field, text: str, by: str, arguments: tuple[Field, ...] | None) -> Field:
    saved = {"BASH_SOURCE": walker.state.variables.get("BASH_SOURCE")}
    positional, ended = walker.state.positional, walker.state.ended
    walker.state.variables["BASH_SOURCE"] = (file,)
    walker.state.positional = arguments
    with leaving(walker, loop=False):
        output = walker.run_text(Field(text), by, isolated=False)
    walker.restore(saved)
    # `return` in the file ends the file only; its `set --` counts when it was given no arguments of its own.
    walker.state.ended = ended
    if walker.state.positional == arguments:
        walker.state.positional = positional
    return output
