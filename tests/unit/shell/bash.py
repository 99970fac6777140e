"""Real bash as the judge of what words a text has, and the words that our tree says it has."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from pytest_cbx.shell.nodes import Brace, Glob, Literal, Parameter, Simple, Tilde, Word, WordPart
from pytest_cbx.shell.reader import read

HOME = "/home/somebody"

# `eval` in a subshell of its own, so that a syntax error ends that text only. Nothing is on the PATH.
_LOOP = r"""
PATH=/nonexistent
set -f
while IFS= read -r -d '' text; do
  (
    eval "shift \$#; set -- $text" 2>/dev/null </dev/null && for word; do printf '%s\0' "w$word"; done
  ) 2>/dev/null
  printf 'end\0'
done
"""


def words_in_bash(texts: Iterable[str], directory: Path) -> list[list[str]]:
    """The words that bash makes of each text, in an empty directory; no words where it finds a syntax error."""
    given = b"".join(text.encode() + b"\0" for text in texts)
    env = {"HOME": HOME, "LC_ALL": "C.UTF-8", "PATH": os.environ.get("PATH", os.defpath)}
    done = subprocess.run(
        ["bash", "--norc", "-c", _LOOP], input=given, env=env, cwd=directory, stdout=subprocess.PIPE, check=True
    )
    found: list[list[str]] = [[]]
    for piece in done.stdout.split(b"\0")[:-1]:
        if piece == b"end":
            found.append([])
        else:
            found[-1].append(piece[1:].decode(errors="surrogateescape"))
    return found[:-1]


def words_we_read(text: str) -> list[str] | None:
    """The words of the tree after expansion, where they need nothing but the text; otherwise None."""
    script = read(f"set -- {text}")
    if len(script.statements) != 1 or script.statements[0].background:
        return None
    command = script.statements[0].command
    if not isinstance(command, Simple) or command.redirects or command.assignments:
        return None
    found: list[str] = []
    for word in command.words[2:]:
        expanded = _expanded(word)
        if expanded is None:
            return None
        found += [text for text, quoted in expanded if text or quoted]
    return found


def _expanded(word: Word) -> list[tuple[str, bool]] | None:
    """What the word stands for, each with whether something in it is quoted: unquoted and empty, it vanishes."""
    made = [("", False)]
    for part in word.parts:
        choices = _texts(part)
        if choices is None:
            return None
        made = [(text + more, quoted or also) for (text, quoted), (more, also) in itertools.product(made, choices)]
    return made


def _texts(part: WordPart) -> list[tuple[str, bool]] | None:
    match part:
        case Literal(text=text, quoted=quoted):
            return [(text, quoted)]
        case Glob(pattern=text):
            return [(text, False)]
        case Tilde(user=""):
            return [(HOME, False)]
        case Parameter(name="unset", operator=":-" | "-", arguments=(default,), index=None):
            return None if not part.quoted else [(text, True) for text, _ in _expanded(default) or ()]
        case Brace(alternatives=alternatives):
            expanded = [_expanded(alternative) for alternative in alternatives]
            if any(one is None for one in expanded):
                return None
            return [text for one in expanded for text in one or ()]
        case _:
            return None
