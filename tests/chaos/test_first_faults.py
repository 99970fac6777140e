"""Faults from a test's fixtures, end to end."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_cbx.chaos.api import Chaos
from pytest_cbx.client.api import Cbx
from pytest_cbx.errors import EngineLost

THREE = "echo a > a; echo b > b; echo c > c"
SAVER = "import os\nfor i in range(5):\n    f = open(f'x{i}.db', 'w')\n    f.write('hallo')\n    f.flush()\n    os.fsync(f.fileno())\n"


def test_a_full_disk_fails_the_command_and_is_undone(cbx: Cbx, chaos: Chaos, tmp_path: Path) -> None:
    (tmp_path / "save.py").write_text(SAVER)
    with chaos.disk_full(at=3, path="**/*.db") as fault:
        done = cbx.run("python3 save.py")
    assert fault.fired
    assert done.rolled_back
    assert done.faults == (fault.id,)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["save.py"]
    assert cbx.run("python3 save.py").ok, "healed at the end of the block"


@pytest.mark.parametrize("call", ["write", "openat", "mmap", "brk", "fsync", "close"])
def test_any_call_by_its_name_can_be_struck(cbx: Cbx, chaos: Chaos, tmp_path: Path, call: str) -> None:
    (tmp_path / "save.py").write_text(SAVER)
    with chaos.disk_error(at=3, calls=(call,), path="/**" if call == "openat" else "**") as fault:
        cbx.run("python3 save.py")
    (hit,) = fault.hits
    assert (hit.call, hit.nth) == (call, 3)


def test_a_killed_command_is_undone(cbx: Cbx, chaos: Chaos, tmp_path: Path) -> None:
    with chaos.kill(at=2) as fault:
        done = cbx.run(THREE)
    assert fault.fired
    assert (done.signal, done.rolled_back) == (9, True)
    assert not list(tmp_path.iterdir())


def test_a_hanging_command_ends_with_its_time_out(cbx: Cbx, chaos: Chaos) -> None:
    with chaos.hang(at=2) as fault:
        done = cbx.run(THREE, timeout=0.5)
    assert fault.fired
    assert done.cause == "timeout"


def test_a_stopped_command_goes_on(cbx: Cbx, chaos: Chaos) -> None:
    with chaos.stop(at=2, seconds=0.3) as fault:
        done = cbx.run(THREE)
    assert fault.fired
    assert done.ok
    assert done.duration >= 0.3


def test_a_wrong_exit_code_and_a_start_that_fails(cbx: Cbx, chaos: Chaos) -> None:
    with chaos.exit_code(3) as fault:
        assert cbx.run(THREE).exit_code == 3
    assert fault.fired
    with chaos.no_start() as fault:
        done = cbx.run(THREE)
    assert fault.fired
    assert done.cause == "start-failed"


def test_a_killed_engine_is_recovered_from(cbx: Cbx, chaos: Chaos, tmp_path: Path) -> None:
    with chaos.kill(whom="engine", at=2) as fault:
        with pytest.raises(EngineLost):
            cbx.run(THREE)
        assert fault.fired
    assert cbx.run("ls").ok
    assert not list(tmp_path.iterdir())
