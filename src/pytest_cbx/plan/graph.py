"""The dependency graph: who waits for whom so that running at once gives what running one by one would give."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pytest_cbx.plan import reasons
from pytest_cbx.plan.history import Found, History, Member, held
from pytest_cbx.plan.model import Claim, Edge, EdgeKind, Join, Request
from pytest_cbx.plan.program_order import program_order


def build_edges(requests: Sequence[Request]) -> tuple[tuple[Join, ...], tuple[Edge, ...]]:
    """The joins and edges of the commands' graph. Commands have their position in `requests` as number.

    `needs` give NEEDS edges. Any two commands with conflicting claims are ordered as `program_order` says, directly or through
    others; only edges that are necessary for that are there, but for a few transitive ones. Edges per command stay within a
    small multiple of its claims and their depth, however many commands meet (see `history`).
    Between two nodes there is at most one edge.

    Raises `CycleError` and `PlanError` as `program_order` does.
    """
    builder = _Builder(requests)
    builder.run()
    return tuple(builder.joins), tuple(builder.edges)


class _Builder:
    def __init__(self, requests: Sequence[Request]) -> None:
        self.joins: list[Join] = []
        self.edges: list[Edge] = []
        self._requests = requests
        self._before: dict[int, Collection[int]] = {}
        """For each node the nodes it waits for directly."""
        self._history = History(self._make_join)

    def run(self) -> None:
        """Go through the commands in program order."""
        order, needs = program_order(self._requests)
        for number in order:
            request = self._requests[number]
            found: Found = {}
            claims = [held(claim) for claim in request.claims]
            for claim in claims:
                self._history.meet(claim, found)
            self._connect(number, needs[number], found)
            for claim in claims:
                self._history.add(number, claim)

    def _connect(self, number: int, needs: tuple[int, ...], found: Found) -> None:
        for need in needs:
            found.pop(need, None)
            reason = f"needs {self._requests[need].name}"
            self.edges.append(Edge(before=need, after=number, kind=EdgeKind.NEEDS, reason=reason))
        implied = self._implied((*found, *needs), found)
        before = set(needs)
        for node, (earlier, claim) in found.items():
            if node not in implied:
                before.add(node)
                reason = self._reason(node, earlier, claim)
                self.edges.append(Edge(before=node, after=number, kind=EdgeKind.CONFLICT, reason=reason))
        self._before[number] = before

    def _implied(self, nodes: Collection[int], found: Found) -> set[int]:
        """Those of `found` that one of `nodes` waits for itself, so that nobody has to say so again."""
        implied: set[int] = set()
        for node in nodes:
            earlier = self._before[node]
            if len(earlier) <= len(found):
                implied.update(other for other in earlier if other in found)
            else:
                implied.update(other for other in found if other in earlier)
        return implied

    def _reason(self, node: int, earlier: Claim, claim: Claim) -> str:
        if node < len(self._requests):
            return reasons.waits(earlier, claim, self._requests[node].name)
        return reasons.waits_for_all(earlier, claim)

    def _make_join(self, members: list[Member], asking: Claim) -> int:
        number = len(self._requests) + len(self.joins)
        self.joins.append(Join(number=number, reason=reasons.joined(members[-1][1], asking)))
        for node, claim in members:
            reason = reasons.use(claim) if node < len(self._requests) else "all before"
            self.edges.append(Edge(before=node, after=number, kind=EdgeKind.CONFLICT, reason=reason))
        self._before[number] = {node for node, _ in members}
        return number
