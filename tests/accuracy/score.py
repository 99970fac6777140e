"""Figures about the executed set, and how they are shown."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from tests.accuracy.executed import Result

RECALL = 0.99
PRECISION = 0.8


@dataclass(slots=True, kw_only=True)
class Score:
    """Counts of one lot of results."""

    commands: int = 0
    whole: int = 0
    """Commands of which every change was foretold."""
    changed: Counter[str] = field(default_factory=Counter)
    """By kind of change."""
    found: Counter[str] = field(default_factory=Counter)
    places: int = 0
    right: int = 0

    def add(self, result: Result) -> None:
        """Count one more."""
        missed = Counter(kind for kind, _ in result.missed)
        changed = Counter(kind for kind, _ in result.changes.all())
        self.commands += 1
        self.whole += not missed
        self.changed += changed
        self.found += changed - missed
        self.places += len(result.places)
        self.right += len(result.places) - len(result.wrong)

    @property
    def recall(self) -> float:
        """Share of what changed that was foretold; 1 where nothing changed."""
        return share(self.found.total(), self.changed.total())

    @property
    def precision(self) -> float:
        """Share of what was foretold that came true."""
        return share(self.right, self.places)


def share(part: int, whole: int) -> float:
    """`part / whole`, 1 of nothing."""
    return part / whole if whole else 1.0


def score(results: Iterable[Result]) -> Score:
    """All in one."""
    total = Score()
    for result in results:
        total.add(result)
    return total


def by_group(results: Iterable[Result]) -> dict[str, Score]:
    """One score for each group, in order."""
    groups: dict[str, Score] = defaultdict(Score)
    for result in results:
        groups[result.row.group].add(result)
    return dict(groups)


def show(results: Sequence[Result], tell: Callable[[str], None]) -> None:
    """Every miss with its command, then the figures by group, by kind, and in all."""
    for title, names in (
        ("changed, but not foretold", lambda result: [f"{kind} {result.short(path)}" for kind, path in result.missed]),
        ("foretold, but not changed", lambda result: [place.text for place in result.wrong]),
    ):
        shown = [(result, names(result)) for result in results if names(result)]
        tell(f"\n{title}: {len(shown)} commands")
        for result, texts in shown:
            more = f" … {len(texts) - 6} more" if len(texts) > 6 else ""
            tell(f"  {one_line(result.row.run)}\n      {', '.join(texts[:6])}{more}")
    tell(
        f"\n{'group':<22}{'commands':>9}{'foretold whole':>16}{'changes':>9}{'recall':>8}{'places':>8}{'precision':>11}"
    )
    total = score(results)
    for name, row in [*by_group(results).items(), ("in all", total)]:
        tell(
            f"{name:<22}{row.commands:>9}{row.whole:>16}{row.changed.total():>9}{row.recall:>8.3f}"
            f"{row.places:>8}{row.precision:>11.3f}"
        )
    own = [change for result in results for change in result.own]
    found = len(own) - sum(change in result.missed for result in results for change in result.own)
    tell(f"{'sources':<22}{'':>25}{len(own):>9}{share(found, len(own)):>8.3f}   (the work tree without .git)")
    for kind in ("created", "modified", "deleted"):
        tell(f"{kind:<22}{'':>25}{total.changed[kind]:>9}{share(total.found[kind], total.changed[kind]):>8.3f}")


def one_line(text: str, limit: int = 150) -> str:
    """A command as one line of a report."""
    flat = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return flat if len(flat) <= limit else f"{flat[: limit - 1]}…"
