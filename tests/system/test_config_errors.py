"""Ten faulty configuration files: ten clear messages, exit code 4, nothing run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.helpers import run_cbx, start_pytest

GOOD = "[[cbx.command]]\nname = 'first'\nrun = 'touch ran'\n"
FAULTY = {
    "unknown key": (GOOD + "timeuot = 3\n", ["cbx.toml:4", "timeuot", "timeout"]),
    "unknown setting": ("[cbx]\nisolatoin = 'off'\n" + GOOD, ["cbx.toml:2", "isolation"]),
    "bad unit": (GOOD + "memory = '5 parsecs'\n", ["cbx.toml:4", "5 parsecs", "MB"]),
    "bad duration": (GOOD + "timeout = -2\n", ["cbx.toml:4", "timeout"]),
    "duplicate name": (GOOD + GOOD, ["cbx.toml:5", "first", "line 2"]),
    "unknown need": (GOOD + "needs = ['frist2']\n", ["cbx.toml:4", "frist2"]),
    "cycle": (
        "[[cbx.command]]\nname='a'\nrun='touch ran'\nneeds=['b']\n[[cbx.command]]\nname='b'\nrun='touch ran'\nneeds=['a']\n",
        ["cbx.toml", "a", "b"],
    ),
    "no command text": ("[[cbx.command]]\nname = 'first'\n", ["cbx.toml:1", "run"]),
    "syntax": (GOOD + "name = \n", ["cbx.toml:4"]),
    "wrong tier": (GOOD + "tier = 'FAST'\n", ["cbx.toml:4", "FAST", "SAFE_PARALLEL"]),
}


@pytest.mark.parametrize("fault", FAULTY)
def test_a_faulty_file_is_named_and_nothing_runs(project: Path, fault: str) -> None:
    text, wanted = FAULTY[fault]
    (project / "cbx.toml").write_text(text)
    (project / "test_x.py").write_text("def test_x(): open('ran', 'w')")
    process = start_pytest(project)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 4, out
    assert all(word in out for word in wanted), out
    assert "Traceback" not in out
    assert not (project / "ran").exists()


def test_cbx_says_the_same(project: Path) -> None:
    (project / "cbx.toml").write_text(GOOD + "timeuot = 3\nmemroy = 5\n")
    done = run_cbx(project, "plan")
    assert done.returncode == 4
    assert "cbx.toml:4" in done.stderr
    assert "cbx.toml:5" in done.stderr
