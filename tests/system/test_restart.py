"""Commands that have to start again because of others: what they had said and read is as if it had never been."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.guarded import test_module as module_of
from tests.system.helpers import environment, processes_in, wait_for
from tests.system.nesting import tidy_place

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a guard")
ELDER = """
append("x", "elder ")
tell("elder")
wait_for("younger")
append("y", "elder ")
tell("over")
wait_for("end")
"""
YOUNGER = """
line = sys.stdin.readline().strip()
print("said", flush=True)
append("../began", "began ")
wait_for("elder")
append("y", line)
tell("younger")
append("x", line)
print(sys.stdin.read(), end="", flush=True)
"""
"""Holds what the elder one wants, and wants what that one holds: it has to give way. Nobody can tell that beforehand."""


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    with tidy_place(tmp_path) as project:
        for name, text in (("elder", ELDER), ("younger", YOUNGER)):
            (project / f"{name}.py").write_text(module_of(text))
        yield project


def start(tree: Path, name: str, stdin: Any = subprocess.DEVNULL) -> subprocess.Popen[str]:
    script = f"ME={name} MEETING=.. PYTHONDONTWRITEBYTECODE=1 python3 -m unittest -q {name}"
    return subprocess.Popen(
        [sys.executable, "-m", "pytest_cbx.cli.main", "run", "--name", name, "--", script],
        cwd=tree, env=environment(), stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def meet(tree: Path, stdin: object) -> tuple[subprocess.Popen[str], subprocess.Popen[str]]:
    """Start the elder one, and then the younger one."""
    elder = start(tree, "elder")
    wait_for((tree.parent / "elder").exists, "the elder one holds its file")
    return elder, start(tree, "younger", stdin)


def written(tree: Path) -> tuple[str, str]:
    return (tree / "x").read_text(), (tree / "y").read_text()


def test_input_from_a_file_is_read_again(tree: Path) -> None:
    given = tree.parent / "given"
    given.write_text("skipped\nline\nrest\n")
    with given.open() as file:
        file.readline()  # what is before the place where it stands is none of the command's
        file.seek(len("skipped\n"))
        elder, younger = meet(tree, file)
        wait_for((tree.parent / "over").exists, "the elder one goes on")
        (tree.parent / "end").touch()
        out, error = younger.communicate(timeout=40)
        _, other = elder.communicate(timeout=40)
    assert (younger.returncode, elder.returncode) == (0, 0), (error, other)
    assert written(tree) in [("elder line",) * 2, ("lineelder ",) * 2]  # as if one had run after the other
    assert out.endswith("rest\n")
    assert len((tree.parent / "began").read_text().split()) >= 2
    assert "rolled back and started again once because elder and younger waited for one another" in error


def test_input_from_a_pipe_cannot_be_read_again(tree: Path) -> None:
    elder, younger = meet(tree, subprocess.PIPE)
    assert younger.stdin is not None
    younger.stdin.write("line\nrest\n")
    younger.stdin.flush()
    wait_for((tree.parent / "over").exists, "the elder one goes on")
    _, error = younger.communicate(timeout=40)
    assert younger.returncode != 0
    assert "cannot be started again, as what it read from its standard input is gone" in error
    assert "run it again, or give it a file to read from" in error
    (tree.parent / "end").touch()
    _, other = elder.communicate(timeout=40)
    assert elder.returncode == 0, other
    assert written(tree) == ("elder ", "elder ")


def test_cancelled_while_it_waits_to_start_again(tree: Path) -> None:
    """One changed its file after it had started, so it is to start anew; another has the file now, so it waits for that."""
    for name, text in (
        ("late", "print('said', flush=True); tell('began'); wait_for('held', 4); append('x', 'late ')"),
        ("first", "append('x', 'first ')"),
        ("holder", "append('x', 'holder '); tell('held'); wait_for('end', 20)"),
    ):
        (tree / f"{name}.py").write_text(module_of(text))
    late = start(tree, "late")
    wait_for((tree.parent / "began").exists, "it has begun")
    first = start(tree, "first")
    _, error = first.communicate(timeout=40)
    assert first.returncode == 0, error
    holder = start(tree, "holder")
    assert late.stderr is not None
    for line in late.stderr:
        if "waiting for x, held by holder" in line:
            break
    late.terminate()
    out, _ = late.communicate(timeout=40)
    assert (late.returncode, out) == (128 + 15, "said\n")
    (tree.parent / "end").touch()
    _, error = holder.communicate(timeout=40)
    assert holder.returncode == 0, error
    assert (tree / "x").read_text() == "first holder "
    wait_for(lambda: not list(processes_in(tree)), "all has ended")
