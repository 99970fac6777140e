"""Every call that is struck, one after the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_cbx.chaos.api import Chaos

ONCE = {
    "kill": {},
    "disk_full": {},
    "torn_write": {},
}
"""Kinds that strike a command itself, at each of its points."""
TWICE = {
    "disk_error": {},
    "journal_full": {"phase": "keep"},
    "journal_error": {"phase": "end"},
}
"""Kinds that strike once, and from there on."""
NAMES = ["create", "modify", "rename", "delete", "save", "pipeline"]


@pytest.mark.parametrize("name", NAMES)
def test_at_each_point(chaos: Chaos, project: Path, commands: list[tuple[str, str]], name: str) -> None:
    assert project.is_dir()
    text = next(text for text, work in commands if work == name)
    for kinds, lasting in ((ONCE, (False,)), (TWICE, (False, True))):
        for kind, keywords in kinds.items():
            points = chaos.every_point(kind, text, work=name, lasting=lasting, **keywords)
            print(points)
            assert not points.wrong, str(points)


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_engine(chaos: Chaos, project: Path, commands: list[tuple[str, str]], name: str) -> None:
    assert project.is_dir()
    text = next(text for text, work in commands if work == name)
    for _ in range(2):
        points = chaos.every_point("kill", text, work=name, whom="engine")
        assert not points.wrong, str(points)
        assert any(point.journal_bytes for point in points.points)


@pytest.mark.parametrize(
    ("kind", "keywords"),
    [
        ("no_memory", {"most": 25}),
        ("memory_limit", {"limit": 2**30, "by": "rlimit", "calls": ("attempt",)}),
        ("clock_jump", {"seconds": 86400.0, "most": 10}),
        ("stop", {"seconds": 0.02}),
        ("slow", {"seconds": 0.01}),
        ("short_write", {}),
    ],
)
def test_what_a_command_survives_or_not(chaos: Chaos, project: Path, kind: str, keywords: dict[str, object]) -> None:
    assert project.is_dir()
    points = chaos.every_point(kind, "python3 -S -I save.py", work="save", **keywords)  # type: ignore[arg-type]
    print(points)
    assert points.count
    assert not points.wrong, str(points)
