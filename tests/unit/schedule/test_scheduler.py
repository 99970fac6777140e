"""One rule of the scheduler at a time."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_cbx.config.model import Priority
from pytest_cbx.effects.model import Scope
from pytest_cbx.errors import InternalError, ProtocolError, UsageError
from pytest_cbx.schedule.model import (
    Cancel,
    ClientGone,
    ClientId,
    Decision,
    End,
    Ended,
    Lent,
    Retry,
    Start,
    Status,
    Stop,
    Task,
    TaskId,
    Tick,
    Waiting,
    Wake,
)
from pytest_cbx.schedule.scheduler import Scheduler
from pytest_cbx.schedule.tasks import Phase
from pytest_cbx.tier import Tier
from tests.unit.schedule.building import (
    CONDITIONAL,
    DANGEROUS,
    GIGABYTE,
    SAFE,
    SEQUENTIAL,
    A,
    B,
    C,
    ended,
    read,
    scheduler,
    started,
    submit,
    task,
    write,
)

TREE = Scope.TREE


def end(number: int, passed: bool = True, retryable: bool = True) -> Ended:
    return Ended(task=TaskId(number), passed=passed, retryable=retryable)


def only(kind: type[Any], decisions: list[Decision]) -> Any:
    (one,) = [decision for decision in decisions if isinstance(decision, kind)]
    return one


class TestOrder:
    def test_what_needs_starts_when_what_it_needs_has_passed(self) -> None:
        engine = scheduler()
        assert started(engine.handle(submit(task(1), task(2, needs=[1])), 0)) == [1]
        decisions = engine.handle(end(1), 1)
        assert ended(decisions) == {1: "passed"}
        assert started(decisions) == [2]

    def test_what_needs_a_failure_is_skipped_with_all_that_needs_it(self) -> None:
        engine = scheduler()
        engine.handle(
            submit(task(1, name="install"), task(2, name="build", needs=[1]), task(3, name="test", needs=[2])), 0
        )
        decisions = engine.handle(end(1, passed=False), 1)
        assert [one for one in decisions if isinstance(one, End)] == [
            End(task=TaskId(1), status=Status.FAILED),
            End(task=TaskId(2), status=Status.SKIPPED, reason="needs install, which failed", blockers=(TaskId(1),)),
            End(
                task=TaskId(3),
                status=Status.SKIPPED,
                reason="needs build, which was skipped (install failed)",
                blockers=(TaskId(2),),
            ),
        ]

    def test_what_comes_after_a_failure_starts_all_the_same(self) -> None:
        engine = scheduler()
        engine.handle(submit(task(1), task(2, after=[1])), 0)
        assert started(engine.handle(end(1, passed=False), 1)) == [2]

    def test_a_join_ends_by_itself(self) -> None:
        engine = scheduler()
        engine.handle(submit(task(1), task(2), task(3, after=[1, 2], join=True), task(4, after=[3])), 0)
        engine.handle(end(1, passed=False), 1)
        decisions = engine.handle(end(2), 2)
        assert ended(decisions) == {2: "passed", 3: "passed"}
        assert started(decisions) == [4]

    def test_a_skipped_task_still_stands_between_its_neighbours(self) -> None:
        """3 runs after 2, 2 after 1; 2 is skipped early, and 3 must not run beside 1, though no edge says so."""
        engine = scheduler()
        engine.handle(submit(task(0), task(1), task(2, needs=[0], after=[1]), task(3, after=[2])), 0)
        decisions = engine.handle(end(0, passed=False), 1)
        assert ended(decisions) == {0: "failed", 2: "skipped"}
        assert started(decisions) == []
        assert started(engine.handle(end(1), 2)) == [3]

    def test_a_later_submission_may_name_tasks_that_are_over(self) -> None:
        engine = scheduler()
        engine.handle(submit(task(1), task(2)), 0)
        engine.handle(end(1), 1)
        engine.handle(end(2, passed=False), 1)
        decisions = engine.handle(submit(task(3, needs=[1]), task(4, needs=[2])), 2)
        assert started(decisions) == [3]
        assert ended(decisions) == {4: "skipped"}

    def test_a_chain_of_ten_thousand_joins_ends_at_once(self) -> None:
        engine = scheduler()
        joins = [task(number, after=[number - 1], join=True) for number in range(1, 10_000)]
        engine.handle(submit(task(0), *joins), 0)
        assert len(ended(engine.handle(end(0), 1))) == 10_000


class TestCapacity:
    @pytest.mark.parametrize(("tier", "cap"), [(SAFE, 16), (CONDITIONAL, 8), (SEQUENTIAL, 4), (DANGEROUS, 2)])
    def test_each_tier_has_its_cap(self, tier: Tier, cap: int) -> None:
        engine = scheduler()
        tasks = [task(number, tier=tier) for number in range(20)]
        assert len(started(engine.handle(submit(*tasks), 0))) == cap
        assert engine.usage().by_tier[tier] == cap

    def test_all_tiers_together_have_the_caps_of_all(self) -> None:
        engine = scheduler()
        tasks = [task(number, tier=list(Tier)[number % 4]) for number in range(80)]
        assert len(started(engine.handle(submit(*tasks), 0))) == 30

    def test_jobs_bound_all_and_slots_are_taken_lowest_first(self) -> None:
        engine = scheduler(jobs=3)
        decisions = engine.handle(submit(*(task(number) for number in range(5))), 0)
        assert [one.slot for one in decisions if isinstance(one, Start)] == [0, 1, 2]
        assert only(Start, engine.handle(end(1), 1)).slot == 1
        assert engine.waiting()[0].reason == "all 3 slots are taken"

    def test_cores_and_memory_are_reserved(self) -> None:
        engine = scheduler(cpus=4.0, memory=4 * GIGABYTE)
        cores = engine.handle(submit(*(task(number, cpus=1.5) for number in range(4))), 0)
        assert len(started(cores)) == 2
        memory = engine.handle(submit(*(task(10 + number, cpus=0.1, memory=3 * GIGABYTE) for number in range(4))), 0)
        assert len(started(memory)) == 1

    def test_forty_tenths_of_a_core_fit_four_cores(self) -> None:
        engine = scheduler(cpus=1.6)
        assert len(started(engine.handle(submit(*(task(number, cpus=0.1) for number in range(20))), 0))) == 16

    def test_what_is_heavier_than_the_machine_runs_alone(self) -> None:
        engine = scheduler(cpus=4.0)
        engine.handle(submit(task(1)), 0)
        assert started(engine.handle(submit(task(2, cpus=8.0)), 1)) == []
        assert started(engine.handle(end(1), 2)) == [2]
        assert started(engine.handle(submit(task(3, cpus=0.0)), 3)) == []
        assert started(engine.handle(end(2), 4)) == [3]

    def test_growth_is_bounded_and_replacing_is_free(self) -> None:
        engine = scheduler(spawn_rate=2.0)
        decisions = engine.handle(submit(*(task(number) for number in range(20))), 0)
        assert started(decisions) == [0, 1]
        assert only(Wake, decisions).at == pytest.approx(0.5)
        assert started(engine.handle(end(0), 0.1)) == [2]
        decisions = engine.handle(Tick(), 0.5)
        assert started(decisions) == [3]
        assert only(Wake, decisions).at == pytest.approx(1.0)

    def test_capacity_without_room_for_anything_is_refused(self) -> None:
        with pytest.raises(UsageError, match="jobs is 0"):
            scheduler(jobs=0)

    def test_a_heavy_task_is_not_starved_by_light_ones(self) -> None:
        engine = scheduler(cpus=4.0)
        engine.handle(submit(*(task(number, cpus=1.0) for number in range(4))), 0)
        engine.handle(submit(task(100, cpus=4.0, path_seconds=500.0, seconds=60.0)), 0)
        light, at, number = 4, 0.0, 0
        while 100 not in started(engine.handle(end(number), at)):
            at, number = at + 1.0, number + 1
            engine.handle(submit(task(light, cpus=1.0)), at)
            light += 1
            assert at < 15
        assert at > 5, "held no longer than needed"

    def test_what_does_not_delay_a_heavy_task_still_starts(self) -> None:
        engine = scheduler(cpus=4.0)
        engine.handle(submit(task(1, cpus=2.0)), 0)
        engine.handle(submit(task(2, name="big", cpus=4.0, path_seconds=99.0)), 0)
        assert started(engine.handle(submit(task(3, cpus=0.1)), 1)) == [3], "nothing is held yet"
        assert started(engine.handle(submit(task(4, cpus=0.0)), 10)) == [4]
        assert started(engine.handle(submit(task(5, cpus=0.1)), 10)) == []
        assert [one.reason for one in engine.waiting()][1] == "capacity is held for big"
        engine.handle(end(1), 11)
        assert started(engine.handle(end(3), 12)) == [2]


class TestClaims:
    def test_conflicting_tasks_run_one_after_the_other(self) -> None:
        engine = scheduler()
        decisions = engine.handle(submit(task(1, write("a"), name="format"), task(2, read("a"))), 0)
        assert started(decisions) == [1]
        waiting = only(Waiting, decisions)
        assert waiting == Waiting(task=TaskId(2), reason="a, held by format", blockers=(TaskId(1),))
        assert started(engine.handle(end(1), 1)) == [2]

    def test_all_claims_at_once_or_none(self) -> None:
        engine = scheduler()
        engine.handle(submit(task(1, write("a")), task(2, write("a"), write("b"))), 0)
        assert started(engine.handle(submit(task(3, write("b")), client=B), 0)) == []
        assert started(engine.handle(submit(task(4, write("c")), client=B), 0)) == [4]
        assert started(engine.handle(end(1), 1)) == [2]
        assert started(engine.handle(end(2), 2)) == [3]

    def test_a_stream_of_readers_does_not_starve_a_writer(self) -> None:
        engine = scheduler()
        engine.handle(submit(task(0, read("a"), seconds=1e9), client=A), 0)
        engine.handle(submit(task(1, write(".", TREE), lock_timeout=1e9), client=B), 1)
        for number in range(2, 50):
            assert started(engine.handle(submit(task(number, read("a")), client=A), number)) == []
        assert started(engine.handle(submit(task(99), client=A), 60)) == [99], "what shares nothing passes"
        assert started(engine.handle(end(0), 61)) == [1]
        assert len(started(engine.handle(end(1), 62))) == 15

    def test_thousands_of_waiting_tasks_do_not_shut_out_one_of_another_client(self) -> None:
        engine = scheduler(jobs=4)
        engine.handle(submit(*(task(number, read("a")) for number in range(1000)), client=A), 0)
        engine.handle(submit(task(5000, write("a")), client=B), 1)
        passed = 0
        while not any(one.task == 5000 for one in engine.running()):
            engine.handle(end(engine.running()[0].task), 2 + passed)
            passed += 1
        assert passed <= 8

    def test_writers_of_one_client_in_thousands_leave_room_for_another(self) -> None:
        engine = scheduler(jobs=4)
        engine.handle(submit(*(task(number, write("a")) for number in range(1000)), client=A), 0)
        engine.handle(submit(task(5000, read("a")), client=B), 1)
        passed = 0
        while not any(one.task == 5000 for one in engine.running()):
            engine.handle(end(engine.running()[0].task), 2 + passed)
            passed += 1
        assert passed <= 6

    def test_lock_time_out_counts_other_clients_only(self) -> None:
        engine = scheduler()
        engine.handle(submit(task(1, write("a"), name="mine"), task(2, write("a"), lock_timeout=5.0), client=A), 0)
        assert ended(engine.handle(Tick(), 1000)) == {}
        decisions = engine.handle(submit(task(3, write("a"), name="theirs", lock_timeout=5.0), client=B), 1000)
        assert only(Wake, decisions).at == 1005
        decisions = engine.handle(Tick(), 1005)
        assert only(End, decisions) == End(
            task=TaskId(3), status=Status.LOCK_TIMEOUT, reason="waited 5 s for a, held by mine", blockers=(TaskId(1),)
        )

    def test_the_lock_clock_stands_still_while_a_client_waits_for_itself(self) -> None:
        engine = scheduler()
        engine.handle(submit(task(1, write("a")), client=A), 0)
        engine.handle(submit(task(2, write("a"), lock_timeout=1e9), task(3, write("a"), lock_timeout=5.0), client=B), 0)
        assert started(engine.handle(end(1), 4)) == [2]
        assert ended(engine.handle(Tick(), 100)) == {}
        engine.handle(submit(task(4, write("a"), lock_timeout=1e9), client=A), 100)
        assert started(engine.handle(end(2), 100)) == [3]

    def test_the_lock_clock_goes_on_over_several_holders(self) -> None:
        engine = scheduler()
        engine.handle(submit(task(1, write("a")), client=A), 0)
        engine.handle(submit(task(2, write("a")), client=C), 0)
        engine.handle(submit(task(3, write("a"), lock_timeout=5.0), client=B), 0)
        assert started(engine.handle(end(1), 3)) == [2]
        assert ended(engine.handle(Tick(), 4.9)) == {}
        assert ended(engine.handle(Tick(), 5.0)) == {3: "lock-timeout"}

    def test_waiting_for_capacity_never_times_out(self) -> None:
        engine = scheduler(jobs=1)
        engine.handle(submit(task(1, write("a")), client=A), 0)
        engine.handle(submit(task(2, write("b"), lock_timeout=1.0), client=B), 0)
        assert ended(engine.handle(Tick(), 1000)) == {}


class TestRetry:
    def test_back_off_doubles_and_gives_everything_back_meanwhile(self) -> None:
        engine = scheduler(jobs=1)
        engine.handle(submit(task(1, write("a"), retries=2), task(2, write("a"))), 0)
        decisions = engine.handle(end(1, passed=False), 10)
        assert only(Retry, decisions) == Retry(task=TaskId(1), at=10.5, attempt=2)
        assert started(decisions) == [2], "it holds neither slot nor claims"
        engine.handle(end(2), 10.2)
        assert only(Start, engine.handle(Tick(), 10.5)) == Start(task=TaskId(1), slot=0, attempt=2)
        assert only(Retry, engine.handle(end(1, passed=False), 20)).at == 21.0
        engine.handle(Tick(), 21)
        last = only(End, engine.handle(end(1, passed=False), 22))
        assert (last.status, last.reason) == (Status.FAILED, "failed 3 times")

    @pytest.mark.parametrize(("chance", "pause"), [(0.0, 15.0), (0.5, 30.0), (1.0, 45.0)])
    def test_back_off_is_bounded_and_jittered(self, chance: float, pause: float) -> None:
        engine = Scheduler(scheduler().capacity, jitter=lambda: chance)
        engine.handle(submit(task(1, retries=20)), 0)
        for attempt in range(12):
            at = only(Retry, engine.handle(end(1, passed=False), attempt * 100)).at
            engine.handle(Tick(), at)
        assert only(Retry, engine.handle(end(1, passed=False), 2000)).at == 2000 + pause

    def test_what_cannot_get_better_is_not_tried_again(self) -> None:
        engine = scheduler()
        engine.handle(submit(task(1, retries=5)), 0)
        assert ended(engine.handle(end(1, passed=False, retryable=False), 1)) == {1: "failed"}

    def test_what_needs_it_waits_for_the_last_attempt(self) -> None:
        engine = scheduler()
        engine.handle(submit(task(1, retries=1), task(2, needs=[1])), 0)
        assert ended(engine.handle(end(1, passed=False), 1)) == {}
        engine.handle(Tick(), 2)
        assert started(engine.handle(end(1), 3)) == [2]


class TestGivingUp:
    def test_cancel_ends_what_waits_and_stops_what_runs(self) -> None:
        engine = scheduler(jobs=1)
        engine.handle(submit(task(1, retries=3), task(2), task(3, needs=[2])), 0)
        decisions = engine.handle(Cancel(client=A, tasks=None, reason="interrupted"), 1)
        assert only(Stop, decisions) == Stop(task=TaskId(1), reason="interrupted")
        assert ended(decisions) == {2: "cancelled", 3: "cancelled"}
        assert ended(engine.handle(end(1), 2)) == {1: "cancelled"}, "even if it says it passed"

    def test_a_stop_is_told_once(self) -> None:
        engine = scheduler()
        engine.handle(submit(task(1)), 0)
        cancel = Cancel(client=A, tasks=(TaskId(1),), reason="x")
        assert engine.handle(cancel, 1) != []
        assert engine.handle(cancel, 2) == []

    def test_fail_fast_cancels_the_rest_of_its_submission_only(self) -> None:
        engine = scheduler(jobs=2)
        engine.handle(submit(task(9), client=A), 0)
        engine.handle(submit(task(1), task(2), task(3, needs=[1]), client=A, fail_fast=True), 0)
        decisions = engine.handle(end(1, passed=False), 1)
        assert ended(decisions) == {1: "failed", 3: "skipped", 2: "cancelled"}
        assert engine.running()[0].task == 9

    def test_a_client_that_is_gone_keeps_its_claims_until_its_instances_are_dead(self) -> None:
        engine = scheduler()
        engine.handle(submit(task(1, write("a")), task(2, write("a")), client=A), 0)
        engine.handle(submit(task(3, write("a")), client=B), 0)
        decisions = engine.handle(ClientGone(client=A), 1)
        assert only(Stop, decisions).task == 1
        assert ended(decisions) == {2: "cancelled"}
        assert started(decisions) == []
        assert started(engine.handle(end(1, passed=False), 2)) == [3]
        assert engine.usage().running == 1

    def test_ids_of_a_client_that_is_gone_are_forgotten(self) -> None:
        engine = scheduler()
        engine.handle(submit(task(1), client=A), 0)
        engine.handle(ClientGone(client=A), 1)
        engine.handle(end(1), 2)
        assert started(engine.handle(submit(task(1), client=B), 3)) == [1]


class TestNesting:
    def test_a_child_gets_along_with_its_parent_and_shares_its_seat(self) -> None:
        engine = scheduler(jobs=1)
        engine.handle(submit(task(1, write(".", TREE), tier=DANGEROUS)), 0)
        decisions = engine.handle(submit(task(2, write("a"), parent=1), task(3, write("b"), parent=1), client=B), 1)
        assert only(Start, decisions) == Start(task=TaskId(2), slot=0, attempt=1)
        assert only(Start, engine.handle(end(2), 2)) == Start(task=TaskId(3), slot=0, attempt=1)

    def test_a_second_child_takes_capacity_of_its_own(self) -> None:
        engine = scheduler(jobs=2)
        engine.handle(submit(task(1)), 0)
        decisions = engine.handle(submit(task(2, parent=1), task(3, parent=1), task(4, parent=1), client=B), 1)
        assert [(one.task, one.slot) for one in decisions if isinstance(one, Start)] == [(2, 0), (3, 1)]

    def test_children_conflict_with_everybody_else(self) -> None:
        engine = scheduler()
        engine.handle(submit(task(1), task(9, write("a"))), 0)
        assert started(engine.handle(submit(task(2, write("a"), parent=1), client=B), 1)) == []
        assert started(engine.handle(end(9), 2)) == [2]

    def test_a_child_does_not_queue_behind_those_who_wait_for_its_parent(self) -> None:
        engine = scheduler()
        engine.handle(submit(task(1, write("a"))), 0)
        engine.handle(submit(task(5, write("a")), client=C), 1)
        assert started(engine.handle(submit(task(2, write("a"), parent=1), client=B), 2)) == [2]

    def test_two_parents_whose_children_want_the_other_s_claims_end_by_time_out(self) -> None:
        engine = scheduler()
        engine.handle(submit(task(1, write("a")), task(2, write("b"))), 0)
        engine.handle(submit(task(3, write("b"), parent=1), task(4, write("a"), parent=2)), 0)
        assert ended(engine.handle(Tick(), 30)) == {3: "lock-timeout", 4: "lock-timeout"}

    def test_the_end_of_a_parent_ends_its_children(self) -> None:
        engine = scheduler(jobs=1)
        engine.handle(submit(task(1), task(9)), 0)
        engine.handle(submit(task(2, parent=1), task(3, parent=1), client=B), 1)
        decisions = engine.handle(end(1), 2)
        assert only(Stop, decisions).task == 2
        assert ended(decisions) == {3: "cancelled", 1: "passed"}
        assert started(decisions) == [], "the seat is taken as long as the child lives"
        assert started(engine.handle(end(2), 3)) == [9]

    def test_at_most_three_deep(self) -> None:
        engine = scheduler()
        engine.handle(submit(task(0)), 0)
        for depth in (1, 2, 3):
            assert started(engine.handle(submit(task(depth, parent=depth - 1), client=ClientId(depth + 1)), 0)) == [
                depth
            ]
        last = only(End, engine.handle(submit(task(4, parent=3), client=ClientId(9)), 0))
        assert (last.status, last.reason) == (Status.FAILED, "nested 4 deep; at most 3 are allowed")

    def test_a_child_that_comes_too_late_is_cancelled(self) -> None:
        engine = scheduler()
        engine.handle(submit(task(1)), 0)
        engine.handle(end(1), 1)
        assert ended(engine.handle(submit(task(2, parent=1), client=B), 2)) == {2: "cancelled"}


class TestTurns:
    def test_clients_take_turns(self) -> None:
        engine = scheduler(jobs=1)
        engine.handle(submit(*(task(number, path_seconds=1000) for number in range(100)), client=A), 0)
        engine.handle(submit(task(500, path_seconds=1), client=B), 0)
        first = started(engine.handle(end(0), 1))
        assert 500 in (*first, *started(engine.handle(end(first[0]), 2)))

    def test_critical_first_deferred_last(self) -> None:
        engine = scheduler(jobs=1)
        engine.handle(submit(task(0)), 0)
        wishes = [Priority.DEFERRED, Priority.NORMAL, Priority.CRITICAL]
        engine.handle(submit(*(task(number, priority=wish) for number, wish in enumerate(wishes, 1))), 0)
        order = [started(engine.handle(end(number), 1))[0] for number in (0, 3, 2)]
        assert order == [3, 2, 1]

    def test_deferred_tasks_are_not_starved_for_ever(self) -> None:
        engine = scheduler(jobs=1)
        engine.handle(submit(task(0), task(1, priority=Priority.DEFERRED)), 0)
        number, at, running = 10, 0.0, 0
        while running != 1:
            engine.handle(submit(task(number), task(number + 1)), at)
            (running,) = started(engine.handle(end(running), at))
            number, at = number + 2, at + 10
            assert at < 300
        assert at > 60


class TestNonsense:
    @pytest.mark.parametrize(
        ("tasks", "complaint"),
        [
            ([task(1), task(1)], "twice"),
            ([task(0)], "twice"),
            ([task(1, needs=[77])], "nobody handed in"),
            ([task(1, after=[50])], "another client's"),
            ([task(1, needs=[1])], "circle"),
            ([task(1, after=[2]), task(2, needs=[3]), task(3, after=[1])], "circle"),
            ([task(1), task(2, parent=1)], "cannot run yet"),
        ],
    )
    def test_a_submission_that_makes_no_sense_changes_nothing(self, tasks: list[Task], complaint: str) -> None:
        engine = scheduler()
        engine.handle(submit(task(0), client=A), 0)
        engine.handle(submit(task(50), client=B), 0)
        before = engine.waiting(), engine.running(), engine.usage()
        with pytest.raises(ProtocolError, match=complaint):
            engine.handle(submit(*tasks, client=A), 1)
        assert (engine.waiting(), engine.running(), engine.usage()) == before
        engine.check()

    def test_ends_of_tasks_that_do_not_run_are_our_own_bug(self) -> None:
        engine = scheduler(jobs=1)
        engine.handle(submit(task(1), task(2)), 0)
        for number in (2, 99):
            with pytest.raises(InternalError):
                engine.handle(end(number), 1)
        engine.handle(end(1), 1)
        with pytest.raises(InternalError):
            engine.handle(end(1), 1)

    def test_one_cannot_give_up_another_client_s_tasks(self) -> None:
        engine = scheduler()
        engine.handle(submit(task(1), client=A), 0)
        with pytest.raises(ProtocolError):
            engine.handle(Cancel(client=B, tasks=(TaskId(1),), reason="x"), 1)

    def test_events_that_race_with_ends_are_welcome(self) -> None:
        engine = scheduler()
        engine.handle(submit(task(1), client=A), 0)
        engine.handle(end(1), 1)
        assert engine.handle(Cancel(client=A, tasks=(TaskId(1),), reason="x"), 2) == []
        assert engine.handle(ClientGone(client=ClientId(77)), 2) == []
        assert engine.handle(Tick(), 0) == []

    def test_time_does_not_run_backwards(self) -> None:
        engine = scheduler()
        engine.handle(submit(task(1, retries=1)), 100)
        assert only(Retry, engine.handle(end(1, passed=False), 5)).at == 100.5


def test_views_say_why_a_task_waits() -> None:
    engine = scheduler(cpus=4.0)
    engine.handle(
        submit(
            task(1, write("a"), name="format", cpus=1.0),
            task(2, read("a")),
            task(3, after=[1]),
            task(4, cpus=9.0),
            task(5, cpus=3.5),
        ),
        0,
    )
    assert {one.task: (one.phase, one.reason, one.blockers) for one in engine.waiting()} == {
        2: (Phase.PARKED, "a, held by format", (1,)),
        3: (Phase.PENDING, "1 before it not ended", ()),
        4: (Phase.READY, "heavier than the machine: waits to run alone", ()),
        5: (Phase.READY, "not enough free cores or memory", ()),
    }
    usage = engine.usage()
    assert (usage.running, usage.waiting, usage.cpus) == (1, 4, 1.0)


class TestPools:
    def test_as_many_of_a_pool_run_as_it_is_deep(self) -> None:
        engine = scheduler(jobs=8)
        assert started(engine.handle(submit(*(task(n, pool="net", pool_depth=2) for n in (1, 2, 3)), task(4)), 0)) == [
            1,
            2,
            4,
        ]
        assert engine.waiting()[0].reason == "all 2 places of the pool net are taken"
        assert started(engine.handle(end(1), 1)) == [3]

    def test_another_client_is_in_the_same_pool(self) -> None:
        engine = scheduler(jobs=8)
        assert started(engine.handle(submit(task(1, pool="net", pool_depth=1)), 0)) == [1]
        assert started(engine.handle(submit(task(2, pool="net", pool_depth=1), client=ClientId(1)), 0)) == []

    def test_what_is_nested_shares_the_place_of_what_it_is_nested_in(self) -> None:
        engine = scheduler(jobs=8)
        engine.handle(submit(task(1, pool="net", pool_depth=1)), 0)
        assert started(engine.handle(submit(task(2, parent=1, pool="net", pool_depth=1), client=ClientId(1)), 1)) == [2]

    def test_a_heavier_one_that_a_seat_is_kept_for_keeps_its_place_in_the_pool(self) -> None:
        engine = scheduler(jobs=8, cpus=4)
        engine.handle(submit(task(1, cpus=3.0)), 0)
        engine.handle(submit(task(2, cpus=3.0, pool="net", pool_depth=1)), 2)
        assert started(engine.handle(submit(task(3, cpus=0.0, pool="net", pool_depth=1)), 30)) == []
        assert started(engine.handle(end(1), 31)) == [2]


class TestLentSlots:
    def test_a_slot_that_is_lent_starts_nobody_until_it_is_given_back(self) -> None:
        engine = scheduler(jobs=2)
        assert started(engine.handle(submit(task(1)), 0)) == [1]
        assert engine.spare() == 1
        engine.handle(Lent(slots=1), 1)
        assert started(engine.handle(submit(task(2)), 2)) == []
        assert engine.waiting()[0].reason == "all 2 slots are taken, 1 of them by jobs of what runs"
        assert engine.spare() == 0
        assert started(engine.handle(Lent(slots=0), 3)) == [2]

    def test_nothing_is_to_be_lent_while_nobody_runs(self) -> None:
        engine = scheduler(jobs=2)
        assert engine.spare() == 0

    def test_what_the_last_one_had_borrowed_holds_nobody_up(self) -> None:
        engine = scheduler(jobs=2)
        engine.handle(submit(task(1)), 0)
        engine.handle(Lent(slots=1), 1)
        assert started(engine.handle(submit(task(2), task(3, needs=[2])), 2)) == []
        assert started(engine.handle(end(1), 3)) == [2]

    def test_a_heavier_one_that_a_seat_is_kept_for_counts_what_is_lent(self) -> None:
        engine = scheduler(jobs=3, cpus=4)
        engine.handle(submit(task(1, cpus=3.0)), 0)
        engine.handle(Lent(slots=1), 1)
        engine.handle(submit(task(2, cpus=3.0)), 2)
        assert started(engine.handle(submit(task(3, cpus=0.0)), 30)) == []
        assert started(engine.handle(Lent(slots=0), 31)) == [3]
