"""Which faults strike whom, and when: drawn from a seed, the same on every machine."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_cbx.chaos.faults.kinds import Family


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """One planned fault: a kind by its name, with its keywords."""

    kind: str
    keywords: tuple[tuple[str, Any], ...] = ()

    @property
    def given(self) -> dict[str, Any]:
        """The keywords."""
        return dict(self.keywords)

    def but(self, **changed: Any) -> Strike:
        """The same with other keywords; None takes one away."""
        given = {**self.given, **changed}
        return replace(
            self, keywords=tuple(sorted((name, value) for name, value in given.items() if value is not None))
        )

    def __str__(self) -> str:
        return f"{self.kind}({', '.join(f'{name}={value!r}' for name, value in self.keywords)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What happens in one trial."""

    number: int
    seed: int
    commands: tuple[int, ...]
    """Which of the campaign's commands run at once, by their place in its list."""
    strikes: tuple[Strike, ...]

    def __str__(self) -> str:
        return (
            f"trial {self.number}: commands {', '.join(map(str, self.commands))}; {', '.join(map(str, self.strikes))}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Applicable:
    """A kind of fault that can strike a command."""

    kind: str
    family: Family
    calls: int
    """How many calls of the command it could strike, as observed."""
    keywords: tuple[tuple[str, Any], ...] = ()
    """What the kind needs, beside when it strikes."""
    lasts: bool = True
    """Whether it makes sense from the n-th call on, too."""


def draw(
    seed: int,
    number: int,
    applicable: Sequence[Sequence[Applicable]],
    *,
    apart: Mapping[int, frozenset[int]] | None = None,
    together: int = 2,
    faults: int = 2,
) -> Schedule:
    """The schedule of one trial. `applicable`: for each command what can strike it. `apart`: which must not run at once with which.

    Swarm selection: each trial first draws the classes of faults that it uses at all, so that some trials see one class alone and others
    all of them. Source: A. Groce et al., Swarm Testing, ISSTA 2012.
    """
    chance = random.Random(f"{seed}.{number}")
    able = [place for place, kinds in enumerate(applicable) if kinds]
    commands = [chance.choice(able)]
    for place in chance.sample(range(len(applicable)), k=len(applicable)):
        clash = apart.get(place, frozenset()) if apart else frozenset[int]()
        if len(commands) < chance.randint(1, together) and place not in commands and not clash.intersection(commands):
            commands.append(place)
    families = sorted({one.family.value for place in commands for one in applicable[place]})
    swarm = frozenset(chance.sample(families, k=chance.randint(1, len(families))))
    strikes: list[Strike] = []
    struck: set[int] = set()
    for _ in range(chance.randint(1, faults)):
        targets = [
            place
            for place in commands
            if place not in struck and any(one.family.value in swarm for one in applicable[place])
        ]
        if not targets:
            break
        place = chance.choice(targets)
        struck.add(place)  # the first fault may end it, and a second one on it would not strike
        choice = chance.choice([one for one in applicable[place] if one.family.value in swarm])
        lasting = choice.lasts and chance.random() < 0.25
        given: dict[str, Any] = {
            **dict(choice.keywords),
            "at": chance.randint(1, choice.calls),
            "command": name_of(place),
        }
        if lasting:
            given["lasting"] = True
        strikes.append(Strike(kind=choice.kind, keywords=tuple(sorted(given.items()))))
    return Schedule(number=number, seed=seed, commands=tuple(sorted(commands)), strikes=tuple(strikes))


def name_of(place: int) -> str:
    """The name under which a command of a campaign runs, so that a fault can be aimed at it."""
    return f"chaos-{place}"
