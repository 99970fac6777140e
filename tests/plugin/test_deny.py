"""`--cbx-deny`: what a command's text shows may keep it from running."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugin.conftest import Project

WORLD = "open: touch ran && chmod 777 ran"


@pytest.mark.parametrize(("parallel", "xdist"), [(True, False), (False, False), (True, True)])
def test_a_denied_command_fails_and_nothing_of_it_runs(project: Project, parallel: bool, xdist: bool) -> None:
    project.commands("fine: echo fine > fine", WORLD, "after: touch after | needs = ['open']")
    result = project.run("--cbx-deny=warning", parallel=parallel, xdist=xdist)
    result.assert_outcomes(passed=1, failed=1, skipped=1)
    result.stdout.fnmatch_lines(
        [
            "*refused: warning finding world-writable: chmod lets everybody write*",
            "found     touch ran && chmod 777 ran",
            "                             ━━━",
            "*╰ warning world-writable: chmod lets everybody write",
            '*allow = [[]"world-writable"[]]*',
        ]
    )
    assert not (project.pytester.path / "ran").exists()
    assert not (project.pytester.path / "after").exists()
    assert (project.pytester.path / "fine").exists()


def test_what_needs_a_denied_one_that_is_listed_later_is_skipped(project: Project) -> None:
    project.commands("after: touch after | needs = ['open']", WORLD)
    project.run("--cbx-deny=warning").assert_outcomes(failed=1, skipped=1)
    assert not (project.pytester.path / "after").exists()


@pytest.mark.parametrize("arguments", [(), ("--cbx-deny=critical",), ("--cbx-deny=off",)])
def test_a_milder_finding_denies_nothing(project: Project, arguments: tuple[str, ...]) -> None:
    project.commands(WORLD)
    project.run(*arguments).assert_outcomes(passed=1)


def test_a_rule_can_be_allowed_for_a_command(project: Project) -> None:
    project.commands(f"{WORLD} | allow = ['world-writable']", "shut: chmod 777 shut")
    project.run("--cbx-deny=warning").assert_outcomes(passed=1, failed=1)
    assert (project.pytester.path / "ran").exists()


def test_the_file_and_the_ini_file_deny_and_the_option_goes_before_them(project: Project) -> None:
    project.commands(WORLD, head="[cbx]\ndeny = 'warning'\n")
    project.run().assert_outcomes(failed=1)
    project.run("--cbx-deny=off").assert_outcomes(passed=1)
    project.commands(WORLD)
    (project.pytester.path / "pytest.ini").write_text("[pytest]\ncbx_deny = warning\n")
    project.run().assert_outcomes(failed=1)


def test_a_wrong_severity_is_a_usage_error(project: Project) -> None:
    project.commands(WORLD)
    result = project.run("--cbx-deny=warn")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(['*deny must be one of *did you mean "warning"*'])


def test_explain_says_what_would_be_refused(project: Project) -> None:
    project.commands(WORLD)
    result = project.run("--cbx-explain", "--cbx-deny=warning")
    result.stdout.fnmatch_lines(
        [
            "    finding    warning world-writable: chmod lets everybody write",
            "    refused    warning world-writable: chmod lets everybody write",
        ]
    )
    result = project.run("--cbx-explain")
    result.stdout.no_fnmatch_line("    refused*")


def test_the_fixture_gives_an_outcome_with_the_error(project: Project) -> None:
    project.pytester.makepyfile(
        """
        import pytest
        from pytest_cbx.errors import CommandDenied, UsageError

        def test_it(cbx):
            done = cbx.run("chmod 777 x")
            assert not done.ok
            assert isinstance(done.error, CommandDenied)
            assert "world-writable" in str(done)
            assert done.exit_code is None and not done.attempts

        def test_allowed(cbx):
            assert cbx.run("touch x; chmod 777 x", allow=["world-writable"]).ok
            with pytest.raises(UsageError, match='did you mean "world-writable"'):
                cbx.run("ls", allow=["world-writeable"])

        def test_many(cbx):
            denied, fine = cbx.run_all(["chmod 777 x", "echo fine"])
            assert (denied.status, fine.stdout) == ("failed", "fine\\n")
        """
    )
    project.run("--cbx-deny=warning").assert_outcomes(passed=3)


def test_a_report_tells_of_it(project: Project, tmp_path: Path) -> None:
    project.commands(WORLD)
    project.run("--cbx-deny=warning", f"--cbx-report={tmp_path / 'report'}").assert_outcomes(failed=1)
    assert "world-writable" in (tmp_path / "report" / "summary.json").read_text()
