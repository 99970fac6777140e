"""The entrance: a syntax tree and where it would run, in; effects, out."""

from __future__ import annotations

from pytest_cbx.effects.model import Effects
from pytest_cbx.effects.paths import Context
from pytest_cbx.effects.seen import doubt_what_changes
from pytest_cbx.effects.walker import Walker
from pytest_cbx.shell.nodes import Script


def analyse(script: Script, context: Context) -> Effects:
    """What the script would touch when bash runs it in `context`. Never raises: what cannot be told is an UNKNOWN effect."""
    walker = Walker(context)
    try:
        walker.script(script)
        walker.traps()
        doubt_what_changes(walker.record)
    except RecursionError:
        walker.record.readable = False
        walker.doubt("nested too deep to follow")
    return walker.record.result()
