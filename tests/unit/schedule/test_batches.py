"""What batches cost: nothing where there are no more slots than a batch is deep; and where there are, what is deep stays so."""

from __future__ import annotations

import heapq
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cbx.config.model import Batch
from pytest_cbx.plan.build import build_plan
from pytest_cbx.plan.model import Plan, Request
from pytest_cbx.schedule.model import Ended, TaskId
from pytest_cbx.tier import Tier
from tests.unit.schedule.building import scheduler, started, submit, task

Drawn = list[tuple[str, int, set[int]]]
"""Of each command: its folder, how long it takes, and which before it it needs."""
drawn = st.lists(
    st.tuples(st.sampled_from((".", "src", "docs", "web")), st.integers(1, 9), st.sets(st.integers(0, 11), max_size=3)),
    min_size=1,
    max_size=12,
)


def plan(commands: Drawn, batch: Batch) -> Plan:
    requests = [
        Request(
            name=f"c{number}", text="true", tier=Tier.SAFE_PARALLEL, claims=(), place=place, seconds=float(seconds), cpus=0.1,
            needs=tuple(f"c{need}" for need in sorted(needs) if need < number),
        )
        for number, (place, seconds, needs) in enumerate(commands)
    ]  # fmt: skip
    return build_plan(requests, slots=2, batch=batch)


def history(plan: Plan, jobs: int) -> tuple[list[tuple[float, int]], Counter[str]]:
    """When each command started, in virtual time, and the most of each batch that ran at once."""
    engine = scheduler(jobs=jobs)
    tasks = [
        task(
            one.number, cpus=one.request.cpus, seconds=one.seconds, path_seconds=one.path_seconds, score=one.score.total,
            needs=[edge.before for edge in plan.edges if edge.after == one.number],
            pool=one.pool.name if one.pool else "", pool_depth=one.pool.depth if one.pool else 0,
        )
        for one in plan.commands
    ]  # fmt: skip
    starts: list[tuple[float, int]] = []
    running: list[tuple[float, int]] = []
    most: Counter[str] = Counter()
    now, decisions = 0.0, engine.handle(submit(*tasks), 0.0)
    while True:
        for number in started(decisions):
            starts.append((now, number))
            heapq.heappush(running, (now + plan.commands[number].seconds, number))
        most |= Counter(tasks[number].pool for _, number in running)
        if not running:
            return starts, most
        now, number = heapq.heappop(running)
        decisions = engine.handle(Ended(task=TaskId(number), passed=True), now)


@pytest.mark.parametrize("batch", [one for one in Batch if one is not Batch.OFF])
@given(commands=drawn)
def test_on_two_slots_a_batch_changes_nothing(batch: Batch, commands: Drawn) -> None:
    plain, _ = history(plan(commands, Batch.OFF), 2)
    batched, _ = history(plan(commands, batch), 2)
    assert batched == plain
    assert len(batched) == len(commands)


@given(commands=drawn, batch=st.sampled_from(Batch))
def test_on_many_slots_no_more_of_a_batch_run_than_it_is_deep(commands: Drawn, batch: Batch) -> None:
    planned = plan(commands, batch)
    _, most = history(planned, 30)
    for one in planned.commands:
        if one.pool is not None:
            assert most[one.pool.name] <= one.pool.depth


def test_a_network_is_reached() -> None:
    """Two that fork, and one that joins: without a batch all four of the middle run at once."""
    commands: Drawn = [(".", 1, set()), *[(".", 1, {0})] * 4, (".", 1, {1, 2, 3, 4})]
    assert history(plan(commands, Batch.DEPENDENCY), 30)[1]["network"] == 2
    assert history(plan(commands, Batch.OFF), 30)[1][""] == 4
