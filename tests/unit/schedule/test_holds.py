"""Tasks without an instance that hold claims until their client lets go."""

from __future__ import annotations

from typing import Any

from pytest_cbx.plan.model import Claim
from pytest_cbx.schedule.model import (
    ClientGone,
    Commit,
    Decision,
    Ended,
    Grant,
    Reach,
    Restart,
    Start,
    Status,
    Stop,
    Task,
    TaskId,
    Tick,
)
from pytest_cbx.schedule.scheduler import Scheduler
from tests.unit.schedule.building import A, B, C, ended, read, scheduler, started, submit, task, write


def hold(number: int, *claims: Claim, **more: Any) -> Task:
    return task(number, *claims, cpus=0.0, hold=True, restartable=True, **more)


def reach(number: int, *claims: Claim, call: int = 1) -> Reach:
    return Reach(task=TaskId(number), claims=claims, number=call)


def end(number: int, passed: bool = True, **more: Any) -> Ended:
    return Ended(task=TaskId(number), passed=passed, **more)


def granted(decisions: list[Decision]) -> list[int]:
    return [one.task for one in decisions if isinstance(one, Grant)]


def restarted(decisions: list[Decision]) -> list[int]:
    return [one.task for one in decisions if isinstance(one, Restart)]


def holding(*, jobs: int = 30, **more: Any) -> Scheduler:
    engine = scheduler(jobs=jobs)
    assert started(engine.handle(submit(hold(1, **more)), 0)) == [1]
    engine.check()
    return engine


class TestSeats:
    def test_holds_take_none(self) -> None:
        engine = scheduler(jobs=1)
        decisions = engine.handle(submit(hold(1), hold(2), task(3)), 0)
        assert started(decisions) == [1, 2, 3]
        assert [one.slot for one in decisions if isinstance(one, Start)] == [-1, -1, 0]
        assert (engine.usage().seats, engine.usage().running) == (1, 3)
        engine.check()
        assert ended(engine.handle(end(1), 1)) == {1: "passed"}
        engine.check()

    def test_holds_start_when_every_seat_is_taken(self) -> None:
        engine = scheduler(jobs=1)
        engine.handle(submit(task(1)), 0)
        assert started(engine.handle(submit(hold(2), client=B), 1)) == [2]

    def test_a_command_in_a_hold_in_a_command_takes_none(self) -> None:
        engine = scheduler(jobs=1)
        engine.handle(submit(task(1)), 0)
        engine.handle(submit(hold(2, parent=1), client=B), 1)
        decisions = engine.handle(submit(task(3, parent=2), client=B), 2)
        assert started(decisions) == [3], "it would wait for the seat of the one that waits for it"
        assert engine.usage().seats == 1
        engine.check()
        engine.handle(end(3), 3)
        engine.handle(end(2), 4)
        assert ended(engine.handle(end(1), 5)) == {1: "passed"}
        assert engine.usage().seats == 0

    def test_the_first_command_in_a_hold_takes_none_as_the_others_may_be_waiting_for_the_hold(self) -> None:
        engine = holding(jobs=1)
        engine.handle(submit(task(9), client=C), 0)
        assert started(engine.handle(submit(task(2, parent=1), task(3, parent=1)), 1)) == [2]
        engine.check()
        assert started(engine.handle(end(2), 2)) == [3], "one after the other"
        assert engine.usage().seats == 1
        engine.handle(submit(task(4, parent=1)), 3)
        assert started(engine.handle(end(9), 4)) == [4]
        engine.check()

    def test_what_is_left_of_one_that_has_ended_gives_back_no_seat(self) -> None:
        engine = holding(jobs=1)
        engine.handle(submit(task(2, parent=1)), 1)
        engine.handle(end(1), 2)
        engine.check()
        engine.handle(end(2, passed=False), 3)
        engine.check()
        assert engine.usage().seats == 0

    def test_holds_do_not_count_as_nesting(self) -> None:
        engine = scheduler()
        engine.handle(submit(task(1)), 0)
        for number in range(2, 5):
            engine.handle(submit(task(number, parent=number - 1), client=B), number)
        assert started(engine.handle(submit(hold(5, parent=4), client=B), 5)) == [5]
        assert ended(engine.handle(submit(task(6, parent=5), client=B), 6)) == {6: "failed"}, "that is the fifth"


