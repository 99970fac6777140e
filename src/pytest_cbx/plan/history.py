"""What the commands so far have claimed, kept so that the next one finds at little cost whom it has to wait for.

The same trie as in `index`, but places hold *groups* of commands instead of single claims, and three things keep the number
of edges near n · claims however many commands meet:
- a claim that changes a place wipes out what lies there and below, for whoever would have to wait for that has to wait
  for the change anyway (last writer → readers, readers since → next writer);
- a group that is waited for again and again gets a join, and then stands for that join alone;
- a place that is asked for all below it keeps a group of that from then on ("heard"), so that a reader of the whole tree
  costs the same whatever the tree holds.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, TypeAlias, TypeVar

from pytest_cbx.plan.conflicts import CLASHES
from pytest_cbx.plan.index import CODE_CLASHES, CODES, changes, covering, covers_below, is_list, parts, simplified
from pytest_cbx.plan.model import Claim, Domain, Mode
from pytest_cbx.plan.regions import DEEP, Region, Segment, advance, closure, leads_through, patterns_meet

Member: TypeAlias = tuple[int, Claim]
"""A node and the claim by which it is in a group."""
Found: TypeAlias = dict[int, tuple[Claim, Claim]]
"""Nodes to wait for: (their claim, the claim that meets it)."""
Held: TypeAlias = tuple[Claim, tuple[tuple[int, Region], ...]]
"""A claim with its parts (`index.parts`), worked out once."""
MakeJoin: TypeAlias = Callable[[list[Member], Claim], int]
"""Makes a join of these members, asked for by this claim; gives its number."""

_SLACK = 4
_FEW_PLACES = 8
GLOBS_MAX = 64
"""Different globs a directory may hold; further ones count as everything below it, which costs time, not order."""


class Group:
    """Commands (and joins of commands) that whoever meets this place has to wait for, earliest first."""

    __slots__ = ("given", "members")

    def __init__(self, members: Iterable[Member] = ()) -> None:
        self.members: list[Member] = list(members)
        self.given = 0
        """Edges given out singly to the present members; bounded, so that all edges of n members stay below 3·n + 4."""

    def add(self, member: Member) -> None:
        """A command has come to this place; nothing happens when it was the last to come."""
        if not self.members or self.members[-1][0] != member[0]:
            self.members.append(member)

    def hand(self, found: Found, claim: Claim, make_join: MakeJoin) -> None:
        """Note in `found` what a command with `claim` has to wait for."""
        size = len(self.members)
        if size > 1:
            if self.given + size > 2 * size + _SLACK:
                self.members = [(make_join(self.members, claim), self.members[0][1])]
                self.given = 0
            else:
                self.given += size
        for node, held in self.members:
            if node not in found:
                found[node] = (held, claim)


_Groups: TypeAlias = dict[int, Group]
_C = TypeVar("_C", bound=Hashable)


def _add(groups: dict[_C, Group], code: _C, member: Member) -> None:
    group = groups.get(code)
    if group is None:
        groups[code] = Group((member,))
    else:
        group.add(member)


class _GlobPlace:
    """One glob. `heard` is everything below its directory that it meets, once somebody asked."""

    __slots__ = ("heard", "named", "own", "pattern")

    def __init__(self, covered: Region) -> None:
        self.pattern = (*covered.tail, DEEP) if covered.below else covered.tail
        self.named = covered.named
        self.own: _Groups = {}
        self.heard: _Groups | None = None

    def meets(self, rest: tuple[Segment, ...], path: tuple[str, ...]) -> bool:
        """Whether it meets the pattern `rest`, both from this glob's directory on; `path` is what `rest` names plainly."""
        return patterns_meet(self.pattern, rest) or (self.named and leads_through(self.pattern, path))


_NOTHING: dict[Any, Any] = {}


class _Place:
    """One path. `covers`, `named` and `points` are the groups of its own, by what they cover below.

    `heard` is everything here and below, once somebody asked. `codes` has, as bits, at least those that live here and below.
    """

    __slots__ = ("children", "codes", "covers", "globs", "heard", "named", "points")

    def __init__(self) -> None:
        self.wipe()

    def wipe(self) -> None:
        """Forget what is here and below."""
        # most places have one kind of group and nothing below: those that are empty share one dictionary, never written to
        self.children: dict[str, _Place] = _NOTHING
        self.codes = 0
        self.covers: _Groups = _NOTHING
        self.named: _Groups = _NOTHING
        self.points: _Groups = _NOTHING
        self.globs: dict[Region, _GlobPlace] = _NOTHING
        self.heard: _Groups | None = None

    def child(self, name: str) -> _Place:
        """The place of this name, made where there is none."""
        below = self.children.get(name)
        if below is None:
            if self.children is _NOTHING:
                self.children = {}
            below = self.children[name] = _Place()
        return below

    def glob(self, covered: Region) -> _GlobPlace:
        """The place of this glob, made where there is none."""
        found = self.globs.get(covered)
        if found is None:
            if self.globs is _NOTHING:
                self.globs = {}
            found = self.globs[covered] = _GlobPlace(covered)
        return found

    def put(self, member: Member, code: int, covered: Region) -> None:
        """Add to the groups of this place's own."""
        kind = "covers" if covered.below else "named" if covered.named else "points"
        groups: _Groups = getattr(self, kind)
        if groups is _NOTHING:
            groups = {}
            setattr(self, kind, groups)
        _add(groups, code, member)


