"""`events.jsonl` and `trace.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pytest_cbx.errors import UsageError
from pytest_cbx.events import (
    AnyEvent,
    CallRefused,
    ClientJoined,
    CommandEnded,
    CommandRestarted,
    CommandStarted,
    CommandSurprised,
    JournalRecovered,
    SignalRefused,
    TransactionEnded,
)
from pytest_cbx.observe.recorder import Recorder


def started(command: int, *, at: float, attempt: int = 1) -> CommandStarted:
    return CommandStarted(
        at=at, engine="e", number=1, client=7, command=command, name=f"c{command}", tier="SAFE_PARALLEL", pid=4,
        slot=3, attempt=attempt, cpus=0.5, memory=1, running={},
    )  # fmt: skip


def ended(command: int, *, at: float, attempt: int = 1) -> CommandEnded:
    return CommandEnded(
        at=at, engine="e", number=2, command=command, attempt=attempt, status="passed", cause="exit", exit_code=0,
        wall_s=1.0, cpu_s=0.5, max_rss=10, leaks=[],
    )  # fmt: skip


def test_events_are_written_the_moment_they_come(tmp_path: Path) -> None:
    event = ClientJoined(at=1.0, engine="e", number=1, client=1, name="pytest", pid=2)
    with Recorder(tmp_path / "deep" / "report") as recorder:
        recorder(event)
        (line,) = (tmp_path / "deep" / "report" / "events.jsonl").read_bytes().splitlines()
        assert msgspec.json.decode(line, type=AnyEvent) == event


def test_each_attempt_is_a_slice_of_the_trace(tmp_path: Path) -> None:
    with Recorder(tmp_path) as recorder:
        recorder(started(1, at=10.0))
        recorder(started(2, at=10.5))
        recorder(ended(1, at=12.0))
        recorder(started(1, at=13.0, attempt=2))
        recorder(ended(1, at=13.5, attempt=2))
        recorder(ended(9, at=14.0, attempt=0))
    slices = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert [(piece["name"], piece["ts"], piece["dur"], piece["args"]["attempt"]) for piece in slices] == [
        ("c1", 10.0e6, 2.0e6, 1),
        ("c1", 13.0e6, 0.5e6, 2),
    ]
    assert {(piece["ph"], piece["pid"], piece["tid"]) for piece in slices} == {("X", 7, 3)}


def test_what_happens_to_transactions_is_recorded_and_is_no_slice(tmp_path: Path) -> None:
    base: dict[str, Any] = {"at": 1.0, "engine": "e", "number": 1}
    happened: list[AnyEvent] = [
        CommandRestarted(**base, command=1, attempt=1, reason="another changed counter", claims=["write counter"]),
        CommandSurprised(**base, command=1, path="out.txt", call="openat"),
        SignalRefused(**base, command=1, pid=812, signal=15, target="sshd (pid 812)"),
        CallRefused(**base, command=1, pid=813, call="mount", reason="changes what paths lead to"),
        TransactionEnded(
            **base, command=1, action="rolled-back", created=1, modified=2, deleted=0, preimage_bytes=9, seconds=0.1
        ),
        JournalRecovered(**base, label="build", action="rolled back", reason="its engine is gone"),
    ]
    with Recorder(tmp_path) as recorder:
        for event in happened:
            recorder(event)
    lines = (tmp_path / "events.jsonl").read_bytes().splitlines()
    assert [msgspec.json.decode(line, type=AnyEvent) for line in lines] == happened
    assert json.loads((tmp_path / "trace.json").read_text())["traceEvents"] == []


def test_an_attempt_that_is_started_again_is_a_slice_of_its_own(tmp_path: Path) -> None:
    base: dict[str, Any] = {"engine": "e", "number": 1}
    with Recorder(tmp_path) as recorder:
        recorder(started(1, at=1.0))
        recorder(CommandRestarted(**base, at=2.0, command=1, attempt=1, reason="deadlock", claims=[]))
        recorder(started(1, at=3.0, attempt=2))
        recorder(ended(1, at=4.0, attempt=2))
    slices = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert [(piece["ts"], piece["dur"], piece["args"]["status"]) for piece in slices] == [
        (1e6, 1e6, "restarted"),
        (3e6, 1e6, "passed"),
    ]


def test_closing_twice_is_closing_once(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    recorder.close()
    (tmp_path / "trace.json").unlink()
    recorder.close()
    assert not (tmp_path / "trace.json").exists()


def test_a_directory_that_cannot_be_made_is_a_message(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="name another directory"):
        Recorder(tmp_path / "file" / "report")
