"""The tools that the rows of the tables share."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from pytest_cbx.frameworks.discovery import discover
from tests.frameworks.tools import copied, run_needs
from toolchain import make_shims


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory, builds: Path) -> dict[str, str]:
    """The variables of a developer without settings, and tools from wheels before those of the system."""
    folder = tmp_path_factory.mktemp("tools")
    shims = folder / "bin"
    try:
        make_shims(shims)
    except SystemExit:
        shims.mkdir(exist_ok=True)  # the system's own tools, if they are there
    foreign = ("PYTEST_", "NODE_", "CBX_", "CI", "TOX_", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    if certificates := os.environ.get("NODE_EXTRA_CA_CERTS"):
        kept["NODE_EXTRA_CA_CERTS"] = certificates
    scripts = str(Path(sys.executable).parent)
    return {
        **kept, "PATH": os.pathsep.join((str(shims), scripts, os.environ["PATH"])), "GOFLAGS": "-mod=mod", "GOPROXY": "off",
        "GOTOOLCHAIN": "local", "GOCACHE": str(builds / "go"), "GOPATH": str(folder / "gopath"),
        "CC": "gcc", "ZIG_GLOBAL_CACHE_DIR": str(builds / "zig"), "ZIG_LOCAL_CACHE_DIR": str(builds / "zig"), "NO_COLOR": "1",
    }  # fmt: skip


@pytest.fixture(scope="session")
def installed(environment: dict[str, str], builds: Path) -> Callable[[], Path]:
    """The project with the tools of JavaScript, installed by what discovery proposes, once for all tests and workers."""

    def install() -> Path:
        folder = builds / "javascript"
        with FileLock(builds / "javascript.lock"):
            if not (folder / "node_modules" / ".package-lock.json").exists():  # npm writes it last
                began = time.monotonic()
                copied(folder.name, builds)
                found = {one.command.name: one.command for one in discover(folder).commands}
                run_needs(found["js-unit"], found, folder, environment)
                print(f"{'npm ci':18} {'':44}  {time.monotonic() - began:5.1f} s")
        return folder

    return install
