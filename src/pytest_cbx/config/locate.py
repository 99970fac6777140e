"""Where a project's configuration and its work tree are."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path


def find_config(rootdir: Path) -> Path | None:
    """`cbx.toml` in `rootdir`, else its `pyproject.toml` if that has a `[tool.cbx]` table, else None.

    When both are there, `cbx.toml` alone counts; the two are never mixed. A `pyproject.toml` that is not valid TOML but mentions
    `tool.cbx` is returned, so that loading it says what is wrong.
    """
    own = rootdir / "cbx.toml"
    if os.path.lexists(own):
        return own
    project = rootdir / "pyproject.toml"
    try:
        text = project.read_bytes().decode("utf-8-sig")
    except (OSError, ValueError):
        return None
    if "cbx" not in text:
        return None
    try:
        tool = tomllib.loads(text).get("tool")
    except (ValueError, RecursionError):
        return project if "tool.cbx" in text else None
    return project if isinstance(tool, dict) and "cbx" in tool else None


def find_workspace(start: Path) -> Path:
    """The work tree that `start` lies in: the nearest folder upwards with a configuration, else the git top level, else `start`.

    The result is absolute and free of symbolic links, so that one work tree has one name.
    """
    start = start.resolve()
    folders = (start, *start.parents)
    for folder in folders:
        if find_config(folder) is not None:
            return folder
    return next((folder for folder in folders if os.path.lexists(folder / ".git")), start)
