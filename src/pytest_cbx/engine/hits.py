"""Writes strikes down where whoever planted the fault reads them, in whatever process they happen."""

from __future__ import annotations

import os
import time

import msgspec

from pytest_cbx.faults.model import Fault, Hit
from pytest_cbx.faults.trigger import Moment

_ENCODER = msgspec.json.Encoder()


def record(fault: Fault, moment: Moment, *, task: int, attempt: int, pid: int, nth: int) -> None:
    """Add a line to a fault's record, if it has one. To be called before the strike: it outlives whoever is struck."""
    if not fault.record:
        return
    hit = Hit(
        fault=fault.id, kind=fault.kind, at=time.time(), command=moment.command, task=task, attempt=attempt,
        call=moment.call, path=moment.path, pid=pid, nth=nth,
    )  # fmt: skip
    descriptor = os.open(fault.record, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, _ENCODER.encode(hit) + b"\n")
    finally:
        os.close(descriptor)
