"""Commands that run commands: one transaction, one set of locks, one fate."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.helpers import engine_of, environment, processes_in, run_cbx, start_cbx, wait_for
from tests.system.nesting import contents, nested, tidy_place

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a guard")
ON_FAILURE = ("--rollback", "on-failure")


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    with tidy_place(tmp_path) as project:
        (project / "kept").write_text("before\n")
        yield project


def cbx(tree: Path, script: str, *options: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest_cbx.cli.main", "run", *options, "--", script],
        cwd=tree, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "internal error" not in done.stderr
    return done


def start(tree: Path, script: str, *options: str) -> subprocess.Popen[str]:
    return start_cbx(tree, "run", *options, "--", script, stdin=subprocess.DEVNULL)


# --- one transaction -------------------------------------------------------------------------------------


def test_all_of_it_stays_when_the_outer_command_passes(tree: Path) -> None:
    inner = nested("echo inner >> kept; echo new > made")
    done = cbx(tree, f"echo outer >> kept; {inner}; cat made; echo last >> kept", "--changes")
    assert (done.returncode, done.stdout) == (0, "new\n"), done.stderr
    assert contents(tree) == {"kept": "before\nouter\ninner\nlast\n", "made": "new\n"}
    assert done.stderr.splitlines() == ["modified kept", "created  made"]  # and nothing of the inner client's own files


def test_what_was_committed_inside_goes_when_the_outer_command_fails(tree: Path) -> None:
    inner = nested("echo inner >> kept; mkdir -p a/b; echo new > a/b/made; rm -f gone")
    (tree / "gone").write_text("here")
    done = cbx(tree, f"echo outer > own; {inner} && cat a/b/made; exit 7", *ON_FAILURE)
    assert (done.returncode, done.stdout) == (7, "new\n"), done.stderr
    assert contents(tree) == {"gone": "here", "kept": "before\n"}


def test_what_failed_inside_is_undone_alone(tree: Path) -> None:
    inner = nested("echo inner >> kept; echo new > made; exit 3", *ON_FAILURE)
    done = cbx(tree, f"echo outer >> kept; {inner} || echo status $?; cat kept; echo last >> kept")
    assert (done.returncode, done.stdout) == (0, "status 3\nbefore\nouter\n"), done.stderr
    assert contents(tree) == {"kept": "before\nouter\nlast\n"}


def test_the_outer_command_is_undone_after_one_inside_was(tree: Path) -> None:
    """It wrote the same file before and after, and what was undone inside must not hide what it was at first."""
    inner = nested("echo inner >> kept; echo inner >> made; rm -f removed; exit 3", *ON_FAILURE)
    (tree / "removed").write_text("here")
    script = f"echo outer >> kept; {inner} || echo again >> kept; echo again >> made; rm removed; exit 4"
    done = cbx(tree, script, *ON_FAILURE)
    assert done.returncode == 4, done.stderr
    assert contents(tree) == {"kept": "before\n", "removed": "here"}


def test_first_touched_inside_and_undone_then_changed_outside(tree: Path) -> None:
    inner = nested("echo inner >> kept; exit 3", *ON_FAILURE)
    done = cbx(tree, f"{inner} || echo outer >> kept; exit 4", *ON_FAILURE)
    assert done.returncode == 4, done.stderr
    assert contents(tree) == {"kept": "before\n"}


def test_a_dry_run_inside_of_one_that_stays(tree: Path) -> None:
    inner = nested("echo inner >> kept; echo new > made", "--rollback", "always")
    done = cbx(tree, f"echo outer >> kept; {inner}; test ! -e made && echo last >> kept")
    assert done.returncode == 0, done.stderr
    assert "+inner" in done.stderr
    assert contents(tree) == {"kept": "before\nouter\nlast\n"}


def test_three_deep_and_undone_at_each_depth(tree: Path) -> None:
    third = nested("echo 3 >> kept; echo 3 > three")
    second = nested(f"echo 2 >> kept; {third}; echo 2 > two; exit 2", *ON_FAILURE)
    first = nested(f"echo 1 >> kept; {second} || {third}; echo 1 > one")
    done = cbx(tree, f"echo 0 >> kept; {first}")
    assert done.returncode == 0, done.stderr
    assert contents(tree) == {"kept": "before\n0\n1\n3\n", "one": "1\n", "three": "3\n"}


def test_four_deep_is_refused(tree: Path) -> None:
    script = "echo deep > deep"
    for _ in range(4):
        script = nested(script)
    done = cbx(tree, f"{script} || echo outer > own")
    assert done.returncode == 0
    assert "nested 4 deep; at most 3 are allowed" in done.stderr
    assert contents(tree) == {"kept": "before\n", "own": "outer\n"}


def test_several_at_once_inside(tree: Path) -> None:
    """They do not lose each other's updates, and share the outer command's fate."""
    one = "n=$(cat counter); sleep 0.05; echo $((n + 1)) > counter"
    (tree / "counter").write_text("0\n")
    many = " & ".join(nested(one, "--writes", "counter", *ON_FAILURE) for _ in range(3))
    done = cbx(tree, f"{many} & wait; cat counter; exit 5", *ON_FAILURE)
    assert (done.returncode, done.stdout) == (5, "3\n"), done.stderr
    assert contents(tree) == {"counter": "0\n", "kept": "before\n"}


# --- one end ---------------------------------------------------------------------------------------------

STUBBORN = "trap '' TERM INT HUP; echo inner >> kept; echo > running; while :; do echo more >> kept; sleep 0.01; done"
"""Keeps writing as long as it lives: what it writes after the roll back would stay."""


def _running(tree: Path) -> subprocess.Popen[str]:
    process = start(tree, f"echo outer >> kept; {nested(STUBBORN)}; true")
    wait_for((tree / "running").exists, "the nested command runs")
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_client_is_ended_while_a_nested_command_runs(tree: Path, number: int) -> None:
    process = _running(tree)
    process.send_signal(number)
    process.communicate(timeout=30)
    wait_for(lambda: not list(processes_in(tree)), "all has ended")
    assert contents(tree) == {"kept": "before\n"}


def test_the_outer_command_times_out(tree: Path) -> None:
    done = cbx(tree, f"echo outer >> kept; {nested(STUBBORN)}", "--timeout", "3")
    assert "time-out" in done.stderr
    assert contents(tree) == {"kept": "before\n"}


def test_the_outer_command_is_killed(tree: Path) -> None:
    process = _running(tree)
    shells = [
        one for one in processes_in(tree) if one.cmdline()[-1].startswith("echo outer") and "run" not in one.cmdline()
    ]
    (outer,) = [one for one in shells if one.pid == os.getsid(one.pid)]
    outer.kill()
    process.communicate(timeout=30)
    assert contents(tree) == {"kept": "before\n"}


def test_the_engine_is_killed(tree: Path) -> None:
    process = _running(tree)
    engine_of(tree).kill()
    process.communicate(timeout=30)
    done = run_cbx(tree, "recover")
    assert done.returncode == 0, done.stderr
    assert contents(tree) == {"kept": "before\n"}


def test_the_inner_client_alone_is_killed(tree: Path) -> None:
    """The outer command goes on; what ran inside is ended and undone."""
    inner = nested(STUBBORN)
    script = f"echo outer >> kept; {inner} & while ! test -e running; do sleep 0.01; done; kill -9 $!; "
    script += "while test -e running; do sleep 0.01; done; echo last >> kept"
    done = cbx(tree, script)
    assert done.returncode == 0, done.stderr
    assert contents(tree) == {"kept": "before\nouter\nlast\n"}


def test_the_outer_command_ends_first(tree: Path) -> None:
    """What it left running inside is ended and undone; its own changes stay."""
    done = cbx(tree, f"echo outer >> kept; {nested(STUBBORN)} & while ! test -e running; do sleep 0.01; done")
    assert done.returncode == 0, done.stderr
    assert contents(tree) == {"kept": "before\nouter\n"}


def test_ends_first_three_deep(tree: Path) -> None:
    second = nested(f"echo 2 > two; {nested(STUBBORN)}")
    first = nested(f"echo 1 > one; {second}")
    done = cbx(tree, f"echo outer >> kept; {first} & while ! test -e running; do sleep 0.01; done")
    assert done.returncode == 0, done.stderr
    assert contents(tree) == {"kept": "before\nouter\n"}


# --- rungs -----------------------------------------------------------------------------------------------


def rung(tree: Path, outer: str, inner: str, inside: str, *options: str) -> tuple[str, str]:
    """The rungs at which two commands ran, as their reports tell."""
    reports = [tree.parent / "outer.json", tree.parent / "inner.json"]
    script = nested(inside, "--isolation", inner, "--json", str(reports[1]), *options)
    cbx(tree, f"echo outer >> kept; {script}", "--isolation", outer, "--json", str(reports[0]))
    first, second = (json.loads(report.read_text())["isolation"] for report in reports)
    return first, second


@pytest.mark.parametrize(
    ("outer", "inner", "found"),
    [
        ("guard", "off", ("guard", "guard")),
        ("guard", "guard", ("guard", "guard")),
        ("guard", "auto", ("guard", "guard")),
        ("guard", "serializable", ("guard", "serializable")),
        ("serializable", "guard", ("serializable", "serializable")),
        ("off", "guard", ("off", "guard")),
        ("off", "off", ("off", "off")),
    ],
)
def test_nothing_inside_runs_at_a_lower_rung(tree: Path, outer: str, inner: str, found: tuple[str, str]) -> None:
    assert rung(tree, outer, inner, "echo inner >> kept") == found
    assert contents(tree) == {"kept": "before\nouter\ninner\n"}


def test_off_inside_is_undone_with_the_outer_command(tree: Path) -> None:
    inner = nested("echo inner >> kept", "--isolation", "off")
    done = cbx(tree, f"{inner}; exit 3", *ON_FAILURE)
    assert done.returncode == 3
    assert "it ran at isolation guard" in done.stderr
    assert contents(tree) == {"kept": "before\n"}


def test_guard_inside_of_off_is_undone_alone(tree: Path) -> None:
    inner = nested("echo inner >> kept; exit 3", "--isolation", "guard", *ON_FAILURE)
    cbx(tree, f"echo outer >> kept; {inner} || echo last >> kept", "--isolation", "off")
    assert contents(tree) == {"kept": "before\nouter\nlast\n"}


def test_privileged_inside_is_refused(tree: Path) -> None:
    (tree / "cbx.toml").write_text('[[cbx.command]]\nname = "root"\nrun = "echo inner >> kept"\nprivileged = true\n')
    pytest_inside = f"{sys.executable} -m pytest -q -p no:cacheprovider --cbx-parallel cbx.toml"
    done = cbx(tree, f"{pytest_inside} || echo status $?")
    assert "cannot be nested in a command that is guarded" in done.stdout
    assert "status 1" in done.stdout
    assert (tree / "kept").read_text() == "before\n"


# --- other clients inside --------------------------------------------------------------------------------


def test_pytest_inside(tree: Path) -> None:
    commands = "".join(f'[[cbx.command]]\nname = "c{n}"\nrun = "echo {n} > made-{n}"\n' for n in range(4))
    (tree / "cbx.toml").write_text(commands)
    pytest_inside = f"{sys.executable} -m pytest -q -p no:cacheprovider --cbx-parallel cbx.toml"
    before = contents(tree)
    done = cbx(tree, f"{pytest_inside} && cat made-*; exit 3", *ON_FAILURE)
    assert (done.returncode, done.stdout.splitlines()[-4:]) == (3, ["0", "1", "2", "3"]), done
    assert contents(tree) == before
    done = cbx(tree, pytest_inside)
    assert done.returncode == 0, done
    assert contents(tree) == {**before, **{f"made-{n}": f"{n}\n" for n in range(4)}}


def test_run_all_inside(tree: Path) -> None:
    (tree.parent / "inside.py").write_text(
        textwrap.dedent(
            """
            import dataclasses, sys
            from pathlib import Path
            from pytest_cbx.client.api import Cbx
            from pytest_cbx.client.runner import Runner
            from pytest_cbx.config.model import CommandConfig, Settings
            root, settings = Path.cwd(), dataclasses.replace(Settings(), learn=False)
            with Runner(root, settings, name="inside") as runner:
                cbx = Cbx(root, root=root, settings=settings, connect=lambda: runner)
                commands = [CommandConfig(name=f"c{n}", run=f"echo {n} > made-{n}", line=0) for n in range(3)]
                outcomes = cbx.run_all(commands)
            print([outcome.status for outcome in outcomes], [outcome.isolation for outcome in outcomes])
            """
        )
    )
    script = f"{sys.executable} {tree.parent / 'inside.py'}; cat made-*"
    done = cbx(tree, f"{script}; exit 3", *ON_FAILURE)
    assert done.stdout.splitlines() == [str(["passed"] * 3) + " " + str(["guard"] * 3), "0", "1", "2"], done
    assert contents(tree) == {"kept": "before\n"}


# --- others who wait -------------------------------------------------------------------------------------


def test_two_that_cross_through_what_is_nested_in_them(tree: Path) -> None:
    """Each holds what the other's nested command wants."""
    meeting = tree.parent

    def crossing(me: str, other: str, mine: str, wanted: str) -> subprocess.Popen[str]:
        wait = f"n=0; while ! test -e {meeting}/{other} && test $n -lt 200; do sleep 0.01; n=$((n + 1)); done"
        inner = nested(f"echo {me} >> {wanted}")
        return start(tree, f"echo {me} >> {mine}; echo > {meeting}/{me}; {wait}; {inner}", "--name", me)

    processes = [crossing("P", "Q", "x", "y"), crossing("Q", "P", "y", "x")]
    for process in processes:
        _, error = process.communicate(timeout=60)
        assert process.returncode == 0, error
    found = contents(tree)
    assert found["x"] == found["y"]
    assert found["x"] in ("P\nQ\n", "Q\nP\n")


def test_what_one_inside_wrote_stays_locked_until_the_outer_command_ends(tree: Path) -> None:
    """Else another command could build on what is undone later."""
    inner = nested("echo inner > made")
    outer = start(tree, f"{inner}; echo > {tree.parent}/ready; sleep 1; exit 3", *ON_FAILURE, "--name", "outer")
    wait_for((tree.parent / "ready").exists, "the nested command is over")
    done = cbx(tree, "python3 -c \"open('ma' + 'de', 'a').write('other')\"")
    assert done.returncode == 0, done.stderr
    outer.communicate(timeout=30)
    assert contents(tree) == {"kept": "before\n", "made": "other"}
    assert os.path.exists(tree / "made")