class TestClaims:
    def test_they_are_in_the_way_of_others_until_it_ends(self) -> None:
        engine = holding()
        assert granted(engine.handle(reach(1, write("a")), 1)) == [1]
        assert started(engine.handle(submit(task(2, write("a")), client=B), 2)) == []
        assert started(engine.handle(end(1), 3)) == [2]

    def test_those_of_its_start_are_waited_for_all_at_once(self) -> None:
        engine = scheduler()
        engine.handle(submit(task(1, write("a")), client=B), 0)
        assert started(engine.handle(submit(hold(2, write("a"), write("b"))), 1)) == []
        assert started(engine.handle(submit(task(3, write("b")), client=B), 2)) == [], "it comes later"
        assert started(engine.handle(end(1), 3)) == [2]
        assert started(engine.handle(end(2), 4)) == [3]

    def test_nobody_is_alone_beside_one(self) -> None:
        engine = holding()
        engine.handle(submit(task(2), client=B), 1)
        assert not engine.alone(TaskId(2))
        engine.handle(end(1), 2)
        assert engine.alone(TaskId(2))

    def test_what_was_changed_after_it_began_is_not_stale_as_it_reaches_for_what_it_reads(self) -> None:
        engine = holding()
        engine.handle(submit(task(2, write("a")), client=B), 1)
        engine.handle(end(2), 2)
        assert granted(engine.handle(reach(1, write("a")), 3)) == [1]

    def test_one_that_stays_keeps_no_notes_of_changes(self) -> None:
        engine = holding()
        engine.handle(submit(task(2, write("a")), client=B), 1)
        engine.handle(end(2), 2)
        assert not engine._updates.newest
        engine.handle(submit(task(3, write("a")), task(4), client=B), 3)
        engine.handle(end(3), 4)
        assert engine._updates.newest

    def test_what_it_changed_is_stale_for_those_that_ran_meanwhile(self) -> None:
        engine = holding()
        engine.handle(submit(task(2, restartable=True), client=B), 1)
        engine.handle(reach(1, write("a")), 2)
        engine.handle(reach(2, write("a")), 3)
        assert restarted(engine.handle(end(1, written=(write("a"),)), 4)) == [2]

    def test_also_when_it_was_rolled_back_as_reads_are_not_seen(self) -> None:
        engine = holding()
        engine.handle(submit(task(2, restartable=True), client=B), 1)
        engine.handle(reach(1, write("a")), 2)
        decisions = engine.handle(end(1, passed=False, rolled_back=True, written=(write("a"),)), 3)
        assert not any(isinstance(one, Commit) for one in decisions)
        assert restarted(engine.handle(reach(2, write("a")), 4)) == [2]

    def test_a_command_in_it_is_of_its_family(self) -> None:
        engine = holding()
        engine.handle(reach(1, write("a")), 1)
        assert started(engine.handle(submit(task(2, write("a"), parent=1)), 2)) == [2]
        engine.handle(end(2), 3)
        assert started(engine.handle(submit(task(3, write("a")), client=B), 4)) == []

    def test_a_command_in_it_that_began_before_a_change_starts_anew_by_itself(self) -> None:
        engine = holding()
        engine.handle(submit(task(2, parent=1, restartable=True)), 1)
        engine.handle(submit(task(3, write("a")), client=B), 2)
        engine.handle(end(3), 3)
        assert restarted(engine.handle(reach(2, write("a")), 4)) == [2]

    def test_a_command_in_it_that_began_after_a_change_has_seen_it(self) -> None:
        engine = holding()
        engine.handle(submit(task(3, write("a")), client=B), 1)
        engine.handle(end(3), 2)
        engine.handle(submit(task(2, parent=1, restartable=True), task(4)), 3)
        assert granted(engine.handle(reach(2, write("a")), 4)) == [2]

    def test_what_it_held_passes_to_the_command_that_it_ran_in(self) -> None:
        engine = scheduler()
        engine.handle(submit(task(1, restartable=True)), 0)
        engine.handle(submit(hold(2, parent=1), client=B), 1)
        engine.handle(reach(2, write("a")), 2)
        engine.handle(end(2, written=(write("a"),)), 3)
        assert started(engine.handle(submit(task(3, write("a")), client=C), 4)) == []
        assert started(engine.handle(end(1), 5)) == [3]


