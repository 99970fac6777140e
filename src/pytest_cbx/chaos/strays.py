"""Processes that are still at work in a tree where nothing may be at work any more."""

from __future__ import annotations

import os
from pathlib import Path

from pytest_cbx.execute import processes


def strays(root: Path) -> list[str]:
    """What stands in a tree, or below, and carries the mark of a command: "sleep 60 (pid 4711)"."""
    top = os.fsencode(os.path.realpath(root))
    found = []
    for stat in processes.all_processes():
        try:
            where = os.readlink(b"/proc/%d/cwd" % stat.pid)
        except OSError:
            continue
        if (where == top or where.startswith(top + b"/")) and processes.marks_of(stat.pid):
            found.append(processes.describe(stat.pid))
    return found
