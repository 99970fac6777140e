"""Which claim an operation of a transaction over files takes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_cbx.client.holding import claim_on
from pytest_cbx.transaction.atomic import Access

CLAIMS = [
    ("file", Access.READ, "read file"),
    ("file", Access.WRITE, "write file"),
    ("file", Access.APPEND, "write file"),
    ("file", Access.CREATE, "write file"),
    ("file", Access.DELETE, "delete file"),
    ("folder", Access.READ, "read folder/**"),
    ("folder", Access.WRITE, "write folder/**"),
    ("folder", Access.DELETE, "delete folder/**"),
    ("link", Access.DELETE, "delete link"),
    ("folder/new", Access.READ, "read folder/new"),
    ("folder/new", Access.WRITE, "create folder/new/**"),
    ("folder/new", Access.APPEND, "create folder/new/**"),
    ("folder/new", Access.CREATE, "create folder/new/**"),
    ("folder/new", Access.DELETE, "read folder/new"),
]


@pytest.mark.parametrize(("name", "access", "claim"), CLAIMS)
def test_what_is_there_decides(tmp_path: Path, name: str, access: Access, claim: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    taken = claim_on(os.fsencode(tmp_path / name), access, os.fsencode(tmp_path))
    assert str(taken) == claim
    assert taken.ignored == claim.startswith("create"), "what is new is none of the sources that others read"


def test_outside_of_the_work_tree_names_are_absolute(tmp_path: Path) -> None:
    place = os.fsencode(tmp_path / "x")
    assert claim_on(place, Access.WRITE, b"/elsewhere").target == str(tmp_path / "x")


def test_bytes_that_are_no_utf_8_are_written_out(tmp_path: Path) -> None:
    place = os.fsencode(tmp_path) + b"/\xff"
    assert claim_on(place, Access.WRITE, os.fsencode(tmp_path)).target == "\\udcff"
