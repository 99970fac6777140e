"""Claims that turn up while a task runs: one rule at a time."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_cbx.effects.model import Scope
from pytest_cbx.errors import InternalError
from pytest_cbx.plan.model import Claim, Domain, Mode
from pytest_cbx.schedule.model import (
    RESTARTS_MAX,
    Cancel,
    ClientId,
    Commit,
    Decision,
    End,
    Ended,
    Grant,
    Reach,
    Reached,
    Restart,
    Retry,
    Start,
    Status,
    Stop,
    TaskId,
    Tick,
    Waiting,
    Wake,
    Withdraw,
)
from pytest_cbx.schedule.scheduler import Scheduler
from pytest_cbx.schedule.tasks import Phase
from pytest_cbx.tier import Tier
from tests.unit.schedule.building import A, B, C, ended, read, scheduler, started, submit, task, write

TREE = Scope.TREE


def file(mode: Mode, path: str, scope: Scope = Scope.PATH) -> Claim:
    return Claim(domain=Domain.FILE, mode=mode, target=path, scope=scope)


def reach(number: int, *claims: Claim, call: int = 1) -> Reach:
    return Reach(task=TaskId(number), claims=claims, number=call)


def end(number: int, passed: bool = True, **more: Any) -> Ended:
    return Ended(task=TaskId(number), passed=passed, **more)


def again(number: int, **more: Any) -> Ended:
    return end(number, passed=False, restarted=True, **more)


def granted(decisions: list[Decision]) -> list[tuple[int, int]]:
    return [(one.task, one.number) for one in decisions if isinstance(one, Grant)]


def restarted(decisions: list[Decision]) -> list[int]:
    return [one.task for one in decisions if isinstance(one, Restart)]


def only(kind: type[Any], decisions: list[Decision]) -> Any:
    (one,) = [decision for decision in decisions if isinstance(decision, kind)]
    return one


def running(*tasks: Any, client: ClientId = A, **more: Any) -> Scheduler:
    engine = scheduler(**more)
    assert len(started(engine.handle(submit(*tasks, client=client), 0))) == len(tasks)
    return engine


def wear_out(engine: Scheduler, number: int) -> list[int]:
    """Have a task start anew until it runs alone. Returns what each start says of restarts."""
    told = []
    for turn in range(RESTARTS_MAX + 1):
        engine.handle(submit(task(100 + turn), client=B), turn)
        engine.handle(reach(100 + turn, write(f"f{turn}")), turn)
        engine.handle(end(100 + turn), turn)
        assert restarted(engine.handle(reach(number, write(f"f{turn}")), turn)) == [number]
        told.append(only(Start, engine.handle(again(number), turn)).restarts)
    return told


class TestGrants:
    def test_what_is_free_is_granted_at_once_and_nothing_else_happens(self) -> None:
        engine = running(task(1), task(2))
        assert engine.handle(reach(1, write("a"), call=7), 1) == [Grant(task=TaskId(1), number=7)]

    def test_what_another_holds_is_waited_for_and_granted_when_it_leaves(self) -> None:
        engine = running(task(1, read("a"), name="reader"), task(2))
        assert engine.handle(reach(2, write("a"), call=7), 1) == [
            Waiting(task=TaskId(2), reason="a, held by reader", blockers=(TaskId(1),), number=7)
        ]
        assert granted(engine.handle(end(1), 2)) == [(2, 7)]

    def test_all_claims_of_a_call_at_once(self) -> None:
        engine = running(task(1, write("a")), task(2), task(3))
        engine.handle(reach(2, write("a"), write("b")), 1)
        assert granted(engine.handle(reach(3, write("b")), 1)) == [], "the older task goes first"
        decisions = engine.handle(end(1, written=()), 2)
        assert granted(decisions) == [(2, 1)]
        assert granted(engine.handle(end(2, written=()), 3)) == [(3, 1)]

    def test_a_task_does_not_wait_for_those_who_are_parked(self) -> None:
        engine = running(task(1, read("a")), task(2))
        assert started(engine.handle(submit(task(3, write("a"), write("b")), client=B), 1)) == []
        assert granted(engine.handle(reach(2, write("b")), 2)) == [(2, 1)]
        assert started(engine.handle(end(1), 3)) == [], "who is parked waits for what was gained"
        assert started(engine.handle(end(2), 4)) == [3]

    def test_tasks_that_keep_starting_do_not_starve_a_call(self) -> None:
        engine = running(task(1, read("a")), task(2))
        engine.handle(reach(2, write("a")), 1)
        decisions = engine.handle(submit(task(3, read("a")), client=B), 2)
        assert started(decisions) == []
        assert only(Waiting, decisions).reason == "a, wanted before it by t2"
        assert granted(engine.handle(end(1), 3)) == [(2, 1)]
        assert started(engine.handle(end(2, written=()), 4)) == [3]

    def test_several_calls_of_one_task_wait_side_by_side(self) -> None:
        engine = running(task(1, write("a")), task(2, write("b")), task(3))
        for call, path in ((1, "a"), (2, "b"), (3, "a")):
            assert granted(engine.handle(reach(3, write(path), call=call), 1)) == []
        assert granted(engine.handle(end(2, written=()), 2)) == [(3, 2)]
        assert sorted(granted(engine.handle(end(1, written=()), 3))) == [(3, 1), (3, 3)]

    def test_what_is_held_is_granted_without_a_thought(self) -> None:
        engine = running(task(1, write("src", TREE)), task(2))
        assert engine.holds(TaskId(1), write("src/a.py"))
        assert not engine.holds(TaskId(1), write("lib/a.py"))
        assert not engine.holds(TaskId(2), write("src/a.py"))
        engine.handle(reach(2, write("lib/a.py")), 1)
        assert engine.holds(TaskId(2), file(Mode.APPEND, "lib/a.py"))
        assert engine.handle(reach(2, write("lib/a.py"), call=2), 1) == [Grant(task=TaskId(2), number=2)]

    @pytest.mark.parametrize(
        ("one", "other", "free"),
        [
            (Mode.READ, Mode.READ, True),
            (Mode.CACHE, Mode.CACHE, True),
            (Mode.APPEND, Mode.APPEND, False),
            (Mode.READ, Mode.WRITE, False),
            (Mode.CACHE, Mode.READ, False),
            (Mode.CREATE, Mode.CREATE, False),
        ],
    )
    def test_modes_conflict_as_ever(self, one: Mode, other: Mode, free: bool) -> None:
        engine = running(task(1), task(2))
        engine.handle(reach(1, file(one, "a")), 1)
        assert engine.free(TaskId(2), (file(other, "a"),)) is free
        assert (granted(engine.handle(reach(2, file(other, "a")), 1)) == [(2, 1)]) is free

    def test_a_tree_takes_the_place_of_the_paths_in_it(self) -> None:
        engine = running(task(1), task(2))
        for number in range(50):
            engine.handle(reach(1, file(Mode.CREATE, f"out/{number}")), 1)
        assert len(engine._locks) == 50
        engine.handle(reach(1, write("out", TREE)), 1)
        assert len(engine._locks) == 1
        assert not engine.free(TaskId(2), (write("out/7"),))
        engine.handle(end(1), 2)
        assert len(engine._locks) == 0

    def test_a_removal_keeps_out_who_lists_the_directory_though_the_file_is_held(self) -> None:
        engine = running(task(1, write("d/a")), task(2, read("d")))
        assert not engine.holds(TaskId(1), file(Mode.DELETE, "d/a"))
        assert granted(engine.handle(reach(1, file(Mode.DELETE, "d/a")), 1)) == []
        assert granted(engine.handle(end(2), 2)) == [(1, 1)]

    def test_asking_leaves_nothing_behind(self) -> None:
        engine = running(task(1), task(2))
        assert engine.free(TaskId(1), (write("a"),))
        assert len(engine._locks) == 0

    def test_calls_of_unknown_tasks_and_doubled_calls_are_our_own_bug(self) -> None:
        engine = running(task(1, write("a")), task(2), jobs=2)
        engine.handle(submit(task(3)), 0)
        for number in (3, 99):
            with pytest.raises(InternalError, match="reached for claims"):
                engine.handle(reach(number, write("b")), 1)
        engine.handle(reach(2, write("a")), 1)
        with pytest.raises(InternalError, match="waits already"):
            engine.handle(reach(2, write("a")), 1)


class TestAlone:
    def test_who_is_alone_may_take_first_and_tell_later(self) -> None:
        engine = running(task(1))
        assert engine.alone(TaskId(1))
        assert engine.handle(Reached(task=TaskId(1), claims=(write("a"), write("b"))), 1) == []
        assert started(engine.handle(submit(task(2, read("b"))), 2)) == []
        assert not engine.alone(TaskId(2))
        assert started(engine.handle(end(1), 3)) == [2]

    def test_it_is_not_alone_beside_another_or_after_a_change(self) -> None:
        engine = running(task(1), task(2, write("a")))
        assert not engine.alone(TaskId(1))
        engine.handle(end(2), 1)
        assert not engine.alone(TaskId(1)), "it may have read what was changed"

    def test_what_is_nested_in_it_counts_as_itself(self) -> None:
        engine = running(task(1))
        engine.handle(submit(task(2, parent=1), client=B), 1)
        assert engine.alone(TaskId(1))
        assert engine.alone(TaskId(2))
        engine.handle(submit(task(3, parent=1), client=B), 1)
        assert not engine.alone(TaskId(2)), "a sibling is somebody else"

    def test_taking_what_is_in_use_is_our_own_bug(self) -> None:
        engine = running(task(1), task(2, write("a")))
        with pytest.raises(InternalError, match="t2 holds write a"):
            engine.handle(Reached(task=TaskId(1), claims=(write("a"),)), 1)


class TestFirstUpdater:
    def test_who_changes_what_another_changed_since_it_started_starts_anew(self) -> None:
        engine = running(task(1, name="first"), task(2, name="second"))
        engine.handle(reach(1, write("counter")), 1)
        assert granted(engine.handle(reach(2, write("counter")), 2)) == []
        assert only(Restart, engine.handle(end(1), 3)) == Restart(
            task=TaskId(2), reason="first changed counter after it had started", claims=(write("counter"),)
        )
        assert only(Start, engine.handle(again(2), 4)) == Start(task=TaskId(2), slot=0, attempt=1, restarts=1)
        assert engine.holds(TaskId(2), write("counter")), "it has from its start what it was seen to need"
        assert ended(engine.handle(end(2), 5)) == {2: "passed"}

    @pytest.mark.parametrize("passed", [True, False])
    def test_it_counts_before_the_call_and_whether_kept_or_undone(self, passed: bool) -> None:
        engine = running(task(1), task(2))
        engine.handle(reach(1, write("counter")), 1)
        engine.handle(end(1, passed=passed, rolled_back=not passed), 2)
        assert restarted(engine.handle(reach(2, write("counter")), 3)) == [2]

    def test_who_started_after_the_change_has_seen_it(self) -> None:
        engine = running(task(1), task(9))
        engine.handle(reach(1, write("a")), 1)
        engine.handle(end(1), 2)
        engine.handle(submit(task(2)), 2)
        assert granted(engine.handle(reach(2, write("a")), 2)) == [(2, 1)]

    @pytest.mark.parametrize(
        ("written", "fresh"), [(None, False), ((), True), ((write("b"),), True), ((write("a"),), False)]
    )
    def test_what_was_really_changed_counts_where_it_is_known(self, written: Any, fresh: bool) -> None:
        engine = running(task(1, write("a")), task(2))
        engine.handle(end(1, written=written), 1)
        assert bool(granted(engine.handle(reach(2, write("a")), 2))) is fresh

    @pytest.mark.parametrize(
        ("theirs", "mine", "fresh"),
        [
            (Mode.CACHE, Mode.CACHE, True),
            (Mode.APPEND, Mode.APPEND, False),
            (Mode.WRITE, Mode.READ, True),
            (Mode.READ, Mode.WRITE, True),
            (Mode.DELETE, Mode.CREATE, False),
        ],
    )
    def test_caches_and_reads_are_free_of_it(self, theirs: Mode, mine: Mode, fresh: bool) -> None:
        engine = running(task(1), task(2))
        engine.handle(reach(1, file(theirs, "a")), 1)
        engine.handle(end(1), 2)
        assert bool(granted(engine.handle(reach(2, file(mine, "a")), 3))) is fresh

    def test_what_nobody_can_have_seen_is_forgotten(self) -> None:
        engine = running(task(0), task(1))
        for number in range(1, 5000):
            engine.handle(end(number, written=(write(f"f{number % 10}"),)), number)
            engine.handle(submit(task(number + 1)), number)
        assert len(engine._updates._unread) < 1000
        engine.handle(end(0), 9999)
        engine.handle(end(5000), 9999)
        assert engine._updates.newest == 0

    def test_the_command_around_a_nested_one_starts_anew_when_it_may_have_handed_on_what_it_read(self) -> None:
        engine = running(task(1), task(2))
        engine.handle(submit(task(3, parent=1), client=B), 1)
        engine.handle(reach(2, write("counter")), 2)
        engine.handle(end(2), 3)
        decisions = engine.handle(reach(3, write("counter")), 4)
        assert restarted(decisions) == [1]
        assert only(Stop, decisions).task == 3
        engine.handle(end(3, passed=False, rolled_back=True), 5)
        engine.handle(again(1), 6)
        assert engine.holds(TaskId(1), write("counter"))

    def test_a_nested_one_may_be_stale_from_its_start(self) -> None:
        engine = running(task(1, restartable=True), task(2))
        engine.handle(reach(2, write("counter")), 2)
        engine.handle(end(2, written=(write("counter"),)), 3)
        decisions = engine.handle(submit(task(3, write("counter"), parent=1), client=B), 4)
        assert restarted(decisions) == [1]
        assert ended(decisions) == {3: "cancelled"}

    def test_only_the_nested_one_starts_anew_when_its_sibling_made_the_change(self) -> None:
        engine = running(task(1))
        engine.handle(submit(task(2, parent=1), task(3, parent=1), client=B), 1)
        engine.handle(reach(2, write("counter")), 2)
        engine.handle(end(2), 3)
        assert restarted(engine.handle(reach(3, write("counter")), 4)) == [3]

    def test_what_is_not_supervised_is_not_told_to_start_anew(self) -> None:
        engine = running(task(1), task(2))
        engine.handle(end(2, written=(write("counter"),)), 3)
        assert started(engine.handle(submit(task(3, write("counter"), parent=1), client=B), 4)) == [3]


class TestRestarts:
    def test_it_keeps_its_attempt_and_its_age_and_takes_all_it_was_seen_to_need(self) -> None:
        engine = running(task(1, write("p"), retries=1), task(2, write("b")))
        engine.handle(reach(1, write("a")), 1)
        engine.handle(reach(1, write("b")), 2)
        assert restarted(engine.handle(end(2), 3)) == [1]
        decisions = engine.handle(again(1, claims=(write("seen"),), tier=Tier.CONDITIONAL_PARALLEL), 4)
        assert only(Start, decisions) == Start(task=TaskId(1), slot=0, attempt=1, restarts=1)
        assert all(engine.holds(TaskId(1), write(path)) for path in ("p", "a", "b", "seen"))
        assert engine.usage().by_tier[Tier.CONDITIONAL_PARALLEL] == 1
        assert only(Retry, engine.handle(end(1, passed=False), 5)).attempt == 2

    def test_its_claims_are_its_own_until_it_is_undone(self) -> None:
        engine = running(task(1), task(2), task(3))
        engine.handle(reach(2, write("b")), 1)
        engine.handle(reach(1, write("a")), 1)
        engine.handle(end(1), 2)
        assert restarted(engine.handle(reach(2, write("a")), 3)) == [2]
        assert granted(engine.handle(reach(3, write("b")), 3)) == []
        assert engine.handle(reach(2, write("c"), call=9), 3) == [], "nothing is granted to who is being stopped"
        decisions = engine.handle(again(2, written=()), 4)
        assert granted(decisions) == [(3, 1)]
        assert started(decisions) == []

    def test_after_three_it_runs_alone(self) -> None:
        engine = running(task(1), task(50))
        starts = wear_out(engine, 1)
        assert starts == [1, 2, 3, RESTARTS_MAX + 1]
        assert engine.holds(TaskId(1), write("anything"))
        assert engine.holds(TaskId(1), write("/any/where"))
        assert started(engine.handle(submit(task(200, read("x")), task(201), client=B), 9)) == [201]
        assert granted(engine.handle(reach(201, write("y")), 9)) == []

    def test_who_cannot_be_restarted_ends_as_told(self) -> None:
        engine = running(task(1), task(2))
        engine.handle(reach(1, write("a")), 1)
        engine.handle(end(1), 2)
        engine.handle(reach(2, write("a")), 3)
        assert ended(engine.handle(end(2, passed=False, retryable=False), 4)) == {2: "failed"}

    def test_a_cancel_comes_before_a_restart(self) -> None:
        engine = running(task(1), task(2))
        engine.handle(reach(1, write("a")), 1)
        engine.handle(end(1), 2)
        engine.handle(reach(2, write("a")), 3)
        assert only(Stop, engine.handle(Cancel(client=A, tasks=None, reason="x"), 4)).task == 2
        decisions = engine.handle(again(2), 5)
        assert ended(decisions) == {2: "cancelled"}
        assert started(decisions) == []


class TestCircles:
    def test_the_youngest_gives_way(self) -> None:
        engine = running(task(1, name="old"), task(2, name="young"))
        engine.handle(reach(1, write("a")), 1)
        engine.handle(reach(2, write("b")), 1)
        assert restarted(engine.handle(reach(1, write("b")), 2)) == []
        assert only(Restart, engine.handle(reach(2, write("a"), call=5), 3)) == Restart(
            task=TaskId(2), reason="old and young waited for one another: a, b", claims=(write("b"),)
        )
        decisions = engine.handle(again(2, written=()), 4)
        assert granted(decisions) == [(1, 1)]
        assert started(decisions) == []
        assert only(Start, engine.handle(end(1), 5)).task == 2

    def test_a_victim_keeps_its_age(self) -> None:
        engine = running(task(1), task(2))
        engine.handle(reach(1, write("a")), 1)
        engine.handle(reach(2, write("b")), 1)
        engine.handle(reach(1, write("b")), 2)
        engine.handle(reach(2, write("a")), 3)
        engine.handle(again(2, written=()), 4)
        engine.handle(submit(task(3)), 4)
        engine.handle(end(1), 5)
        engine.handle(reach(3, write("c")), 6)
        engine.handle(reach(2, write("c")), 7)
        assert restarted(engine.handle(reach(3, write("a")), 8)) == [3]

    def test_three_in_a_circle(self) -> None:
        engine = running(task(1), task(2), task(3))
        for number, path in ((1, "a"), (2, "b"), (3, "c")):
            engine.handle(reach(number, write(path)), 1)
        assert restarted(engine.handle(reach(1, write("b")), 2)) == []
        assert restarted(engine.handle(reach(2, write("c")), 2)) == []
        assert restarted(engine.handle(reach(3, write("a")), 2)) == [3]

    def test_two_readers_that_both_want_to_write(self) -> None:
        engine = running(task(1), task(2))
        engine.handle(reach(1, read("a")), 1)
        engine.handle(reach(2, read("a")), 1)
        engine.handle(reach(1, write("a")), 2)
        assert restarted(engine.handle(reach(2, write("a")), 2)) == [2]

    def test_a_call_that_is_waited_for_lets_nobody_go_first(self) -> None:
        """1 is older and wants a, which 2 has; 2 wants more of the same: to wait for 1 would be a circle for nothing."""
        engine = running(task(1), task(2))
        engine.handle(reach(2, write("t/a")), 1)
        engine.handle(reach(1, write("t", TREE)), 2)
        assert granted(engine.handle(reach(2, write("t/b")), 3)) == [(2, 1)]

    def test_a_parked_nested_task_waits_for_its_parent_s_sake(self) -> None:
        engine = running(task(1, write("a")), task(2))
        engine.handle(reach(2, write("b")), 1)
        engine.handle(submit(task(3, write("b"), parent=1), client=B), 2)
        assert restarted(engine.handle(reach(2, write("a")), 3)) == [2], "1 is not supervised"

    def test_nested_tasks_alone_make_a_circle_too(self) -> None:
        engine = running(task(1, write("a"), restartable=True), task(2, write("b"), restartable=True))
        engine.handle(submit(task(3, write("b"), parent=1), client=B), 1)
        decisions = engine.handle(submit(task(4, write("a"), parent=2), client=C), 1)
        assert restarted(decisions) == [2]
        assert ended(decisions) == {4: "cancelled"}

    def test_siblings_give_way_to_each_other(self) -> None:
        engine = running(task(1))
        engine.handle(submit(task(2, parent=1), task(3, parent=1), client=B), 1)
        engine.handle(reach(2, write("a")), 2)
        engine.handle(reach(3, write("b")), 2)
        engine.handle(reach(2, write("b")), 3)
        assert restarted(engine.handle(reach(3, write("a")), 3)) == [3]

    def test_who_runs_alone_is_no_victim_however_young(self) -> None:
        engine = running(task(50), task(1))
        wear_out(engine, 1)
        port = Claim(domain=Domain.PORT, mode=Mode.WRITE, target="80")
        engine.handle(reach(50, port), 10)
        engine.handle(reach(50, write("y")), 11)
        assert restarted(engine.handle(reach(1, port), 12)) == [50]


class TestGivingUp:
    def test_a_stopped_task_waits_no_longer(self) -> None:
        engine = running(task(1, write("a")), task(2), task(3))
        engine.handle(reach(2, write("a")), 1)
        engine.handle(reach(3, write("a")), 1)
        engine.handle(Cancel(client=A, tasks=(TaskId(2),), reason="x"), 2)
        assert granted(engine.handle(end(1, written=()), 3)) == [(3, 1)]

    def test_a_caller_that_died_waits_no_longer(self) -> None:
        engine = running(task(1, write("a")), task(2))
        engine.handle(reach(2, write("a")), 1)
        engine.handle(Withdraw(task=TaskId(2), number=1), 2)
        assert engine.handle(Withdraw(task=TaskId(2), number=1), 2) == []
        assert granted(engine.handle(end(1, written=()), 3)) == []
        engine.handle(end(2), 4)
        assert len(engine._locks) == 0

    def test_waiting_too_long_for_another_client_stops_the_task(self) -> None:
        engine = running(task(1, write("a"), name="theirs"))
        engine.handle(submit(task(2, lock_timeout=5.0), client=B), 0)
        assert only(Wake, engine.handle(reach(2, write("a")), 10)).at == 15
        reason = "waited 5 s for a, held by theirs"
        assert only(Stop, engine.handle(Tick(), 15)) == Stop(task=TaskId(2), reason=reason, status=Status.LOCK_TIMEOUT)
        assert only(End, engine.handle(end(2, passed=False, rolled_back=True), 16)) == End(
            task=TaskId(2), status=Status.LOCK_TIMEOUT, reason=reason, blockers=(TaskId(1),)
        )

    def test_waiting_for_one_s_own_client_never_times_out(self) -> None:
        engine = running(task(1, write("a")), task(2, lock_timeout=5.0))
        engine.handle(reach(2, write("a")), 10)
        assert engine.handle(Tick(), 1000) == []


class TestNesting:
    def test_a_nested_task_gets_along_with_what_is_around_it(self) -> None:
        engine = running(task(1))
        engine.handle(submit(task(2, parent=1), client=B), 1)
        engine.handle(reach(1, write("a")), 2)
        assert granted(engine.handle(reach(2, write("a")), 2)) == [(2, 1)]
        assert granted(engine.handle(reach(1, write("a"), call=2), 2)) == [(1, 2)]

    def test_siblings_conflict(self) -> None:
        engine = running(task(1))
        engine.handle(submit(task(2, parent=1), task(3, parent=1), client=B), 1)
        engine.handle(reach(2, write("a")), 2)
        assert granted(engine.handle(reach(3, write("a")), 2)) == []

    def test_what_it_gained_passes_to_its_parent(self) -> None:
        engine = running(task(1), task(9))
        engine.handle(submit(task(2, write("p"), write("q"), parent=1), client=B), 1)
        engine.handle(reach(2, write("a")), 2)
        engine.handle(end(2, written=(write("a"), write("p"))), 3)
        held = [path for path in ("a", "p", "q") if not engine.free(TaskId(9), (write(path),))]
        assert held == ["a", "p"]
        engine.handle(reach(9, write("z")), 4)
        assert started(engine.handle(submit(task(5, write("a")), client=C), 5)) == []
        assert started(engine.handle(end(1), 6)) == [5]

    def test_what_was_undone_does_not_pass(self) -> None:
        engine = running(task(1))
        engine.handle(submit(task(2, parent=1), client=B), 1)
        engine.handle(reach(2, write("a")), 2)
        engine.handle(end(2, passed=False, rolled_back=True, written=(write("a"),)), 3)
        assert started(engine.handle(submit(task(5, write("a")), client=C), 5)) == [5]


class TestCommits:
    def test_a_commit_comes_once_right_before_the_end(self) -> None:
        engine = running(task(1))
        assert engine.handle(end(1), 1) == [
            Commit(task=TaskId(1)),
            End(task=TaskId(1), status=Status.PASSED),
        ]

    def test_a_failure_that_stays_is_committed_before_its_retry_and_one_that_was_undone_is_not(self) -> None:
        engine = running(task(1, retries=1))
        kinds = [type(one) for one in engine.handle(end(1, passed=False), 1)]
        assert kinds == [Commit, Retry, Wake]
        engine.handle(Tick(), 2)
        assert [type(one) for one in engine.handle(end(1, passed=False, rolled_back=True), 3)] == [End]


def ordered(number: int, *claims: Claim, **more: Any) -> Any:
    return task(number, *claims, serializable=True, **more)


class TestProgramOrder:
    def test_the_later_one_waits_for_the_earlier_one_and_need_not_start_anew(self) -> None:
        engine = running(ordered(1), ordered(2))
        engine.handle(reach(1, write("a")), 1)
        assert granted(engine.handle(reach(2, read("a")), 1)) == []
        assert granted(engine.handle(end(1), 2)) == [(2, 1)]

    def test_the_earlier_one_does_not_wait_for_the_later_one(self) -> None:
        engine = running(ordered(1, name="one"), ordered(2, name="two"))
        engine.handle(reach(2, read("a")), 1)
        assert only(Restart, engine.handle(reach(1, write("a")), 2)) == Restart(
            task=TaskId(2), reason="one, which comes before it, needs a", claims=(read("a"),)
        )
        decisions = engine.handle(again(2), 3)
        assert granted(decisions) == [(1, 1)]
        assert started(decisions) == []
        decisions = engine.handle(end(1), 4)
        assert ended(decisions) == {1: "passed"}
        assert started(decisions) == [2]

    def test_the_later_one_is_committed_when_the_earlier_one_is_over(self) -> None:
        engine = running(ordered(1), ordered(2), task(3), jobs=3)
        engine.handle(reach(2, write("a")), 1)
        assert engine.handle(end(2), 2) == []
        assert engine.waiting()[0].phase is Phase.COMMITTING
        assert started(engine.handle(submit(task(4)), 2)) == [4], "its seat is free"
        assert [type(one) for one in engine.handle(end(1), 3)] == [Commit, End, Commit, End]

    def test_so_is_one_whose_earlier_one_has_not_even_started(self) -> None:
        engine = scheduler()
        engine.handle(submit(task(9), ordered(1, needs=[9]), ordered(2)), 0)
        assert engine.handle(end(2), 1) == []
        assert started(engine.handle(end(9), 2)) == [1]
        assert ended(engine.handle(end(1), 3)) == {1: "passed", 2: "passed"}

    def test_what_is_not_committed_is_undone_when_the_earlier_one_needs_it(self) -> None:
        engine = running(ordered(1), ordered(2))
        engine.handle(reach(2, write("a")), 1)
        engine.handle(end(2), 2)
        assert restarted(engine.handle(reach(1, read("a")), 3)) == [2]
        assert granted(engine.handle(again(2), 4)) == [(1, 1)]
        assert started(engine.handle(end(1), 5)) == [2]
        assert ended(engine.handle(end(2), 6)) == {2: "passed"}

    def test_a_stranger_does_not_wait_for_what_only_waits_to_be_committed(self) -> None:
        engine = running(ordered(1), ordered(2))
        engine.handle(submit(task(3), client=B), 0)
        engine.handle(reach(2, write("a")), 1)
        engine.handle(end(2), 2)
        assert restarted(engine.handle(reach(3, read("a")), 3)) == [2]
        assert granted(engine.handle(again(2), 4)) == [(3, 1)]

    def test_a_later_one_makes_room_until_it_is_committed(self) -> None:
        """With one slot: 2 has ended, 3 wants what it changed, 1 needs the slot."""
        engine = scheduler(jobs=1)
        engine.handle(submit(task(9)), 0)
        ways = [ordered(1), ordered(2, path_seconds=50.0), ordered(3, path_seconds=40.0)]
        engine.handle(submit(*ways), 0)
        assert started(engine.handle(end(9), 1)) == [2]
        engine.handle(reach(2, write("a")), 1)
        assert started(engine.handle(end(2), 2)) == [3]
        assert restarted(engine.handle(reach(3, read("a")), 3)) == [3]
        assert started(engine.handle(again(3), 4)) == [1]
        decisions = engine.handle(end(1), 5)
        assert ended(decisions) == {1: "passed", 2: "passed"}
        assert started(decisions) == [3]

    def test_order_follows_edges_that_point_backwards(self) -> None:
        engine = scheduler()
        engine.handle(submit(ordered(1, needs=[2]), ordered(2)), 0)
        assert started(engine.handle(end(2), 1)) == [1]

    def test_other_clients_have_an_order_of_their_own(self) -> None:
        engine = running(ordered(1))
        engine.handle(submit(ordered(2), client=B), 0)
        assert ended(engine.handle(end(2), 1)) == {2: "passed"}

    def test_giving_up_undoes_what_waits_to_be_committed(self) -> None:
        engine = running(ordered(1), ordered(2, write("a")))
        engine.handle(end(2), 1)
        assert only(Stop, engine.handle(Cancel(client=A, tasks=(TaskId(2),), reason="x"), 2)).task == 2
        assert started(engine.handle(submit(task(3, write("a")), client=B), 2)) == [], "until it is undone"
        decisions = engine.handle(end(2, passed=False, rolled_back=True), 3)
        assert ended(decisions) == {2: "cancelled"}
        assert started(decisions) == [3]

    def test_a_second_end_without_a_reason_is_our_own_bug(self) -> None:
        engine = running(ordered(1), ordered(2))
        engine.handle(end(2), 1)
        with pytest.raises(InternalError, match="committing"):
            engine.handle(end(2), 2)
