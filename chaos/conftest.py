"""A fresh copy of the project that is tried, for each test."""

from __future__ import annotations

import os
import shutil
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent / "fixtures" / "chaos_project"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project, where the `cbx` fixture runs its commands."""
    shutil.copytree(PROJECT, tmp_path, symlinks=True, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture(scope="session")
def commands() -> list[tuple[str, str]]:
    """Its commands, with their names as the sort of work."""
    with (PROJECT / "cbx.toml").open("rb") as file:
        return [(command["run"], command["name"]) for command in tomllib.load(file)["cbx"]["command"]]


@pytest.fixture(scope="session")
def trials() -> int:
    """How many trials a campaign makes: so many that a failure in a hundred would be found."""
    return int(os.environ.get("CBX_CHAOS_TRIALS", "640"))
