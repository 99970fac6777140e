"""Several clients in one work tree: one set of locks, caps and budget."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.system.helpers import assert_nothing_left, run_cbx, start_cbx, start_pytest, wait_for, write_commands

ADD_ONE = "n=$(cat counter); sleep 0.01; echo $((n + 1)) > counter"
CAPS = {"SAFE_PARALLEL": 16, "CONDITIONAL_PARALLEL": 8, "SEQUENTIAL_REQUIRED": 4, "DANGEROUS_ISOLATED": 2}


def finish(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, (out, err)
    return out


def test_two_pytests_and_ten_runs_lose_no_update(project: Path) -> None:
    (project / "counter").write_text("0\n")
    commands = [(f"add{n}", f"sh -c '{ADD_ONE}'") for n in range(10)]
    write_commands(project, commands, 'writes = ["counter"]\ntier = "CONDITIONAL_PARALLEL"\ntrust = true')
    clients = [start_pytest(project, f"--cbx-report=../report{n}") for n in range(2)]
    clients += [start_cbx(project, "run", "--writes", "counter", "--", ADD_ONE) for _ in range(10)]
    for client in clients:
        finish(client)
    assert (project / "counter").read_text() == "30\n"
    seen = 0
    for number in range(2):
        for line in (project.parent / f"report{number}" / "events.jsonl").read_text().splitlines():
            event = json.loads(line)
            if event["type"] == "CommandStarted":
                seen += 1
                assert all(count <= CAPS[tier] for tier, count in event["running"].items())
                assert sum(event["running"].values()) <= 30
    assert seen >= 20
    assert_nothing_left(project)


def test_updates_are_lost_without_claims(project: Path) -> None:
    """The counter of the test above can fail."""
    (project / "counter").write_text("0\n")
    subprocess.run(f"for i in $(seq 10); do ( {ADD_ONE} ) & done; wait", shell=True, cwd=project, check=True)
    assert int((project / "counter").read_text()) < 10


def test_who_waits_is_told_for_whom(project: Path) -> None:
    holder = start_cbx(project, "run", "--lock", "database", "--name", "holder", "--", "touch started; sleep 1.5")
    wait_for((project / "started").exists, "the holder runs")
    done = run_cbx(project, "run", "--lock", "database", "--", "true")
    assert done.returncode == 0
    assert "holder" in done.stderr
    finish(holder)


def test_lock_time_out_names_the_holder(project: Path) -> None:
    (project / "cbx.toml").write_text("[cbx.timeouts]\nlock_acquisition = 1\n")
    holder = start_cbx(project, "run", "--lock", "database", "--name", "holder", "--", "touch started; sleep 20")
    wait_for((project / "started").exists, "the holder runs")
    done = run_cbx(project, "run", "--lock", "database", "--", "touch ran")
    assert done.returncode == 125
    assert "holder" in done.stderr
    assert not (project / "ran").exists()
    holder.terminate()
    holder.communicate(timeout=20)
    assert_nothing_left(project)
