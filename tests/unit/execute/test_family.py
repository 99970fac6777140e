"""Which processes are whose, on made-up process tables."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import pytest

from pytest_cbx.execute import family, processes
from pytest_cbx.execute.family import Head
from pytest_cbx.execute.processes import Stat

ENGINE = os.getpid()
TOKEN = "0123456789abcdef-9-00000000"


@dataclass
class Table:
    """A process table, and what each process carries."""

    stats: dict[int, Stat] = field(default_factory=dict)
    variables: dict[int, tuple[bytes, ...]] = field(default_factory=dict)
    orphans: list[int] = field(default_factory=list)

    def add(
        self, pid: int, *, parent: int, session: int, marks: str = "", ticks: int = 0, state: str = "S", extra: str = ""
    ) -> None:
        """One process; the engine's children are listed as such."""
        self.stats[pid] = Stat(
            pid=pid, state=state, parent=parent, group=session, session=session, start_ticks=ticks or pid, rss=0
        )
        self.variables[pid] = tuple(v.encode() for v in (f"CBX_INSTANCE={marks}" if marks else "A=b", extra) if v)
        if parent == ENGINE:
            self.orphans.append(pid)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    made = Table()
    monkeypatch.setattr(processes, "all_processes", lambda: (s for s in made.stats.values() if s.state not in "ZX"))
    monkeypatch.setattr(processes, "stat_of", made.stats.get)
    monkeypatch.setattr(processes, "environment_of", lambda pid: made.variables.get(pid, ()))
    monkeypatch.setattr(processes, "children_of_this_process", lambda: made.orphans)
    monkeypatch.setattr(processes, "group_exists", lambda group: any(s.group == group for s in made.stats.values()))
    monkeypatch.setattr(processes, "visible", lambda: True)
    return made


def head(pid: int, *marks: str) -> Head:
    return Head(pid=pid, start_ticks=pid, marks=marks or (f"{TOKEN}.{pid}",))


def numbers(found: list[Stat]) -> list[int]:
    return sorted(stat.pid for stat in found)


def test_session_descent_and_mark(table: Table) -> None:
    one, two = head(100), head(200)
    heads = {100: one, 200: two}
    table.add(50, parent=1, session=50, marks=one.mark)
    table.add(100, parent=ENGINE, session=100, marks=one.mark)
    table.add(101, parent=100, session=100)
    table.add(102, parent=101, session=102, marks=one.mark)
    table.add(103, parent=102, session=103)
    table.add(104, parent=1, session=104, marks=one.mark)
    table.add(105, parent=1, session=105)
    table.add(106, parent=100, session=100, state="Z")
    table.add(200, parent=ENGINE, session=200, marks=two.mark)
    table.add(201, parent=200, session=200)
    assert numbers(family.members(one, heads)) == [100, 101, 102, 103, 104]
    assert numbers(family.members(two, heads)) == [200, 201]


def test_nested_commands_go_with_the_one_around_them_only(table: Table) -> None:
    outer, inner = head(100), head(200, f"{TOKEN}.200", f"{TOKEN}.100")
    heads = {100: outer, 200: inner}
    table.add(100, parent=ENGINE, session=100, marks=outer.mark)
    table.add(200, parent=ENGINE, session=200, marks=":".join(inner.marks))
    table.add(201, parent=200, session=200, marks=":".join(inner.marks))
    assert numbers(family.members(outer, heads)) == [100, 200, 201]
    assert numbers(family.members(inner, heads)) == [200, 201]


def test_orphans_are_put_down_to_their_innermost_mark(table: Table) -> None:
    outer, inner = head(100), head(200, f"{TOKEN}.200", f"{TOKEN}.100")
    heads = {100: outer, 200: inner}
    table.add(300, parent=ENGINE, session=300, marks=":".join(inner.marks))
    assert numbers(family.leftovers(inner, heads)) == [300]


def test_an_orphan_without_a_mark_waits_for_whoever_it_may_have_come_from(table: Table) -> None:
    one, two, later = head(100), head(200), head(400)
    table.add(200, parent=ENGINE, session=200, marks=two.mark)
    table.add(300, parent=ENGINE, session=300)
    table.add(400, parent=ENGINE, session=400, marks=later.mark)
    assert family.leftovers(one, {100: one, 200: two, 400: later}) == []
    for leader in (200, 400):
        del table.stats[leader]
        table.orphans.remove(leader)
    assert family.leftovers(later, {200: two, 400: later}) == [], "it is older than this one"
    assert numbers(family.leftovers(two, {200: two, 400: later})) == [300]


def test_engines_are_nobodys_leaks(table: Table) -> None:
    one = head(100)
    table.add(300, parent=ENGINE, session=300, extra="CBX_ENGINE=fedcba9876543210")
    assert family.leftovers(one, {100: one}) == []


def test_the_dead_are_no_leftovers(table: Table) -> None:
    one = head(100)
    table.add(101, parent=ENGINE, session=100, state="Z")
    assert family.leftovers(one, {100: one}) == []


def test_a_group_that_cannot_be_looked_into_stands_for_itself(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "visible", lambda: False)
    table.add(101, parent=1, session=100)
    one = head(100)
    assert numbers(family.leftovers(one, {100: one})) == [100]
