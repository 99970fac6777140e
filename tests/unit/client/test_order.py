"""The order in which a plan's nodes are handed in: what is waited for stands first."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pytest_cbx.client.jobs import Site, plan, prepare
from pytest_cbx.client.runner import _order
from pytest_cbx.config.model import CommandConfig, Settings
from pytest_cbx.plan.model import Plan

ROOT = Path("/nowhere")


def planned(*commands: tuple[str, str, tuple[str, ...]]) -> Plan:
    configs = [CommandConfig(name=name, run=text, line=0, needs=needs) for name, text, needs in commands]
    jobs = prepare(configs, site=Site(base=ROOT, root=ROOT), settings=Settings())
    return plan(jobs, slots=2, settings=Settings())


def assert_ordered(graph: Plan) -> None:
    order = _order(graph)
    assert sorted(order) == list(range(len(graph.commands) + len(graph.joins)))
    place = {number: at for at, number in enumerate(order)}
    for edge in graph.edges:
        assert place[edge.before] < place[edge.after], edge


def test_program_order_where_nothing_waits() -> None:
    assert _order(planned(("a", "true", ()), ("b", "true", ()), ("c", "true", ()))) == [0, 1, 2]


def test_a_need_that_is_listed_later_comes_first() -> None:
    assert _order(planned(("late", "true", ("early",)), ("early", "true", ()))) == [1, 0]


def test_many_readers_between_writers_pass_through_joins() -> None:
    readers = [(f"r{number}", "cat x", ()) for number in range(12)]
    writers = [(f"w{number}", "echo 1 > x", ()) for number in range(2)]
    graph = planned(writers[0], *readers, writers[1], *((f"{name}b", text, needs) for name, text, needs in readers))
    assert_ordered(graph)


@given(
    texts=st.lists(st.sampled_from(["cat x", "cat y", "echo 1 > x", "echo 1 >> y", "true", "rm -rf x y"]), max_size=15),
    needs=st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14)), max_size=6),
)
def test_every_plan_is_handed_in_in_order(texts: list[str], needs: list[tuple[int, int]]) -> None:
    count = len(texts)
    # Needs may point against the order of the list, but not in circles: always from odd to even numbers.
    wanted = {(a, b) for a, b in needs if a < count and b < count and a % 2 == 1 and b % 2 == 0}
    commands = [
        (f"c{number}", text, tuple(f"c{b}" for a, b in sorted(wanted) if a == number))
        for number, text in enumerate(texts)
    ]
    assert_ordered(planned(*commands))


def test_needs_of_deselected_commands_are_dropped() -> None:
    graph = planned(("lint", "true", ("install",)))
    assert graph.edges == ()
