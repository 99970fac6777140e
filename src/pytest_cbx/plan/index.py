"""A trie over claims: who holds what overlaps with this claim?

Used by the scheduler's lock table. Asking costs about the depth of the path and the number of hits, not the number of claims held.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Generic, TypeAlias, TypeVar

from pytest_cbx.plan.conflicts import CLASHES, Verdict, leaves_ignored, verdict
from pytest_cbx.plan.model import Claim, Domain, Mode
from pytest_cbx.plan.regions import (
    DEEP,
    Region,
    Segment,
    advance,
    closure,
    containing,
    leads_through,
    meet,
    patterns_meet,
    region,
)

K = TypeVar("K", bound=Hashable)

# A code says all that matters about a claim beside its pattern, so that equal codes at one place share one decision:
# how it uses the file, what it covers below, whether it leaves out ignored targets, whether its target is ignored.
_MODES = tuple(Mode)
_USES = {mode: use for use, mode in enumerate(_MODES)}
_CHANGES = {use for mode, use in _USES.items() if mode in CLASHES[Domain.FILE][mode]}
_USE_AND_RESTRICTION = {mode: (use, verdict(mode, Domain.FILE) is Verdict.RESTRICTED) for mode, use in _USES.items()}
LIST = len(_MODES)
"""The other half of a DELETE: it meets only those who read the directory itself."""
_USE, _BELOW, _NAMED, _LEAVES, _IGNORED = 7, 8, 16, 32, 64
CODES = 128


def code_of(claim: Claim, covered: Region, use: int) -> int:
    """The code of one region of a FILE claim."""
    below = _BELOW if covered.below else _NAMED if covered.named else 0
    return use | below | (_LEAVES if leaves_ignored(claim) else 0) | (_IGNORED if claim.ignored else 0)


def is_list(code: int) -> bool:
    """Whether this is the other half of a DELETE."""
    return code & _USE == LIST


def changes(code: int) -> bool:
    """Whether claims of this code get along with no other use of their target."""
    return code & _USE in _CHANGES


def simplified(code: int) -> int:
    """The code with all ways to change a file taken as one: they conflict with the same codes."""
    return code - (code & _USE) + _USES[Mode.WRITE] if changes(code) else code


def covering(code: int) -> int:
    """The code of the same use of everything below."""
    return (code | _BELOW) & ~_NAMED


def covers_below(code: int) -> bool:
    """Whether claims of this code cover everything below their target."""
    return bool(code & _BELOW)


def _codes_clash(a: int, b: int) -> bool:
    if (a & _LEAVES and b & _IGNORED) or (b & _LEAVES and a & _IGNORED):
        return False
    one, other = sorted((a & _USE, b & _USE))
    if other >= LIST:
        return other == LIST and one == _USES[Mode.READ]
    return _MODES[other] in CLASHES[Domain.FILE][_MODES[one]]


CODE_CLASHES: tuple[frozenset[int], ...] = tuple(
    frozenset(b for b in range(CODES) if _codes_clash(a, b)) for a in range(CODES)
)
"""For each code: the codes that conflict with it where their patterns meet."""


def parts(claim: Claim) -> tuple[tuple[int, Region], ...]:
    """The regions of a FILE claim with their codes: what it covers and, for a DELETE, the directories that hold it."""
    covered = region(claim)
    use, restricted = _USE_AND_RESTRICTION[claim.mode]
    main = (code_of(claim, covered, use), covered)
    if not restricted:
        return (main,)
    around = containing(covered)
    return main, (code_of(claim, around, LIST), around)


_Bucket: TypeAlias = dict[K, Claim]
_Buckets: TypeAlias = dict[int, dict[K, Claim]]


class _Node(Generic[K]):
    """One path. `totals` counts by code what lies here and below, so that a search enters only where there is something to find."""

    __slots__ = ("children", "globs", "name", "own", "parent", "totals")

    def __init__(self, parent: _Node[K] | None, name: str) -> None:
        self.parent = parent
        self.name = name
        self.children: dict[str, _Node[K]] = {}
        self.own: _Buckets[K] = {}
        self.globs: dict[tuple[Segment, ...], _Buckets[K]] = {}
        self.totals: dict[int, int] = {}


class ClaimIndex(Generic[K]):
    """Claims by what they are on. One key may hold many claims; claims that mean the same are kept once a key.

    Exact with respect to `conflicts.conflict`: `overlapping(c)` gives those claims `d` for which `conflict(d, c)` is not
    None, no others. Do not add or remove while iterating.
    """

    __slots__ = ("_files", "_held", "_names")

    def __init__(self) -> None:
        self._files: _Node[K] = _Node(None, "")
        self._names: dict[Domain, dict[str, dict[Mode, _Bucket[K]]]] = {}
        self._held: dict[K, set[Claim]] = {}

    def __len__(self) -> int:
        """How many keys hold something."""
        return len(self._held)

    def __contains__(self, key: object) -> bool:
        return key in self._held

    def claims(self, key: K) -> frozenset[Claim]:
        """What a key holds; empty for an unknown one."""
        return frozenset(self._held.get(key, ()))

    def add(self, key: K, claim: Claim) -> None:
        """Note that `key` holds `claim`."""
        self._add(key, claim, parts(claim) if claim.domain is Domain.FILE else ())

    def join(self, key: K, claim: Claim) -> list[tuple[K, Claim]]:
        """`add`, and then what `overlapping` gives, the new one with it where it conflicts with itself."""
        regions = parts(claim) if claim.domain is Domain.FILE else ()
        self._add(key, claim, regions)
        return list(self._overlapping(claim, regions))

    def _add(self, key: K, claim: Claim, regions: Iterable[tuple[int, Region]]) -> None:
        held = self._held.setdefault(key, set())
        before = len(held)
        held.add(claim)
        if len(held) == before:
            return
        if claim.domain is Domain.FILE:
            for code, covered in regions:
                self._put(key, claim, code, covered)
        else:
            names = self._names.setdefault(claim.domain, {})
            names.setdefault(claim.target, {}).setdefault(claim.mode, {})[key] = claim

    def remove(self, key: K) -> None:
        """Forget all claims of `key`; nothing happens for an unknown one."""
        for claim in self._held.pop(key, ()):
            if claim.domain is Domain.FILE:
                for code, covered in parts(claim):
                    self._take(key, code, covered)
            else:
                self._take_name(key, claim)

    def overlapping(self, claim: Claim) -> Iterator[tuple[K, Claim]]:
        """Every (key, claim) held that conflicts with `claim`, in no particular order."""
        return self._overlapping(claim, parts(claim) if claim.domain is Domain.FILE else ())

    def _overlapping(self, claim: Claim, regions: Iterable[tuple[int, Region]]) -> Iterator[tuple[K, Claim]]:
        if claim.domain is not Domain.FILE:
            yield from self._same_name(claim)
            return
        for code, covered in regions:
            for other, bucket in _search(self._files, covered, CODE_CLASHES[code]):
                if LIST in (code & _USE, other & _USE):
                    # found by the containing directory; leave out what the other half of the DELETE finds anyway
                    yield from ((key, held) for key, held in bucket.items() if not _meet_plainly(claim, held))
                else:
                    yield from bucket.items()

    def _same_name(self, claim: Claim) -> Iterator[tuple[K, Claim]]:
        names = self._names.get(claim.domain, {})
        targets = names if claim.target == "*" else dict.fromkeys((claim.target, "*"))
        clashing = CLASHES[claim.domain][claim.mode]
        for target in targets:
            for mode, bucket in names.get(target, {}).items():
                if mode in clashing:
                    yield from bucket.items()

    def _put(self, key: K, claim: Claim, code: int, covered: Region) -> None:
        node = self._files
        for name in covered.prefix:
            node = node.children.get(name) or node.children.setdefault(name, _Node(node, name))
        buckets = node.globs.setdefault(covered.tail, {}) if covered.tail else node.own
        bucket = buckets.setdefault(code, {})
        if key in bucket:
            return
        bucket[key] = claim
        above: _Node[K] | None = node
        while above is not None:
            above.totals[code] = above.totals.get(code, 0) + 1
            above = above.parent

    def _take(self, key: K, code: int, covered: Region) -> None:
        node: _Node[K] | None = self._files
        for name in covered.prefix:
            node = node.children.get(name) if node is not None else None
        if node is None:
            return  # a claim of the same meaning took the place with it
        buckets = node.globs.get(covered.tail, {}) if covered.tail else node.own
        if buckets.get(code, {}).pop(key, None) is None:
            return
        if not buckets[code]:
            del buckets[code]
        if covered.tail and not buckets:
            del node.globs[covered.tail]
        _forget(node, code)

    def _take_name(self, key: K, claim: Claim) -> None:
        names = self._names[claim.domain]
        modes = names[claim.target]
        del modes[claim.mode][key]
        if not modes[claim.mode]:
            del modes[claim.mode]
        if not modes:
            del names[claim.target]


def _meet_plainly(a: Claim, b: Claim) -> bool:
    (code, here), (other, there) = parts(a)[0], parts(b)[0]
    return other in CODE_CLASHES[code] and meet(here, there)


def _forget(node: _Node[K], code: int) -> None:
    """Count one claim less from `node` upwards, and drop nodes that hold nothing any more."""
    at: _Node[K] | None = node
    while at is not None:
        if at.totals[code] == 1:
            del at.totals[code]
        else:
            at.totals[code] -= 1
        if not at.totals and at.parent is not None:
            del at.parent.children[at.name]
        at = at.parent


def _search(root: _Node[K], covered: Region, wanted: frozenset[int]) -> Iterator[tuple[int, _Bucket[K]]]:
    """The buckets of wanted codes whose pattern meets `covered`."""
    node = root
    segments = covered.segments
    for depth, name in enumerate(covered.prefix):
        yield from _covering(node, wanted, _BELOW | _NAMED)
        yield from _globs(node, segments[depth:], covered.prefix[depth:], wanted)
        below = node.children.get(name)
        if below is None:
            return
        node = below
    if covered.tail:
        yield from _covering(node, wanted, _BELOW | _NAMED)
        yield from _globs(node, segments[len(covered.prefix) :], (), wanted)
        yield from _matching(node, covered, wanted)
    elif covered.below or covered.named:
        yield from _subtree(node, wanted)
    else:
        yield from ((code, bucket) for code, bucket in node.own.items() if code in wanted)


def _covering(node: _Node[K], wanted: frozenset[int], reach: int) -> Iterator[tuple[int, _Bucket[K]]]:
    for code, bucket in node.own.items():
        if code & reach and code in wanted:
            yield code, bucket


def _globs(
    node: _Node[K], rest: tuple[Segment, ...], path: tuple[str, ...], wanted: frozenset[int]
) -> Iterator[tuple[int, _Bucket[K]]]:
    """Globs that start at `node` and meet the pattern `rest` below it, `path` being what it names plainly."""
    for tail, buckets in node.globs.items():
        for code, bucket in buckets.items():
            if code in wanted and (
                patterns_meet((*tail, DEEP) if code & _BELOW else tail, rest)
                or (code & _NAMED and leads_through(tail, path))
            ):
                yield code, bucket


def _subtree(node: _Node[K], wanted: frozenset[int]) -> Iterator[tuple[int, _Bucket[K]]]:
    todo = [node]
    while todo:
        node = todo.pop()
        if wanted.isdisjoint(node.totals):
            continue
        for buckets in (node.own, *node.globs.values()):
            yield from ((code, bucket) for code, bucket in buckets.items() if code in wanted)
        todo.extend(node.children.values())


def _matching(node: _Node[K], covered: Region, wanted: frozenset[int]) -> Iterator[tuple[int, _Bucket[K]]]:
    """What lies strictly below `node` and meets the tail of `covered`."""
    tail = covered.tail
    todo = [(node, closure(tail, {0}))]
    while todo:
        node, states = todo.pop()
        for name, child in node.children.items():
            if wanted.isdisjoint(child.totals):
                continue
            reached = advance(tail, states, name)
            if not reached:
                continue
            if len(tail) in reached:
                if covered.below or covered.named:
                    yield from _subtree(child, wanted)
                    continue
                yield from ((code, bucket) for code, bucket in child.own.items() if code in wanted)
            else:
                yield from _covering(child, wanted, _BELOW)
            rests = [tail[state:] + ((DEEP,) if covered.below else ()) for state in reached]
            for other, buckets in child.globs.items():
                for code, bucket in buckets.items():
                    pattern = (*other, DEEP) if code & _BELOW else other
                    if code in wanted and any(patterns_meet(pattern, rest) for rest in rests):
                        yield code, bucket
            todo.append((child, reached))
