"""Real processes: start pytest or cbx, look at what is left."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil

PATIENCE = 20.0
"""Seconds after which a wait for something that must happen is given up."""


def environment(**extra: str) -> dict[str, str]:
    """This process's environment without what pytest and xdist left in it."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "CBX_", "COV_"))}
    return {**kept, **extra}


def start_pytest(folder: Path, *arguments: str, **extra: str) -> subprocess.Popen[str]:
    """`pytest --cbx-parallel …` in a session of its own, so that Ctrl-C can be sent to it alone."""
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:randomly", "-p", "no:cacheprovider", "--cbx-parallel", *arguments],
        cwd=folder,
        env=environment(**extra),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def start_cbx(folder: Path, *arguments: str, stdin: int | None = None) -> subprocess.Popen[str]:
    """`cbx …` in a folder."""
    return subprocess.Popen(
        [sys.executable, "-m", "pytest_cbx.cli.main", *arguments],
        cwd=folder,
        env=environment(),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_cbx(folder: Path, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """`cbx …` to its end."""
    process = start_cbx(folder, *arguments)
    out, err = process.communicate(timeout=timeout)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def write_commands(folder: Path, commands: Sequence[tuple[str, str]], keys: str = "") -> None:
    """A `cbx.toml` with these (name, text) pairs, each with the same further keys."""
    blocks = [f"[[cbx.command]]\nname = '{name}'\nrun = '''{text}'''\n{keys}\n" for name, text in commands]
    (folder / "cbx.toml").write_text("\n".join(blocks))


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Wait until something is so; an assertion error names it when it never comes."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE:g} s in vain until {what}"
        time.sleep(0.02)


def processes_in(folder: Path) -> Iterator[psutil.Process]:
    """Live processes that have to do with a folder: they stand in it, or name it in their arguments."""
    needle = str(folder)
    for process in psutil.process_iter():
        try:
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if needle in process.cwd() or any(needle in word for word in process.cmdline()):
                yield process
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue


def assert_nothing_left(folder: Path, within: float = 2.0) -> None:
    """No process of a folder is alive after that many seconds."""
    deadline = time.monotonic() + within
    while left := list(processes_in(folder)):
        if time.monotonic() > deadline:
            shown = [f"{process.pid}: {' '.join(process.cmdline())}" for process in left]
            for process in left:
                process.kill()
            raise AssertionError(f"{within:g} s later these still run: {shown}")
        time.sleep(0.05)


def engine_of(folder: Path) -> psutil.Process:
    """The engine that serves a folder."""
    found = [process for process in processes_in(folder) if _is_engine(process)]
    assert len(found) == 1, f"expected one engine, found {found}"
    return found[0]


def _is_engine(process: psutil.Process) -> bool:
    try:
        return any("pytest_cbx.engine" in word for word in process.cmdline())
    except psutil.NoSuchProcess:
        return False
