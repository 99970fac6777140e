"""Collects the facts about one command's text while it is walked."""

from __future__ import annotations

from pytest_cbx.effects.grammar import Entry
from pytest_cbx.effects.model import Duration, Effect, Effects, Estimate, Kind, Place, ProgramUse, Weight
from pytest_cbx.shell.nodes import Span

_WEIGHTS = {weight: rank for rank, weight in enumerate(Weight)}
_DURATIONS = {duration: rank for rank, duration in enumerate(Duration)}


class Record:
    """Effects and programs in order of the text, each once; the heaviest program's estimate."""

    __slots__ = ("_effects", "_estimate", "_programs", "consulted", "listed", "readable", "span")

    def __init__(self) -> None:
        self._effects: dict[tuple[str, str, str, str, str], Effect] = {}
        self._programs: dict[str, ProgramUse] = {}
        self._estimate = Estimate()
        self.listed: dict[Place, None] = {}
        """Patterns that the shell expands, in order of the text."""
        self.consulted: dict[str, str] = {}
        """Files whose text counts, each with the program that takes it."""
        self.readable = True
        self.span: Span | None = None
        """Where the walk is."""

    def effect(self, kind: Kind, place: Place | None, program: str, detail: str) -> None:
        """Note an effect at the current place of the text."""
        where = (place.path, place.scope.value) if place is not None else ("", "")
        key = (kind.value, *where, program, detail)
        if key not in self._effects:
            self._effects[key] = Effect(kind=kind, place=place, program=program, detail=detail, span=self.span)

    def program(self, name: str, *, conditional: bool, known: bool, searched: bool) -> None:
        """Note the use of a program. One that the shell surely searches for counts before all others."""
        before = self._programs.get(name)
        if before is None or (before.conditional, not before.searched) > (conditional, not searched):
            self._programs[name] = ProgramUse(name=name, conditional=conditional, known=known, searched=searched)

    def estimate(self, entry: Entry) -> None:
        """Raise the estimate to what the entry needs."""
        now = self._estimate
        if entry.weight is Weight.LOW and entry.duration is Duration.QUICK and not entry.memory:
            return
        self._estimate = Estimate(
            weight=max(now.weight, entry.weight, key=_WEIGHTS.__getitem__),
            duration=max(now.duration, entry.duration, key=_DURATIONS.__getitem__),
            memory=max(now.memory, entry.memory),
        )

    def effects(self) -> tuple[Effect, ...]:
        """The effects noted so far."""
        return tuple(self._effects.values())

    def result(self) -> Effects:
        """All that was collected."""
        return Effects(
            effects=self.effects(), programs=tuple(self._programs.values()), estimate=self._estimate,
            readable=self.readable, listed=tuple(self.listed), consulted=tuple(self.consulted),
        )  # fmt: skip
