"""What the second reader, bashlex 0.18, is known to misread without a word. A text with such a sign is not put to it.

The list is closed: a construct stands here with a proof, a text of which bashlex says something that bash does not
(`tests/unit/shell/test_misreadings.py`). What bashlex itself refuses (`case`, `[[`, `$((`, arrays…) needs no sign.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Misreading:
    """One construct: the sign by which it is known in a text, what bashlex does with it, and a text that proves it."""

    sign: re.Pattern[str]
    why: str
    proof: str


def _sign(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL)


IN_TEXTS = (
    Misreading(_sign(r"\(\("), "takes `((` for subshells and `>` in it for a redirect", "((x>1))"),
    Misreading(
        _sign(r"\{[A-Za-z_]\w*(?:\[[^\]]*\])?\}[<>]"), "takes `{fd}` before a redirect for a word", "exec {fd}>a"
    ),
    Misreading(_sign(r"\$\{[^}]*(?:\$\(|`|[<>]\()"), "does not look for commands in `${…}`", "echo ${x:-$(rm a)}"),
    Misreading(
        _sign(r"^(?=.*').*\$\{(?![^}'\"\s;&|<>()`]*\})"),
        "goes round for ever where `${` has no end in its word",
        "a'${'",
    ),
    Misreading(_sign(r"(?:\$|<|>)\([^)]*\n|`[^`]*\n"), "reads only the first line of a substitution", "echo $(a\nb)"),
    Misreading(_sign(r"`[^`]*\\"), "leaves the backslashes in backquotes", "echo `echo \\`rm a\\``"),
    Misreading(
        _sign(r"(?:[^ \t\n]|\\.)\\\n"), "loses its place behind a line continuation within a word", "cd\\\n<(rm a)"
    ),
    Misreading(_sign(r"[;&)]#"), "takes a comment behind an operator for a command", "a;#b\nc"),
    Misreading(
        _sign(r"\A(?>.*?(?:[{(]|\b(?:then|do|else|elif|if|while|until)\b)).*(?<!<)<<(?!<)"),
        "takes the lines of a here-document in a compound command for commands",
        "{ cat <<E\nrm a\nE\n}",
    ),
    Misreading(_sign(r"<<.*(?:\$\(|`)"), "does not look for commands in a here-document", "cat <<E\n$(rm a)\nE"),
)
"""Looked for in the whole text, before bashlex sees it."""

IN_WORDS = (
    Misreading(_sign(r"^.+'.*(?:[$<>]\(|`)|'[^']*'.*(?:[$<>]\(|`)"), "expands in single quotes", "echo a'$(rm a)'"),
    Misreading(_sign(r"^\".*[<>]\("), "knows no process substitution behind double quotes", 'cat "a"<(rm a)'),
    Misreading(_sign(r"~.*(?:[$<>]\(|`)"), "takes all up to a slash for a user's name behind a tilde", "cat ~$(rm a)"),
)
"""Looked for in each word, as bashlex cuts them."""


def misread_text(text: str) -> str | None:
    """Why bashlex is not asked about this text; None where nothing is known against it."""
    for one in IN_TEXTS:
        if one.sign.search(text):
            return one.why
    return None


def misread_word(text: str) -> str | None:
    """Why bashlex is not believed that these are a word and what it finds in it; None where nothing is known against it."""
    if "(" not in text and "`" not in text:
        return None
    for one in IN_WORDS:
        if one.sign.search(text):
            return one.why
    return None
