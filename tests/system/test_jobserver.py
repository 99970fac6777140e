"""Tools that run several jobs themselves share one budget with the commands."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pytest_cbx.engine.jobserver import Jobserver
from pytest_cbx.schedule.model import TaskId
from tests.requirements import require
from tests.system.helpers import start_pytest

LOGGED = 'echo "+ $$(date +%s%N) $@" >> "$(LOG)"; sleep 0.2; echo "- $$(date +%s%N) $@" >> "$(LOG)"'
MAKEFILE = f"all: 1 2 3 4 5 6\n1 2 3 4 5 6:\n\t@{LOGGED}\n.PHONY: all 1 2 3 4 5 6\n"
RUSTC = """#!/bin/bash
# cargo asks the compiler for its version first; that is no job.
[[ "$*" == *"--crate-name unit"* ]] || exec "$@"
echo "+ $(date +%s%N) rustc" >> "$LOG"
sleep 0.2
"$@"
status=$?
echo "- $(date +%s%N) rustc" >> "$LOG"
exit $status
"""


def at_once(log: Path) -> list[int]:
    """How many jobs ran after each start and end."""
    running, counts = 0, []
    for line in sorted(log.read_text().splitlines(), key=lambda line: int(line.split()[1])):
        running += 1 if line[0] == "+" else -1
        counts.append(running)
    assert running == 0
    return counts


def run(tree: Path) -> None:
    process = start_pytest(tree, "-rA")
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said


def commands(*texts: str, jobs: int = 2) -> str:
    blocks = [f"[[cbx.command]]\nname = 'c{n}'\nrun = '''{text}'''\nmemory = '200MB'\n" for n, text in enumerate(texts)]
    return f"[cbx]\njobs = {jobs}\n" + "".join(blocks)


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Outside of the work tree, so that nobody must wait for it."""
    path = tmp_path / "log"
    monkeypatch.setenv("LOG", str(path))
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "Makefile").write_text(MAKEFILE)
    return folder


def test_make_uses_the_slots_that_are_free_and_no_more(tree: Path, log: Path) -> None:
    (tree / "cbx.toml").write_text(commands("make -j8", jobs=3))
    run(tree)
    assert max(at_once(log)) == 3


