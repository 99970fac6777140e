"""Each ordering on its own, and through the scheduler."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from pytest_cbx.config.model import Policy
from pytest_cbx.schedule.model import Ended, Task, TaskId
from pytest_cbx.schedule.policies import RoundRobin
from tests.unit.schedule.building import GIGABYTE, SAFE, B, scheduler, started, submit, task


def order_of(policy: Policy, tasks: list[Task], *, seconds: float = 1.0) -> list[int]:
    """In which order one slot takes the tasks."""
    engine = scheduler(jobs=1, policy=policy)
    order = started(engine.handle(submit(*tasks), 0))
    while len(order) < len(tasks):
        order += started(engine.handle(Ended(task=TaskId(order[-1]), passed=True), len(order) * seconds))
    return order


def test_critical_path_takes_the_longest_way_then_score_then_order() -> None:
    tasks = [
        task(0, path_seconds=5),
        task(1, path_seconds=9),
        task(2, path_seconds=5, score=9),
        task(3, path_seconds=5),
    ]
    assert order_of(Policy.CRITICAL_PATH, tasks) == [1, 2, 0, 3]


def test_shortest_first_takes_the_shortest() -> None:
    tasks = [task(0, seconds=5), task(1, seconds=9), task(2, seconds=1), task(3, seconds=5)]
    assert order_of(Policy.SHORTEST_FIRST, tasks) == [2, 0, 3, 1]


@pytest.mark.parametrize(
    ("policy", "shunned", "preferred"),
    [
        (Policy.CRITICAL_PATH, {"path_seconds": 1.0}, {"path_seconds": 30.0}),
        (Policy.SHORTEST_FIRST, {"seconds": 30.0}, {"seconds": 1.0}),
        (Policy.RESOURCE_AWARE, {"cpus": 0.5}, {"cpus": 2.0}),
        (Policy.ROUND_ROBIN, {"score": 2.0}, {"score": 9.0}),
    ],
)
def test_a_stream_of_preferred_tasks_does_not_starve_another(
    policy: Policy, shunned: dict[str, Any], preferred: dict[str, Any]
) -> None:
    engine = scheduler(jobs=1, policy=policy)
    engine.handle(submit(task(1, **preferred), task(0, **shunned), task(2, **preferred)), 0)
    number, at = 3, 0.0
    while engine.running()[0].task != 0:
        engine.handle(submit(task(number, **preferred), task(number + 1, **preferred)), at)
        engine.handle(Ended(task=engine.running()[0].task, passed=True), at)
        number, at = number + 2, at + 1
        assert at < 70


def test_round_robin_gives_sixty_thirty_ten() -> None:
    tasks = [task(number, score=(9.0, 6.0, 2.0)[number % 3]) for number in range(300)]
    order = order_of(Policy.ROUND_ROBIN, tasks, seconds=0.001)
    assert Counter(number % 3 for number in order[:100]) == {0: 60, 1: 30, 2: 10}
    first_ten = Counter(number % 3 for number in order[:10])
    assert first_ten == {0: 6, 1: 3, 2: 1}, "the shares hold over each full round"


def test_round_robin_gives_the_share_of_an_empty_band_to_the_others() -> None:
    tasks = [task(number, score=(9.0, 2.0)[number % 2]) for number in range(200)]
    order = order_of(Policy.ROUND_ROBIN, tasks, seconds=0.001)
    assert Counter(number % 2 for number in order[:70]) == {0: 60, 1: 10}


def test_round_robin_bands_meet_at_the_scores_between() -> None:
    bands = [RoundRobin().bucket(task(0, score=score)) for score in (10, 8, 7, 5, 4, 1)]
    assert bands == [0, 0, 1, 1, 2, 2]


def test_resource_aware_starts_heavy_ones_while_there_is_room() -> None:
    engine = scheduler(jobs=8, cpus=4.0, policy=Policy.RESOURCE_AWARE)
    light = [task(number, cpus=0.5) for number in range(8)]
    heavy = [task(10 + number, cpus=1.5) for number in range(2)]
    assert started(engine.handle(submit(*light, *heavy), 0)) == [10, 11, 0, 1]


def test_resource_aware_prefers_what_is_plentiful() -> None:
    engine = scheduler(jobs=8, cpus=4.0, memory=8 * GIGABYTE, policy=Policy.RESOURCE_AWARE)
    engine.handle(submit(task(1, cpus=0.5, memory=6 * GIGABYTE)), 0)
    thirsty = task(2, cpus=0.1, memory=2 * GIGABYTE)
    busy = task(3, cpus=3.0, memory=0)
    assert started(engine.handle(submit(thirsty, busy, client=B), 1)) == [3, 2]


def test_the_policy_ranks_within_one_tier_and_across_tiers() -> None:
    tiers = [SAFE, *(list(type(SAFE))[1:])]
    tasks = [task(number, tier=tier, path_seconds=10.0 - number) for number, tier in enumerate(tiers)]
    assert order_of(Policy.CRITICAL_PATH, tasks) == [0, 1, 2, 3]
