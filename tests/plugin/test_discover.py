"""`--cbx-discover`, with and without a file of commands, and what `cbx init` writes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugin.conftest import Project

BOTH = pytest.mark.parametrize("xdist", [False, True], ids=["", "xdist"])


@pytest.fixture
def made(project: Project) -> Project:
    """A project whose makefile declares two commands, and a folder with tests of Python."""
    path = project.pytester.path
    (path / "Makefile").write_text("lint:\n\t@true\n\ntest:\n\t@echo no; exit 1\n")
    (path / "lib/tests").mkdir(parents=True)
    (path / "lib/setup.py").write_text("")
    (path / "lib/tests/test_lib.py").write_text(
        "import unittest\nclass A(unittest.TestCase):\n    def test_a(self): pass\n"
    )
    return project


@BOTH
def test_without_a_file(made: Project, xdist: bool) -> None:
    done = made.run("--cbx-discover", "-v", "-rA", "--ignore=lib", xdist=xdist)
    done.assert_outcomes(passed=3, failed=1)
    done.stdout.fnmatch_lines(["cbx: 3 commands from discovery, *"])
    done.stdout.fnmatch_lines_random(
        [
            "PASSED cbx.toml::make-lint*",
            "PASSED cbx.toml::lib-unit::test_lib.A.test_a",
            "FAILED cbx.toml::make-test - exit code 2 *",
        ]
    )


@BOTH
def test_beside_a_file(made: Project, xdist: bool) -> None:
    made.commands("mine: make test -s || true", head="[cbx]\ndiscover = true\n")
    done = made.run("-rA", "--ignore=lib", xdist=xdist)
    done.assert_outcomes(passed=4)
    done.stdout.fnmatch_lines_random(
        ["PASSED cbx.toml::mine", "PASSED cbx.toml::make-lint", "PASSED cbx.toml::lib-unit"]
    )


def test_by_the_ini_file_and_by_name(made: Project) -> None:
    made.pytester.makeini("[pytest]\ncbx_discover = true\naddopts = --ignore=lib\n")
    made.run("-k", "lint").assert_outcomes(passed=1, deselected=2)
    made.run("-m", "unit", parallel=False).assert_outcomes(passed=2, failed=1, deselected=1)


def test_explained(made: Project) -> None:
    done = made.run("--cbx-discover", "--cbx-explain", "--ignore=lib")
    done.stdout.fnmatch_lines(["*make-lint*"])
    done.assert_outcomes()


def test_tests_of_python_that_this_session_collects_are_no_commands(made: Project) -> None:
    path = made.pytester.path
    (path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    (path / "tests").mkdir()
    (path / "tests/test_own.py").write_text("def test_own(): pass")
    done = made.run("--cbx-discover", "-rA", "--ignore=lib")
    done.assert_outcomes(passed=4, failed=1)
    done.stdout.no_fnmatch_line("*py-unit*")


def test_a_manifest_that_cannot_be_read_is_told(made: Project) -> None:
    (made.pytester.path / "package.json").write_text("{")
    done = made.run("--cbx-discover", "--ignore=lib")
    done.stdout.fnmatch_lines(["cbx: package.json cannot be read, so that nothing is found by it: *"])


def test_a_plugin_adds_a_framework(made: Project) -> None:
    made.pytester.makeconftest("""
        from pytest_cbx.frameworks.model import Found, Framework

        def pytest_cbx_framework():
            found = lambda folder, project: [Found(language="mine", what="x", run="true", source="m")] * folder.has("Makefile")
            return [Framework("mine", found)]
    """)
    made.run("--cbx-discover", "-k", "mine", "--ignore=lib").assert_outcomes(passed=1, deselected=3)


def init(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest_cbx.cli.main", "init", *words],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_init_writes_what_runs(made: Project) -> None:
    path = made.pytester.path
    (path / "Makefile").write_text("lint:\n\t@true\n")
    printed = init(path, "--stdout")
    assert not (path / "cbx.toml").exists()
    done = init(path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        done.stdout
        == f"{path}/cbx.toml: 2 commands. Read it, take out what you do not want; `cbx plan` shows the order.\n"
    )
    assert printed.stdout.strip() == (path / "cbx.toml").read_text().strip()
    made.run("--ignore=lib").assert_outcomes(passed=3)
    again = init(path)
    assert again.returncode == 4
    assert "has commands already" in again.stderr


def test_init_where_nothing_is_declared(project: Project) -> None:
    done = init(project.pytester.path)
    assert done.returncode == 4
    assert "no framework that is known declares a command here" in done.stderr
    assert not (project.pytester.path / "cbx.toml").exists()


@BOTH
def test_a_profile_takes_its_commands_and_deselects_the_others(project: Project, xdist: bool) -> None:
    project.commands(
        "install: true | tags = ['install']", "unit: true | tags = ['unit'] ;; needs = ['install']", "slow: false",
        head="[cbx.profiles]\nnightly = ['slow']\n",
    )  # fmt: skip
    project.run("--cbx-profile=development", xdist=xdist).assert_outcomes(passed=2, deselected=1)
    project.run("--cbx-profile=nightly", xdist=xdist).assert_outcomes(failed=1, deselected=2)
    wrong = project.run("--cbx-profile=nighty", xdist=xdist)
    assert wrong.ret == pytest.ExitCode.USAGE_ERROR
    wrong.stderr.fnmatch_lines(['*there is no profile "nighty"; there are development, nightly, production, staging*'])


def test_a_plan_of_a_profile(project: Project) -> None:
    project.commands("a: true | tags = ['unit']", "b: true")
    done = subprocess.run(
        [sys.executable, "-m", "pytest_cbx.cli.main", "plan", "--profile", "staging"],
        check=False, cwd=project.pytester.path, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "planned 1 command " in done.stderr