def test_make_and_cargo_and_others_share_one_budget(tree: Path, log: Path) -> None:
    require("cargo", promised=False)
    wrapper = tree.parent / "wrapper"
    wrapper.write_text(RUSTC)
    wrapper.chmod(0o755)
    other = tree / "rust"
    units = [f"unit{n}" for n in range(5)]
    for name in units:
        (other / name / "src").mkdir(parents=True)
        (other / name / "src" / "lib.rs").write_text("pub fn f() {}\n")
        (other / name / "Cargo.toml").write_text(f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n')
    (other / "Cargo.toml").write_text(f'[workspace]\nresolver = "2"\nmembers = {units}\n'.replace("'", '"'))
    job = 'echo "+ $(date +%s%N) other" >> "$LOG"; sleep 0.3; echo "- $(date +%s%N) other" >> "$LOG"; touch other.$$'
    cargo = f"cd rust && RUSTC_WRAPPER={wrapper} cargo build --offline -q -j8"
    (tree / "cbx.toml").write_text(commands("make -j", cargo, job))
    run(tree)
    counts = at_once(log)
    print(f"most jobs together: {max(counts)}, of {len(counts) // 2} jobs of make, cargo and a command, with jobs = 2")
    assert max(counts) == 2
    assert len(counts) == 2 * (6 + 5 + 1)


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """A folder with the jobserver's pipe, and its stand-in for make before a make that tells how it was called."""
    folder = tmp_path / "served"
    folder.mkdir()
    Jobserver(os.fsencode(folder), 4).close()
    real = tmp_path / "real"
    real.mkdir()
    (real / "make").write_text('#!/bin/bash\necho "$* | ${MAKEFLAGS-}"; [[ -e /dev/fd/8 ]] && echo jobserver; exit 7\n')
    (real / "make").chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("words", "flags", "called"),
    [
        (["a", "b c"], "", "a b c | \n"),
        (["-j1", "a"], "", "a -j1 | \n"),
        (["-j"], "", " |  -j4 --jobserver-auth=8,9\njobserver\n"),
        (["-j", "8", "a"], "", "a |  -j4 --jobserver-auth=8,9\njobserver\n"),
        (["-j", "a"], "", "a |  -j4 --jobserver-auth=8,9\njobserver\n"),
        (["-kj8", "a"], "", "-k a |  -j4 --jobserver-auth=8,9\njobserver\n"),
        (["-C", "d", "--jobs=8"], "", "-C d |  -j4 --jobserver-auth=8,9\njobserver\n"),
        (["--jobs", "3", "-k"], "", "-k |  -j4 --jobserver-auth=8,9\njobserver\n"),
        (["--just-print", "X=-j8"], "", "--just-print X=-j8 | \n"),
        (["a"], "-j8", "a | -j8 -j4 --jobserver-auth=8,9\njobserver\n"),
        (["-j8", "a"], " -j2 --jobserver-auth=3,4", "a |  -j2 --jobserver-auth=3,4\n"),
    ],
)
def test_how_make_is_called(served: Path, tmp_path: Path, words: list[str], flags: str, called: str) -> None:
    variables = {
        "PATH": f"{served}/bin:{tmp_path}/real:/usr/bin:/bin",
        "CBX_JOBSERVER": f"{served}/jobs",
        "CBX_JOBS": "4",
        **({"MAKEFLAGS": flags} if flags else {}),
    }
    done = subprocess.run(
        ["make", *words], env=variables, executable=f"{served}/bin/make", capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == (called, "", 7)


def test_without_a_make_there_is_none(served: Path) -> None:
    done = subprocess.run(
        [f"{served}/bin/make"], env={"PATH": f"{served}/bin"}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (127, "make: command not found\n")


def test_what_is_lent_can_be_taken_by_anybody_and_is_counted(tmp_path: Path) -> None:
    jobs = Jobserver(os.fsencode(tmp_path), 4)
    jobs.lend(3)
    taker = os.open(tmp_path / "jobs", os.O_RDWR | os.O_NONBLOCK)
    assert os.read(taker, 1) == b"+"
    jobs.reclaim()
    assert jobs.lent == 1
    jobs.reclaim()
    assert jobs.lent == 1
    os.write(taker, b"+")
    jobs.reclaim()
    assert jobs.lent == 0
    jobs.lend(2)
    assert len(os.read(taker, 2)) == 2
    os.close(taker)
    jobs.close()


def test_a_jobserver_that_the_command_brings_along_is_respected(tmp_path: Path) -> None:
    jobs = Jobserver(os.fsencode(tmp_path), 4)
    assert jobs.variables({b"MAKEFLAGS": b"-j2 --jobserver-auth=3,4"}) == {}
    assert jobs.variables({b"PATH": b"/bin"})[b"PATH"] == os.fsencode(tmp_path / "bin") + b":/bin"
    jobs.close()


def test_what_a_killed_command_had_in_hand_is_lent_again_when_nobody_else_can_have_it(tmp_path: Path) -> None:
    jobs = Jobserver(os.fsencode(tmp_path), 4)
    killed, beside, later = TaskId(1), TaskId(2), TaskId(3)
    jobs.lend(2)
    taker = os.open(tmp_path / "jobs", os.O_RDWR | os.O_NONBLOCK)
    os.read(taker, 2)
    jobs.ended(killed, {beside}, killed=True)
    assert (jobs.doubtful, jobs.lent) == (True, 2)
    jobs.ended(beside, {later}, killed=False)
    assert (jobs.doubtful, jobs.lent) == (False, 0)
    jobs.lend(1)
    os.read(taker, 1)
    jobs.ended(later, set(), killed=False)
    assert (jobs.doubtful, jobs.lent) == (False, 0)
    os.close(taker)
    jobs.close()


def test_what_lies_in_the_pipe_was_in_nobodys_hand_when_a_command_is_killed(tmp_path: Path) -> None:
    jobs = Jobserver(os.fsencode(tmp_path), 4)
    killed, beside = TaskId(1), TaskId(2)
    jobs.lend(2)
    jobs.ended(killed, {beside}, killed=True)
    assert (jobs.doubtful, jobs.lent) == (False, 0)
    jobs.lend(3)
    taker = os.open(tmp_path / "jobs", os.O_RDWR | os.O_NONBLOCK)
    assert os.read(taker, 1) == b"+"
    jobs.ended(beside, {killed}, killed=True)
    assert (jobs.doubtful, jobs.lent) == (True, 1)
    os.close(taker)
    jobs.close()
