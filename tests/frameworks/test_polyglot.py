"""Five languages without a file of commands: `pytest --cbx-parallel --cbx-discover` finds the commands, and shows each of their cases."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import pytest

from demo import copy_project
from tests import junit
from tests.requirements import require
from toolchain import environment, make_shims

LANGUAGES = {"js", "python", "go", "c", "sh"}


@pytest.mark.timeout(240)
def test_all_commands_and_their_cases(tmp_path: Path, builds: Path) -> None:
    require("node", "npm", "go", "cc", wheels_only=True)
    require("cmake", "ruff", "shellcheck", "black", "mypy", "flake8")
    make_shims(tmp_path / "tools")
    variables = environment(tmp_path / "tools", tmp_path / "caches", builds)
    project = copy_project(tmp_path / "lantern", variables)
    (project / "cbx.toml").unlink()
    # A zero that does not divide, in Go: one of its cases fails, with its text.
    table = project / "go" / "lantern_test.go"
    table.write_text(table.read_text() + '\nfunc TestOfTheDay(t *testing.T) { t.Error("the lamp is out") }\n')
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--cbx-parallel", "--cbx-discover", "-v", "-rfE", "-p", "no:randomly", "--junitxml=../out.xml"],
        check=False, cwd=project, env={**variables, "COLUMNS": "200"}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=220,
    )  # fmt: skip
    assert junit.wrong_in(tmp_path / "out.xml") == []
    cases = [
        case
        for case in ET.parse(tmp_path / "out.xml").iter("testcase")
        if (case.get("classname") or "").startswith("cbx.toml")
    ]
    commands = [case.get("name") or "" for case in cases if case.get("classname") == "cbx.toml"]
    inside = Counter(
        (case.get("classname") or "").removeprefix("cbx.toml.") for case in cases if case.get("classname") != "cbx.toml"
    )
    print(f"{len(commands)} commands, {sum(inside.values())} cases: {dict(inside)}")
    assert len(commands) >= 20, done.stdout
    assert {name.partition("-")[0] for name in commands} >= LANGUAGES
    assert sum(inside.values()) >= 60
    lines = done.stdout.splitlines()
    assert "FAILED cbx.toml::go-test::example.test/lantern::TestOfTheDay - the lamp is out" in lines, done.stdout
    failed = [
        name for name in commands if any(f"FAILED cbx.toml::{name} - " in line for line in done.stdout.splitlines())
    ]
    assert failed == ["go-test"], done.stdout
    for case in cases:
        group = (case.get("classname") or "").removeprefix("cbx.toml").removeprefix(".")
        assert not group or any(group == name or group.startswith(f"{name}.") for name in commands), group
        assert float(case.get("time") or -1) >= 0
