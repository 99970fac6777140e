"""The lock table against the plain definition, and its order."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from pytest_cbx.plan.model import Claim
from pytest_cbx.schedule.locks import LockTable
from pytest_cbx.schedule.model import ClientId
from pytest_cbx.schedule.tasks import Entry, Phase, Submission, shape_of
from tests.unit.schedule.building import A, B, read, task, write
from tests.unit.schedule.random_tasks import RESOURCES
from tests.unit.schedule.simulator import clashing


def ready(number: int, *claims: Claim, client: ClientId = A, table: LockTable) -> Entry:
    one = task(number, *claims)
    entry = Entry(
        task=one,
        client=client,
        order=number,
        submission=Submission(fail_fast=False),
        shape=shape_of(one),
        phase=Phase.READY,
        group=(client, None),
    )
    table.enter(entry)
    return entry


def run(table: LockTable, entry: Entry) -> None:
    table.acquire(entry, 0.0)
    entry.phase = Phase.RUNNING


def leave(table: LockTable, entry: Entry) -> None:
    table.leave(entry, 0.0)
    entry.phase = Phase.OVER


def park(table: LockTable, entry: Entry) -> None:
    obstacle = table.obstacle(entry)
    assert obstacle is not None
    table.park(entry, obstacle, 0.0)


@given(st.lists(st.tuples(st.lists(st.sampled_from(RESOURCES), max_size=4), st.booleans()), max_size=12))
def test_a_task_has_an_obstacle_just_when_it_conflicts_with_a_holder(steps: list[tuple[list[Claim], bool]]) -> None:
    table = LockTable(places=4)
    held: list[Entry] = []
    for number, (claims, release) in enumerate(steps):
        entry = ready(number, *claims, client=ClientId(number), table=table)
        in_the_way = [one for one in held if clashing(one.task, entry.task)]
        assert set(table.holders_in_the_way(entry)) == set(in_the_way)
        if in_the_way:
            assert table.obstacle(entry) is not None
            leave(table, entry)
        else:
            assert table.obstacle(entry) is None
            run(table, entry)
            held.append(entry)
        if release and held:
            leave(table, held.pop(0))
    for entry in held:
        leave(table, entry)
    assert len(table) == 0


def test_equal_claims_are_one_node() -> None:
    table = LockTable(places=4)
    entries = [ready(number, read("a"), table=table) for number in range(3)]
    assert len(table) == 1
    for entry in entries:
        leave(table, entry)
    assert len(table) == 0


def test_a_queue_moves_up_by_one_look_each() -> None:
    table = LockTable(places=2)
    entries = [ready(number, write("a"), table=table) for number in range(50)]
    run(table, entries[0])
    for entry in entries[1:]:
        park(table, entry)
    for before, entry in itertools.pairwise(entries):
        leave(table, before)
        assert list(table.freed) == [entry]
        table.freed.clear()
        assert table.obstacle(entry) is None
        table.unpark(entry, 0.0)
        run(table, entry)


def test_a_group_has_so_many_tickets_and_hands_on_those_that_come_free() -> None:
    table = LockTable(places=2)
    entries = [ready(number, write("a"), table=table) for number in range(5)]
    run(table, entries[0])
    for entry in entries[1:]:
        park(table, entry)
    assert [bool(entry.ticket) for entry in entries] == [False, True, True, False, False]
    leave(table, entries[1])
    assert [bool(entry.ticket) for entry in entries[2:]] == [True, True, False]
    assert entries[2].ticket < entries[3].ticket


def test_another_client_waits_for_tickets_only() -> None:
    table = LockTable(places=1)
    holder = ready(0, read("a"), table=table)
    run(table, holder)
    writers = [ready(number, write("a"), table=table) for number in (1, 2)]
    for writer in writers:
        park(table, writer)
    stranger = ready(3, read("a"), client=B, table=table)
    obstacle = table.obstacle(stranger)
    assert obstacle is not None
    assert obstacle.entry is writers[0]
    assert str(obstacle) == "a, wanted before it by t1"
    park(table, stranger)
    assert 0 < writers[0].ticket < stranger.ticket
    leave(table, writers[0])
    assert writers[1].ticket > stranger.ticket, "the next of the first client comes after the stranger"


def test_a_task_may_read_and_write_one_path() -> None:
    table = LockTable(places=4)
    entry = ready(0, read("a"), write("a"), write("a"), table=table)
    assert table.obstacle(entry) is None
    run(table, entry)
    assert table.obstacle(ready(1, read("a"), table=table)) is not None
