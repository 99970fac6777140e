"""Ctrl-C and SIGKILL in the middle of a run: nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.system.helpers import (
    assert_nothing_left,
    engine_of,
    environment,
    run_cbx,
    start_cbx,
    start_pytest,
    wait_for,
    write_commands,
)

STUBBORN = "trap '' TERM INT; touch started-stubborn; while :; do sleep 0.2; done"
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")


@pytest.fixture
def busy(project: Path) -> Path:
    """A project whose commands ignore polite signals and start children of their own."""
    write_commands(
        project,
        [
            ("stubborn", STUBBORN),
            ("tree", "touch started-tree; (sleep 300 & sleep 300) & wait"),
            ("quick", "touch started-q"),
        ],
        'tier = "SAFE_PARALLEL"\ntrust = true\nmemory = "64MB"',
    )
    return project


def started(folder: Path, count: int) -> bool:
    return len(list(folder.glob("started-*"))) >= count


@pytest.mark.parametrize("extra", [(), ("-n2",)], ids=["one-process", "xdist"])
def test_ctrl_c_stops_everything_and_prints_the_summary(busy: Path, extra: tuple[str, ...]) -> None:
    (busy / "test_x.py").write_text("def test_x(): pass")
    process = start_pytest(busy, *extra)
    wait_for(lambda: started(busy, 3), "all commands run")
    began = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 2, out
    assert time.monotonic() - began < 10
    assert "KeyboardInterrupt" in out
    assert "cbx: stopped or never started: stubborn, tree" in out
    assert_nothing_left(busy, within=0.5)


def test_sigkill_of_pytest(busy: Path) -> None:
    process = start_pytest(busy)
    wait_for(lambda: started(busy, 3), "all commands run")
    process.kill()
    process.communicate(timeout=20)
    assert_nothing_left(busy)


def test_sigkill_of_the_engine(busy: Path) -> None:
    process = start_pytest(busy)
    wait_for(lambda: started(busy, 3), "all commands run")
    engine_of(busy).kill()
    out, _ = process.communicate(timeout=20)
    assert process.returncode not in (0, 5)
    assert "engine" in out
    assert "Traceback" not in out
    assert "INTERNALERROR" not in out
    assert_nothing_left(busy)


def test_sigkill_of_both_is_cleaned_by_the_next_start(busy: Path) -> None:
    process = start_pytest(busy)
    wait_for(lambda: started(busy, 3), "all commands run")
    engine = engine_of(busy)
    os.kill(process.pid, signal.SIGSTOP)
    engine.kill()
    process.kill()
    process.communicate(timeout=20)
    assert run_cbx(busy, "run", "--", "true").returncode == 0
    assert_nothing_left(busy)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_to_cbx_run(project: Path, number: signal.Signals) -> None:
    process = start_cbx(project, "run", "--", "touch started-1; sleep 300")
    wait_for(lambda: started(project, 1), "the command runs")
    process.send_signal(number)
    process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert_nothing_left(project, within=0.5)


def test_cbx_run_is_transparent(project: Path) -> None:
    process = start_cbx(project, "run", "--", "read x; echo out $x; echo err >&2; exit 5", stdin=subprocess.PIPE)
    out, err = process.communicate("hello\n", timeout=30)
    assert (process.returncode, out, err) == (5, "out hello\n", "err\n")
    assert run_cbx(project, "run", "--timeout", "0.3", "--", "sleep 20").returncode == 124
    assert run_cbx(project, "run", "--", "kill -9 $$").returncode == 137


@pytest.mark.parametrize(
    ("closed", "said"),
    [("<&-", "Bad file descriptor\ncode 1\n"), (">&-", "Bad file descriptor\ncode 1\n"), ("<&- >&- 2>&-", "code 1\n")],
)
def test_cbx_run_with_closed_descriptors_is_as_bash_would_be(project: Path, closed: str, said: str) -> None:
    script = f"'{sys.executable}' -m pytest_cbx.cli.main run -- 'cat && echo hi' {closed}; echo code $? >&2"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=project,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == ""
    assert done.stderr.endswith(said)
