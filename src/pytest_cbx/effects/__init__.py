"""Walks a syntax tree with a catalogue of programs and lists what the command would touch."""

from __future__ import annotations

from pytest_cbx.effects.compact import compact
from pytest_cbx.effects.model import Effects
from pytest_cbx.effects.paths import Context
from pytest_cbx.effects.walker import Walker
from pytest_cbx.shell.nodes import Script

__all__ = ["Context", "analyse", "compact"]


def analyse(script: Script, context: Context) -> Effects:
    """What the script would touch when bash runs it in `context`. Never raises: what cannot be told is an UNKNOWN effect."""
    walker = Walker(context)
    try:
        walker.script(script)
        walker.traps()
    except RecursionError:
        walker.record.readable = False
        walker.doubt("nested too deep to follow")
    return walker.record.result()
