"""Commands as transactions, as pytest and `cbx` show them: kept, undone, shown only, learned."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pytest_cbx.client.learning import ENOUGH
from pytest_cbx.execute.ladder import probe
from tests.plugin.conftest import Project

guarded = pytest.mark.skipif(probe().level == "off", reason=f"no guard here: {probe().reason}")
CONDITIONAL = "tier = 'conditional' ;; trust = true"


def fake(folder: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of this name that is found before the real one."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


@guarded
def test_a_command_that_changes_sources_and_fails_is_undone(project: Project) -> None:
    root = project.pytester.path
    (root / "a.txt").write_text("old\n")
    project.commands("generate: echo new > a.txt; echo more > b.txt; exit 3")
    result = project.run("cbx.toml")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*its changes were rolled back: 2 files*", "cbx: 1 command, 1 failed, 1 rolled back in *"]
    )
    assert (root / "a.txt").read_text() == "old\n"
    assert not (root / "b.txt").exists()


@guarded
def test_a_test_command_that_fails_keeps_its_report(project: Project) -> None:
    project.commands(f"suite: echo failed > report.txt; exit 1 | {CONDITIONAL}")
    result = project.run("cbx.toml")
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*rolled back*")
    assert (project.pytester.path / "report.txt").read_text() == "failed\n"


@guarded
def test_a_test_command_that_is_stopped_is_undone(project: Project) -> None:
    project.commands(f"suite: echo half > report.txt; sleep 60 | {CONDITIONAL} ;; timeout = 1")
    result = project.run("cbx.toml")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*its changes were rolled back: 1 file*"])
    assert not (project.pytester.path / "report.txt").exists()


@guarded
@pytest.mark.parametrize("parallel", [True, False])
def test_a_dry_run_changes_nothing_and_says_what_it_would(project: Project, parallel: bool) -> None:
    root = project.pytester.path
    (root / "version").write_text("1\n")
    project.commands("bump: echo 2 > version; echo x > new")
    before = {path.name for path in root.iterdir()}
    result = project.run("cbx.toml", "--cbx-rollback=always", parallel=parallel)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            "cbx: bump would have changed (dry run): created  new",
            "cbx: bump would have changed (dry run): modified version",
        ]
    )
    assert (root / "version").read_text() == "1\n"
    assert {path.name for path in root.iterdir()} == before


@guarded
def test_the_fixture_tells_changes_and_undoes_them(project: Project) -> None:
    project.pytester.makepyfile(
        """
        def test_it(cbx):
            (cbx.path / "old").write_text("1")
            done = cbx.run("mkdir dist && tar czf dist/app.tar.gz old && echo 2 > old")
            assert done.ok, done
            assert "dist/app.tar.gz" in done.changes.created
            assert done.changes.modified == ("old",)
            assert not done.rolled_back
            failed = cbx.run("rm old; echo x > new; false")
            assert failed.rolled_back, failed
            assert failed.changes.deleted == ("old",)
            assert failed.changes.created == ("new",)
            assert "rolled back: 2 files" in str(failed)
            assert (cbx.path / "old").read_text() == "2\\n"
            assert not (cbx.path / "new").exists()
            kept = cbx.run("echo x > new; false", rollback="never")
            assert not kept.rolled_back
            assert (cbx.path / "new").exists()
            loose = cbx.run("echo y > loose; false", isolation="off")
            assert loose.changes is None
            assert (cbx.path / "loose").exists()
        """
    )
    project.run().assert_outcomes(passed=1)


@guarded
def test_a_surprise_is_told_and_learned(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake(tmp_path / "bin", "grep", "echo called > grep.log; cat src.txt", monkeypatch)
    (project.pytester.path / "src.txt").write_text("x\n")
    project.commands("lint: grep x src.txt")
    first = project.run("cbx.toml", "-v")
    first.assert_outcomes(passed=1)
    first.stdout.fnmatch_lines(["*= cbx surprises =*", "`lint` *grep.log*", "learned: the next run predicts this"])
    assert (project.pytester.path / "grep.log").read_text() == "called\n"
    explained = project.run("cbx.toml", "--cbx-explain")
    explained.stdout.fnmatch_lines(
        ["lint  CONDITIONAL_PARALLEL", "*because *learned:*grep.log*", "*learned *grep.log*"]
    )
    second = project.run("cbx.toml")
    second.assert_outcomes(passed=1)
    second.stdout.no_fnmatch_line("*cbx surprises*")


@guarded
def test_a_program_that_nobody_knows_is_known_by_its_deeds(project: Project) -> None:
    root = project.pytester.path
    shutil.copy(shutil.which("touch") or "/bin/touch", root / "tool")
    (root / "out").mkdir()
    for number in range(ENOUGH):
        assert explained(root, "./tool out/a")["tier"] == "SEQUENTIAL_REQUIRED", number
        assert cbx_run(root, "--", "./tool out/a").returncode == 0
    known = explained(root, "./tool out/a")
    assert known["tier"] == "CONDITIONAL_PARALLEL"
    assert "write **" not in known["claims"]
    assert [line.split(" (")[0].split()[1] for line in known["learned"] if "out" in line] == ["out/a"]
    assert known["reasons"][0].startswith(f"learned from {ENOUGH} runs: ")
    assert explained(root, "./tool out/b")["tier"] == "SEQUENTIAL_REQUIRED"


@guarded
def test_a_process_of_somebody_else_is_not_hit(project: Project) -> None:
    with subprocess.Popen(["sleep", "60"]) as bystander:
        try:
            project.commands(f"sweep: kill {bystander.pid}; sleep 0.1")
            result = project.run("cbx.toml")
            result.stdout.fnmatch_lines([f"*refused: signal 15 to *sleep 60 (pid {bystander.pid})*"])
            assert bystander.poll() is None
        finally:
            bystander.kill()


@guarded
def test_what_was_not_to_be_learned_is_not(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake(tmp_path / "bin", "grep", "echo called > grep.log", monkeypatch)
    project.commands("lint: grep x src.txt", head="[cbx]\nlearn = false")
    project.run("cbx.toml").stdout.fnmatch_lines(["`lint` *grep.log*", "not learned: learn = false"])
    project.run("cbx.toml", "--cbx-explain").stdout.fnmatch_lines(["lint  SAFE_PARALLEL"])


@guarded
def test_becoming_another_user_is_refused_or_unguarded(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake(tmp_path / "bin", "sudo", 'exec "$@"', monkeypatch)
    project.commands("install: sudo touch installed")
    result = project.run("cbx.toml")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*sudo cannot change the user at isolation guard*privileged = true*"])
    assert not (project.pytester.path / "installed").exists()
    project.commands("install: sudo touch installed | privileged = true")
    result = project.run("cbx.toml")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["cbx: privileged, so at isolation off, where nothing is enforced or undone: install"])
    assert (project.pytester.path / "installed").exists()


@guarded
def test_the_summary_file_has_the_changes(project: Project) -> None:
    (project.pytester.path / "old").write_text("1")
    project.commands("good: echo x > made", "bad: rm old; false")
    project.run("cbx.toml", "--cbx-report=report")
    summary = json.loads((project.pytester.path / "report" / "summary.json").read_text())
    good, bad = summary["commands"]
    assert summary["isolation"] == "guard"
    assert summary["totals"]["rolled_back"] == 1
    assert (good["changes"], good["rolled_back"]) == ({"created": ["made"], "modified": [], "deleted": []}, False)
    assert (bad["changes"], bad["rolled_back"]) == ({"created": [], "modified": [], "deleted": ["old"]}, True)
    assert (project.pytester.path / "old").exists()


def test_without_isolation_it_is_said_what_is_missing(project: Project) -> None:
    project.commands("generate: echo new > a.txt; exit 3")
    result = project.run("cbx.toml", "--cbx-isolation=off")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["cbx: 1 command*isolation off (asked for): nothing is enforced or undone"])
    assert (project.pytester.path / "a.txt").read_text() == "new\n"


def cbx_run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest_cbx.cli.main", "run", *arguments],
        cwd=root, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def explained(root: Path, text: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest_cbx.cli.main", "explain", "--json", text],
        cwd=root, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@guarded
def test_cbx_run_lists_changes(project: Project) -> None:
    root = project.pytester.path
    (root / "old").write_text("1\n")
    done = cbx_run(root, "--changes", "--json", "row.json", "--", "echo 2 > old; mkdir d; echo x > d/new; echo said")
    assert (done.returncode, done.stdout) == (0, "said\n")
    assert done.stderr.splitlines() == ["created  d", "created  d/new", "modified old"]
    row = json.loads((root / "row.json").read_text())
    assert row["changes"] == {"created": ["d", "d/new"], "modified": ["old"], "deleted": []}
    assert row["isolation"] == "guard"


@guarded
def test_cbx_run_undoes_what_failed(project: Project) -> None:
    root = project.pytester.path
    done = cbx_run(root, "--", "echo 2 > new; exit 7")
    assert done.returncode == 7
    assert "cbx: its changes were rolled back: 1 file" in done.stderr.splitlines()
    assert not (root / "new").exists()
    kept = cbx_run(root, "--rollback", "never", "--", "echo 2 > new; exit 7")
    assert kept.returncode == 7
    assert (root / "new").exists()


@guarded
@pytest.mark.parametrize("code", [0, 5])
def test_cbx_run_as_a_dry_run(project: Project, code: int) -> None:
    root = project.pytester.path
    (root / "version").write_text("1\n")
    done = cbx_run(root, "--rollback", "always", "--", f"echo 2 > version; echo said; exit {code}")
    assert (done.returncode, done.stdout) == (code, "said\n")
    lines = done.stderr.splitlines()
    assert lines[0] == "cbx: dry run: this was undone: 1 file"
    assert {"-1", "+2"} <= set(lines)
    assert (root / "version").read_text() == "1\n"
    nothing = cbx_run(root, "--rollback", "always", "--", "cat version")
    assert nothing.stderr.splitlines() == ["cbx: dry run: it changed nothing"]


@guarded
def test_cbx_run_refuses_to_change_the_user(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake(tmp_path / "bin", "sudo", 'exec "$@"', monkeypatch)
    root = project.pytester.path
    refused = cbx_run(root, "--", "sudo touch x")
    assert refused.returncode == 126
    assert "call with --isolation off" in refused.stderr
    assert not (root / "x").exists()
    assert cbx_run(root, "--isolation", "off", "--", "sudo touch x").returncode == 0
    assert (root / "x").exists()


def test_cbx_run_without_isolation(project: Project) -> None:
    root = project.pytester.path
    done = cbx_run(root, "--isolation", "off", "--changes", "--", "echo x > new; exit 2")
    assert done.returncode == 2
    assert done.stderr.splitlines() == ['cbx: changes are not observed at isolation "off"']
    assert (root / "new").exists()
    refused = cbx_run(root, "--isolation", "off", "--rollback", "always", "--", "echo y > other")
    assert refused.returncode == 4
    assert not (root / "other").exists()


@guarded
def test_cbx_recover_undoes_what_nobody_ends(project: Project, tmp_path: Path) -> None:
    root = project.pytester.path
    (root / "version").write_text("1\n")
    command = [sys.executable, "-m", "pytest_cbx.cli.main"]
    text = f"echo 2 > version; echo x > new; echo $PPID > {tmp_path}/engine; sleep 60"
    client = subprocess.Popen([*command, "run", "--", text], cwd=root, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while not (tmp_path / "engine").exists() or not (tmp_path / "engine").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        client.kill()
        os.kill(int((tmp_path / "engine").read_text()), signal.SIGKILL)
    finally:
        client.kill()
        client.wait()
    assert (root / "version").read_text() == "2\n"
    first = subprocess.run([*command, "recover"], cwd=root, capture_output=True, text=True, timeout=60, check=False)
    assert (first.returncode, first.stderr) == (0, "")
    assert re.search(r": rolled back, \d+ changes undone$", first.stdout, re.MULTILINE)
    assert "sleep 60" in first.stdout
    assert (root / "version").read_text() == "1\n"
    assert not (root / "new").exists()
    again = subprocess.run([*command, "recover"], cwd=root, capture_output=True, text=True, timeout=60, check=False)
    assert (again.returncode, again.stdout) == (0, f"nothing to recover in {root}\n")