class TestCircles:
    def test_the_younger_one_gives_way(self) -> None:
        engine = scheduler()
        engine.handle(submit(task(1, restartable=True)), 0)
        engine.handle(submit(hold(2), client=B), 1)
        engine.handle(reach(1, write("a")), 2)
        engine.handle(reach(2, write("b")), 3)
        assert restarted(engine.handle(reach(2, write("a"), call=2), 4)) == []
        assert restarted(engine.handle(reach(1, write("b"), call=2), 5)) == [2]
        decisions = engine.handle(end(2, passed=False, rolled_back=True, written=()), 6)
        assert ended(decisions) == {2: "failed"}
        assert granted(decisions) == [1]

    def test_one_whose_client_does_not_listen_gives_way_with_the_command_that_it_runs_in(self) -> None:
        engine = scheduler()
        engine.handle(submit(task(9, restartable=True), client=C), 0)
        engine.handle(submit(task(1, restartable=True)), 1)
        engine.handle(submit(hold(2, parent=1), client=B), 2)
        engine.handle(reach(2, write("a")), 3)
        engine.handle(reach(9, write("b")), 4)
        engine.handle(reach(1, write("b"), call=7), 5)
        decisions = engine.handle(reach(9, write("a"), call=2), 6)
        assert restarted(decisions) == [1], "the hold's client may wait for a process that waits at call 7"
        assert [one.task for one in decisions if isinstance(one, Stop)] == [2]

    def test_a_read_lock_that_two_want_to_raise(self) -> None:
        engine = scheduler()
        engine.handle(submit(hold(1)), 0)
        engine.handle(submit(hold(2), client=B), 1)
        engine.handle(reach(1, read("a")), 2)
        engine.handle(reach(2, read("a")), 3)
        engine.handle(reach(1, write("a"), call=2), 4)
        assert restarted(engine.handle(reach(2, write("a"), call=2), 5)) == [2]
        assert granted(engine.handle(end(2, passed=False, rolled_back=True), 6)) == [1]


def test_whoever_was_sent_back_has_its_place_behind_those_that_got_a_ticket_meanwhile() -> None:
    engine = scheduler(jobs=1)
    engine.handle(submit(hold(8, write("x")), hold(9, write("c")), client=B), 0)
    engine.handle(submit(task(1, write("x"), serializable=True)), 1)
    assert started(engine.handle(submit(task(2, write("b"), serializable=True)), 1)) == [2]
    engine.handle(submit(task(3, write("b"), write("c"), serializable=True)), 1)
    engine.handle(end(2), 2)
    engine.handle(submit(task(4, write("c"), serializable=True)), 3)
    assert started(engine.handle(end(8), 4)) == [1], "its ticket goes to the fourth, as the third waits for a commit"
    engine.handle(end(1), 5)
    assert started(engine.handle(end(9), 6)) == [4]
    assert restarted(engine.handle(end(4), 7)) == [4], "the third comes before it"
    assert started(engine.handle(end(4, passed=False, restarted=True, rolled_back=True), 8)) == [3]


class TestEnds:
    def test_a_call_that_waits_too_long_stops_it(self) -> None:
        engine = holding(lock_timeout=5.0)
        engine.handle(submit(task(2, write("a")), client=B), 1)
        engine.handle(reach(1, write("a")), 2)
        (stop,) = [one for one in engine.handle(Tick(), 7) if isinstance(one, Stop)]
        assert (stop.task, stop.status, stop.reason) == (1, Status.LOCK_TIMEOUT, "waited 5 s for a, held by t2")

    def test_its_claims_stay_until_its_end_is_told_though_its_client_has_gone(self) -> None:
        engine = holding()
        engine.handle(reach(1, write("a")), 1)
        engine.handle(submit(task(2, write("a")), client=B), 2)
        decisions = engine.handle(ClientGone(client=A), 3)
        assert started(decisions) == []
        assert [one.task for one in decisions if isinstance(one, Stop)] == [1]
        assert started(engine.handle(end(1, passed=False, rolled_back=True), 4)) == [2]
