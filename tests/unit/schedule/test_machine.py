"""Any order of events: the referee must find nothing."""

from __future__ import annotations

from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from pytest_cbx.config.model import Instances, Policy
from pytest_cbx.schedule.model import Cancel, ClientGone, ClientId, Ended, Submit, TaskId
from tests.unit.schedule.building import GIGABYTE, TIGHT, capacity
from tests.unit.schedule.random_tasks import random_task
from tests.unit.schedule.simulator import World

SEEDS = st.integers(0, 2**32 - 1)


class Machine(RuleBasedStateMachine):
    """Clients come and go, hand in tasks, give them up; instances end as they like; time passes."""

    @initialize(
        policy=st.sampled_from(Policy),
        jobs=st.integers(1, 6),
        rate=st.sampled_from((0.5, 2.0, 1e6)),
        tight=st.booleans(),
    )
    def begin(self, policy: Policy, jobs: int, rate: float, tight: bool) -> None:
        instances = TIGHT if tight else Instances()
        room = capacity(jobs=jobs, cpus=4.0, memory=8 * GIGABYTE, spawn_rate=rate, policy=policy, instances=instances)
        self.world = World(room, jitter=Random(1))
        self.number = 0
        self.of: dict[int, list[TaskId]] = {}

    @rule(client=st.integers(0, 3), size=st.integers(1, 6), seed=SEEDS, fail_fast=st.booleans())
    def submit(self, client: int, size: int, seed: int, fail_fast: bool) -> None:
        if client in self.world.gone:
            return
        self._submit(ClientId(client), size, Random(seed), fail_fast, None)

    @precondition(lambda self: self.world.referee.running)
    @rule(client=st.integers(0, 5), size=st.integers(1, 3), seed=SEEDS)
    def submit_nested(self, client: int, size: int, seed: int) -> None:
        if client in self.world.gone:
            return
        random = Random(seed)
        parent = random.choice(list(self.world.referee.running))
        self._submit(ClientId(client), size, random, False, parent)

    def _submit(self, client: ClientId, size: int, random: Random, fail_fast: bool, parent: TaskId | None) -> None:
        earlier = self.of.setdefault(client, [])
        tasks = []
        for _ in range(size):
            tasks.append(random_task(random, self.number, earlier[-10:] if parent is None else [], parent))
            earlier.append(tasks[-1].id)
            self.number += 1
        self.world.send(Submit(client=client, tasks=tuple(tasks), fail_fast=fail_fast))

    @precondition(lambda self: self.world.referee.running)
    @rule(seed=SEEDS, passed=st.booleans(), retryable=st.booleans(), seconds=st.sampled_from((0.0, 0.1, 3.0)))
    def instance_ends(self, seed: int, passed: bool, retryable: bool, seconds: float) -> None:
        self.world.now += seconds
        task = Random(seed).choice(list(self.world.referee.running))
        self.world.send(Ended(task=task, passed=passed, retryable=retryable))

    @rule(seconds=st.sampled_from((0.0, 0.5, 4.0, 35.0)))
    def time_passes(self, seconds: float) -> None:
        self.world.tick(self.world.now + seconds)

    @rule(client=st.integers(0, 3), seed=SEEDS, everything=st.booleans())
    def cancel(self, client: int, seed: int, everything: bool) -> None:
        mine = self.of.get(client, [])
        if client in self.world.gone:
            return
        some = tuple(Random(seed).sample(mine, k=min(2, len(mine))))
        self.world.send(Cancel(client=ClientId(client), tasks=None if everything else some, reason="given up"))

    @rule(client=st.integers(0, 3))
    def client_dies(self, client: int) -> None:
        self.world.send(ClientGone(client=ClientId(client)))

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.drain(Random(2))


Machine.TestCase.settings = settings(stateful_step_count=40)
TestMachine = Machine.TestCase
