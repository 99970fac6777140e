"""Where engine and client meet: the same place for the same tree, and a private one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_cbx.engine.places import rendezvous, runtime_directory, tree_of
from pytest_cbx.errors import UsageError


@pytest.fixture
def base(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cbx-") as name:
        monkeypatch.setenv("XDG_RUNTIME_DIR", name)
        yield Path(name)


def test_all_ways_to_a_tree_lead_to_one_place(base: Path, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "tree")
    one, two = rendezvous(tmp_path / "tree"), rendezvous(tmp_path / "link" / ".." / "tree")
    assert one == two
    assert one.tree == tree_of(tmp_path / "link")
    assert rendezvous(tmp_path).directory != one.directory
    assert len(os.fsencode(one.socket)) < 104


def test_directories_are_private_whatever_the_umask(base: Path, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        place = rendezvous(tmp_path)
    finally:
        os.umask(before)
    for folder in (place.directory, place.directory.parent):
        assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_a_directory_that_others_may_enter_is_refused(base: Path, tmp_path: Path, mode: int) -> None:
    folder = runtime_directory()
    folder.chmod(mode)
    with pytest.raises(UsageError, match="mode 0700"):
        rendezvous(tmp_path)
    folder.chmod(0o700)


def test_a_symbolic_link_is_refused(base: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.mkdir(mode=0o700)
    (base / "pytest-cbx").symlink_to(target)
    with pytest.raises(UsageError, match="mode 0700"):
        rendezvous(tmp_path)
    assert list(target.iterdir()) == []


def test_a_file_in_its_place_is_refused(base: Path, tmp_path: Path) -> None:
    (base / "pytest-cbx").write_text("")
    with pytest.raises(UsageError, match="pytest-cbx"):
        rendezvous(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root to give a directory away")
def test_somebody_elses_directory_is_refused(base: Path, tmp_path: Path) -> None:
    folder = runtime_directory()
    os.chown(folder, 65534, 65534)
    with pytest.raises(UsageError, match="of yours"):
        rendezvous(tmp_path)
    os.chown(folder, 0, 0)


@pytest.mark.parametrize("given", ["", "relative", "/no/such/directory", "/x" * 60, "open"])
def test_without_a_fit_runtime_directory_the_temporary_one_serves(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    if given == "open":
        (base / "open").mkdir(mode=0o777)
        (base / "open").chmod(0o777)
        given = str(base / "open")
    monkeypatch.setenv("XDG_RUNTIME_DIR", given)
    monkeypatch.setattr(tempfile, "tempdir", str(base))
    assert runtime_directory() == base / f"pytest-cbx-{os.getuid()}"
