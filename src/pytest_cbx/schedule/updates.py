"""What was changed lately, by whom, and whether somebody who runs may have seen it as it was before.

Reads are not seen (but for serializable tasks), so that waiting for a claim is not enough: who read a counter before it waited
would write a stale value. Hence first updater wins, as in snapshot isolation (Berenson et al., "A critique of ANSI SQL
isolation levels", SIGMOD 1995): who wants to change what another has changed since it started, starts anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pytest_cbx.plan.index import ClaimIndex
from pytest_cbx.plan.model import Claim, Domain, Mode
from pytest_cbx.schedule.tasks import Entry, family, stale_reader

_NOTES_MAX = 512
"""So many notes are kept before those that matter to nobody are thrown away."""


@dataclass(frozen=True, slots=True, eq=False)
class _Change:
    entry: Entry
    serial: int
    certain: bool
    """It is known that this was changed, not only that it may have been."""
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """A task that runs may have read something before another changed it."""

    reader: Entry
    """The outermost task that began before the change: all of it must start anew."""
    changer: Entry
    claim: Claim


def changing(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """Those under which a file's content, name or being may change."""
    return tuple([one for one in claims if one.mode is not Mode.READ and one.domain is Domain.FILE])


class Updates:
    """Changes by tasks that left, as long as a running task started before they did.

    Notes are cheap, because most are never asked for: they go into the index when somebody reaches for something.
    """

    def __init__(self) -> None:
        self._unread: list[_Change] = []
        self._read: list[_Change] = []
        self._index: ClaimIndex[_Change] = ClaimIndex()
        self._notes_max = _NOTES_MAX
        self.newest = 0
        """Serial number of the last change noted; 0 for none."""

    def note(self, entry: Entry, serial: int, written: tuple[Claim, ...] | None, oldest: int) -> None:
        """A task leaves. `oldest` is the serial number of the running task that started first; 0 when none runs."""
        if not oldest:
            self._forget()
            return
        claims = changing((*entry.task.claims, *entry.gained) if written is None else written)
        if not claims:
            return
        self.newest = serial
        self._unread.append(_Change(entry=entry, serial=serial, certain=written is not None, claims=claims))
        if len(self._unread) + len(self._read) > self._notes_max:
            self._prune(oldest)

    def stale(self, entry: Entry, claims: Iterable[Claim], *, certain: bool = False) -> Iterator[Stale]:
        """Who changed what this task wants to change, after this task or one that it is nested in had started.

        `certain`: only what is known to be changed counts.
        """
        root = entry.ancestors[-1] if entry.ancestors else entry
        if self.newest <= root.serial:
            return
        for change in self._unread:
            for claim in change.claims:
                self._index.add(change, claim)
        self._read += self._unread
        self._unread.clear()
        for claim in changing(claims):
            for change, _ in self._index.overlapping(claim):
                if change.serial <= root.serial or change.certain < certain or family(entry, change.entry):
                    continue
                reader = stale_reader(entry, change.entry)
                if reader is not None and change.serial > reader.serial:
                    yield Stale(reader=reader, changer=change.entry, claim=claim)

    def _forget(self) -> None:
        if self.newest:
            self._unread, self._read, self._index, self.newest = [], [], ClaimIndex(), 0
            self._notes_max = _NOTES_MAX

    def _prune(self, oldest: int) -> None:
        """Throw away what everybody who runs has seen since it started, and what was changed again later.

        Who was not nested and is over is of nobody's family, so that of several such changes only the last one counts.
        """
        later: set[tuple[Claim, bool]] = set()
        kept: list[_Change] = []
        for change in reversed((*self._read, *self._unread)):
            if change.serial <= oldest:
                break
            if change.entry.ancestors:
                kept.append(change)
            elif not later.issuperset((claim, change.certain) for claim in change.claims):
                later.update((claim, change.certain) for claim in change.claims)
                kept.append(change)
        self._read, self._unread = [], kept[::-1]
        self._index = ClaimIndex()
        self._notes_max = _NOTES_MAX + 2 * len(kept)
