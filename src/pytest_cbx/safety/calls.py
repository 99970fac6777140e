"""Ways to say which calls of a program a rule speaks of. Each gives the word that matters, or True for the call as such."""

from __future__ import annotations

import re
from collections.abc import Callable

from pytest_cbx.effects.facts import Invocation
from pytest_cbx.effects.values import Field

Finds = Callable[[Invocation], Field | bool]


def words(*spelt: str, after: tuple[str, ...] = ()) -> Finds:
    """One of these words stands among the arguments, after the sub-command `after`. `--x=*` matches any value."""
    plain = frozenset(word for word in spelt if not word.endswith("*"))
    starts = tuple(word[:-1] for word in spelt if word.endswith("*"))

    def finds(call: Invocation) -> Field | bool:
        if not _is(call, after):
            return False
        return next((w for w in call.words if w.text in plain or (starts and w.text.startswith(starts))), False)

    return finds


def flag(letter: str, *others: str, after: tuple[str, ...] = ()) -> Finds:
    """The short option `-letter`, alone or in a cluster as the catalogue reads it, or one of these words."""
    spelt = words(*others, after=after)
    short, cluster = f"-{letter}", re.compile(rf"-[A-Za-z]*{letter}")

    def finds(call: Invocation) -> Field | bool:
        if not _is(call, after):
            return False
        spelt_out = spelt(call)
        if spelt_out is not False or not call.has(short):
            return spelt_out
        return next((word for word in call.words if cluster.match(word.text)), True)

    return finds


def _is(call: Invocation, after: tuple[str, ...]) -> bool:
    return not after or call.path[: len(after)] == after or tuple(w.text for w in call.words[: len(after)]) == after


def matching(pattern: str, after: tuple[str, ...] = ()) -> Finds:
    """Some argument matches the regular expression as a whole."""
    compiled = re.compile(pattern)
    return lambda call: _is(call, after) and next((w for w in call.words if compiled.fullmatch(w.text)), False)


def pair(option: str, pattern: str) -> Finds:
    """`option VALUE`, `optionVALUE` or `option=VALUE`, the value matching the regular expression as a whole."""
    compiled = re.compile(pattern)

    def finds(call: Invocation) -> Field | bool:
        for before, word in zip((None, *call.words), call.words, strict=False):
            if before is not None and before.text == option and compiled.fullmatch(word.text):
                return word
            if word.text.startswith(option) and compiled.fullmatch(word.text[len(option) :].lstrip("=")):
                return word
        return False

    return finds


def always(call: Invocation) -> bool:
    """Every call."""
    return True


def unless(finds: Finds) -> Finds:
    """Every call in which that finds nothing."""
    return lambda call: finds(call) is False


def either(*several: Finds) -> Finds:
    """What the first of these finds that finds something."""
    return lambda call: next((found for each in several if (found := each(call))), False)
