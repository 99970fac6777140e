"""Texts that are one program with its words and nothing else, so that no shell is needed to start them.

GNU make does the same with the lines of a recipe (`construct_command_argv` in its job.c): most are that plain.
"""

from __future__ import annotations

import re

BUILTINS = frozenset(
    (
        ".", ":", "[", "alias", "bg", "bind", "break", "builtin", "caller", "cd", "command", "compgen", "complete",
        "compopt", "continue", "declare", "dirs", "disown", "echo", "enable", "eval", "exec", "exit", "export", "false",
        "fc", "fg", "getopts", "hash", "help", "history", "jobs", "kill", "let", "local", "logout", "mapfile", "popd",
        "printf", "pushd", "pwd", "read", "readarray", "readonly", "return", "set", "shift", "shopt", "source",
        "suspend", "test", "times", "trap", "true", "type", "typeset", "ulimit", "umask", "unalias", "unset", "wait",
    )
)  # fmt: skip
"""What bash 5 does itself. Source: `compgen -b`."""
_KEYWORDS = frozenset(
    ("if", "then", "else", "elif", "fi", "case", "esac", "for", "select", "while", "until", "do", "done", "in",
     "function", "time", "coproc")
)  # fmt: skip
"""Source: `compgen -k`, without those that hold a character that is not plain."""
_SAME = frozenset(("true", "false"))
"""Builtins that do nothing else than the program of their name does, as long as they stand alone."""
_PLAIN = re.compile(r"[A-Za-z0-9_./,:@%+-][A-Za-z0-9_./,:@%+=-]*(?: +[A-Za-z0-9_./,:@%+=-]+)*")
"""Nothing that bash would expand, split, quote or redirect; no assignment before the program, either."""


def plain_words(text: str) -> tuple[str, ...] | None:
    """The words of a text that bash would hand to one program as they stand; None for any other text."""
    found = text.strip(" \n")
    if _PLAIN.fullmatch(found) is None:
        return None
    words = tuple(found.split())
    name = words[0]
    if "=" in name or name in _KEYWORDS or (name in BUILTINS and (name not in _SAME or len(words) > 1)):
        return None
    return words
