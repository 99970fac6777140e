"""Commands and tests together under the options and plugins that people use: the right counts, green and red."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests import junit
from tests.plugin.conftest import Project

TESTS = """
import pytest

@pytest.fixture
def thing():
    return 3

def test_good(thing): assert thing == 3
def test_also_good(): pass
"""


@pytest.fixture
def mixed(project: Project) -> Project:
    """Three commands of which one fails, three tests of which one fails."""
    project.commands(
        "fine: echo said this", "broken: echo what went wrong; exit 3", "after: echo after | tags = ['slow']"
    )
    project.pytester.makeini("[pytest]\nmarkers = slow")
    project.pytester.makepyfile(TESTS + "\ndef test_bad(): assert 0\n")
    return project


@pytest.fixture
def green(project: Project) -> Project:
    """Two commands and two tests that pass."""
    project.commands("one: echo 1", "two: echo 2")
    project.pytester.makepyfile(TESTS)
    return project


def assert_mixed(result: pytest.RunResult) -> None:
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()
    result.assert_outcomes(passed=4, failed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


# --- pytest's own options --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        ("-v", "-s"),
        ("--setup-show", "--tb=short"),
        ("--tb=line", "-l", "--capture=sys", "-vv"),
        ("--tb=no", "-p", "no:logging", "-p", "no:doctest"),
        ("-p", "no:xdist", "-W", "error"),
        ("--maxfail=9", "--ff", "--import-mode=importlib"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("parallel", [False, True], ids=["one-by-one", "parallel"])
def test_options_change_no_count(mixed: Project, options: tuple[str, ...], parallel: bool) -> None:
    assert_mixed(mixed.run(*options, parallel=parallel))


@pytest.mark.parametrize("crowd", [False, True], ids=["terminal", "ci"])
def test_the_short_summary_says_how_it_ended(mixed: Project, monkeypatch: pytest.MonkeyPatch, crowd: bool) -> None:
    monkeypatch.delenv("BUILD_NUMBER", raising=False)
    monkeypatch.setenv("CI", "true" if crowd else "")
    result = mixed.run()
    result.stdout.re_match_lines([r"FAILED cbx\.toml::broken - exit code 3 after [\d.]+ s$"])
    assert result.stdout.str().count("what went wrong") == 2  # the command, and its output


def test_everything_that_is_said(mixed: Project) -> None:
    result = mixed.run("-rA", "--durations=9", "--durations-min=0", "-v")
    assert_mixed(result)
    result.stdout.fnmatch_lines_random(
        [
            "*cbx.toml::fine PASSED*",
            "*cbx.toml::broken FAILED*",
            "PASSED cbx.toml::fine",
            "FAILED cbx.toml::broken - *",
            "*s call * cbx.toml::fine",
            "said this",
            "  what went wrong",
        ]
    )


def test_quiet(mixed: Project) -> None:
    result = mixed.run("-q")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["2 failed, 4 passed in *"])


def test_without_a_terminal(mixed: Project) -> None:
    result = mixed.run("-p", "no:terminal")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.stdout.str() == ""


@pytest.mark.parametrize("xdist", [False, True], ids=["one-process", "xdist"])
def test_collect_only(mixed: Project, xdist: bool) -> None:
    result = mixed.run("--co", "-q", xdist=xdist)
    assert result.ret == pytest.ExitCode.OK
    if not xdist:  # the workers collect the tests, and pytest-xdist does not list them
        result.stdout.fnmatch_lines_random(["cbx.toml::fine", "*::test_good", "6 tests collected*"])


@pytest.mark.parametrize("parallel", [False, True], ids=["one-by-one", "parallel"])
def test_maxfail_1(project: Project, parallel: bool) -> None:
    project.commands("bad: exit 1", "never: sleep 20; touch ran", head="[cbx]\njobs = 2\n")
    result = project.run("--maxfail=1", parallel=parallel)
    result.assert_outcomes(failed=1)
    assert result.duration < 15
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert not (project.pytester.path / "ran").exists()


@pytest.mark.parametrize("parallel", [False, True], ids=["one-by-one", "parallel"])
def test_stepwise(project: Project, parallel: bool) -> None:
    project.commands("first: true", "bad: test -e fixed", "last: true", head="[cbx]\njobs = 1\n")
    broken = project.run("--sw", parallel=parallel)
    assert broken.ret == pytest.ExitCode.INTERRUPTED
    broken.stdout.fnmatch_lines(["*bad*"])
    (project.pytester.path / "fixed").touch()
    again = project.run("--sw", "-v", parallel=parallel)
    assert again.ret == pytest.ExitCode.OK
    again.stdout.fnmatch_lines(["*cbx.toml::bad PASSED*"])
    again.stdout.no_fnmatch_line("*cbx.toml::first*")


def test_pdb_ends_the_session_in_order(mixed: Project) -> None:
    result = mixed.pytester.runpytest_subprocess("-p", "no:randomly", "--cbx-parallel", "--pdb", timeout=60)
    assert "INTERNALERROR" not in result.stdout.str()
    assert result.ret in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)
    assert "Traceback (most recent call last)" not in result.stderr.str()


def test_fixtures_for_all_tests_do_not_touch_commands(mixed: Project) -> None:
    mixed.pytester.makeconftest(
        """
        import pytest
        seen = []
        @pytest.fixture(autouse=True)
        def each(request): seen.append(request.node.name)
        @pytest.fixture(autouse=True, scope="session")
        def once(): yield; assert sorted(seen) == ["test_also_good", "test_bad", "test_good"]
        """
    )
    assert_mixed(mixed.run())


def test_hooks_see_commands_as_items(mixed: Project) -> None:
    mixed.pytester.makeconftest(
        """
        import pytest
        seen = []
        def pytest_runtest_setup(item): seen.append(("setup", item.name))
        def pytest_runtest_teardown(item, nextitem): seen.append(("teardown", item.name))
        def pytest_runtest_logreport(report):
            if report.when == "call": seen.append((report.outcome, report.nodeid.split("::")[-1]))
        def pytest_sessionfinish():
            for name, outcome in (("fine", "passed"), ("broken", "failed"), ("test_good", "passed")):
                own = [what for what, who in seen if who == name]
                assert own == ["setup", outcome, "teardown"], (name, own)
        """
    )
    assert_mixed(mixed.run())


# --- junit -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("xdist", [False, True], ids=["one-process", "xdist"])
def test_junitxml(project: Project, xdist: bool) -> None:
    if xdist:
        pytest.importorskip("xdist")
    project.commands(
        "slow: sleep 0.6; printf 'bell \\a and \\033[31mred'",
        "broken: echo what went wrong; exit 3",
        "absent: no-such-tool-here",
        "later: true | needs = ['broken']",
    )
    project.pytester.makepyfile(TESTS)
    project.run("--junitxml=out.xml", xdist=xdist).assert_outcomes(passed=3, failed=1, skipped=2)
    assert junit.wrong_in(project.pytester.path / "out.xml") == []
    root = ET.parse(project.pytester.path / "out.xml").getroot()
    suite = root.find("testsuite")
    assert suite is not None
    assert {key: suite.attrib[key] for key in ("tests", "failures", "skipped", "errors")} == {
        "tests": "6",
        "failures": "1",
        "skipped": "2",
        "errors": "0",
    }
    cases = suite.findall("testcase")
    by_name = {case.attrib["name"]: case for case in cases}
    assert sorted(by_name) == ["absent", "broken", "later", "slow", "test_also_good", "test_good"]
    assert len(cases) == len(by_name)
    assert 0.6 <= float(by_name["slow"].attrib["time"]) < 5
    assert float(by_name["broken"].attrib["time"]) < 0.6
    failure = by_name["broken"].find("failure")
    assert failure is not None
    assert "what went wrong" in (failure.text or "")
    assert "exit code 3" in (failure.text or "")
    reasons = {
        name: skip.attrib["message"]
        for name in ("absent", "later")
        if (skip := by_name[name].find("skipped")) is not None
    }
    assert "no-such-tool-here" in reasons["absent"]
    assert "needs broken" in reasons["later"]


# --- plugins ---------------------------------------------------------------------------------------


def test_randomly_shuffles_the_tests_and_keeps_the_commands_in_order(project: Project) -> None:
    pytest.importorskip("pytest_randomly")
    project.commands(*(f"c{number}: echo {number} >> order" for number in range(6)))
    project.pytester.makepyfile(TESTS)
    for seed, flags in (("1", ["--cbx-parallel"]), ("2", [])):
        project.pytester.runpytest_inprocess(f"--randomly-seed={seed}", *flags).assert_outcomes(passed=8)
    assert (project.pytester.path / "order").read_text().split() == [*"012345", *"012345"]


def test_rerunfailures_runs_only_what_failed_again(project: Project) -> None:
    pytest.importorskip("pytest_rerunfailures")
    project.commands("bad: echo x >> bad; exit 1", "good: echo x >> good")
    project.pytester.makepyfile(TESTS)
    result = project.run("--reruns=2", "--cbx-rollback=never")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["*2 rerun*"])
    assert (project.pytester.path / "bad").read_text() == "x\n" * 3
    assert (project.pytester.path / "good").read_text() == "x\n"


@pytest.mark.parametrize("parallel", [False, True], ids=["one-by-one", "parallel"])
def test_timeout_of_the_ini_file_stops_a_command(project: Project, parallel: bool) -> None:
    pytest.importorskip("pytest_timeout")
    project.commands("hangs: sleep 30", "fine: true")
    project.pytester.makeini("[pytest]\ntimeout = 0.7\ntimeout_method = thread")
    # With the method "thread" pytest-timeout would end the whole process, so a process of its own.
    result = project.pytester.runpytest_subprocess(*(["--cbx-parallel"] if parallel else []), timeout=60)
    result.stdout.fnmatch_lines(["result    *0.7 s*"])
    result.assert_outcomes(failed=1, passed=1)
    assert result.duration < 20


@pytest.mark.parametrize(
    "options",
    [("-n2",), ("-n2", "--dist=loadfile"), ("-n2", "--dist=worksteal"), ("-n0",)],
    ids=" ".join,
)
def test_xdist(mixed: Project, options: tuple[str, ...]) -> None:
    pytest.importorskip("xdist")
    result = mixed.pytester.runpytest_subprocess("-p", "no:randomly", "--cbx-parallel", *options, timeout=60)
    assert_mixed(result)


def test_xdist_stops_at_the_first_failure(project: Project) -> None:
    pytest.importorskip("xdist")
    project.commands("long: sleep 30; touch ran")
    project.pytester.makepyfile("import time\ndef test_bad(): assert 0\n")
    result = project.run("-x", xdist=True)
    assert result.ret in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)
    assert result.duration < 20
    assert not (project.pytester.path / "ran").exists()


def test_asyncio(project: Project) -> None:
    pytest.importorskip("pytest_asyncio")
    project.commands("one: true")
    project.pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function")
    project.pytester.makepyfile("import asyncio\nasync def test_it(): await asyncio.sleep(0)")
    project.pytester.runpytest_subprocess("--cbx-parallel", timeout=60).assert_outcomes(passed=2)


def test_html(mixed: Project) -> None:
    pytest.importorskip("pytest_html")
    result = mixed.pytester.runpytest_subprocess(
        "-p", "no:randomly", "--cbx-parallel", "--html=out.html", "--self-contained-html", timeout=60
    )
    assert_mixed(result)
    page = (mixed.pytester.path / "out.html").read_text()
    assert "cbx.toml::broken" in page
    assert "what went wrong" in page


def test_run_parallel(green: Project) -> None:
    pytest.importorskip("pytest_run_parallel")
    result = green.pytester.runpytest_subprocess(
        "-p", "no:randomly", "--cbx-parallel", "--parallel-threads=2", timeout=60
    )
    result.assert_outcomes(passed=4)
    assert result.ret == pytest.ExitCode.OK


def test_green_is_green(green: Project) -> None:
    result = green.run("--strict-markers", "-W", "error")
    result.assert_outcomes(passed=4)
    assert result.ret == pytest.ExitCode.OK
    assert not list(Path(green.pytester.path).glob("*.log"))
