"""`cbx init` on the layouts of public projects: what it writes runs green, unedited, and each case is there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.requirements import require
from toolchain import environment, make_shims

LAYOUTS = Path(__file__).parents[2] / "fixtures" / "layouts"
EXPECTED = {
    "python-library": ({"py-ruff", "py-ruff-format", "py-types"}, {"test_square"}),
    "node-monorepo": (
        {"js-install", "packages-area-test", "packages-print-build", "packages-print-test"},
        {"a square", "nothing", "what was built", "a line"},
    ),
    "go-service": (
        {"go-build", "make-build", "go-vet", "go-format-check", "go-test", "sh-lint", "make-lint"},
        {"TestSquare", "TestSquare/three", "TestSquare/nothing"},
    ),
}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", list(EXPECTED))
def test_init_writes_what_runs_green(name: str, tmp_path: Path, builds: Path) -> None:
    require("node", "npm", "go", "cc", wheels_only=True)
    require("ruff", "mypy", "shellcheck", "make")
    make_shims(tmp_path / "tools")
    variables = environment(tmp_path / "tools", tmp_path / "caches", builds)
    project = tmp_path / name
    shutil.copytree(LAYOUTS / name, project, ignore=shutil.ignore_patterns(".*_cache", "__pycache__", "node_modules"))
    subprocess.run(["git", "init", "-q", "."], cwd=project, check=True, env=variables)
    written = subprocess.run(
        [sys.executable, "-m", "pytest_cbx.cli.main", "init"],
        check=False,
        cwd=project,
        env=variables,
        capture_output=True,
        text=True,
    )
    assert written.returncode == 0, written.stderr
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--cbx-parallel", "-v", "-p", "no:randomly", "--junitxml=../out.xml"],
        check=False, cwd=project, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=170,
    )  # fmt: skip
    assert done.returncode == 0, (project / "cbx.toml").read_text() + done.stdout + done.stderr
    assert "skipped" not in done.stdout.splitlines()[-1], done.stdout
    found = [
        (case.get("classname") or "", case.get("name") or "")
        for case in ET.parse(tmp_path / "out.xml").iter("testcase")
    ]
    commands, cases = EXPECTED[name]
    assert {called for group, called in found if group == "cbx.toml"} == commands
    assert cases <= {called for group, called in found if group != "cbx.toml"}
    assert sorted(os.listdir(tmp_path)) == sorted({name, "tools", "caches", "out.xml"})
