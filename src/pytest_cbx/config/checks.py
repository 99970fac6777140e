"""What no single key can show: names and needs across commands, caps and thresholds against each other, folders."""

from __future__ import annotations

import os.path
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_cbx.config.model import Instances, Thresholds
from pytest_cbx.config.reading import Table
from pytest_cbx.config.values import is_inside, kind, nearest, quoted

CAPS = ("safe_parallel_max", "conditional_parallel_max", "sequential_max", "dangerous_isolated_max")


def check_capacity(table: Table, written: Mapping[str, Any]) -> Instances:
    """The caps. A tier's cap that the file names must fit into the total; one that it leaves out is lowered to it."""
    default = Instances()
    total = written.get("total_capacity_max", default.total_capacity_max)
    caps: dict[str, int] = {}
    for key in CAPS:
        caps[key] = written.get(key, min(getattr(default, key), total))
        if key in written and caps[key] > total:
            table.report(
                key,
                f"is {caps[key]}, above total_capacity_max, which is {total}",
                "lower it, or raise the total",
            )
    return Instances(**caps, total_capacity_max=total)


def check_thresholds(table: Table, found: Thresholds) -> None:
    """A critical threshold lies at or above the warning before it."""
    for what in ("cpu_utilization", "memory_utilization", "error_rate"):
        warning, critical = f"{what}_warning", f"{what}_critical"
        low, high = getattr(found, warning), getattr(found, critical)
        if high < low:
            key = critical if critical in table.content else warning
            table.report(key, f"puts {critical} ({high:g}) below {warning} ({low:g})", "critical is the higher one")


def check_jobs(table: Table, jobs: int, instances: Instances) -> None:
    """`jobs` is never above the total."""
    total = instances.total_capacity_max
    if jobs > total:
        table.report(
            "jobs",
            f"is {jobs}, above total_capacity_max, which is {total}",
            "0 takes what the machine can carry",
        )


def check_folders(tables: Sequence[tuple[Table, str]], folder: str, workspace: str, protect: Sequence[str]) -> None:
    """Every command's `cwd` lies in the workspace or a protected root, by the text of the paths (links are not followed)."""
    roots = [workspace, *(os.path.join(folder, root) for root in protect)]
    for table, cwd in tables:
        if not any(is_inside(os.path.join(folder, cwd), root) for root in roots):
            table.report(
                "cwd", f"leads out of the workspace: {kind(cwd)}", "stay below it, or add the folder to `protect`"
            )


def check_names(tables: Sequence[tuple[Table, str]]) -> None:
    """Names are unique. `tables`: each command with its name."""
    first: dict[str, int] = {}
    for table, name in tables:
        line = table.document.positions.line((*table.path, "name"))
        if name in first:
            message = f'the command name "{name}" is taken already, in line {first[name]}'
            table.document.report((*table.path, "name"), message, "give each command a name of its own")
        else:
            first[name] = line


def check_needs(tables: Sequence[tuple[Table, str, tuple[str, ...]]], known: Sequence[str]) -> None:
    """Every needed command exists, and no command waits for itself. `known`: all names, also of commands with other faults."""
    names = set(known)
    for table, name, needs in tables:
        for need in needs:
            if need not in names:
                number = table.content["needs"].index(need)
                others = [other for other in known if other != name]
                table.report(
                    "needs", f"names {kind(need)}, which is no command of this file", nearest(need, others), (number,)
                )
    graph = {name: tuple(need for need in needs if need in names) for _, name, needs in tables}
    by_name = {name: table for table, name, _ in reversed(tables)}
    for cycle in circles(graph):
        table = by_name[cycle[0]]
        if len(cycle) == 1:
            message = f'command "{cycle[0]}" needs itself'
        else:
            pairs = zip(cycle, [*cycle[1:], cycle[0]], strict=True)
            message = "commands need each other in a circle: " + ", ".join(
                f'"{one}" needs "{other}"' for one, other in pairs
            )
        table.document.report((*table.path, "needs"), message, "take one of these out of `needs`")


def check_pools(tables: Sequence[Table], known: Sequence[str]) -> None:
    """Every pool that a command names has a depth."""
    for table in tables:
        pool = table.content.get("pool")
        if isinstance(pool, str) and pool and pool not in known:
            hint = (
                nearest(pool, list(known)) if known else f"write [{table.document.title}.pools] with {quoted(pool)} = 2"
            )
            table.report("pool", f"names {kind(pool)}, which has no depth in [{table.document.title}.pools]", hint)


def circles(graph: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """One circle for each knot of nodes that reach each other, its members in order from the first of them in `graph`.

    Every node that is named as a target must be a key, or is passed over. Tarjan's strongly connected components, without recursion.
    """
    order = {node: number for number, node in enumerate(graph)}
    for knot in sorted(_knots(graph), key=lambda members: min(order[node] for node in members)):
        start = min(knot, key=order.__getitem__)
        if len(knot) > 1 or start in graph[start]:
            yield _round_trip(graph, start, knot)


def _round_trip(graph: Mapping[str, Sequence[str]], start: str, knot: frozenset[str]) -> tuple[str, ...]:
    """The shortest way from `start` back to it, inside its knot: breadth first."""
    came_from: dict[str, str] = {}
    queue = [start]
    for node in queue:
        for target in graph[node]:
            if target == start:
                way = [node]
                while way[-1] != start:
                    way.append(came_from[way[-1]])
                return tuple(reversed(way))
            if target in knot and target not in came_from:
                came_from[target] = node
                queue.append(target)
    return (start,)


def _knots(graph: Mapping[str, Sequence[str]]) -> list[frozenset[str]]:
    """Strongly connected components."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    waiting: set[str] = set()
    knots: list[frozenset[str]] = []
    for first in graph:
        if first in number:
            continue
        work: list[tuple[str, Iterator[str]]] = [(first, iter(graph[first]))]
        number[first] = low[first] = len(number)
        stack.append(first)
        waiting.add(first)
        while work:
            node, targets = work[-1]
            target = next((each for each in targets if each in graph and (each not in number or each in waiting)), None)
            if target is not None and target not in number:
                number[target] = low[target] = len(number)
                stack.append(target)
                waiting.add(target)
                work.append((target, iter(graph[target])))
            elif target is not None:
                low[node] = min(low[node], number[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == number[node]:
                    members = {stack.pop()}
                    while node not in members:
                        members.add(stack.pop())
                    waiting -= members
                    knots.append(frozenset(members))
    return knots
