"""The cases of another framework as reports of their own: ids, times, texts, JUnit, `--lf`, xdist, and results that cannot be read."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import pytest

from tests import junit
from tests.plugin.conftest import Project
from tests.plugin.test_transactions import guarded

REPORT = """<testsuites><testsuite name="Button">
<testcase classname="" name="Button renders" time="0.25"/>
<testcase classname="" name="Button clicks 1.5 times" time="0.5" file="button.test.js" line="7">
<failure message="expected 2">expected 2
received 1</failure><system-out>clicking</system-out></testcase>
<testcase classname="" name="Button sings"><skipped message="no voice"/></testcase>
<testcase classname="" name="Button breaks"><error message="no button">there is none</error></testcase>
</testsuite></testsuites>"""
GOOD = '<testsuite><testcase name="a" time="0.1"/><testcase name="b"/></testsuite>'
BOTH = pytest.mark.parametrize("xdist", [False, True], ids=["", "xdist"])


@pytest.fixture
def tools(project: Project) -> Project:
    """A tool that writes a report, and fails if that says so."""
    path = project.pytester.path
    (path / "bad.xml").write_text(REPORT)
    (path / "good.xml").write_text(GOOD)
    (path / "button.test.js").write_text("\n" * 9)
    (path / "tool.sh").write_text('cat "$1.xml" > "$2"; ! grep -q "<failure" "$2"\n')
    return project


def unit(report: str = "bad", keys: str = "") -> str:
    return f"unit: sh tool.sh {report} r.xml | results = 'r.xml'{keys}"


@BOTH
def test_each_case_is_a_report(tools: Project, xdist: bool) -> None:
    tools.commands(unit(), "other: true")
    done = tools.run("-v", "-rsfE", xdist=xdist)
    # The command, and of its four cases one failed, one is an error.
    done.assert_outcomes(passed=2, failed=2, skipped=1, errors=1)
    done.stdout.fnmatch_lines_random([
        "*cbx.toml::unit::Button renders*",
        "*SKIPPED*no voice*",
        "*_ unit::Button clicks 1.5 times _*",
        "received 1",
        "button.test.js:7",
        "*Captured output*",
        "clicking",
        "*ERROR at setup of unit::Button breaks*",
        "there is none",
        "cases     2 of 4 failed",
        "FAILED cbx.toml::unit - 2 of 4 cases failed, exit code 1 after *",
        "FAILED cbx.toml::unit::Button clicks 1.5 times - expected 2",
        "ERROR cbx.toml::unit::Button breaks - no button",
    ])  # fmt: skip


@BOTH
def test_each_case_is_one_testcase_of_junit(tools: Project, xdist: bool) -> None:
    tools.commands(unit())
    tools.run("--junitxml=out.xml", xdist=xdist)
    assert junit.wrong_in(tools.pytester.path / "out.xml") == []
    cases = list(ET.parse(tools.pytester.path / "out.xml").iter("testcase"))
    assert Counter(one.get("name") for one in cases) == Counter(
        ["unit", "Button renders", "Button clicks 1.5 times", "Button sings", "Button breaks"]
    )
    by_name = {one.get("name"): one for one in cases}
    assert by_name["Button renders"].get("classname") == "cbx.toml.unit"
    assert float(by_name["Button clicks 1.5 times"].get("time") or 0) == pytest.approx(0.5)
    failure = by_name["Button clicks 1.5 times"].find("failure")
    assert failure is not None
    assert failure.get("message") == "expected 2"
    assert "received 1" in (failure.text or "")
    assert by_name["Button sings"].find("skipped") is not None
    assert by_name["Button breaks"].find("error") is not None


def test_last_failed_runs_the_command_again(tools: Project) -> None:
    tools.commands(unit(), "other: true")
    tools.run("--lf").assert_outcomes(passed=2, failed=2, skipped=1, errors=1)
    again = tools.run("--lf", "-v")
    again.assert_outcomes(passed=1, failed=2, skipped=1, errors=1)
    again.stdout.fnmatch_lines(["*rerun previous 1 failure*"])
    (tools.pytester.path / "bad.xml").write_text(GOOD)
    tools.run("--lf").assert_outcomes(passed=3)
    tools.run("--lf").assert_outcomes(passed=4)


def test_stepwise_goes_on_with_the_command(tools: Project) -> None:
    tools.commands("first: true", unit(), "last: true")
    tools.run("--sw", parallel=False)
    (tools.pytester.path / "bad.xml").write_text(GOOD)
    tools.run("--sw", parallel=False).assert_outcomes(passed=4, deselected=1)


def test_a_passing_command_with_passing_cases(tools: Project) -> None:
    tools.commands(unit("good"))
    done = tools.run("-v")
    done.assert_outcomes(passed=3)
    done.stdout.fnmatch_lines(["cbx.toml::unit PASSED*", "cbx.toml::unit::a PASSED*", "cbx.toml::unit::b PASSED*"])


def test_a_command_that_says_nothing_of_its_failures_fails_for_them(tools: Project) -> None:
    tools.commands("unit: cp bad.xml r.xml | results = 'r.xml'")
    tools.run().stdout.fnmatch_lines(["FAILED cbx.toml::unit - 2 of 4 cases failed (exit code 0) after *"])


@guarded
@pytest.mark.parametrize("rollback", ["always", "on-failure"])
def test_results_outlive_a_roll_back(tools: Project, rollback: str) -> None:
    tools.commands(unit(keys=f"\nrollback = '{rollback}'"))
    tools.run().assert_outcomes(passed=1, failed=2, skipped=1, errors=1)
    assert not (tools.pytester.path / "r.xml").exists()


def test_results_of_the_output(project: Project) -> None:
    project.commands("tap: printf '1..2\\nok 1 - a\\nnot ok 2 - b\\n'; exit 1 | results = 'tap:-'")
    project.run().assert_outcomes(passed=1, failed=2)


def test_in_another_folder(tools: Project) -> None:
    folder = tools.pytester.path / "js"
    folder.mkdir()
    (folder / "button.test.js").write_text("\n" * 9)
    tools.commands("unit: sh ../tool.sh ../bad reports.xml | cwd = 'js'\nresults = 'reports.xml'")
    done = tools.run("-vv")
    done.stdout.fnmatch_lines(["*cbx.toml::unit::Button clicks 1.5 times <- js/button.test.js FAILED*"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("true", "it wrote no r.xml: its results are unknown; look at its reporter, and at `results`"),
        (": > r.xml", "r.xml is empty: whoever should have written it died, or wrote elsewhere"),
        ("head -c 300 bad.xml > r.xml", "r.xml:*: not well-formed at column *"),
        ("echo hello > r.xml", "r.xml is in no format that is known (junit, *"),
        ("mkfifo r.xml", "*r.xml*"),
    ],
    ids=["none", "empty", "cut off", "no format", "a pipe"],
)
@pytest.mark.parametrize("end", ["true", "exit 3"], ids=["passes", "fails"])
def test_results_that_cannot_be_read_fail_the_command(tools: Project, text: str, message: str, end: str) -> None:
    tools.commands(f"unit: {text}; {end} | results = 'r.xml'")
    done = tools.run()
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines([f"cases     {message.replace('[', '[[]')}"])
    how = "its results cannot be read (exit code 0)" if end == "true" else "exit code 3"
    done.stdout.fnmatch_lines([f"FAILED cbx.toml::unit - {how} after *"])
    done.stdout.no_fnmatch_line("*Traceback*")


def test_a_report_of_an_earlier_run_is_not_read_again(tools: Project) -> None:
    tools.commands("unit: test -e r.xml || sh tool.sh good r.xml | results = 'r.xml'")
    tools.run().assert_outcomes(passed=3)
    os.utime(tools.pytester.path / "r.xml", (1, 1))
    done = tools.run()
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["cases     r.xml is older than this run: *"])


def test_a_command_that_never_came_to_its_end_has_no_results(tools: Project) -> None:
    tools.commands("unit: sleep 30 | results = 'r.xml'\ntimeout = 0.3")
    done = tools.run()
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["FAILED cbx.toml::unit - *"])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("tpa:-", '*has no format "tpa"; there are junit, tap, *did you mean "tap:"?*'),
        ("tap:", "*must name a file after its format*"),
    ],
)
def test_a_wrong_format_is_a_mistake_of_the_file(project: Project, value: str, message: str) -> None:
    project.commands(f"unit: true | results = '{value}'")
    done = project.run()
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines([message])


def test_the_fixture_has_them(tools: Project) -> None:
    tools.pytester.makepyfile("""
        from pytest_cbx.config.model import CommandConfig

        def test_it(cbx, tmp_path):
            (tmp_path / "r.txt").write_text("1..1\\nok 1 - a\\n")
            text = "cat r.txt > out.txt"
            (done,) = cbx.at(tmp_path).run_all([CommandConfig(name="unit", run=text, line=0, results="out.txt")])
            assert [(one.name, one.status.value) for one in done.cases] == [("a", "passed")]
    """)
    tools.run().assert_outcomes(passed=1)


def test_names_are_kept_apart(tools: Project) -> None:
    Path(tools.pytester.path / "good.xml").write_text('<testsuite><testcase name="a"/><testcase name="a"/></testsuite>')
    tools.commands(unit("good"))
    tools.run("-v").stdout.fnmatch_lines(["*cbx.toml::unit::a PASSED*", "*cbx.toml::unit::a (2) PASSED*"])
