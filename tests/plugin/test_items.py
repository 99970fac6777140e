"""Commands as pytest items: selection, reports, exit codes, with and without xdist."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.plugin.conftest import Project

BOTH = pytest.mark.parametrize("xdist", [False, True], ids=["one-process", "xdist"])
MODES = pytest.mark.parametrize("parallel", [False, True], ids=["one-by-one", "parallel"])


@BOTH
@MODES
def test_commands_and_tests_run_together(project: Project, parallel: bool, xdist: bool) -> None:
    project.commands("a: echo a", "b: exit 3", "c: echo c")
    project.pytester.makepyfile("def test_one(): pass\ndef test_two(): assert 0")
    result = project.run("-v", parallel=parallel, xdist=xdist)
    result.assert_outcomes(passed=3, failed=2)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*cbx.toml::b*FAILED*"])
    result.stdout.fnmatch_lines(["result*exit code 3 after*"])


@BOTH
def test_all_green_is_exit_code_0(project: Project, xdist: bool) -> None:
    project.commands("a: true", "b: true")
    result = project.run(xdist=xdist)
    result.assert_outcomes(passed=2)
    assert result.ret == 0


@BOTH
def test_commands_under_testpaths(project: Project, xdist: bool) -> None:
    project.commands("a: true")
    project.pytester.makepyprojecttoml("[tool.pytest.ini_options]\ntestpaths=['checks']")
    (project.pytester.path / "checks").mkdir()
    (project.pytester.path / "checks" / "test_x.py").write_text("def test_x(): pass")
    project.run(xdist=xdist).assert_outcomes(passed=2)
    project.run("checks", xdist=xdist).assert_outcomes(passed=1)
    project.run("cbx.toml", xdist=xdist).assert_outcomes(passed=1)
    project.run(".", xdist=xdist).assert_outcomes(passed=2)


@BOTH
def test_selection(project: Project, xdist: bool) -> None:
    project.commands("go-test: true | tags = ['slow']", "go-vet: true", "lint: true")
    project.run("-k", "go", xdist=xdist).assert_outcomes(passed=2, deselected=1)
    project.run("-m", "slow", xdist=xdist).assert_outcomes(passed=1, deselected=2)
    project.run("-m", "not cbx", xdist=xdist).assert_outcomes(deselected=3)
    project.run("cbx.toml::lint", xdist=xdist).assert_outcomes(passed=1)
    project.run("cbx.toml::lint", "cbx.toml::go-vet", xdist=xdist).assert_outcomes(passed=2)


@BOTH
def test_last_failed(project: Project, xdist: bool) -> None:
    project.commands("good: true", "bad: test -e fixed")
    project.pytester.makepyfile("def test_one(): pass")
    assert project.run("--lf", xdist=xdist).ret == 1
    (project.pytester.path / "fixed").touch()
    again = project.run("--lf", "-v", xdist=xdist)
    assert again.ret == 0
    again.stdout.fnmatch_lines(["*cbx.toml::bad*PASSED*"])
    again.stdout.no_fnmatch_line("*cbx.toml::good*")


def test_collect_only_runs_nothing(project: Project) -> None:
    project.commands("a: touch ran")
    result = project.run("--collect-only", "-q")
    result.stdout.fnmatch_lines(["cbx.toml::a"])
    assert not (project.pytester.path / "ran").exists()


def test_pyproject_table(project: Project) -> None:
    project.pytester.makepyprojecttoml("[[tool.cbx.command]]\nname = 'lint'\nrun = 'true'\n")
    result = project.run("-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*pyproject.toml::lint PASSED*"])


def test_another_config_file(project: Project) -> None:
    project.commands("a: false")
    (project.pytester.path / "other.toml").write_text("[[cbx.command]]\nname = 'b'\nrun = 'true'\n")
    result = project.run("--cbx-config", "other.toml", "-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*other.toml::b PASSED*"])


@BOTH
def test_needs_that_fail_skip(project: Project, xdist: bool) -> None:
    project.commands("install: exit 1", "lint: touch ran | needs = ['install']", "deep: touch ran | needs = ['lint']")
    result = project.run("-rs", xdist=xdist)
    result.assert_outcomes(failed=1, skipped=2)
    result.stdout.fnmatch_lines(["*needs install*"])
    assert not (project.pytester.path / "ran").exists()


def test_needs_that_fail_skip_one_by_one_too(project: Project) -> None:
    project.commands("install: exit 1", "lint: touch ran | needs = ['install']")
    project.run(parallel=False).assert_outcomes(failed=1, skipped=1)
    assert not (project.pytester.path / "ran").exists()


def test_deselected_need_is_no_obstacle(project: Project) -> None:
    project.commands("install: exit 1", "lint: true | needs = ['install']")
    project.run("-k", "lint").assert_outcomes(passed=1, deselected=1)


@MODES
def test_missing_tool_is_skipped_and_named(project: Project, parallel: bool) -> None:
    project.commands("a: no-such-tool-here --check", "b: true && no-such-tool-there")
    result = project.run("-rs", parallel=parallel)
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["*not installed: no-such-tool-here*", "*not installed: no-such-tool-there*"])
    project.run("--cbx-strict", parallel=parallel).assert_outcomes(failed=2)


def test_failure_shows_all_that_is_needed(project: Project) -> None:
    project.commands(
        "first: sleep 0.5; echo x > shared.txt",
        "broken: for i in $(seq 60); do echo line $i; done; cat shared.txt; exit 7",
    )
    result = project.run()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "command   for i in *",
            "tier      *: *",
            "result    exit code 7 after * s",
            "waited    * s for first*",
            "output    last 40 lines; all of it in *broken.log",
            "*  line 60",
            "*  x",
        ]
    )
    result.stdout.no_fnmatch_line("*  line 20")
    (where,) = [line.split(" in ")[1] for line in result.outlines if line.startswith("output")]
    assert Path(where).read_text().splitlines()[0] == "line 1"


def test_exit_first_stops_the_rest(project: Project) -> None:
    slow = [f"slow{n}: sleep 20; touch ran{n} | cpus = 0.1" for n in range(3)]
    project.commands("bad: exit 1", *slow, "later: touch ran | needs = ['slow0']")
    result = project.run("-x", "--cbx-jobs=4")
    assert result.ret == 1
    result.assert_outcomes(failed=1)
    assert not list(project.pytester.path.glob("ran*"))


def test_junit_times_are_the_commands_own(project: Project) -> None:
    project.commands("slow: sleep 0.7", "quick: true")
    project.run("--junitxml=out.xml").assert_outcomes(passed=2)
    cases = ET.parse(project.pytester.path / "out.xml").getroot().findall(".//testcase")
    times = {case.attrib["name"]: float(case.attrib["time"]) for case in cases}
    assert times["slow"] >= 0.7
    assert times["quick"] < 0.5


def test_report_directory(project: Project) -> None:
    project.commands("a: echo 1 > x", "b: cat x", "c: exit 2")
    project.run("--cbx-report=report").assert_outcomes(passed=2, failed=1)
    report = project.pytester.path / "report"
    summary = json.loads((report / "summary.json").read_text())
    assert summary["totals"]["commands"] == 3
    assert summary["totals"]["failed"] == 1
    rows = {row["name"]: row for row in summary["commands"]}
    assert rows["c"]["exit_code"] == 2
    assert rows["b"]["nodeid"] == "cbx.toml::b"
    assert rows["b"]["started_at"] >= rows["a"]["ended_at"]
    events = [json.loads(line) for line in (report / "events.jsonl").read_text().splitlines()]
    assert [event["number"] for event in events] == sorted(event["number"] for event in events)
    assert {"CommandSubmitted", "CommandStarted", "CommandEnded"} <= {event["type"] for event in events}
    trace = json.loads((report / "trace.json").read_text())
    assert {piece["name"] for piece in trace["traceEvents"]} == {"a", "b", "c"}


def test_a_report_that_cannot_be_written_is_a_wrong_call(project: Project) -> None:
    project.commands("a: touch ran")
    (project.pytester.path / "file").touch()
    result = project.run("--cbx-report=file")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: cannot write a report into *file: File exists; name another directory"])
    assert not (project.pytester.path / "ran").exists()


def test_a_pytest_inside_a_command_leaves_the_report_alone(project: Project) -> None:
    project.commands(f"a: {sys.executable} -m pytest -q -p no:cacheprovider test_inner.py | tags = ['inner']")
    project.pytester.makepyfile(test_inner="def test_one(): pass")
    project.pytester.makeini("[pytest]\ncbx_report = rep")
    project.run("-m", "inner").assert_outcomes(passed=1, deselected=1)
    lines = (project.pytester.path / "rep" / "events.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["type"] == "EngineStarted"
    assert json.loads(lines[-1])["type"] != "EngineStarted"


@MODES
def test_a_lost_engine_is_told(project: Project, parallel: bool) -> None:
    project.commands("a: kill -9 $PPID; sleep 60")
    # A guard would not let it.
    result = project.run("--cbx-isolation=off", parallel=parallel)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*cbx: the engine was killed, or died; its commands were stopped*run again*"])


def test_explain_runs_nothing(project: Project) -> None:
    project.commands("a: touch ran", "b: cat ran")
    project.pytester.makepyfile("def test_one(): open('ran2', 'w')")
    result = project.run("--cbx-explain")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["a*SEQUENTIAL_REQUIRED", "*claims*write ran", "b*SAFE_PARALLEL", "*waits for*a:*ran*"])
    assert not list(project.pytester.path.glob("ran*"))


def test_module_fixtures_are_set_up_once_although_commands_report_in_between(project: Project) -> None:
    project.commands(*(f"c{n}: sleep 0.0{n}" for n in range(8)))
    project.pytester.makepyfile(
        """
        import pytest, time
        made = []
        @pytest.fixture(scope="module")
        def costly():
            made.append(1)
            assert len(made) == 1
        @pytest.mark.parametrize("n", range(8))
        def test_n(costly, n): time.sleep(0.02)
        """
    )
    project.run().assert_outcomes(passed=16)


def test_marks_that_skip_or_excuse(project: Project) -> None:
    project.commands("skipped: touch ran", "excused: exit 1")
    project.pytester.makeconftest(
        """
        import pytest
        def pytest_collection_modifyitems(items):
            for item in items:
                if item.name == "skipped": item.add_marker(pytest.mark.skip(reason="not today"))
                if item.name == "excused": item.add_marker(pytest.mark.xfail(reason="known"))
        """
    )
    project.run().assert_outcomes(skipped=1, xfailed=1)
    assert not (project.pytester.path / "ran").exists()


def test_timeout_of_a_command_and_of_a_mark(project: Project) -> None:
    project.commands("a: sleep 30 | timeout = 0.5", "b: sleep 30")
    project.pytester.makeconftest(
        """
        import pytest
        def pytest_collection_modifyitems(items):
            for item in items:
                if item.name == "b": item.add_marker(pytest.mark.timeout(0.5))
        """
    )
    result = project.run()
    result.assert_outcomes(failed=2)
    assert result.duration < 20


def test_reruns_start_the_command_again(project: Project) -> None:
    pytest.importorskip("pytest_rerunfailures")
    project.commands("flaky: echo x >> count; test $(wc -l < count) -ge 3 | rollback = 'never'")
    result = project.run("--reruns", "3")
    result.assert_outcomes(passed=1)
    assert (project.pytester.path / "count").read_text() == "x\n" * 3


def test_retries_of_the_file(project: Project) -> None:
    project.commands("flaky: echo x >> count; test $(wc -l < count) -ge 2 | retries = 2 ;; rollback = 'never'")
    project.run().assert_outcomes(passed=1)
    assert (project.pytester.path / "count").read_text() == "x\n" * 2


def test_plugins_add_commands_and_see_events(project: Project) -> None:
    project.commands("a: true")
    project.pytester.makeconftest(
        """
        from pytest_cbx.config.model import CommandConfig
        def pytest_cbx_commands(config):
            return [CommandConfig(name="extra", run="exit 5", line=0)]
        def pytest_cbx_event(event):
            with open("seen", "a") as file: file.write(type(event).__name__ + "\\n")
        """
    )
    project.run().assert_outcomes(passed=1, failed=1)
    assert "CommandStarted" in (project.pytester.path / "seen").read_text()


def test_a_bare_pytest_inside_a_command_does_not_run_the_commands_again(project: Project) -> None:
    project.commands("inner: python -m pytest -q -p no:cacheprovider | timeout = 40")
    project.pytester.makepyfile("def test_one(): pass")
    project.run("cbx.toml").assert_outcomes(passed=1)


def test_quiet_prints_no_line_of_ours(project: Project) -> None:
    project.commands("a: true")
    assert "cbx:" not in project.run("-q").stdout.str()
    project.run().stdout.fnmatch_lines(
        ["cbx: 1 command from cbx.toml, at once;*isolation *(*)*", "cbx: 1 command in *"]
    )


def test_ini_twins(project: Project) -> None:
    project.commands("a: true")
    project.pytester.makeini("[pytest]\ncbx_parallel = true\ncbx_jobs = 1\ncbx_report = rep")
    project.run(parallel=False).assert_outcomes(passed=1)
    assert (project.pytester.path / "rep" / "summary.json").exists()


def test_a_working_directory_that_an_earlier_command_makes(project: Project) -> None:
    project.commands("make: sleep 0.3; mkdir gen", "use: pwd | cwd = 'gen'")
    project.run().assert_outcomes(passed=2)


def test_no_commands_is_said_to_those_who_ask_for_them(project: Project) -> None:
    project.pytester.makepyfile("def test_one(): pass")
    project.run().stdout.fnmatch_lines(["cbx: no commands in *neither a cbx.toml*"])
    assert "cbx: no" not in project.run(parallel=False).stdout.str()
    project.commands()
    project.run().stdout.fnmatch_lines(["cbx: no commands in *cbx.toml"])


def test_what_the_shell_expands_is_read(project: Project) -> None:
    project.commands("make: mkdir gen; sleep 0.3; touch gen/a", "use: for f in gen/*; do echo $f; done > seen")
    project.run().assert_outcomes(passed=2)
    assert (project.pytester.path / "seen").read_text() == "gen/a\n"
