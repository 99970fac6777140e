"""From requests to a plan: edges, estimates, scores, the critical path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pytest_cbx.config.model import Batch
from pytest_cbx.errors import UsageError
from pytest_cbx.plan.batches import pools
from pytest_cbx.plan.estimate import estimate_of, expected_seconds
from pytest_cbx.plan.graph import build_edges
from pytest_cbx.plan.model import Edge, Plan, Planned, Request
from pytest_cbx.plan.priority import score


def build_plan(
    requests: Sequence[Request], *, slots: int, batch: Batch = Batch.OFF, depths: Mapping[str, int] | None = None
) -> Plan:
    """The plan for these commands in the order in which they are listed.

    `slots`: how many instances may run at once. The lower bound is the longer of the critical path and the sum of
    all expected seconds over `slots`: no schedule is faster, though conflicts and reserved cores may make the best one slower.

    `batch` and `depths`: see `batches.pools`.

    Raises `CycleError` and `PlanError` for `needs` that cannot be met, `UsageError` for fewer than one slot.
    """
    if slots < 1:
        raise UsageError(f"a plan needs at least 1 slot, not {slots}")
    joins, edges = build_edges(requests)
    seconds = [expected_seconds(request) for request in requests]
    following = followers(len(requests) + len(joins), edges)
    paths = _path_seconds([*seconds, *(0.0 for _ in joins)], following)
    critical = _critical_path(paths, following)
    own = pools(requests, batch, depths or {})
    longest = max(paths, default=0.0)
    return Plan(
        commands=tuple(
            Planned(
                number=number,
                request=request,
                seconds=seconds[number],
                score=score(
                    request.tier,
                    estimate_of(request).weight,
                    seconds[number],
                    request.priority,
                    cpus=request.cpus,
                ),
                path_seconds=paths[number],
                pool=own[number],
            )
            for number, request in enumerate(requests)
        ),
        joins=joins,
        edges=edges,
        critical_path=tuple(node for node in critical if node < len(requests)),
        critical_seconds=longest,
        lower_bound_seconds=max(longest, sum(seconds) / slots),
    )


def followers(count: int, edges: Iterable[Edge]) -> list[list[int]]:
    """For each of `count` nodes the nodes that wait for it."""
    following: list[list[int]] = [[] for _ in range(count)]
    for edge in edges:
        following[edge.before].append(edge.after)
    return following


def topological(following: Sequence[Sequence[int]]) -> list[int]:
    """All nodes, each before those that wait for it."""
    missing = [0] * len(following)
    for nodes in following:
        for node in nodes:
            missing[node] += 1
    order = [node for node, count in enumerate(missing) if not count]
    for node in order:  # grows while it is read
        for waiting in following[node]:
            missing[waiting] -= 1
            if not missing[waiting]:
                order.append(waiting)
    return order


def _path_seconds(seconds: Sequence[float], following: Sequence[Sequence[int]]) -> list[float]:
    """For each node: seconds from its start to the end of the longest chain that hangs on it."""
    paths = [0.0] * len(seconds)
    for node in reversed(topological(following)):
        paths[node] = seconds[node] + max((paths[waiting] for waiting in following[node]), default=0.0)
    return paths


def _critical_path(paths: Sequence[float], following: Sequence[Sequence[int]]) -> list[int]:
    """The nodes of the longest chain, first to last; of equals the lowest number."""
    if not paths:
        return []
    node = max(range(len(paths)), key=lambda number: (paths[number], -number))
    chain = [node]
    while following[node]:
        node = max(following[node], key=lambda number: (paths[number], -number))
        chain.append(node)
    return chain
