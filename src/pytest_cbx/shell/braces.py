"""Brace expansion, after bash's `braces.c`: which braces count, and what `{a,b}` and `{1..5}` stand for."""

from __future__ import annotations

import re
from typing import TypeAlias

from pytest_cbx.shell.nodes import Brace, Literal, Span, Tilde, Word, WordPart

MAX_WORDS = 1000
"""More words than this from one word are not enumerated."""

_MAX_ITEMS = 10_000
_MAX_BRACES = 50

Item: TypeAlias = str | WordPart
"""One active character, or a part within which no brace counts."""

_NUMBERS = re.compile(r"([+-]?[0-9]+)\.\.([+-]?[0-9]+)(?:\.\.([+-]?[0-9]+))?")
_LETTERS = re.compile(r"([A-Za-z])\.\.([A-Za-z])(?:\.\.([+-]?[0-9]+))?")


class _TooMany(Exception):
    pass


def expand_braces(parts: list[WordPart], span: Span) -> tuple[WordPart, ...] | None:
    """The parts of a word with its braces as `Brace`; None where they stand for too many words or for unclear ones."""
    items: list[Item] = []
    for part in parts:
        if type(part) is Literal and not part.quoted:
            items += part.text
        else:
            items.append(part)
    if len(items) > _MAX_ITEMS or items.count("{") > _MAX_BRACES:
        return None
    try:
        expanded = _expand(items, span)
    except _TooMany:
        return None
    return expanded if count(expanded) <= MAX_WORDS else None


def count(parts: tuple[WordPart, ...]) -> int:
    """How many words the braces among `parts` make of them."""
    total = 1
    for part in parts:
        if type(part) is Brace:
            total *= sum(count(alternative.parts) for alternative in part.alternatives)
    return total


def _expand(items: list[Item], span: Span) -> tuple[WordPart, ...]:
    """`brace_expand`: what stands before the first braces that count, these, and the rest in the same way."""
    done: list[WordPart] = []
    while True:
        opening, closing = _first_pair(items)
        if opening < 0:
            return (*done, *_plain(items, at_start=not done))
        inside = items[opening + 1 : closing]
        rest = items[closing + 1 :]
        preamble = _plain(items[:opening], at_start=not done)
        if "," in inside:
            alternatives = [_expand(one, span) for one in _split(inside)]
        else:
            sequence = _sequence(inside)
            if sequence is None:
                done += _plain(items[: closing + 1], at_start=not done)
                items = rest
                continue
            alternatives = [(Literal(text=text, quoted=False),) for text in sequence]
        if not done and not preamble:
            _check_tildes(alternatives, rest)
        done += preamble
        done.append(Brace(alternatives=tuple(Word(parts=one, span=span) for one in alternatives)))
        items = rest


def _first_pair(items: list[Item]) -> tuple[int, int]:
    """Where the first braces stand that hold a comma or `..` at their own level; (-1, -1) if none do."""
    for opening, item in enumerate(items):
        if item == "{" and not (opening == 0 and len(items) == 1):
            closing = _partner(items, opening)
            if closing >= 0:
                return opening, closing
    return -1, -1


def _partner(items: list[Item], opening: int) -> int:
    level = separators = 0
    for index in range(opening + 1, len(items)):
        item = items[index]
        if item == "}" and level == 0 and separators:
            return index
        if item == "{":
            level += 1
        elif item == "}" and level:
            level -= 1
        elif level == 0 and (
            item == ","
            or (item == "." and items[index + 1 : index + 2] == ["."] and items[index + 2 : index + 3] != ["}"])
        ):
            separators += 1
    return -1


def _split(items: list[Item]) -> list[list[Item]]:
    """The alternatives between the commas of the outermost level."""
    alternatives: list[list[Item]] = [[]]
    level = 0
    for item in items:
        if item == "," and level == 0:
            alternatives.append([])
            continue
        level += (item == "{") - (item == "}" and level > 0)
        alternatives[-1].append(item)
    if len(alternatives) > MAX_WORDS:
        raise _TooMany
    return alternatives


def _sequence(items: list[Item]) -> list[str] | None:
    """What `1..5`, `01..10..3` or `a..e` stands for; None where it is no sequence."""
    if not all(isinstance(item, str) for item in items):
        return None
    text = "".join(str(item) for item in items)
    numbers = _NUMBERS.fullmatch(text)
    if numbers is not None:
        first, last, step = int(numbers[1]), int(numbers[2]), abs(int(numbers[3] or 1)) or 1
        if max(abs(first), abs(last), step) >= 2**63:
            raise _TooMany
        width = max(len(numbers[1]), len(numbers[2])) if _padded(numbers[1]) or _padded(numbers[2]) else 0
        return [f"{number:0{width}d}" if width else str(number) for number in _steps(first, last, step)]
    letters = _LETTERS.fullmatch(text)
    if letters is None:
        return None
    if letters[1].islower() != letters[2].islower():
        # Bash runs through the punctuation between the cases, quoting some of it.
        raise _TooMany
    return [chr(code) for code in _steps(ord(letters[1]), ord(letters[2]), abs(int(letters[3] or 1)) or 1)]


def _padded(number: str) -> bool:
    digits = number.lstrip("+-")
    return len(digits) > 1 and digits[0] == "0"


def _steps(first: int, last: int, step: int) -> range:
    numbers = range(first, last + 1, step) if first <= last else range(first, last - 1, -step)
    if len(numbers) > MAX_WORDS:
        raise _TooMany
    return numbers


def _plain(items: list[Item], *, at_start: bool) -> tuple[WordPart, ...]:
    """Parts without braces, literals joined."""
    parts: list[WordPart] = []
    run: list[str] = []

    def flush() -> None:
        if run:
            parts.append(Literal(text="".join(run), quoted=False))
            run.clear()

    for item in items:
        if isinstance(item, str):
            run.append(item)
            continue
        if type(item) is Literal and parts and not run:
            last = parts[-1]
            if type(last) is Literal and last.quoted == item.quoted:
                parts[-1] = Literal(text=last.text + item.text, quoted=item.quoted)
                continue
        flush()
        parts.append(item)
    flush()
    return tuple(parts)


def _check_tildes(alternatives: list[tuple[WordPart, ...]], rest: list[Item]) -> None:
    """Braces come before tildes, so an alternative at the start of a word may begin with one."""
    for index, parts in enumerate(alternatives):
        first = parts[0] if parts else None
        if type(first) is not Literal or first.quoted or not first.text.startswith("~"):
            continue
        name, slash, below = first.text[1:].partition("/")
        whole = slash or (len(parts) == 1 and (not rest or rest[0] == "/"))
        if not whole or not re.fullmatch(r"[A-Za-z0-9_.+-]*", name):
            raise _TooMany
        remains = (Literal(text=slash + below, quoted=False),) if slash else ()
        alternatives[index] = (Tilde(user=name), *remains, *parts[1:])
