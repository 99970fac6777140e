"""Which files `test`, `[` and `[[` look at. Source: the primaries of GNU bash's manual, "Bash Conditional Expressions"."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_cbx.effects.values import Field

_ONE = frozenset({f"-{letter}" for letter in "abcdefghkprsuwxGLNOS"})
_TWO = frozenset({"-nt", "-ot", "-ef"})


def files_tested(words: Sequence[Field]) -> list[Field]:
    """The operands of file tests among the words of a condition, which stand behind `test`, `[` or `[[`."""
    if words and words[-1].known and words[-1].text == "]":
        words = words[:-1]
    found: list[Field] = []
    for index, word in enumerate(words[:-1]):
        if not word.known:
            continue
        operator = word.text
        # Behind another operand `-a` is "and".
        if operator in _ONE and (operator != "-a" or index == 0 or words[index - 1].text in ("!", "(", "&&", "||")):
            found.append(words[index + 1])
        elif operator in _TWO and index:
            found += [words[index - 1], words[index + 1]]
    return found