def _dominated(code: int) -> frozenset[int]:
    """Codes that a change of this code stands for once it has waited for them: whatever clashes with them clashes with it."""
    if not changes(code):
        return frozenset()
    mine = CODE_CLASHES[code]

    def stands_for(other: int) -> bool:
        # the lists of a DELETE never come alone: what meets one, or waits for one, meets or waits for the deletion itself
        return (other in mine or is_list(other)) and all(
            third in mine or is_list(third) for third in CODE_CLASHES[other]
        )

    return frozenset(other for other in range(CODES) if stands_for(other))


_DOMINATED = tuple(_dominated(code) for code in range(CODES))
_OTHERS = tuple(sum(1 << other for other in range(CODES) if other not in _DOMINATED[code]) for code in range(CODES))
"""For each code, as bits, those that a change of it does not stand for."""
_SIMPLIFIED = tuple(simplified(code) for code in range(CODES))
_NAME_DOMINATED = {
    (domain, mode): frozenset(
        other for other in Mode if other in CLASHES[domain][mode] and CLASHES[domain][other] <= CLASHES[domain][mode]
    )
    for domain in Domain
    for mode in Mode
}


def held(claim: Claim) -> Held:
    """The claim as `History` takes it."""
    return claim, parts(claim) if claim.domain is Domain.FILE else ()


class History:
    """The claims so far. Ask for all claims of a command first (`meet`), then add them (`add`)."""

    __slots__ = ("_all_names", "_make_join", "_names", "_root")

    def __init__(self, make_join: MakeJoin) -> None:
        self._make_join = make_join
        self._root = _Place()
        self._names: dict[Domain, dict[str, dict[Mode, Group]]] = {}
        self._all_names: dict[Domain, dict[Mode, Group]] = {}

    def meet(self, held: Held, found: Found) -> None:
        """Note in `found` whom a command with this claim has to wait for."""
        claim, regions = held
        if claim.domain is not Domain.FILE:
            self._meet_name(claim, found)
            return
        for exact, covered in regions:
            wanted = CODE_CLASHES[exact]
            for groups in _groups_met(self._root, covered):
                for code, group in groups.items():
                    if code in wanted:
                        group.hand(found, claim, self._make_join)

    def add(self, node: int, held: Held) -> None:
        """`node` has this claim."""
        claim, regions = held
        if claim.domain is not Domain.FILE:
            self._add_name(node, claim)
            return
        for code, covered in regions:
            _add_file(self._root, (node, claim), _SIMPLIFIED[code], covered)

    def _meet_name(self, claim: Claim, found: Found) -> None:
        if claim.target == "*":
            places = [self._all_names.get(claim.domain)]
        else:
            names = self._names.get(claim.domain, {})
            places = [names.get(claim.target), names.get("*")]
        clashing = CLASHES[claim.domain][claim.mode]
        for groups in places:
            for mode, group in groups.items() if groups else ():
                if mode in clashing:
                    group.hand(found, claim, self._make_join)

    def _add_name(self, node: int, claim: Claim) -> None:
        names = self._names.setdefault(claim.domain, {})
        everything = self._all_names.setdefault(claim.domain, {})
        dominated = _NAME_DOMINATED[claim.domain, claim.mode]
        if dominated:
            for target in list(names) if claim.target == "*" else [claim.target]:
                _drop(names.get(target, {}), dominated)
                if not names.get(target):
                    names.pop(target, None)
            if claim.target == "*":
                _drop(everything, dominated)
        _add(names.setdefault(claim.target, {}), claim.mode, (node, claim))
        _add(everything, claim.mode, (node, claim))


def _groups_met(root: _Place, covered: Region) -> Iterator[_Groups]:
    """Groups by code, some of which may be of no concern, of places that meet `covered`."""
    place = root
    segments = covered.segments
    for depth, name in enumerate(covered.prefix):
        if place.covers:
            yield place.covers
        if place.named:
            yield place.named
        if place.globs:
            rest, path = segments[depth:], covered.prefix[depth:]
            yield from (glob.own for glob in place.globs.values() if glob.meets(rest, path))
        below = place.children.get(name)
        if below is None:
            return
        place = below
    if covered.tail and not _too_many_globs(place, covered):
        yield place.covers
        yield place.named
        yield from _heard_by_glob(place, covered)
    elif covered.tail or covered.below or covered.named:
        yield from _heard(place)
    else:
        yield place.covers
        yield place.named
        yield place.points


