"""A plan as text for a plain terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pytest_cbx.plan.build import followers, topological
from pytest_cbx.plan.export import node_names
from pytest_cbx.plan.model import Edge, EdgeKind, Plan, Planned
from pytest_cbx.tier import Tier

_TIERS = {
    Tier.SAFE_PARALLEL: "safe",
    Tier.CONDITIONAL_PARALLEL: "conditional",
    Tier.SEQUENTIAL_REQUIRED: "sequential",
    Tier.DANGEROUS_ISOLATED: "dangerous",
}
_NAME_WIDTH_MAX = 40


def render_plan(plan: Plan, *, waits_max: int = 6) -> str:
    """The graph, a command a line in the order of waves, with what it waits for and why beneath; `●` marks the critical path.

    A wave holds what could run at once if there were slots for all. Of more than `waits_max` reasons the rest is
    counted, not listed. No line ends in a blank, and the text does not end in a newline.
    """
    if not plan.commands:
        return "nothing to run"
    lines = [_headline(plan)]
    names = node_names(plan)
    before: dict[int, list[Edge]] = {}
    for edge in plan.edges:
        before.setdefault(edge.after, []).append(edge)
    width = min(_NAME_WIDTH_MAX, max(len(planned.request.name) for planned in plan.commands))
    members = _members(plan)
    critical = set(plan.critical_path)
    for number, wave in enumerate(_waves(plan), 1):
        lines += ["", f"wave {number}"]
        for planned in wave:
            lines.append(_command(planned, width, planned.number in critical))
            waits = list(_waits(before.get(planned.number, ()), names, members))
            lines += [f"        ← {wait}" for wait in waits[:waits_max]]
            if len(waits) > waits_max:
                lines.append(f"        ← … and {len(waits) - waits_max} more")
    lines += ["", *_critical(plan, names)]
    return "\n".join(line.rstrip() for line in lines)


def _headline(plan: Plan) -> str:
    total = sum(planned.seconds for planned in plan.commands)
    counts = [
        f"{count} {label}"
        for tier, label in _TIERS.items()
        if (count := sum(planned.request.tier is tier for planned in plan.commands))
    ]
    noun = "command" if len(plan.commands) == 1 else "commands"
    return (
        f"{len(plan.commands)} {noun} ({', '.join(counts)}) · {duration(total)} one by one,"
        f" at least {duration(plan.lower_bound_seconds)} at once"
    )


def _command(planned: Planned, width: int, critical: bool) -> str:
    request = planned.request
    mark = "●" if critical else "○"
    tier = _TIERS[request.tier]
    pool = f"   pool {planned.pool.name} ({planned.pool.depth} at once)" if planned.pool is not None else ""
    line = f"  {mark} {request.name:<{width}}  {tier:<11}  {duration(planned.seconds):>7}   priority {planned.score.total:.1f}"
    return line + pool


def _waits(edges: Iterable[Edge], names: list[str], members: dict[int, int]) -> Iterator[str]:
    """One line for each node waited for: its name, and the reason unless that only says it is needed."""
    for edge in sorted(edges, key=lambda edge: (edge.kind is not EdgeKind.NEEDS, edge.before)):
        if edge.kind is EdgeKind.NEEDS:
            yield f"needs {names[edge.before]}"
        elif edge.before in members:
            yield f"{members[edge.before]} commands: {edge.reason}"
        else:
            yield f"{names[edge.before]}: {edge.reason}"


def _members(plan: Plan) -> dict[int, int]:
    """For each join, how many commands it stands for."""
    inside: dict[int, int] = {join.number: 0 for join in plan.joins}  # sets of commands, as bits
    before: dict[int, list[int]] = {}
    for edge in plan.edges:
        if edge.after in inside:
            before.setdefault(edge.after, []).append(edge.before)
    for join in sorted(inside):  # a join is made after those it includes, so its number is higher
        for node in before.get(join, ()):
            inside[join] |= inside[node] if node in inside else 1 << node
    return {join: commands.bit_count() for join, commands in inside.items()}


def _waves(plan: Plan) -> list[list[Planned]]:
    """Commands by the length, in commands, of the longest chain before them; as listed within a wave."""
    following = followers(len(plan.commands) + len(plan.joins), plan.edges)
    level = [0] * len(following)
    for node in topological(following):
        step = 1 if node < len(plan.commands) else 0
        for waiting in following[node]:
            level[waiting] = max(level[waiting], level[node] + step)
    waves: dict[int, list[Planned]] = {}
    for planned in plan.commands:
        waves.setdefault(level[planned.number], []).append(planned)
    return [waves[number] for number in sorted(waves)]


def _critical(plan: Plan, names: list[str]) -> list[str]:
    """The critical path, wrapped at arrows."""
    head = f"critical path ({duration(plan.critical_seconds)}):"
    lines = [head]
    for at, number in enumerate(plan.critical_path):
        piece = names[number] if at == 0 else f"→ {names[number]}"
        if at and len(lines[-1]) + len(piece) + 1 > 100:
            lines.append(f"  {piece}")
        else:
            lines[-1] += f" {piece}"
    return lines


def duration(seconds: float) -> str:
    """Seconds for people: `0.3 s`, `24 s`, `3 min 10 s`, `1 h 05 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
