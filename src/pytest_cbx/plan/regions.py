"""Which paths a FILE claim covers, and whether two such sets share a path.

A path becomes a tuple of segments from `/`; the workspace is the segment `.` below it, so that whatever covers `/` covers
the work tree too, and an absolute path meets a relative one in no other way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import takewhile
from typing import TypeAlias, TypeVar

from pytest_cbx.effects.model import Scope
from pytest_cbx.plan.model import Claim, Mode


@dataclass(frozen=True, slots=True)
class Wild:
    """One segment of a glob that stands for many names. `tokens` are characters, `*`, `?` and classes, in order."""

    text: str
    tokens: tuple[str | re.Pattern[str] | None, ...] = field(compare=False)
    """A character; a class as an expression for one character (`?` is one too); None for `*`."""
    expression: re.Pattern[str] = field(compare=False)
    start: str = field(default="", compare=False)
    """What every matching name starts with."""
    end: str = field(default="", compare=False)
    """What every matching name ends with."""

    def matches(self, name: str) -> bool:
        """Whether a plain name matches."""
        return self.expression.fullmatch(name) is not None


Segment: TypeAlias = str | Wild
T = TypeVar("T")

_ANY = re.compile(r"[^/]", re.DOTALL)
DEEP = Wild(text="**", tokens=(None,), expression=re.compile(r".*", re.DOTALL))
"""`**`: any number of segments, none too."""
_STAR = Wild(text="*", tokens=(None,), expression=re.compile(r".*", re.DOTALL))

_WILD_CHARACTERS = re.compile(r"[*?\[\\{}]|[+@!]\(")
_EXTENDED = re.compile(r"[*?+@!]\(|[{}]|\[[^\]]*\[[:.=]")


@dataclass(frozen=True, slots=True)
class Region:
    """The paths that one claim covers: those that match `prefix` + `tail`, and perhaps what is under them.

    `tail` is empty, or starts with a `Wild` and does not end with `**` (that is said by `below`).
    `below`: everything under them too. `named`: of what is under them only that which another claim names: a path, a
    tree, or a glob whose plain directories lead there. (Removing `a` matters to the reader of `a/b`. Writing `a.c` does
    not matter to the reader of `**/*.py`, though `a.c/x.py` would match it.)
    """

    prefix: tuple[str, ...]
    tail: tuple[Segment, ...]
    below: bool = False
    named: bool = False

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The whole pattern, `below` as a last `**`."""
        return (*self.prefix, *self.tail, DEEP) if self.below else (*self.prefix, *self.tail)


def region(claim: Claim) -> Region:
    """The paths a FILE claim covers.

    A claim that does more than read covers what is named below its target too: creating or removing a directory matters
    to whoever uses what is in it. SOURCES covers as TREE does; that it leaves out ignored targets is up to the caller.
    """
    if claim.scope is Scope.TREE or claim.scope is Scope.SOURCES:
        return Region(split(claim.target), (), True, False)
    changes = claim.mode is not Mode.READ
    if claim.scope is Scope.GLOB:
        return _glob_region(claim.target, changes)
    return Region(split(claim.target), (), False, changes)


def containing(inner: Region) -> Region:
    """The directories that hold the entries of `inner`, without what else is in them."""
    if inner.tail:
        prefix, tail = inner.prefix, inner.tail[:-1]
    else:
        prefix, tail = inner.prefix[:-1], ()
    if tail and tail[-1] is DEEP:
        return Region(prefix, tail[:-1], below=True)
    return Region(prefix, tail)


def split(path: str) -> tuple[str, ...]:
    """Segments of a normalised path, from `/`."""
    if path.startswith("/"):
        return tuple(part for part in path.split("/") if part)
    if path == ".":
        return (".",)
    if "//" in path or path.startswith("./") or path.endswith("/"):
        return (".", *(part for part in path.split("/") if part not in ("", ".")))
    return (".", *path.split("/"))


