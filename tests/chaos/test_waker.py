"""An engine, or a client, that a fault has stopped goes on again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.helpers import environment

TEST = """
def test_it(cbx, chaos):
    with chaos.stop(whom={whom!r}, seconds=0.3, at=2) as fault:
        done = cbx.run("echo a > a; echo b > b")
    assert fault.fired
    assert done.ok
"""


@pytest.mark.parametrize("whom", ["client", "engine"])
def test_it_goes_on(project: Path, whom: str) -> None:
    (project / "test_it.py").write_text(TEST.format(whom=whom))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"],
        cwd=project,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
