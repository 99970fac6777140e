"""A recovery that meets errors of the disk itself."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from pytest_cbx.engine import hits
from pytest_cbx.engine.own_disk import HALF, FaultyDisk
from pytest_cbx.engine.recover import RecoverySummary, recover
from pytest_cbx.faults.model import Fault, OwnDisk
from pytest_cbx.faults.trigger import Aim, Moment

_NAME = "cbx recover"


def recover_under(root: Path, faults: Sequence[Fault]) -> RecoverySummary:
    """`cbx recover` in this process, under those of the faults that strike the engine's own disk. Each counts from 1 here.

    Raises:
        UsageError: there is no private directory for the work tree's lock.
    """
    aims = [(fault, fault.action, Aim(fault.trigger)) for fault in faults if isinstance(fault.action, OwnDisk)]
    top = os.path.realpath(os.fsencode(root)) + b"/"
    began = time.monotonic()

    def judge(operation: str, path: bytes) -> int:
        shown = path.removeprefix(top) if path.startswith(top) else b"journal/" + os.path.basename(path)
        moment = Moment(
            call=operation,
            changing=False,
            path=os.fsdecode(shown),
            programs=(),
            command=_NAME,
            age=time.monotonic() - began,
        )
        for fault, action, aim in aims:
            if action.phase != "keep" and aim.meets(moment):
                hits.record(fault, moment, task=0, attempt=1, pid=os.getpid(), nth=aim.counted)
                return HALF if action.short else action.error
        return 0

    return recover(root, FaultyDisk(judge))
