"""Short ways to write claims and requests in tests."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_cbx.config.model import Priority
from pytest_cbx.effects.model import Scope
from pytest_cbx.plan.model import Claim, Domain, Edge, Mode, Request
from pytest_cbx.tier import Tier


def claim(text: str, *, ignored: bool = False) -> Claim:
    """`read src/a.py`, `write build/**` (a tree), `read src/** (sources)`, `glob read src/*.py`, `write lock:db`."""
    text, sources = text.removesuffix(" (sources)"), text.endswith(" (sources)")
    is_glob = text.startswith("glob ")
    mode, _, target = text.removeprefix("glob ").partition(" ")
    domain, scope = Domain.FILE, Scope.GLOB if is_glob else Scope.PATH
    for other in (Domain.LOCK, Domain.PORT, Domain.PROCESS):
        if target.startswith(f"{other.value}:"):
            domain, target = other, target.partition(":")[2]
    if not is_glob and target.endswith("**"):
        scope = Scope.SOURCES if sources else Scope.TREE
        target = target.removesuffix("**").removesuffix("/") or ("/" if target.startswith("/") else ".")
    return Claim(domain=domain, mode=Mode(mode), target=target, scope=scope, ignored=ignored)


def request(
    name: str,
    *claims: str | Claim,
    needs: Iterable[str] = (),
    seconds: float | None = 1.0,
    tier: Tier = Tier.CONDITIONAL_PARALLEL,
    priority: Priority = Priority.NORMAL,
) -> Request:
    """A command with these claims (see `claim`)."""
    return Request(
        name=name,
        text=f"run {name}",
        tier=tier,
        claims=tuple(claim(one) if isinstance(one, str) else one for one in claims),
        needs=tuple(needs),
        seconds=seconds,
        priority=priority,
    )


def reachable(count: int, edges: Iterable[Edge]) -> list[int]:
    """For each node, as bits, the nodes that come after it; fails on a circle."""
    following: list[list[int]] = [[] for _ in range(count)]
    missing = [0] * count
    for edge in edges:
        following[edge.before].append(edge.after)
        missing[edge.after] += 1
    order = [node for node in range(count) if not missing[node]]
    for node in order:
        for later in following[node]:
            missing[later] -= 1
            if not missing[later]:
                order.append(later)
    assert len(order) == count, "the graph has a circle"
    after = [0] * count
    for node in reversed(order):
        for later in following[node]:
            after[node] |= after[later] | 1 << later
    return after
