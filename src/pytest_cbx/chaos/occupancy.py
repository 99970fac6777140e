"""How full the slots were while something could be started: from the log of events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pytest_cbx import events
from pytest_cbx.chaos.model import Occupancy


def occupancy(log: Iterable[events.Happening], slots: int) -> Occupancy:
    """Slot-seconds while a startable command existed, and the idle ones among them.

    A command can be started from the moment that it is handed in, or that the last command ends which it was said to wait for, until it is
    started, or the log ends. Slots that run a command under a fault are left out while they do.
    """
    ready: dict[int, float] = {}
    started: dict[int, float] = {}
    ended: dict[int, float] = {}
    waits: dict[int, set[int]] = {}
    struck: set[int] = set()
    running: list[tuple[float, float, int]] = []
    last = 0.0
    for one in log:
        last = max(last, one.at)
        match one:
            case events.CommandSubmitted():
                ready[one.command] = one.at
            case events.CommandWaiting():
                waits.setdefault(one.command, set()).update(one.blockers)
            case events.CommandStarted():
                started[one.command] = one.at
            case events.FaultStruck():
                struck.add(one.command)
            case events.CommandEnded() if one.attempt:
                ended[one.command] = one.at
                running.append((started.get(one.command, one.at), one.at, one.command))
            case _:
                pass
    startable = [
        (max([at, *(ended.get(other, last) for other in waits.get(command, ()))]), started.get(command, last))
        for command, at in ready.items()
    ]
    faulty = [(begin, end) for begin, end, command in running if command in struck]
    healthy = [(begin, end) for begin, end, command in running if command not in struck]
    return _integrate([span for span in startable if span[1] > span[0]], healthy, faulty, slots)


def _integrate(
    startable: Sequence[tuple[float, float]],
    healthy: Sequence[tuple[float, float]],
    faulty: Sequence[tuple[float, float]],
    slots: int,
) -> Occupancy:
    steps: list[tuple[float, int, int]] = []
    for which, spans in enumerate((startable, healthy, faulty)):
        for begin, end in spans:
            steps += [(begin, which, 1), (end, which, -1)]
    steps.sort()
    counts = [0, 0, 0]
    wanted = idle = excluded = 0.0
    before = steps[0][0] if steps else 0.0
    for at, which, change in steps:
        if counts[0] > 0:
            span = at - before
            there = max(0, slots - counts[2])
            wanted += span * there
            idle += span * max(0, there - counts[1])
            excluded += span * min(slots, counts[2])
        counts[which] += change
        before = at
    return Occupancy(wanted=wanted, idle=idle, excluded=excluded)
