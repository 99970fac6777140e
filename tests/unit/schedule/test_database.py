"""Programs that overlap, on a small database: no update is lost, and program order holds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_cbx.effects.model import Scope
from pytest_cbx.errors import InternalError
from pytest_cbx.plan.model import Claim
from pytest_cbx.schedule import lifecycle, updates
from pytest_cbx.schedule.lifecycle import Lifecycle
from pytest_cbx.schedule.locks import LockTable
from pytest_cbx.schedule.model import Ended
from pytest_cbx.schedule.order import ProgramOrder
from pytest_cbx.schedule.reaching import Reaching
from pytest_cbx.schedule.scheduler import Scheduler
from pytest_cbx.schedule.tasks import Entry
from pytest_cbx.schedule.updates import Updates
from pytest_cbx.schedule.waits import Wait, Waits
from tests.unit.schedule.building import capacity, read, write
from tests.unit.schedule.database import Add, Database, Instance, Mix, Program, Read, Run, Step, replay
from tests.unit.schedule.simulator import Foul

NAMES = ("a", "b", "c/d", "c/e", "f")
WIDE = (write("c", Scope.TREE), read(".", Scope.TREE), read("c", Scope.SOURCES))
SEEDS = st.integers(0, 2**32 - 1)


def database(random: Random, *, serializable: bool) -> Database:
    room = capacity(jobs=random.choice((1, 2, 3, 5)), spawn_rate=random.choice((2.0, 1e6)))
    return Database(Scheduler(room, jitter=random.random), random, serializable=serializable, names=NAMES)


def counting(random: Random, names: list[str], depth: int = 0) -> Program:
    """Reads numbers early, adds one to each late; some of it in nested programs."""
    mine = random.sample(names, k=random.randint(0, min(3, len(names))))
    steps: list[Step] = [Read(name) for name in mine]
    handed = [name for name in mine if random.random() < 0.3] if depth < 3 else []
    others = [name for name in names if name not in mine]
    if depth < 3 and random.random() < 0.35:
        nested = [counting(random, others, depth + 1) for _ in range(random.randint(0, 2))]
        late = tuple(write(name) for name in handed if random.random() < 0.5)
        nested.append(Program(steps=tuple(Add(name) for name in handed), claims=late))
        adds: list[Step] = [Add(name) for name in mine if name not in handed]
        adds.insert(random.randint(0, len(adds)), Run(tuple(nested)))
    else:
        adds = [Add(name) for name in random.sample(mine, k=len(mine))]
    steps += adds
    # A nested one that takes other numbers could take some that its parent has read: a race within one command is its own affair.
    return ending(random, steps, mine, nested=depth > 0)


def mixing(random: Random, depth: int = 0) -> Program:
    """Any reads and writes."""
    steps: list[Step] = [random.choice((Read, Mix))(random.choice(NAMES)) for _ in range(random.randint(1, 5))]
    if depth < 3 and random.random() < 0.25:
        nested = tuple(mixing(random, depth + 1) for _ in range(random.randint(1, 3)))
        steps.insert(random.randint(0, len(steps)), Run(nested))
    return ending(random, steps, [step.name for step in steps if isinstance(step, Mix)])


def ending(random: Random, steps: list[Step], written: list[str], *, nested: bool = False) -> Program:
    claims: list[Claim] = [write(name) for name in dict.fromkeys(written) if random.random() < (0.6 if nested else 0.2)]
    if random.random() < 0.1:
        claims.append(random.choice(WIDE))
    hold = random.random() < 0.2
    return Program(
        steps=tuple(steps),
        hold=hold,
        claims=tuple(claims),
        label=random.randrange(1_000_003),
        fickle=not nested and not hold and random.random() < 0.5 and not any(isinstance(step, Run) for step in steps),
        fails=random.random() < 0.1,
        retries=0 if hold else random.choice((0, 0, 1)),
        lock_timeout=random.choice((math.inf, math.inf, math.inf, 0.5)),
    )


def count(seed: int, *, cancel: float = 0.0) -> Database:
    random = Random(seed)
    base = database(random, serializable=False)
    for client in range(random.randint(1, 3)):
        base.submit(client, [counting(random, list(NAMES)) for _ in range(random.randint(1, 8))])
    base.run(cancel)
    assert base.numbers == {name: base.added[name] for name in NAMES}
    return base


def mix(seed: int, *, clients: int = 2, cancel: float = 0.0) -> Database:
    random = Random(seed)
    base = database(random, serializable=True)
    for client in range(random.randint(1, clients)):
        base.submit(client, [mixing(random) for _ in range(random.randint(1, 8))])
    base.run(cancel)
    numbers = dict.fromkeys(NAMES, 0)
    for one in base.committed:
        replay(one, numbers, {})
    assert base.numbers == numbers, "not the effect of committing one after the other"
    groups: dict[tuple[int, int | None], list[int]] = {}
    for one in [*base.committed, *(child for outer in base.committed for child in below(outer))]:
        if not one.program.hold:
            groups.setdefault((base.client[one.task], base.tasks[one.task].parent), []).append(one.task)
    assert all(tasks == sorted(tasks) for tasks in groups.values()), "not in program order"
    return base


def below(one: Instance) -> list[Instance]:
    return [*one.done, *(deeper for child in one.done for deeper in below(child))]


@settings(max_examples=300, deadline=None)
@given(SEEDS, st.sampled_from((0.0, 0.0, 0.02)))
def test_no_update_is_lost(seed: int, cancel: float) -> None:
    count(seed, cancel=cancel)


@settings(max_examples=300, deadline=None)
@given(SEEDS, st.sampled_from((0.0, 0.0, 0.02)))
def test_serializable_programs_have_the_effect_of_their_order(seed: int, cancel: float) -> None:
    mix(seed, cancel=cancel)


# --- does the referee see a broken rule? -----------------------------------------------------------


def ignore_updates(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Updates, "stale", lambda self, entry, claims, certain=False: iter(()))


def forget_what_was_rolled_back(patch: pytest.MonkeyPatch) -> None:
    original = Lifecycle._release

    def release(self: Lifecycle, entry: Entry, event: Ended, now: float) -> None:
        original(self, entry, replace(event, written=()) if event.rolled_back else event, now)

    patch.setattr(Lifecycle, "_release", release)


def let_nested_ones_start_stale(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reaching, "stale_start", lambda self, entry: False)


def restart_the_nested_one_only(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(updates, "stale_reader", lambda one, other: one)


def break_no_circles(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reaching, "break_circles", lambda self: None)


def see_no_parked_children(patch: pytest.MonkeyPatch) -> None:
    original = Waits.of

    def of(self: Waits, entry: Entry) -> Iterator[Wait]:
        return (wait for wait in original(self, entry) if wait.holder is not None or wait.on.running)

    patch.setattr(Waits, "of", of)


def pass_nothing_on(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reaching, "inherit", lambda self, parent, claims, now: None)


def wait_for_nobody(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(LockTable, "rivals", lambda self, entry, nodes: {})


def settle_nothing_by_order(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reaching, "contest", lambda self, entry, holder, mine, theirs: False)


def commit_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ProgramOrder, "first", lambda self, entry: entry)


def forget_the_calls(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reaching, "stir", lambda self: None)


def never_run_alone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(lifecycle, "RESTARTS_MAX", 99)


def restart_the_one_that_is_alone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(lifecycle, "EVERYTHING", ())


def say_always_alone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Scheduler, "alone", lambda self, task: True)


def keep_calls_of_the_dead(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reaching, "withdraw", lambda self, entry, number: None)


MUTANTS: list[Callable[[pytest.MonkeyPatch], None]] = [
    ignore_updates,
    forget_what_was_rolled_back,
    let_nested_ones_start_stale,
    restart_the_nested_one_only,
    break_no_circles,
    see_no_parked_children,
    pass_nothing_on,
    wait_for_nobody,
    settle_nothing_by_order,
    commit_at_once,
    forget_the_calls,
    never_run_alone,
    restart_the_one_that_is_alone,
    say_always_alone,
    keep_calls_of_the_dead,
]


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_books_show_a_broken_rule(
    mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)

    def search() -> None:
        for seed in range(200):
            count(seed)
            mix(seed)

    with pytest.raises((Foul, InternalError, KeyError, AssertionError)):
        search()


def test_the_same_search_finds_nothing_without_a_mutant() -> None:
    reasons = [reason for seed in range(200) for base in (count(seed), mix(seed)) for reason in base.reasons]
    for part in ("changed", "waited for one another", "comes before it, needs", "not committed yet", " needs "):
        assert any(part in reason for reason in reasons), "the search is too tame"
