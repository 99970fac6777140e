"""mktemp: a name that is free, from a template. Facts: the GNU coreutils manual (9.x)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.paths import join
from pytest_cbx.effects.values import UNKNOWN, Field, Shape, escape

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

_DEFAULT = Field("tmp.XXXXXXXXXX")
_CHOSEN = re.compile(r"X{3,}(?=[^/X]*$)")


def mktemp(call: Call) -> None:
    """`mktemp [-d] [-p DIR] [-t] [TEMPLATE]` creates what it prints, unless `-u`."""
    operands = call.parsed.operands
    template = operands[0] if operands else _DEFAULT
    path = template
    directory = call.value("-p") or call.value("--tmpdir")
    if not operands or call.given("-p", "--tmpdir", "-t"):
        path = join(directory if directory is not None and directory.text else _temporary(call), template)
    suffix = call.value("--suffix")
    if path.known and (suffix is None or suffix.known) and len(operands) < 2 and not call.parsed.wild:
        text = path.text + (suffix.text if suffix is not None else "")
        cut = _CHOSEN.search(text)
        name = Field(f"{escape(text[: cut.start()])}*{escape(text[cut.end() :])}", Shape.PATTERN) if cut else UNKNOWN
    else:
        name = UNKNOWN
    call.output = name
    if not call.given("-u"):
        call.touch(Kind.CREATE, name, why="a name that is free")


def _temporary(call: Call) -> Field:
    """The directory for temporary files: TMPDIR, where it is known, else `/tmp`."""
    state = call.host.state
    value = state.variables.get("TMPDIR")
    known = "TMPDIR" in state.exported and isinstance(value, Field) and value.text
    return value if known and isinstance(value, Field) else Field("/tmp")
