"""Collects the facts about one command's text while it is walked."""

from __future__ import annotations

from pytest_cbx.effects.facts import Assigned, Fact, Invocation, Sign
from pytest_cbx.effects.grammar import Entry
from pytest_cbx.effects.model import Duration, Effect, Effects, Estimate, Kind, Place, ProgramUse, Weight
from pytest_cbx.effects.values import Field, Origin
from pytest_cbx.shell.nodes import Span

_WEIGHTS = {weight: rank for rank, weight in enumerate(Weight)}
_DURATIONS = {duration: rank for rank, duration in enumerate(Duration)}


class Record:
    """Effects and programs in order of the text, each once; the heaviest program's estimate."""

    __slots__ = (
        "_effects", "_estimate", "_programs", "assigned", "consulted", "differences", "facts", "fetches",
        "invocations", "listed", "looked", "readable", "span", "surveyed", "unpacked", "word",
    )  # fmt: skip

    def __init__(self) -> None:
        self._effects: dict[tuple[str, str, str, str, str, Origin | None], Effect] = {}
        self._programs: dict[str, ProgramUse] = {}
        self._estimate = Estimate()
        self.listed: dict[Place, None] = {}
        """Patterns that the shell expands, in order of the text."""
        self.consulted: dict[str, str] = {}
        """Files whose text counts, each with the program that takes it."""
        self.looked: dict[str, None] = {}
        """Places of which it counts what is there."""
        self.surveyed = False
        """What lies in the work tree, its index and its history counts."""
        self.unpacked: dict[str, None] = {}
        """Archives whose members count."""
        self.differences: dict[str, None] = {}
        """What the second reader sees differently."""
        self.readable = True
        self.span: Span | None = None
        """Where the walk is: the simple or compound command."""
        self.word: Span | None = None
        """The name of the program whose effects are noted."""
        self.facts: dict[Fact, None] = {}
        self.invocations: list[Invocation] = []
        self.assigned: list[Assigned] = []
        self.fetches = 0
        """How often a program was seen to talk to another host."""

    def effect(
        self, kind: Kind, place: Place | None, program: str, detail: str, *, span: Span | None = None, origin: Origin | None = None
    ) -> None:  # fmt: skip
        """Note an effect at `span`, by default at the program's name, else at the command."""
        if kind is Kind.NETWORK:
            self.fetches += 1
        where = (place.path, place.scope.value) if place is not None else ("", "")
        key = (kind.value, *where, program, detail, origin)
        if key not in self._effects:
            here = span or self.word or self.span
            self._effects[key] = Effect(
                kind=kind, place=place, program=program, detail=detail, span=here, origin=origin
            )

    def invocation(
        self, program: str, words: tuple[Field, ...], *, path: tuple[str, ...] = (), operands: tuple[Field, ...] = (),
        given: tuple[tuple[tuple[str, ...], Field | None], ...] = (),
    ) -> None:  # fmt: skip
        """Note a call of a program."""
        self.invocations.append(
            Invocation(
                program=program, words=words, span=self.word or self.span, path=path, given=given, operands=operands
            )
        )

    def sign(self, sign: Sign, program: str, span: Span | None = None) -> None:
        """Note a sign."""
        self.facts[Fact(sign=sign, program=program, span=span or self.word or self.span)] = None

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
            unpacked=tuple(self.unpacked), surveyed=self.surveyed, looked=tuple(self.looked),
            differences=tuple(self.differences),
            facts=tuple(self.facts), invocations=tuple(self.invocations), assigned=tuple(self.assigned),
        )  # fmt: skip
