"""Long stretches of virtual time from seeds, and proof that the referee sees what it should."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from pytest_cbx.config.model import Policy
from pytest_cbx.errors import InternalError
from pytest_cbx.schedule.admission import Admission
from pytest_cbx.schedule.locks import LockTable
from pytest_cbx.schedule.model import Status
from pytest_cbx.schedule.scheduler import Scheduler
from pytest_cbx.schedule.seats import Seats
from pytest_cbx.schedule.tasks import Entry, Phase
from tests.unit.schedule.building import GIGABYTE, TIGHT, capacity
from tests.unit.schedule.random_tasks import submissions
from tests.unit.schedule.simulator import Foul, Simulation, World


def play(
    seed: int, *, count: int, size: int, policy: Policy = Policy.CRITICAL_PATH, strict: bool = True, **room: Any
) -> World:
    random = Random(seed)
    room = {"jobs": 8, "cpus": 6.0, "memory": 12 * GIGABYTE, "instances": TIGHT, **room}
    world = World(capacity(policy=policy, **room), jitter=random, strict=strict)
    Simulation(world, random, submissions(random, count, size), fail=0.15).run()
    return world


@pytest.mark.parametrize("policy", Policy)
@pytest.mark.parametrize("rate", [1.0, 1e6])
def test_a_day_of_random_work_breaks_no_rule(policy: Policy, rate: float) -> None:
    world = play(7, count=30, size=25, policy=policy, spawn_rate=rate)
    assert world.referee.starts > 100
    statuses = {end.status for end in world.referee.ends.values()}
    assert statuses == set(Status), "the simulation is too tame"


def test_a_million_virtual_seconds_break_no_rule() -> None:
    world = play(11, count=5000, size=3, strict=False)
    assert world.now > 1_000_000
    assert world.referee.starts > 2000


def test_one_seed_gives_one_history() -> None:
    one, other = play(3, count=20, size=20), play(3, count=20, size=20)
    assert one.now == other.now
    assert one.referee.ends == other.referee.ends


def ignore_claims(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(LockTable, "obstacle", lambda self, entry: None)


def ignore_caps(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Admission, "fits", lambda self, shape: True)


def ignore_tiers(patch: pytest.MonkeyPatch) -> None:
    original = Admission.__init__

    def more(self: Admission, room: Any) -> None:
        original(self, room)
        self._caps = dict.fromkeys(self._caps, 99)

    patch.setattr(Admission, "__init__", more)


def ignore_growth(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Admission, "may_grow", lambda self, now: True)


def settle_early(patch: pytest.MonkeyPatch) -> None:
    original = Scheduler._end

    def end(self: Scheduler, verdict: Any) -> None:
        original(self, verdict)
        verdict.entry.prerequisites = 0

    patch.setattr(Scheduler, "_end", end)


def forget_to_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Scheduler, "_settle", lambda self, entry: [])


def forget_the_watchers(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(LockTable, "_free_watchers", lambda self, entry: None)


def start_lazily(patch: pytest.MonkeyPatch) -> None:
    original = Scheduler._fill

    def fill(self: Scheduler, now: float) -> None:
        if len(self._running) < 2:
            original(self, now)

    patch.setattr(Scheduler, "_fill", fill)


def skip_nothing(patch: pytest.MonkeyPatch) -> None:
    original = Scheduler._conclude

    def conclude(self: Scheduler, verdicts: Any, now: float) -> None:
        verdicts = list(verdicts)
        for verdict in verdicts:
            verdict.entry.needed_by = []
        original(self, verdicts, now)

    patch.setattr(Scheduler, "_conclude", conclude)


def hand_out_any_slot(patch: pytest.MonkeyPatch) -> None:
    original = Admission.give_back

    def give_back(self: Admission, seat: Any, now: float) -> None:
        original(self, seat, now)
        self._slots.sort(reverse=True)

    patch.setattr(Admission, "give_back", give_back)


def let_others_overtake(patch: pytest.MonkeyPatch) -> None:
    original = LockTable.obstacle

    def obstacle(self: LockTable, entry: Entry) -> Any:
        found = original(self, entry)
        return found if found is not None and found.entry.phase is Phase.RUNNING else None

    patch.setattr(LockTable, "obstacle", obstacle)


def retry_at_once(patch: pytest.MonkeyPatch) -> None:
    original = Scheduler._back_off

    def back_off(self: Scheduler, entry: Entry, now: float) -> None:
        original(self, entry, now)
        self._fresh.append(entry)

    patch.setattr(Scheduler, "_back_off", back_off)


def leave_orphans(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Scheduler, "_orphan", lambda self, parent, reason: [])


def give_up_the_shared_seat(patch: pytest.MonkeyPatch) -> None:
    original = Seats.leave

    def leave(self: Seats, entry: Entry, now: float) -> None:
        entry.rider = None
        original(self, entry, now)

    patch.setattr(Seats, "leave", leave)


def ignore_pools(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Admission, "pool_full", lambda self, shape, more=1: False)


def ignore_what_is_lent(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Admission, "_away", 0)


MUTANTS: list[Callable[[pytest.MonkeyPatch], None]] = [
    ignore_claims,
    ignore_caps,
    ignore_tiers,
    ignore_growth,
    settle_early,
    forget_to_end,
    forget_the_watchers,
    start_lazily,
    skip_nothing,
    hand_out_any_slot,
    let_others_overtake,
    retry_at_once,
    leave_orphans,
    give_up_the_shared_seat,
    ignore_pools,
    ignore_what_is_lent,
]


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_referee_sees_a_broken_rule(
    mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)
    rate = 1.0 if mutant is ignore_growth else 1e6

    def search() -> None:
        for seed in range(20):
            play(seed, count=10, size=25, jobs=12, spawn_rate=rate)

    with pytest.raises((Foul, InternalError, KeyError, AssertionError)):
        search()


def test_the_same_search_finds_nothing_without_a_mutant() -> None:
    for seed in range(20):
        play(seed, count=10, size=25, jobs=12, spawn_rate=1.0 if seed % 2 else 1e6)
