"""The lists of archives, read with bounds."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from pytest_cbx.client import archives
from pytest_cbx.client.archives import top_of


def zipped(path: Path, *names: str) -> str:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "")
    return str(path)


def tarred(path: Path, *names: str) -> str:
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            member = tarfile.TarInfo(name.rstrip("/"))
            if name.endswith("/"):
                member.type = tarfile.DIRTYPE
            archive.addfile(member, io.BytesIO(b""))
    return str(path)


@pytest.mark.parametrize("make", [zipped, tarred])
def test_the_top_of_an_archive(make: object, tmp_path: Path) -> None:
    assert callable(make)
    assert top_of(make(tmp_path / "a", "src/a.c", "src/lib/b.c", "./README", "empty/")) == ("README", "empty/", "src/")


@pytest.mark.parametrize("make", [zipped, tarred])
@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x"])
def test_a_member_that_leaves_the_directory(make: object, name: str, tmp_path: Path) -> None:
    assert callable(make)
    assert top_of(make(tmp_path / "a", "b", name)) is None


def test_what_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("text")
    assert top_of(str(tmp_path / "a")) is None
    assert top_of(str(tmp_path / "none")) is None
    assert top_of(str(tmp_path)) is None


def test_the_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tarred(tmp_path / "a", "x", "y", "z")
    assert top_of(path) == ("x", "y", "z")
    monkeypatch.setattr(archives, "WIDEST", 2)
    assert top_of(path) is None
    monkeypatch.setattr(archives, "WIDEST", 9)
    monkeypatch.setattr(archives, "MOST", 2)
    assert top_of(path) is None
    monkeypatch.setattr(archives, "MOST", 9)
    monkeypatch.setattr(archives, "LONGEST", 1)
    assert top_of(path) is None
