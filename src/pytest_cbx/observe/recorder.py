"""`events.jsonl` and `trace.json`: what happened, as it happened."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import msgspec

from pytest_cbx.errors import UsageError
from pytest_cbx.events import AnyEvent, CommandEnded, CommandRestarted, CommandStarted


class TraceSlice(msgspec.Struct, frozen=True, kw_only=True):
    """A complete event of the Chrome trace format, which Perfetto reads. `ts` and `dur` are microseconds."""

    name: str
    cat: str
    ts: float
    dur: float
    pid: int
    tid: int
    args: dict[str, str | int | float | None]
    ph: str = "X"


class Recorder:
    """Writes each event as a line of `events.jsonl` the moment it comes; `close` adds `trace.json`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._file = (directory / "events.jsonl").open("wb", buffering=0)
        except OSError as error:
            raise UsageError(
                f"cannot write a report into {directory}: {error.strerror}; name another directory"
            ) from error
        self._started: dict[int, CommandStarted] = {}
        self._slices: list[TraceSlice] = []

    def __call__(self, event: AnyEvent) -> None:
        """Take one event."""
        self._file.write(msgspec.json.encode(event) + b"\n")
        if isinstance(event, CommandStarted):
            self._started[event.command] = event
        elif isinstance(event, CommandEnded):
            started = self._started.pop(event.command, None)
            if started is not None:
                self._slices.append(_slice(started, event))
        elif isinstance(event, CommandRestarted):
            # Where the engine also tells the end of the attempt that it gave up, that has closed the slice.
            started = self._started.pop(event.command, None)
            if started is not None:
                self._slices.append(_given_up(started, event))

    def close(self) -> None:
        """Close the event log and write the trace."""
        if self._file.closed:
            return
        self._file.close()
        trace = msgspec.json.encode({"displayTimeUnit": "ms", "traceEvents": self._slices})
        (self.directory / "trace.json").write_bytes(trace + b"\n")

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _slice(started: CommandStarted, ended: CommandEnded) -> TraceSlice:
    return _of(
        started,
        ended.at,
        {
            "status": ended.status,
            "exit_code": ended.exit_code,
            "attempt": ended.attempt,
            "cpu_s": ended.cpu_s,
            "max_rss_bytes": ended.max_rss,
        },
    )


def _given_up(started: CommandStarted, restarted: CommandRestarted) -> TraceSlice:
    facts: dict[str, str | int | float | None] = {"status": "restarted", "reason": restarted.reason}
    return _of(started, restarted.at, {**facts, "attempt": restarted.attempt})


def _of(started: CommandStarted, end: float, facts: dict[str, str | int | float | None]) -> TraceSlice:
    return TraceSlice(
        name=started.name,
        cat=started.tier,
        ts=started.at * 1e6,
        dur=max(0.0, end - started.at) * 1e6,
        pid=started.client,
        tid=started.slot,
        args=facts,
    )
