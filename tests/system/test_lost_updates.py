"""Two commands that read, modify and write the same file: without us updates are lost, under guard none is."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_cbx.config.model import Isolation
from tests.system.guarded import commands_at, make_project, run_tests

TIMES = 1000
BUMP = f"""
tell(ME)
wait_for("one"); wait_for("two")
name = "".join(reversed("retnuoc"))
for _ in range({TIMES}):
    with open(name, "r+") as file:
        value = int(file.read())
        time.sleep(0.00005)
        file.seek(0)
        file.write(f"{{value + 1:08}}")
"""
# A reader that only waits for the lock would write what it had read before.
STALE = """
value = int(open("".join(reversed("retnuoc"))).read())
tell(ME)
wait_for("one"); wait_for("two")
time.sleep(0.1 if ME == "one" else 0.3)
with open("".join(reversed("retnuoc")), "r+") as file:
    file.write(f"{value + 1:08}")
"""


def counted(folder: Path, isolation: Isolation, script: str, *, ignored: bool) -> tuple[int, int]:
    """The counter after two such commands at once, and how often one of them was restarted."""
    project = make_project(folder, {"bump": script}, ignored=("counter",) if ignored else ())
    (project / "counter").write_text(f"{0:08}")
    with commands_at(project, isolation) as cbx:
        outcomes = run_tests(cbx, {"one": "bump", "two": "bump"})
    assert all(outcome.ok for outcome in outcomes.values()), list(map(str, outcomes.values()))
    return int((project / "counter").read_text()), sum(outcome.restarts for outcome in outcomes.values())


@pytest.mark.parametrize("ignored", [True, False], ids=["a file that git ignores", "a source"])
def test_under_guard_no_update_is_lost(tmp_path: Path, ignored: bool) -> None:
    value, restarts = counted(tmp_path, Isolation.GUARD, BUMP, ignored=ignored)
    assert value == 2 * TIMES
    assert restarts >= 1


def test_under_serializable_neither(tmp_path: Path) -> None:
    value, _ = counted(tmp_path, Isolation.SERIALIZABLE, BUMP, ignored=True)
    assert value == 2 * TIMES


def test_without_isolation_updates_are_lost(tmp_path: Path) -> None:
    for attempt in range(5):
        value, restarts = counted(tmp_path / str(attempt), Isolation.OFF, BUMP, ignored=True)
        assert TIMES <= value <= 2 * TIMES
        assert restarts == 0
        if value < 2 * TIMES:
            return
    raise AssertionError("two commands incremented a counter at once, five times, and no update was lost")


@pytest.mark.parametrize("isolation", [Isolation.GUARD, Isolation.SERIALIZABLE])
def test_what_was_read_before_the_wait_is_not_written(tmp_path: Path, isolation: Isolation) -> None:
    value, restarts = counted(tmp_path, isolation, STALE, ignored=True)
    assert value == 2
    assert restarts >= 1


def test_without_isolation_it_is(tmp_path: Path) -> None:
    value, _ = counted(tmp_path, Isolation.OFF, STALE, ignored=True)
    assert value == 1
