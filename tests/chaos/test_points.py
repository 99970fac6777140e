"""A fault at every point of a command."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_cbx.chaos.api import Chaos
from pytest_cbx.client.api import Cbx
from pytest_cbx.errors import UsageError

WORK = "echo new > a; rm b; mkdir d; mv c d/c; chmod 600 a; ln a e; ln -s a l"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in "abc":
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.mark.parametrize("kind", ["kill", "disk_full", "torn_write", "read_only"])
def test_it_is_as_before_or_as_after_at_every_point(chaos: Chaos, tree: Path, kind: str) -> None:
    before = chaos.picture(tree)
    command = f"set -e; {WORK}" if kind != "torn_write" else "for i in 1 2 3 4; do echo hallo$i >> a; done"
    points = chaos.every_point(kind, command, lasting=(False, True))
    print(points)
    assert points.count >= 8
    assert not points.wrong, str(points)
    chaos.assert_whole(before, tree)


def test_an_engine_that_is_killed_at_every_point(chaos: Chaos, tree: Path) -> None:
    points = chaos.every_point("kill", WORK, whom="engine")
    assert points.count >= 7
    assert not points.wrong, str(points)


def test_a_program_that_swallows_errors_is_found_out(chaos: Chaos, tree: Path) -> None:
    points = chaos.every_point("disk_full", "echo one > a || true; echo two > b")
    assert points.wrong, "it says that all is well"
    assert "it passed, and the tree is not as it makes it unstruck" in str(points)


def test_what_it_cannot_do_is_said(chaos: Chaos) -> None:
    with pytest.raises(UsageError, match="would end this very process"):
        chaos.every_point("kill", "true", whom="client")


def test_the_assertions_fail_where_they_have_to(cbx: Cbx, chaos: Chaos, tree: Path) -> None:
    before = chaos.picture(tree)
    done = cbx.run("echo new > a")
    with pytest.raises(AssertionError, match="it passed"):
        chaos.assert_rolled_back(done)
    with pytest.raises(AssertionError, match="content"):
        chaos.assert_whole(before, tree)
    with chaos.kill():
        chaos.assert_rolled_back(cbx.run("echo newer > a"))
