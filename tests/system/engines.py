"""Talk to a real engine the way its clients do, without pytest or `cbx` around it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from pytest_cbx.config.model import Settings
from pytest_cbx.engine.client import Client
from pytest_cbx.engine.places import tree_of
from pytest_cbx.engine.protocol import (
    CommandSpec,
    Finished,
    FromEngine,
    HoldSpec,
    JoinSpec,
    Lost,
    Queued,
    Started,
    Submission,
)
from pytest_cbx.engine.sweep import kill_of_dead_engines
from pytest_cbx.execute import processes
from pytest_cbx.tier import Tier
from tests.system.helpers import PATIENCE, environment

S = str(1_000_000 + os.getpid())
"""How the seconds begin for which this test run's processes sleep: other runs on this machine are none of its business."""
_clients: list[subprocess.Popen[str]] = []
T = TypeVar("T", Started, Finished, Queued, Lost)

ROOMY = dataclasses.replace(Settings(), jobs=8)
"""Eight at once, however small the machine."""


@contextmanager
def runtime_directory() -> Iterator[Path]:
    """A private runtime directory with a short path, which is empty again at the end."""
    with pytest.MonkeyPatch.context() as patch:
        folder = Path(tempfile.mkdtemp(prefix="cbx-"))
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        yield folder
        left = list(folder.rglob("*"))
        shutil.rmtree(folder)
        assert not left, f"engines left files behind: {left}"


class Driver:
    """One client, with commands in bash."""

    def __init__(
        self,
        workspace: Path,
        *,
        name: str = "test",
        settings: Settings = ROOMY,
        parent: str = "",
        subscribe: bool = False,
    ) -> None:
        self.client = Client.connect(workspace, name=name, settings=settings, parent=parent, subscribe=subscribe)
        self.workspace = workspace
        self.environment = self.client.environment(dict(os.environb))
        self.messages: list[FromEngine] = []
        self._next = 1

    def spec(self, script: str | list[str], **fields: Any) -> CommandSpec:
        """A command with everything a default; `script` is bash or an argv."""
        number, self._next = self._next, self._next + 1
        argv = ["bash", "-c", script] if isinstance(script, str) else script
        given: dict[str, Any] = {
            "id": number,
            "name": f"c{number}",
            "argv": [os.fsencode(word) for word in argv],
            "cwd": os.fsencode(self.workspace),
            "umask": 0o022,
            "environment": self.environment,
            "tier": Tier.SAFE_PARALLEL,
            "claims": [],
            "cpus": 0.1,
            "memory": 0,
            "timeout": 60.0,
            "stdout": os.fsencode(self.output(number)),
            "stderr": os.fsencode(self.output(number)),
        }
        return CommandSpec(**{**given, **fields})

    def output(self, number: int) -> Path:
        """Where a command's output goes unless it says otherwise."""
        return self.workspace / f"out-{number}"

    def submit(self, *specs: CommandSpec | JoinSpec | HoldSpec, fail_fast: bool = False) -> None:
        """Hand in commands."""
        self.client.submit(Submission(nodes=list(specs), fail_fast=fail_fast))

    def start(self, script: str | list[str], **fields: Any) -> CommandSpec:
        """Hand in one command."""
        spec = self.spec(script, **fields)
        self.submit(spec)
        return spec

    def wait_started(self, spec: CommandSpec) -> Started:
        """Wait until an instance of it runs."""
        return self._wait(Started, spec.id)

    def wait(self, spec: CommandSpec | HoldSpec) -> Finished:
        """Wait until it is over."""
        return self._wait(Finished, spec.id)

    def wait_queued(self, spec: CommandSpec | HoldSpec) -> Queued:
        """Wait until it is told for whom it waits."""
        return self._wait(Queued, spec.id)

    def run(self, script: str | list[str], **fields: Any) -> Finished:
        """Hand in one command and wait until it is over."""
        return self.wait(self.start(script, **fields))

    def text(self, finished: Finished) -> str:
        """What it wrote."""
        return self.output(finished.id).read_text()

    def text_of(self, spec: CommandSpec) -> str:
        """What it has written so far."""
        return self.output(spec.id).read_text()

    def _wait(self, kind: type[T], number: int) -> T:
        deadline = time.monotonic() + PATIENCE
        while True:
            for message in self.messages:
                if isinstance(message, kind) and message.id == number:
                    return message
            assert time.monotonic() < deadline, f"no {kind.__name__} for command {number} in {PATIENCE:g} s"
            self.messages += self.client.receive(1.0)

    def close(self) -> None:
        """Leave the engine."""
        self.client.close()


class OutsideDriver(Driver):
    """Its commands' output goes beside the work tree."""

    def output(self, number: int) -> Path:
        return self.workspace.parent / f"out-{number}"


@contextmanager
def tidy_tree(tmp_path: Path) -> Iterator[Path]:
    """A work tree whose engines leave neither processes nor files, journals included."""
    folder = tmp_path / "tree"
    folder.mkdir()
    state = tmp_path / "state"
    with runtime_directory(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(state))
        yield folder
        kill_what_is_left(folder)
        assert [found for found in state.rglob("*") if not found.is_dir()] == []


def python(text: str) -> list[str]:
    """An argv that runs a text as Python."""
    return [sys.executable, "-S", "-c", text]


def in_a_process(text: str, *arguments: object, **extra: str) -> subprocess.Popen[str]:
    """Another client: a Python process in a session of its own, with `Driver`, `Path` and `time` at hand."""
    prelude = "import os, sys, time; from pathlib import Path; from tests.system.engines import Driver\n"
    client = subprocess.Popen(
        [sys.executable, "-c", prelude + text, *map(str, arguments)],
        cwd=Path(__file__).parents[2],
        env=environment(**extra),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    _clients.append(client)
    return client


def kill_what_is_left(tree: Path) -> None:
    """After a test, failed or not: end its clients with their children, and what its engines ran."""
    while _clients:
        client = _clients.pop()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(client.pid, signal.SIGKILL)
        client.communicate()
    kill_of_dead_engines(tree_of(tree), living="")


def finish(*clients: subprocess.Popen[str]) -> list[str]:
    """Wait for such processes, which must end well; what each printed."""
    done = [client.communicate(timeout=60) for client in clients]
    assert [client.returncode for client in clients] == [0] * len(clients), "\n".join(err for _, err in done)
    return [out for out, _ in done]


def wait_until_dead(pids: list[int], within: float = 2.0) -> None:
    """All of these have ended within so many seconds."""
    deadline = time.monotonic() + within
    while left := [pid for pid in pids if (stat := processes.stat_of(pid)) is not None and stat.state not in "ZX"]:
        assert time.monotonic() < deadline, f"{within:g} s later these still run: {list(map(processes.describe, left))}"
        time.sleep(0.02)


def alive(needle: str) -> list[int]:
    """Processes with this in their command line."""
    return [pid for pid, words in _command_lines() if needle in " ".join(words)]


def sleeping(*numbers: str) -> list[int]:
    """Processes that run `sleep` for `S` followed by one of these."""
    return [pid for pid, words in _command_lines() if words in [["sleep", f"{S}{number}"] for number in numbers]]


def _command_lines() -> Iterator[tuple[int, list[str]]]:
    for stat in processes.all_processes():
        try:
            text = Path(f"/proc/{stat.pid}/cmdline").read_bytes().decode("utf-8", "replace")
        except OSError:
            continue
        if stat.pid != os.getpid():
            yield stat.pid, text.rstrip("\0").split("\0")
