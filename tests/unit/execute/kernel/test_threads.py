"""A thread with a current directory of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_cbx.execute.kernel.threads import own_filesystem_context
from tests.unit.execute.kernel.supervised import in_thread


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has it")
def test_a_thread_moves_alone(tmp_path: Path) -> None:
    def move() -> tuple[str, str]:
        own_filesystem_context()
        os.chdir(tmp_path)
        os.umask(0o077)
        (tmp_path / "private").touch()
        return os.getcwd(), subprocess.run(["pwd", "-P"], capture_output=True, text=True, check=True).stdout.strip()

    before = os.getcwd()
    mask = os.umask(0o022)
    try:
        assert in_thread(move) == (str(tmp_path.resolve()), str(tmp_path.resolve()))
        assert os.getcwd() == before
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(mask)
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o600
