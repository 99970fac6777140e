"""What a command reads that it did not open: this process's standard input."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from pytest_cbx.effects.model import Scope
from pytest_cbx.plan.model import Claim, Domain, Mode


def claims_on_input(root: Path) -> tuple[Claim, ...]:
    """The claim to read the file of the work tree that standard input is open on; empty where it is something else.

    A command that inherits it never opens that file, so its reading cannot be seen. Source: proc(5) on `/proc/self/fd`.
    """
    try:
        mode = os.fstat(0).st_mode
        path = os.readlink("/proc/self/fd/0")
    except OSError:
        return ()  # closed, or a system without /proc: nothing can be supervised there
    inside = os.path.realpath(root)
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) or os.path.commonpath((inside, path)) != inside:
        return ()
    # What travels is UTF-8; any other name is written out as the engine does.
    name = os.fsencode(os.path.relpath(path, inside)).decode("utf-8", "backslashreplace")
    scope = Scope.TREE if stat.S_ISDIR(mode) else Scope.PATH
    return (Claim(domain=Domain.FILE, mode=Mode.READ, target=name, scope=scope),)