@lru_cache(maxsize=8192)
def _glob_region(pattern: str, changes: bool) -> Region:
    below = False
    segments: list[Segment] = []
    for part in split(pattern):
        if part.count("{") != part.count("}"):
            segments.append(DEEP)  # a brace across `/`: the rest may be anything
            break
        for segment in _segments(part):
            if segment is not DEEP or segments[-1:] != [DEEP]:
                segments.append(segment)
    while segments and segments[-1] is DEEP:
        segments.pop()
        below = True
    literal = 0
    while literal < len(segments) and isinstance(segments[literal], str):
        literal += 1
    return Region(
        tuple(str(part) for part in segments[:literal]), tuple(segments[literal:]), below, changes and not below
    )


def _segments(part: str) -> tuple[Segment, ...]:
    """One written segment as one or two segments of a pattern."""
    if part == "**":
        return (DEEP,)
    if "**" in part:
        suffix = part.removeprefix("**")
        return (DEEP, _wild(f"*{suffix}")) if "**" not in suffix else (DEEP,)
    return (_wild(part),) if _WILD_CHARACTERS.search(part) else (part,)


@lru_cache(maxsize=8192)
def _wild(text: str) -> Segment:
    """Read one segment: `*`, `?`, `[…]`, `\\x`. Extended globs, braces and named classes count as `*`: too much rather than too little."""
    if _EXTENDED.search(text):
        return _STAR
    tokens: list[str | re.Pattern[str] | None] = []
    at = 0
    while at < len(text):
        char = text[at]
        end = text.find("]", at + (3 if text[at + 1 : at + 2] in ("!", "^") else 2)) if char == "[" else -1
        if char == "*":
            tokens.append(None)
        elif char == "?":
            tokens.append(_ANY)
        elif char == "\\" and at + 1 < len(text):
            at += 1
            tokens.append(text[at])
        elif end > 0:
            tokens.append(_character_class(text[at + 1 : end]))
            at = end
        else:
            tokens.append(char)
        at += 1
    if all(isinstance(token, str) for token in tokens):
        return "".join(str(token) for token in tokens)
    expression = "".join(_expression(token) for token in tokens)
    return Wild(
        text=text,
        tokens=tuple(tokens),
        expression=re.compile(expression, re.DOTALL),
        start=_plain_start(tokens),
        end=_plain_start(tokens[::-1])[::-1],
    )


def _plain_start(tokens: list[str | re.Pattern[str] | None]) -> str:
    return "".join(takewhile(lambda token: isinstance(token, str), tokens))  # type: ignore[arg-type]


def _character_class(body: str) -> re.Pattern[str]:
    if "[" in body or "\\" in body:
        return _ANY  # [[:alpha:]] and escapes: any character, rather than a wrong set
    negated = body[:1] in ("!", "^")
    inner = (
        (body[1:] if negated else body).replace("^", "\\^").replace("&", "\\&").replace("~", "\\~").replace("|", "\\|")
    )
    if "--" in inner:
        return _ANY
    try:
        return re.compile(f"[{'^' if negated else ''}{inner}]", re.DOTALL)
    except re.error:  # a range such as z-a
        return _ANY


def _expression(token: str | re.Pattern[str] | None) -> str:
    if token is None:
        return ".*"
    return re.escape(token) if isinstance(token, str) else token.pattern


def meet(a: Region, b: Region) -> bool:
    """Whether some path lies in both."""
    if not a.tail and not b.tail:
        x, y = a.prefix, b.prefix
        if len(x) == len(y):
            return x == y
        if len(x) < len(y):
            return (a.below or a.named) and y[: len(x)] == x
        return (b.below or b.named) and x[: len(y)] == y
    shared = min(len(a.prefix), len(b.prefix))
    if a.prefix[:shared] != b.prefix[:shared]:
        return False
    return (
        patterns_meet(a.segments[shared:], b.segments[shared:])
        or (a.named and leads_through(a.segments[shared:], b.prefix[shared:]))
        or (b.named and leads_through(b.segments[shared:], a.prefix[shared:]))
    )


