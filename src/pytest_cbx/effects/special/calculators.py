"""Calculators whose language can run commands or write files: dc, calc, qalc. Facts: GNU dc 1.4, apcalc 2.14, Qalculate 4.5."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.values import Field

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

_DC = re.compile(r"!(?![<>=])|\?")
"""`!` runs the rest of the line, but compares before `<`, `>` and `=`; `?` runs a line of the input."""
_CALC = re.compile(
    r"^\s*!|\b(?:system|command|popen|f?open|fopen|freopen|f?put\w*|putenv|rm|export|import|load|save|store|plot|read|write|cd|eval|edit|man|help"
    r"|custom|errcount|config)\b",
    re.M | re.I,
)


def calculator(call: Call) -> None:
    """`dc -e TEXT`, `calc EXPRESSION…`: the text of options, operands or standard input must only compute."""
    texts = [given.value for given in call.parsed.options if given.value is not None and "-e" in given.option.names]
    if call.name != "dc":
        texts += call.parsed.operands
    if not texts and not call.parsed.operands and not call.given("-f"):
        text = call.host.input_text(call.name)
        if text is None:
            call.effect(Kind.EXECUTE, "the text on its standard input is not known beforehand")
            return
        texts = [Field(text)]
    risky = _DC if call.name == "dc" else _CALC
    if any(not text.known or risky.search(text.text) for text in texts):
        call.effect(Kind.EXECUTE, "a command of its text")


INTERPRETERS: dict[str, Callable[[Call], None]] = {"calculator": calculator}
