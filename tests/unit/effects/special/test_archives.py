"""Unpacking into the work tree's root: the archive's own list tells what is written."""

from __future__ import annotations

import pytest

from pytest_cbx.effects.analysis import analyse
from pytest_cbx.effects.compact import compact
from pytest_cbx.effects.paths import Context
from pytest_cbx.shell.reader import read
from tests.unit.effects.help import Tree


def seen(command: str, cwd: str = "/w") -> list[str]:
    tree = Tree({"a.zip": "", "t.tgz": ""}, archives={"a.zip": ("d/", "f"), "t.tgz": ("src/",)})
    found = analyse(read(command), Context(cwd=cwd, workspace="/w", files=tree))
    return sorted({compact(effect) for effect in found.effects if effect.kind.value != "read"})


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("unzip a.zip", ["write d/**", "write f"]),
        ("unzip a", ["write d/**", "write f"]),
        ("unzip a.zip -d out", ["write out/**"]),
        ("unzip -j a.zip", ["write *"]),
        ("unzip -l a.zip", []),
        ("unzip -T a.zip", ["metadata a.zip"]),
        ("unzip a.zip d/x", ["create d", "write d/x"]),
        ("unzip a.zip 'd/*'", ["write d/**", "write f"]),
        ("unzip none.zip", ["write **"]),
        ('unzip "$X.zip"', ["write **"]),
        ("7z x a.zip -y", ["write d/**", "write f"]),
        ("7z x a.zip -oout", ["write out/**"]),
        ("tar xf t.tgz", ["write src/**"]),
        ("zip -q a.zip x; unzip a.zip", ["write **", "write a.zip"]),
    ],
)
def test_what_is_unpacked(command: str, expected: list[str]) -> None:
    assert seen(command) == expected


def test_below_the_root_the_directory_is_near_enough() -> None:
    assert seen("unzip ../a.zip", cwd="/w/sub") == ["write sub/**"]


def test_the_archive_counts() -> None:
    tree = Tree({"a.zip": ""}, archives={"a.zip": ("f",)})
    assert analyse(read("unzip a.zip"), Context(cwd="/w", workspace="/w", files=tree)).unpacked == ("a.zip",)