def leads_through(pattern: tuple[Segment, ...], path: tuple[str, ...]) -> bool:
    """Whether the path, or a directory on its way, matches the pattern."""
    return patterns_meet((*pattern, DEEP), path)


def patterns_meet(a: tuple[Segment, ...], b: tuple[Segment, ...]) -> bool:
    """Whether some sequence of names matches both patterns."""
    if a and b and (_apart(a[-1], b[-1]) or _apart(a[0], b[0])):
        return False
    return _paths_meet(a, b)


def _apart(a: Segment, b: Segment) -> bool:
    """Whether two segments at the same end of two patterns keep them from meeting."""
    return a is not DEEP and b is not DEEP and not names_meet(a, b)


@lru_cache(maxsize=65536)
def _paths_meet(a: tuple[Segment, ...], b: tuple[Segment, ...]) -> bool:
    if not (DEEP in a or DEEP in b) and len(a) != len(b):
        return False
    return _sequences_meet(a, b, DEEP, names_meet)


def _sequences_meet(a: Sequence[T], b: Sequence[T], wild: T, meet: Callable[[T, T], bool]) -> bool:
    """Whether some sequence matches both; `wild` stands for any number of elements, `meet` tells for two others."""
    # Position pairs that can be reached together; each pair is looked at once, so the cost is len(a) · len(b).
    seen: set[tuple[int, int]] = set()
    todo = [(0, 0)]
    while todo:
        pair = todo.pop()
        if pair in seen:
            continue
        seen.add(pair)
        i, j = pair
        if i == len(a) and j == len(b):
            return True
        if i < len(a) and a[i] is wild:
            todo.append((i + 1, j))
            if j < len(b):
                todo.append((i, j + 1))
        elif j < len(b) and b[j] is wild:
            todo.append((i, j + 1))
            if i < len(a):
                todo.append((i + 1, j))
        elif i < len(a) and j < len(b) and meet(a[i], b[j]):
            todo.append((i + 1, j + 1))
    return False


def names_meet(a: Segment, b: Segment) -> bool:
    """Whether some name matches both segments, neither of them `**`."""
    if isinstance(a, str):
        return a == b if isinstance(b, str) else b.matches(a)
    if isinstance(b, str):
        return a.matches(b)
    if not (a.start.startswith(b.start) or b.start.startswith(a.start)):
        return False
    if not (a.end.endswith(b.end) or b.end.endswith(a.end)):
        return False
    return _wilds_meet(a, b)


@lru_cache(maxsize=8192)
def _wilds_meet(a: Wild, b: Wild) -> bool:
    return _sequences_meet(a.tokens, b.tokens, None, _characters_meet)


def _characters_meet(a: str | re.Pattern[str] | None, b: str | re.Pattern[str] | None) -> bool:
    if isinstance(a, str):
        return a == b if isinstance(b, str) else b is not None and b.fullmatch(a) is not None
    if isinstance(b, str):
        return a is not None and a.fullmatch(b) is not None
    return True  # two classes: assumed to share a character


def advance(tail: tuple[Segment, ...], states: frozenset[int], name: str) -> frozenset[int]:
    """Positions of `tail` that can be reached from `states` by one more name. `len(tail)` means: matched."""
    after: set[int] = set()
    for state in states:
        if state == len(tail):
            continue
        segment = tail[state]
        if segment is DEEP:
            after.add(state)
        elif names_meet(segment, name):
            after.add(state + 1)
    return closure(tail, after)


def closure(tail: tuple[Segment, ...], states: set[int]) -> frozenset[int]:
    """`states` and what can be reached from them by letting `**` stand for nothing."""
    todo = list(states)
    closed = set(states)
    while todo:
        state = todo.pop()
        if state < len(tail) and tail[state] is DEEP and state + 1 not in closed:
            closed.add(state + 1)
            todo.append(state + 1)
    return frozenset(closed)
