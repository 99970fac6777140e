"""What the tests of this package share."""

from __future__ import annotations

from pytest_cbx.effects.analysis import analyse
from pytest_cbx.effects.compact import compact
from pytest_cbx.effects.model import Effects
from pytest_cbx.effects.paths import Context
from pytest_cbx.shell.reader import read

CONTEXT = Context(cwd="/w", workspace="/w", home="/home/u")


def effects_of(command: str, context: Context = CONTEXT) -> Effects:
    """All that is known about a command's text."""
    return analyse(read(command), context)


def compact_of(command: str, context: Context = CONTEXT) -> list[str]:
    """Its effects in compact form, each once, in order of the text."""
    return list(dict.fromkeys(compact(effect) for effect in effects_of(command, context).effects))
