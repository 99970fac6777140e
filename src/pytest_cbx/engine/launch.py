"""Starting an engine process, and knowing those that were started here."""

from __future__ import annotations

import atexit
import contextlib
import os
import subprocess
import sys
from pathlib import Path

from pytest_cbx.engine.places import Rendezvous
from pytest_cbx.errors import EngineLost
from pytest_cbx.execute.processes import ENGINE

_PATH = "CBX_ENGINE_PATH"
# Isolated (-I): nothing in the client's directory or environment can stand in for a module of ours. The way to our own
# modules and to what they need is the client's, handed over in the environment: our own first, as another version of
# us may be installed where this Python looks by itself.
_BOOT = (
    f"import os, sys; ours, *more = os.environ.pop({_PATH!r}).split(os.pathsep); "
    "sys.path.insert(0, ours); import pytest_cbx; del sys.path[0]; sys.path += [p for p in more if p not in sys.path]; "
    "import runpy; runpy.run_module('pytest_cbx.engine', run_name='__main__', alter_sys=False)"
)

_OURS = os.fspath(Path(__file__).resolve().parents[2])
_owner = os.getpid()
_children: list[subprocess.Popen[bytes]] = []
"""Engines that this process started and that have not ended as far as it knows."""


def start(place: Rendezvous, workspace: Path) -> subprocess.Popen[bytes]:
    """Start an engine in a session of its own, with its output going to the log.

    Raises:
        EngineLost: there is no Python to start it with.
    """
    reap()
    kept = {name: value for name, value in os.environ.items() if name not in ("CBX_INSTANCE", "CBX_ENGINE")}
    modules = os.pathsep.join([_OURS, *(os.path.abspath(entry) for entry in sys.path)])
    log = os.open(place.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", _BOOT, os.path.abspath(workspace)],
            cwd="/",
            env={**kept, _PATH: modules, ENGINE: place.tree},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    except OSError as error:
        raise EngineLost(f"the engine could not be started: {sys.executable or 'Python'}: {error.strerror}") from error
    finally:
        os.close(log)
    _children.append(process)
    return process


def reap() -> None:
    """Collect those that have ended. The others serve other clients; they are no neglected children."""
    for process in list(_children):
        if process.poll() is not None:
            _children.remove(process)


def lives(pid: int) -> bool | None:
    """Whether an engine that was started here still runs, reaping it if not; None for one that was started elsewhere."""
    for process in _children:
        if process.pid == pid:
            return process.poll() is None
    return None


def forget() -> None:
    """At the end, when those that still run serve others; in a forked child, whose own they are not."""
    if _owner == os.getpid():
        reap()
    for process in _children:
        process.returncode = 0
    _children.clear()


atexit.register(forget)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget)


def said(place: Rendezvous) -> str:
    """The last line that an engine wrote."""
    lines: list[str] = []
    with contextlib.suppress(OSError):
        lines = place.log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
