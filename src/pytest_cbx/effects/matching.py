"""Whether values that are known in part match the patterns of an entry's conditions."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from pytest_cbx.effects.grammar import Parsed
from pytest_cbx.effects.values import Field, Shape, wild

MOST_COMPARED = 20_000
"""A command with more options times operands than this has its conditions on values taken as undecided."""

_BEFORE_WILDCARDS = re.compile(r"[^*?\[(\\+!@]*")
"""What a word that is a bash pattern surely begins with; `+(`, `!(` and `@(` are wildcards too."""
_MARK = re.compile(r"[-+@|]|[a-z]+:")
"""What makes an operand an option, a file of options, a command, or the name of a format with a file (`msl:a`)."""
_RARE_IN_NAMES = re.compile(r"[(<>|%:\"'`]")
_AFTER_WILDCARDS = re.compile(r"[^*?\])]*$")


def valued(parsed: Parsed, name: str, pattern: str, *, doubt: bool) -> bool:
    """Whether the option was given with a value that matches."""
    values = [given.value for given in parsed.options if name in given.option.names]
    if len(values) ** 2 > MOST_COMPARED:
        return doubt
    return any(value is not None and matches(value, pattern, doubt=doubt) for value in values)


def matches(value: Field, pattern: str, *, doubt: bool) -> bool:
    """Whether the value matches the pattern; `doubt` where that cannot be told."""
    if value.known:
        return fnmatchcase(value.text, pattern)
    if value.shape is not Shape.PATTERN:
        return doubt
    ending: str = _AFTER_WILDCARDS.search(value.text)[0]  # type: ignore[index]
    if pattern.startswith("*") and not wild(pattern[1:]) and ending.endswith(pattern[1:]):
        return True
    return doubt and _may_match(value.text, pattern, ending)


def _may_match(text: str, pattern: str, ending: str) -> bool:
    """Whether a name that the bash pattern `text` finds may match. `ending`: what its names surely end with."""
    if (not wild(pattern) or (pattern.startswith("*") and not wild(pattern[1:]))) and not pattern.endswith(ending):
        return False
    known: str = _BEFORE_WILDCARDS.match(text)[0]  # type: ignore[index]
    wanted = re.split(r"[*?\[]", pattern, maxsplit=1)[0]
    if not known.startswith(wanted) and not wanted.startswith(known):
        return False
    # Taken for granted: no file's name has a mark that gives a word another meaning.
    if _MARK.match(wanted) and text.startswith(("*", "?")):
        return False
    return all(char in text for char in _RARE_IN_NAMES.findall(pattern)) and ("//" in text or "://" not in pattern)
