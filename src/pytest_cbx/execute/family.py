"""Which processes belong to an instance: by session, by descent, by mark, by adoption.

A process can leave its session and group (setsid), its parent (double fork) and its environment (env -i). But the
engine is a child subreaper: whoever loses its parent becomes the engine's child, and is found there.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pytest_cbx.execute import processes
from pytest_cbx.execute.processes import Stat


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What is known of an instance: its leader's number and start, and the marks it was given, its own first."""

    pid: int
    start_ticks: int
    marks: tuple[str, ...]

    @property
    def mark(self) -> str:
        """Its own."""
        return self.marks[0]

    @property
    def token(self) -> str:
        """Its engine's."""
        return self.mark.rpartition(".")[0]


Heads = Mapping[int, Head]
"""All instances of an engine by pid, as long as anything of them may live."""


def leftovers(head: Head, heads: Heads) -> list[Stat]:
    """What outlives an instance's leader that has been reaped: its group, and orphans that came to us.

    Two system calls when nothing does. Looks at the roots only; what descends from them is in `members`.
    """
    group = processes.group_exists(head.pid)
    orphans = [pid for pid in processes.children_of_this_process() if pid not in heads]
    if not group and not orphans:
        return []
    if group:
        # Where processes cannot be looked at, the group itself stands for what is in it.
        return members(head, heads) if processes.visible() else [_group(head.pid)]
    found = (stat for pid in orphans if (stat := processes.stat_of(pid)) is not None and stat.state not in "ZX")
    return [stat for stat in found if _belongs(stat, head, heads)]


def members(head: Head, heads: Heads) -> list[Stat]:
    """Everything alive that belongs to an instance: its leader, its orphans, and all that descends from them."""
    me = os.getpid()
    living = [p for p in processes.all_processes() if p.pid != me and p.start_ticks >= head.start_ticks]
    roots = {stat.pid for stat in living if _belongs(stat, head, heads)}
    strangers = {pid for pid, other in heads.items() if head.mark not in other.marks}
    return _with_descendants(living, roots, strangers)


def _belongs(stat: Stat, head: Head, heads: Heads) -> bool:
    if head.pid in (stat.session, stat.group):
        return True
    other = heads.get(stat.session) or heads.get(stat.pid)
    if other is not None:
        # A command nested in this one goes with it.
        return head.mark in other.marks
    if stat.start_ticks < head.start_ticks:
        return False
    marks = processes.marks_of(stat.pid)
    if head.mark in marks:
        return True
    if stat.parent != os.getpid() or any(mark.startswith(f"{head.token}.") for mark in marks):
        return False
    return _wiped_orphan(stat, head, heads)


def _wiped_orphan(stat: Stat, head: Head, heads: Heads) -> bool:
    """Whether a child of ours without a mark is put down to this instance.

    It is let be while another instance runs that it may just as well have come from, and if it is an engine.
    """
    rivals = (other for pid, other in heads.items() if pid != head.pid and other.start_ticks <= stat.start_ticks)
    if any(processes.stat_of(other.pid) is not None for other in rivals):
        return False
    return not any(v.startswith(f"{processes.ENGINE}=".encode()) for v in processes.environment_of(stat.pid))


def _group(number: int) -> Stat:
    return Stat(pid=number, state="?", parent=0, group=number, session=number, start_ticks=0, rss=0)


def _with_descendants(living: Collection[Stat], roots: set[int], strangers: set[int]) -> list[Stat]:
    children: dict[int, list[int]] = {}
    for stat in living:
        children.setdefault(stat.parent, []).append(stat.pid)
    todo = list(roots)
    while todo:
        for pid in children.get(todo.pop(), ()):
            if pid not in roots and pid not in strangers:
                roots.add(pid)
                todo.append(pid)
    return [stat for stat in living if stat.pid in roots]
