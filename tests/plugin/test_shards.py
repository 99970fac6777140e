"""Shards: of pytest's own tests by `--cbx-shard`, and of a command by its `shards`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from evidence import read_spans
from tests.plugin.conftest import Project

both = pytest.mark.parametrize("xdist", [False, True], ids=["one-process", "xdist"])
FILES = {"test_a": 1, "test_b": 5, "test_c": 2, "test_d": 2}


def make_tests(project: Project) -> None:
    for name, count in FILES.items():
        body = f"import pytest\n@pytest.mark.parametrize('x', range({count}))\ndef {name}(x): assert x < 4\n"
        project.pytester.makepyfile(**{name: body})


def outcomes_of(result: pytest.RunResult) -> set[tuple[str, str]]:
    return set(re.findall(r"(PASSED|FAILED)\b.*?(test_\w+\.py::\S+)", result.stdout.str())) | {
        (end, node) for node, end in re.findall(r"(test_\w+\.py::\S+) (PASSED|FAILED)", result.stdout.str())
    }


@both
def test_the_parts_together_are_the_whole(project: Project, xdist: bool) -> None:
    make_tests(project)
    whole = outcomes_of(project.run("-v", parallel=False))
    parts = [project.run("-v", f"--cbx-shard={n}/3", parallel=False, xdist=xdist) for n in (1, 2, 3)]
    found = [outcomes_of(part) for part in parts]
    assert set().union(*found) == whole
    assert sum(map(len, found)) == len(whole) == 10
    assert [len(part) for part in found] == [5, 3, 2]
    assert [part.ret for part in parts] == [1, 0, 0]
    parts[1].stdout.fnmatch_lines(["cbx: shard 2 of 3*"])


@both
def test_a_shard_without_tests_passes_where_others_have_some(project: Project, xdist: bool) -> None:
    make_tests(project)
    assert project.run("--cbx-shard=6/6", parallel=False, xdist=xdist).ret == pytest.ExitCode.OK
    nothing = project.run("--cbx-shard=1/2", "-k", "no_such", parallel=False, xdist=xdist)
    assert nothing.ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_where_there_are_no_tests_at_all_it_says_so(project: Project) -> None:
    assert project.run("--cbx-shard=1/2", parallel=False).ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_what_is_no_shard(project: Project) -> None:
    result = project.run("--cbx-shard=3/2", parallel=False)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(['*--cbx-shard: "3/2" is no shard; write 1/3 for the first of three*'])


def command(project: Project, *more: str) -> None:
    run = f"{sys.executable} -m pytest -q -p no:cacheprovider -p no:randomly --junitxml=out.xml tests"
    project.commands(f"unit: {run} | results = 'out.xml' ;; shards = 3", *more)
    (project.pytester.path / "tests").mkdir()
    for name, count in FILES.items():
        body = f"import pytest\n@pytest.mark.parametrize('x', range({count}))\ndef {name}(x): assert x < 4\n"
        (project.pytester.path / "tests" / f"{name}.py").write_text(body)


@both
def test_a_command_in_three_shards(project: Project, xdist: bool) -> None:
    command(project, "after: true | needs = ['unit']", "beside: true")
    result = project.run("-v", "--junitxml=all.xml", "cbx.toml", xdist=xdist)
    result.assert_outcomes(passed=2 + 9 + 1, failed=2, skipped=1)
    found = [
        (one.get("classname") or "", one.get("name") or "")
        for one in ET.parse(project.pytester.path / "all.xml").iter("testcase")
    ]
    assert {name for group, name in found if group == "cbx.toml"} == {
        "unit#1/3",
        "unit#2/3",
        "unit#3/3",
        "after",
        "beside",
    }
    cases = sorted(name for group, name in found if group != "cbx.toml")
    assert cases == sorted(f"{name}[{x}]" for name, count in FILES.items() for x in range(count))
    result.stdout.fnmatch_lines(["FAILED cbx.toml::unit#1/3::tests.test_b::test_b[[]4[]] - assert 4 < 4"])


def test_the_shards_of_pytest_run_at_once() -> None:
    """With the results where discovery puts them. In a folder that is not pytest's own, which all runs of pytest have as a cache."""
    with tempfile.TemporaryDirectory(prefix="cbx-shards-") as name:
        folder = Path(name)
        subprocess.run(["git", "init", "-q", folder], check=True)
        (folder / ".gitignore").write_text(".pytest_cache/\n__pycache__/\n/report/\n")
        (folder / "tests").mkdir()
        for letter in "ab":
            (folder / "tests" / f"test_{letter}.py").write_text("import time\ndef test_it(): time.sleep(0.5)\n")
        (folder / "cbx.toml").write_text(
            "[[cbx.command]]\nname = 'unit'\nshards = 2\ncpus = 0.1\nmemory = '200MB'\nresults = '.pytest_cache/unit.xml'\n"
            "run = 'python -m pytest -q -p no:randomly --junitxml=.pytest_cache/unit.xml tests'\n"
        )
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
        arguments = ("--cbx-parallel", "--cbx-jobs=2", "--cbx-report=report", "-p", "no:randomly", "cbx.toml")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *arguments], cwd=folder, env={**os.environ, "PATH": path}, check=False, timeout=60,
            capture_output=True, text=True,
        )  # fmt: skip
        assert "4 passed" in done.stdout, done.stdout + done.stderr  # two shards, and a test of each
        assert read_spans(folder / "report" / "events.jsonl")[1] == 2


def test_its_name_selects_all_of_its_shards(project: Project) -> None:
    command(project, "after: true | needs = ['unit']")
    project.run("cbx.toml::unit").assert_outcomes(passed=2 + 9, failed=2)
    project.run("cbx.toml::unit#2/3").assert_outcomes(passed=1 + 3)
    project.run("-k", "unit", "cbx.toml").assert_outcomes(passed=2 + 9, failed=2, deselected=1)


def test_the_last_failed_shard_is_run_again_alone(project: Project) -> None:
    command(project)
    project.run("--lf", "cbx.toml").assert_outcomes(passed=2 + 9, failed=2)
    again = project.run("--lf", "cbx.toml")
    again.assert_outcomes(passed=4, failed=2, deselected=2)


def test_a_profile_names_the_whole(project: Project) -> None:
    command(project, "other: true", "third: true")
    path = project.pytester.path / "cbx.toml"
    path.write_text("[cbx.profiles]\nci = ['unit']\n" + path.read_text())
    project.run("--cbx-profile=ci", "cbx.toml").assert_outcomes(passed=2 + 9, failed=2, deselected=2)


def test_what_cannot_be_split_is_told_before_anything_runs(project: Project) -> None:
    project.commands("first: touch ran", "lint: eslint . | shards = 2")
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(['*cbx.toml:*command "lint": shards = 2, but how to split its text is not known*'])
    assert not (project.pytester.path / "ran").exists()
