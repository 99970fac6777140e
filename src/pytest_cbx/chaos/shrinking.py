"""From a schedule that fails to the least one that still fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from pytest_cbx.chaos.schedules import Schedule, Strike, name_of

CONFIRMATIONS = 3
_TRIES = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunk:
    """The least failing schedule that was found."""

    schedule: Schedule
    confirmed: int
    """How often of `CONFIRMATIONS` it failed again."""
    tries: int

    @property
    def steady(self) -> bool:
        """Whether it fails each time."""
        return self.confirmed == CONFIRMATIONS


def shrink(schedule: Schedule, fails: Callable[[Schedule], bool]) -> Shrunk:
    """Drop faults and commands, strike once instead of again and again, and as early as possible, as long as it still fails."""
    tries = 0
    best = schedule
    smaller = True
    while smaller and tries < _TRIES:
        smaller = False
        for candidate in _simpler(best):
            tries += 1
            if fails(candidate):
                best, smaller = candidate, True
                break
            if tries >= _TRIES:
                break
    confirmed = sum(fails(best) for _ in range(CONFIRMATIONS))
    return Shrunk(schedule=best, confirmed=confirmed, tries=tries)


def _simpler(schedule: Schedule) -> Iterator[Schedule]:
    """Schedules with less in them, the least first."""
    if len(schedule.strikes) > 1:
        for at in range(len(schedule.strikes)):
            yield replace(schedule, strikes=(schedule.strikes[at],))
        for at in range(len(schedule.strikes)):
            yield replace(schedule, strikes=schedule.strikes[:at] + schedule.strikes[at + 1 :])
    aimed = {strike.given.get("command") for strike in schedule.strikes}
    for place in schedule.commands:
        if len(schedule.commands) > 1 and name_of(place) not in aimed:
            yield replace(schedule, commands=tuple(one for one in schedule.commands if one != place))
    for at, strike in enumerate(schedule.strikes):
        for simpler in _simpler_strikes(strike):
            yield replace(schedule, strikes=(*schedule.strikes[:at], simpler, *schedule.strikes[at + 1 :]))


def _simpler_strikes(strike: Strike) -> Iterator[Strike]:
    given = strike.given
    if given.get("lasting"):
        yield strike.but(lasting=None)
    number = int(given.get("at", 1))
    seen: set[int] = set()
    for less in (1, number // 2, number - 1):
        if 1 <= less < number and less not in seen:
            seen.add(less)
            yield strike.but(at=less)


def paste(schedule: Schedule, commands: tuple[str, ...]) -> str:
    """The schedule as a test to paste: it fails as long as the corruption is there."""
    lines = ["def test_found_by_chaos(cbx, chaos):"]
    indent = "    "
    for strike in schedule.strikes:
        given = ", ".join(f"{name}={value!r}" for name, value in strike.keywords if name != "command")
        lines.append(f"{indent}with chaos.{strike.kind}({given}) as fault:")
        indent += "    "
    wanted = [commands[place] for place in schedule.commands]
    if len(wanted) == 1:
        lines += [
            f"{indent}before = chaos.picture(cbx.path)",
            f'{indent}done = cbx.run({wanted[0]!r}, rollback="on-failure")',
        ]
        lines += ["    assert fault.fired", "    if not done.ok:", "        chaos.assert_whole(before, cbx.path)"]
        lines += ["    else:", "        struck = chaos.picture(cbx.path)", f"        assert cbx.run({wanted[0]!r}).ok"]
        lines += ['        assert chaos.alike(struck, chaos.picture(cbx.path)), "it passed, and something is missing"']
    else:
        lines += [
            f"{indent}before = chaos.picture(cbx.path)",
            f'{indent}done = cbx.run_all({wanted!r}, rollback="on-failure")',
        ]
        lines += [
            "    assert fault.fired",
            "    if not any(one.ok for one in done):",
            "        chaos.assert_whole(before, cbx.path)",
        ]
    return "\n".join(lines) + "\n"
