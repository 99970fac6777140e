"""Which paths a running command may change without asking again: those that claims which it holds cover.

Asked at every trapped call, so each directory is looked at once and remembered.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field

from pytest_cbx.effects.model import Scope
from pytest_cbx.plan.model import Claim, Domain, Mode
from pytest_cbx.plan.regions import DEEP, Region, Segment, Wild, advance, closure, region

_REMEMBERED = 4096
"""Directories remembered at the most; then all are forgotten and learned anew."""


def shown(path: bytes, workspace: bytes) -> str:
    """A path as claims name it: relative inside the workspace, else absolute; undecodable bytes written out, as messages are UTF-8."""
    if path == workspace:
        return "."
    inside = workspace + b"/" if workspace != b"/" else b"/"
    name = path[len(inside) :] if path.startswith(inside) else path
    return os.fsdecode(name).encode("utf-8", "backslashreplace").decode("utf-8")


@dataclass(slots=True)
class _Directory:
    """What is known of the entries of one directory."""

    whole: bool = False
    """Everything in it is covered."""
    names: set[bytes] = field(default_factory=set)
    wilds: list[Wild] = field(default_factory=list)
    """Patterns of one segment for the names in it."""
    deeper: list[tuple[Region, frozenset[int]]] = field(default_factory=list)
    """Patterns that go on below it, with the positions reached."""


class Coverage:
    """The FILE claims that a command holds, as a question about one path."""

    __slots__ = ("_directories", "_granted", "_regions", "_workspace", "_writing")

    def __init__(self, claims: Iterable[Claim], workspace: bytes, *, writing: bool = True) -> None:
        self._workspace = workspace
        self._writing = writing
        self._regions: list[Region] = []
        self._granted: set[bytes] = set()
        self._directories: dict[bytes, _Directory] = {}
        self.add(claims)

    def add(self, claims: Iterable[Claim]) -> None:
        """The command holds these too. With `writing` claims to read cover nothing."""
        for claim in claims:
            if claim.domain is not Domain.FILE or (self._writing and claim.mode is Mode.READ):
                continue
            if claim.scope is Scope.SOURCES:
                continue  # it leaves out what is ignored and what is new: ask for those
            self._regions.append(region(claim))
            if claim.scope is Scope.TREE and claim.target == ".":
                self._granted.add(self._workspace)  # it is no entry of a directory inside
        self._directories.clear()

    def grant(self, path: bytes) -> None:
        """This path is covered from now on."""
        self._granted.add(path)

    def grant_tree(self, path: bytes) -> None:
        """This path is covered, and all that is below."""
        self._regions.append(Region(self._segments(path), (), True, False))
        self._granted.add(path)
        self._directories.clear()

    def __contains__(self, path: bytes) -> bool:
        if path in self._granted:
            return True
        folder, _, name = path.rpartition(b"/")
        known = self._directories.get(folder)
        if known is None:
            known = self._look(folder)
        if known.whole or name in known.names:
            return True
        if known.wilds:
            text = os.fsdecode(name)
            if any(wild.matches(text) for wild in known.wilds):
                return True
        if known.deeper:
            text = os.fsdecode(name)
            return any(len(one.tail) in advance(one.tail, states, text) for one, states in known.deeper)
        return False

    def _look(self, folder: bytes) -> _Directory:
        if len(self._directories) >= _REMEMBERED:
            self._directories.clear()
        known = self._directories[folder] = _Directory()
        segments = self._segments(folder)
        for one in self._regions:
            _note(known, one, segments)
            if known.whole:
                break
        return known

    def _segments(self, path: bytes) -> tuple[str, ...]:
        name = shown(path, self._workspace)
        if name == ".":
            return (".",)
        if name.startswith("/"):
            return tuple(part for part in name.split("/") if part)
        return (".", *name.split("/"))


def _note(known: _Directory, one: Region, folder: tuple[str, ...]) -> None:
    """What one region says about the entries of a directory."""
    prefix, tail = one.prefix, one.tail
    reach = one.below or one.named
    if len(folder) < len(prefix):
        if not tail and folder == prefix[:-1]:
            known.names.add(os.fsencode(prefix[-1]))
        return
    if folder[: len(prefix)] != prefix:
        return
    if not tail:
        known.whole = known.whole or reach
        return
    states = closure(tail, {0})
    for name in folder[len(prefix) :]:
        states = advance(tail, states, name)
        if len(tail) in states and reach:
            known.whole = True
            return
    _note_pattern(known, one, tail, states)


def _note_pattern(known: _Directory, one: Region, tail: tuple[Segment, ...], states: frozenset[int]) -> None:
    if not states:
        return
    last = tail[-1]
    if states == {len(tail) - 1} and last is not DEEP:
        if isinstance(last, Wild):
            known.wilds.append(last)
        else:
            known.names.add(os.fsencode(last))
    else:
        known.deeper.append((one, states))
