"""The entrance: a syntax tree and where it would run, in; effects, out."""

from __future__ import annotations

from pytest_cbx.effects import readings
from pytest_cbx.effects.model import Effects
from pytest_cbx.effects.paths import Context
from pytest_cbx.effects.seen import doubt_what_changes
from pytest_cbx.effects.walker import Walker
from pytest_cbx.shell.both import Reading, read_alone, read_both
from pytest_cbx.shell.nodes import Script


def analyse(text: Script | Reading, context: Context) -> Effects:
    """What a text would touch when bash runs it in `context`. Never raises: what cannot be told is an UNKNOWN effect.

    After a `Reading` the second reader is asked about texts within the text, too; after a `Script` it is not.
    """
    reading = text if isinstance(text, Reading) else Reading(script=text)
    walker = Walker(context, read_alone if reading is not text else read_both)
    try:
        readings.walk(walker, reading)
        walker.traps()
        doubt_what_changes(walker.record)
    except RecursionError:
        walker.record.readable = False
        walker.doubt("nested too deep to follow")
    # The two refer to each other. Parted, all that the walk has made goes at once, without the collector.
    del walker.expander
    return walker.record.result()
