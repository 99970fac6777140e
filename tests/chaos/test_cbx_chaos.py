"""`cbx chaos` on a project's own commands."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.helpers import environment

CONFIG = """
[[cbx.command]]
name = "save"
run = "printf new > note.new && mv note.new note"

[[cbx.command]]
name = "broken"
run = "false"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    subprocess.run(["git", "init", "-q", folder], check=True)
    (folder / "cbx.toml").write_text(CONFIG)
    (folder / "note").write_text("old")
    return folder


def cbx(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest_cbx.cli.main", "chaos", *arguments],
        cwd=project, env=environment(), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.timeout(200)
def test_it_works_in_a_copy_and_says_what_it_measured(project: Path) -> None:
    done = cbx(project, "--trials", "20", "--seed", "7", "--report", "out", "--quick")
    assert done.returncode == 2, done.stdout + done.stderr  # 20 trials are too few
    assert "left out: broken, which fails by itself (exit code 1)" in done.stdout
    assert "20 trials with seed 7" in done.stdout
    assert "seed 7; again: cbx chaos --trials 20 --seed 7" in done.stdout
    found = json.loads((project / "out" / "criteria.json").read_text())
    states = {row["name"]: row["state"] for row in found["criteria"]}
    assert states["zero corruption"] == "passed"
    assert states["100 % rollback"] == "passed"
    assert states["< 10 s recovery"] == "invalid"
    assert states["< 1 % failed operations"] == "invalid"
    assert states["< 5 % degradation"] == "invalid"
    assert (project / "note").read_text() == "old", "only a copy was touched"
    assert sorted(path.name for path in project.iterdir()) == [".git", "cbx.toml", "note", "out"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--trials", "0"], "--trials has to be at least 1"),
        (["--only", "nothing"], "there is no command nothing; there are save, broken"),
        (["--only", "broken"], "none of the commands passes when nothing strikes"),
        (["--faults", "flood"], "there is no fault 'flood'"),
    ],
)
def test_mistakes_are_told(project: Path, arguments: list[str], says: str) -> None:
    done = cbx(project, *arguments)
    assert done.returncode == 4
    assert says in done.stderr
    assert "Traceback" not in done.stderr
