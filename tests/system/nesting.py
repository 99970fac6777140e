"""Commands in commands: a place to run them in, and how the inner ones are called."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.system.helpers import assert_nothing_left

CBX = f"{shlex.quote(sys.executable)} -m pytest_cbx.cli.main run"
"""How a script calls `cbx run`."""


def nested(script: str, *options: str) -> str:
    """A shell command that runs a script nested, its output left alone."""
    return f"{CBX} {' '.join(options)} -- {shlex.quote(script)}"


@contextmanager
def tidy_place(tmp_path: Path) -> Iterator[Path]:
    """A work tree with a journal home of its own; at the end no process and no journal is left."""
    project = tmp_path / "project"
    (project / ".git").mkdir(parents=True)
    state = tmp_path / "state"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(state))
        yield project
        assert_nothing_left(project)
        assert [found for found in state.rglob("*") if not found.is_dir()] == []
        assert not (project / ".cbx").exists()


def contents(folder: Path) -> dict[str, str]:
    """Each file of a work tree with its text."""
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".git" not in path.parts
    }
