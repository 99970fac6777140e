"""The order in which one would run the commands one by one: as they are listed, but each after what it needs."""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Sequence

from pytest_cbx.errors import CycleError, PlanError
from pytest_cbx.plan.model import Request


def program_order(requests: Sequence[Request]) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
    """The indices of the requests in effective program order, and for each request the indices of those it needs.

    Of the commands whose needs are all before them the one listed first comes next, so a list that already
    agrees with its needs keeps its order.

    Raises `CycleError` when commands need each other in circles, `PlanError` when a need names no command, or several.
    """
    needs = _resolved(requests)
    needed_by: list[list[int]] = [[] for _ in requests]
    missing = [len(indices) for indices in needs]
    for index, indices in enumerate(needs):
        for need in indices:
            needed_by[need].append(index)
    ready = [index for index, count in enumerate(missing) if not count]
    order: list[int] = []
    while ready:
        index = heapq.heappop(ready)
        order.append(index)
        for waiting in needed_by[index]:
            missing[waiting] -= 1
            if not missing[waiting]:
                heapq.heappush(ready, waiting)
    if len(order) < len(requests):
        raise CycleError(_cycles(requests, needs, {index for index, count in enumerate(missing) if count}))
    return tuple(order), tuple(needs)


def _resolved(requests: Sequence[Request]) -> list[tuple[int, ...]]:
    """For each request the indices of what it needs, without duplicates."""
    by_name: dict[str, int] = {}
    twice: set[str] = set()
    for index, request in enumerate(requests):
        if by_name.setdefault(request.name, index) != index:
            twice.add(request.name)
    problems = []
    needs = []
    for request in requests:
        for name in request.needs:
            if name not in by_name:
                problems.append(
                    f"{request.name} needs {name!r}, but there is no such command{_suggestion(name, by_name)}"
                )
            elif name in twice:
                problems.append(f"{request.name} needs {name!r}, but several commands have that name")
        needs.append(tuple(dict.fromkeys(by_name[name] for name in request.needs if name in by_name)))
    if problems:
        raise PlanError("\n".join(problems))
    return needs


def _suggestion(name: str, names: dict[str, int]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _cycles(
    requests: Sequence[Request], needs: Sequence[tuple[int, ...]], stuck: set[int]
) -> tuple[tuple[str, ...], ...]:
    """One circle of each group of commands that hang on the same circle, starting with its member listed first."""
    cycles = []
    seen: set[int] = set()
    for start in sorted(stuck):
        path: list[int] = []
        at = start
        while at not in seen:
            seen.add(at)
            path.append(at)
            at = next(need for need in needs[at] if need in stuck)
        if at in path:
            circle = path[path.index(at) :]
            first = circle.index(min(circle))
            cycles.append(tuple(requests[index].name for index in circle[first:] + circle[:first]))
    return tuple(cycles)