def _heard(place: _Place) -> Iterable[_Groups]:
    """Everything at this place and below."""
    if place.heard is not None:
        return (place.heard,)
    groups = list(_subtree(place))
    if len(groups) <= _FEW_PLACES:
        return groups
    place.heard = _merged(groups)
    return (place.heard,)


def _heard_by_glob(place: _Place, covered: Region) -> Iterable[_Groups]:
    """Everything below this place that meets a glob; what covers the place itself is not included."""
    known = place.globs.get(covered)
    if known is not None and known.heard is not None:
        return (known.heard,)
    groups = list(_matching(place, covered))
    if len(groups) <= _FEW_PLACES:
        return [met for met in groups if met is not None]
    heard = place.glob(covered).heard = _merged(met for met in groups if met is not None)
    return (heard,)


def _subtree(top: _Place) -> Iterator[_Groups]:
    todo = [top]
    while todo:
        place = todo.pop()
        if place.heard is not None:
            yield place.heard
            continue
        yield place.covers
        if place.named:
            yield place.named
        if place.points:
            yield place.points
        yield from (glob.own for glob in place.globs.values())
        todo.extend(place.children.values())


def _matching(top: _Place, covered: Region) -> Iterator[_Groups | None]:
    """Groups that meet the tail of `covered`, and a None for each place that was looked at in vain."""
    tail = covered.tail
    todo = [(top, closure(tail, {0}))]
    while todo:
        place, states = todo.pop()
        rests = [tail[state:] + ((DEEP,) if covered.below else ()) for state in states]
        for glob in place.globs.values():
            yield glob.own if any(patterns_meet(glob.pattern, rest) for rest in rests) else None
        for name, child in place.children.items():
            reached = advance(tail, states, name)
            if not reached:
                yield None
            elif len(tail) in reached and (covered.below or covered.named):
                yield from _subtree(child)
            else:
                yield child.covers
                if len(tail) in reached:
                    yield child.named
                    yield child.points
                todo.append((child, reached))


def _merged(places: Iterable[_Groups]) -> _Groups:
    merged: dict[int, dict[int, Claim]] = {}
    for groups in places:
        for code, group in groups.items():
            merged.setdefault(code, {}).update(group.members)
    return {code: Group(sorted(members.items(), key=_first)) for code, members in merged.items()}


def _first(member: Member) -> int:
    return member[0]


def _too_many_globs(place: _Place, covered: Region) -> bool:
    return len(place.globs) >= GLOBS_MAX and covered not in place.globs


def _add_file(root: _Place, member: Member, code: int, covered: Region) -> None:
    place = root
    bit = 1 << code
    for depth, name in enumerate(covered.prefix):
        place.codes |= bit
        if place.heard is not None:
            _add(place.heard, code, member)
        if place.globs:
            _tell_globs(place, member, code, covered.segments[depth:], covered.prefix[depth:])
        place = place.children.get(name) or place.child(name)
    if not covered.tail and _DOMINATED[code]:
        _replace(place, code)
    place.codes |= bit
    if place.heard is not None:
        _add(place.heard, code, member)
    if not covered.tail:
        place.put(member, code, covered)
        return
    _tell_globs(place, member, code, covered.segments[len(covered.prefix) :], ())
    if _too_many_globs(place, covered):
        wider = covering(code)
        place.codes |= 1 << wider
        place.put(member, wider, Region(covered.prefix, (), below=True))
    else:
        _add(place.glob(covered).own, code, member)


def _tell_globs(place: _Place, member: Member, code: int, rest: tuple[Segment, ...], path: tuple[str, ...]) -> None:
    for glob in place.globs.values():
        if glob.heard is not None and glob.meets(rest, path):
            _add(glob.heard, code, member)


def _replace(place: _Place, code: int) -> None:
    """A change of this code is about to stand for everything dominated at this place and below.

    Where not all can go (a change of one entry, or of sources with ignored targets among them) only what is at hand goes;
    the rest costs a few edges too many.
    """
    dominated = _DOMINATED[code]
    alone = not (place.children or place.globs or place.covers)
    if not place.codes & _OTHERS[code] and (alone or covers_below(code)):
        heard: _Groups | None = None if place.heard is None else {}
        place.wipe()
        place.heard = heard
        return
    groups = [place.named, place.points]
    if covers_below(code):
        groups += [place.covers, place.heard or {}]
    for own in groups:
        _drop(own, dominated)


def _drop(groups: dict[_C, Group], dominated: frozenset[_C]) -> None:
    for code in [code for code in groups if code in dominated]:
        del groups[code]
