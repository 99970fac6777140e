"""Which file of the work tree standard input is open on."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_cbx.client.standard_input import claims_on_input

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


@contextmanager
def input_from(path: Path | str) -> Iterator[None]:
    """Standard input is open on a path meanwhile."""
    before, new = os.dup(0), os.open(path, os.O_RDONLY)
    os.dup2(new, 0)
    os.close(new)
    try:
        yield
    finally:
        os.dup2(before, 0)
        os.close(before)


def test_a_file_and_a_folder_inside_are_claimed(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    odd = tmp_path / "d" / os.fsdecode(b"\xff")
    odd.write_text("x")
    (tmp_path / "link").symlink_to(odd)
    with input_from(tmp_path / "link"):
        assert [str(claim) for claim in claims_on_input(tmp_path)] == ["read d/\\xff"]
    with input_from(tmp_path / "d"):
        assert [str(claim) for claim in claims_on_input(tmp_path)] == ["read d/**"]


def test_nothing_else_is(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "workaday").write_text("x")
    for path in (tmp_path / "workaday", os.devnull):
        with input_from(path):
            assert claims_on_input(tmp_path / "work") == ()
    read, write = os.pipe()
    with input_from(f"/proc/self/fd/{read}"):
        assert claims_on_input(Path("/")) == ()
    os.close(read)
    os.close(write)
