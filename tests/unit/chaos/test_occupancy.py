"""How full the slots were."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cbx import events
from pytest_cbx.chaos.occupancy import occupancy


def log(commands: list[tuple[int, int, int]], struck: frozenset[int] = frozenset()) -> list[events.Happening]:
    """(handed in, started, ended) of each."""
    base: dict[str, Any] = {"engine": "e", "number": 1}
    run: dict[str, Any] = {"client": 1, "name": "c", "tier": "", **base}
    end: dict[str, Any] = {
        "status": "",
        "cause": "",
        "exit_code": 0,
        "wall_s": 1,
        "cpu_s": 1,
        "max_rss": 1,
        "leaks": [],
        **base,
    }
    hit: dict[str, Any] = {"fault": "f", "kind": "k", "call": "", "path": "", "pid": 1, "nth": 1, **base}
    found: list[events.Happening] = []
    for number, (submitted, started, ended) in enumerate(commands):
        found.append(events.CommandSubmitted(at=submitted, command=number, text="", claims=[], **run))
        found.append(
            events.CommandStarted(
                at=started, command=number, pid=1, slot=0, attempt=1, cpus=1, memory=1, running={}, **run
            )
        )
        if number in struck:
            found.append(events.FaultStruck(at=started, command=number, attempt=1, **hit))
        found.append(events.CommandEnded(at=ended, command=number, attempt=1, **end))
    return found


SPANS = st.lists(
    st.tuples(st.integers(0, 20), st.integers(0, 10), st.integers(1, 10)).map(
        lambda t: (t[0], t[0] + t[1], t[0] + t[1] + t[2])
    ),
    max_size=6,
)


@given(SPANS, st.integers(6, 8), st.frozensets(st.integers(0, 5)))
def test_as_counted_second_by_second(commands: list[tuple[int, int, int]], slots: int, struck: frozenset[int]) -> None:
    found = occupancy(log(commands, struck), slots)
    wanted = idle = excluded = 0
    for second in range(60):
        if not any(submitted <= second < started for submitted, started, _ in commands):
            continue
        running = [number for number, (_, started, ended) in enumerate(commands) if started <= second < ended]
        faulty = sum(number in struck for number in running)
        wanted += slots - faulty
        idle += slots - faulty - (len(running) - faulty)
        excluded += faulty
    assert (found.wanted, found.idle, found.excluded) == (wanted, idle, excluded)


def test_who_waits_for_another_could_not_be_started() -> None:
    found = log([(0, 0, 10), (0, 12, 20)])
    found.append(events.CommandWaiting(at=0, command=1, reason="", blockers=[0], engine="e", number=1))
    measured = occupancy(found, 2)
    assert measured.wanted == pytest.approx(4)
    assert measured.idle == pytest.approx(4), "between the end of the one and the start of the other nothing ran"


def test_who_is_never_started_leaves_its_slot_idle() -> None:
    found = log([(0, 0, 10), (0, 5, 10)])
    starved = [
        one for one in found if not (isinstance(one, events.CommandStarted | events.CommandEnded) and one.command == 1)
    ]
    measured = occupancy(starved, 2)
    assert (measured.wanted, measured.idle) == (20, 10)


def test_nothing_is_nothing() -> None:
    assert occupancy([], 4).wanted == 0
