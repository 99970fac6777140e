"""Expands make's own text: variables and functions. What is not known beforehand becomes `GAP`."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

GAP = "\ue000"
"""Stands in an expanded text for what is not known beforehand. (A private character, which no makefile has reason to use.)"""

MOST_DEPTH = 40
LONGEST = 20_000
"""Longer values and deeper expansions are given up as not known."""

_AUTOMATIC = "@<^+?*|%"
_SPACE = re.compile(r"[ \t\n]+")


@dataclass(frozen=True, slots=True)
class Variable:
    """`text` is expanded at once for a simple one (`:=`), each time it is used for a recursive one."""

    text: str
    recursive: bool


@dataclass(slots=True)
class Found:
    """What the expansion came across beside the text."""

    shells: list[str] = field(default_factory=list)
    """Texts of `$(shell …)`, which run while the makefile is read."""
    files: list[str] = field(default_factory=list)
    """Files that `$(file …)` writes."""
    unseen: list[str] = field(default_factory=list)
    """Why rules may be missing or code may run that is not seen."""


class Expander:
    """Expands texts with the variables it holds."""

    def __init__(self, variables: Mapping[str, Variable], found: Found) -> None:
        self.variables: dict[str, Variable] = dict(variables)
        self.found = found
        self._depth = 0
        self.locals: dict[str, str] = {}
        """Automatic variables, and those of `foreach` and `call`: known texts."""

    def expand(self, text: str) -> str:
        """The text with all references replaced."""
        if "$" not in text:
            return text
        self._depth += 1
        try:
            if self._depth > MOST_DEPTH:
                self.found.unseen.append("variables that refer to each other too deep")
                return GAP
            expanded = "".join(self._pieces(text))
            return expanded if len(expanded) <= LONGEST else GAP
        finally:
            self._depth -= 1

    def _pieces(self, text: str) -> list[str]:
        pieces: list[str] = []
        position = 0
        while True:
            dollar = text.find("$", position)
            if dollar < 0 or dollar + 1 >= len(text):
                pieces.append(text[position:])
                return pieces
            pieces.append(text[position:dollar])
            char = text[dollar + 1]
            if char == "$":
                pieces.append("$")
                position = dollar + 2
            elif char in "({":
                end = closing(text, dollar + 1)
                if end < 0:
                    self.found.unseen.append("a reference without its end")
                    pieces.append(GAP)
                    return pieces
                pieces.append(self._reference(text[dollar + 2 : end]))
                position = end + 1
            else:
                pieces.append(self._variable(char))
                position = dollar + 2

    def _reference(self, body: str) -> str:
        name, blank, rest = body.partition(" ")
        if "\t" in name:
            name, blank, rest = body.partition("\t")
        if blank and name in FUNCTIONS:
            return FUNCTIONS[name](self, rest.lstrip())
        if blank and name in _LAZY:
            return _LAZY[name](self, arguments(rest.lstrip()))
        name, colon, pattern = _substitution(body)
        expanded = self.expand(name)
        if GAP in expanded:
            return GAP
        value = self._variable(expanded.strip())
        if not colon:
            return value
        old, _, new = self.expand(pattern).partition("=")
        return patsubst(old if "%" in old else f"%{old}", new if "%" in old else f"%{new}", value)

    def _variable(self, name: str) -> str:
        if name in self.locals:
            return self.locals[name]
        if len(name) == 2 and name[0] in _AUTOMATIC and name[1] in "DF" and name[0] in self.locals:
            value = self.locals[name[0]]
            return _dir(value).replace("/ ", " ").rstrip("/") if name[1] == "D" else _notdir(value)
        variable = self.variables.get(name)
        if variable is None:
            # Neither the makefile nor the command line sets it. That the environment does is not assumed.
            return ""
        return self.expand(variable.text) if variable.recursive else variable.text

    def within(self, names: Mapping[str, str], text: str) -> str:
        """Expand with further local variables."""
        saved = self.locals
        self.locals = {**saved, **names}
        try:
            return self.expand(text)
        finally:
            self.locals = saved


def closing(text: str, opening: int) -> int:
    """The index of the bracket that closes the one at `opening`; -1: there is none."""
    pair = {"(": ")", "{": "}"}[text[opening]]
    depth = 0
    for index in range(opening, len(text)):
        if text[index] == text[opening]:
            depth += 1
        elif text[index] == pair:
            depth -= 1
            if not depth:
                return index
    return -1


def arguments(text: str) -> list[str]:
    """A function's arguments: split at commas outside brackets."""
    found, start, depth = [], 0, 0
    for index, char in enumerate(text):
        if char in "({":
            depth += 1
        elif char in ")}":
            depth -= 1
        elif char == "," and not depth:
            found.append(text[start:index])
            start = index + 1
    return [*found, text[start:]]


def _substitution(body: str) -> tuple[str, str, str]:
    """`NAME:old=new` in its parts; the colon is empty for a plain name."""
    depth = 0
    for index, char in enumerate(body):
        if char in "({":
            depth += 1
        elif char in ")}":
            depth -= 1
        elif char == ":" and not depth and "=" in body[index:]:
            return body[:index], ":", body[index + 1 :]
    return body, "", ""


def words(text: str) -> list[str]:
    """The words of a text."""
    return [word for word in _SPACE.split(text) if word]


def match(pattern: str, word: str) -> str | None:
    """The stem with which a word fits a pattern with `%`; empty for a plain equal word, None where it does not fit."""
    before, percent, after = pattern.partition("%")
    if not percent:
        return "" if pattern == word else None
    if len(word) < len(before) + len(after) or not (word.startswith(before) and word.endswith(after)):
        return None
    return word[len(before) : len(word) - len(after)]


def patsubst(pattern: str, replacement: str, text: str) -> str:
    """`$(patsubst pattern,replacement,text)`."""
    out = []
    for word in words(text):
        stem = match(pattern, word)
        out.append(word if stem is None else replacement.replace("%", stem, 1))
    return " ".join(out)


def _each(change: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: " ".join(filter(None, map(change, words(text))))


_dir = _each(lambda word: word[: word.rfind("/") + 1] or "./")
_notdir = _each(lambda word: word[word.rfind("/") + 1 :])


def _known(change: Callable[..., str], count: int) -> Callable[[Expander, str], str]:
    """A function of expanded arguments; a gap in a text that must be taken apart makes the whole unknown."""

    def function(expander: Expander, text: str) -> str:
        given = [expander.expand(argument) for argument in arguments(text)]
        if len(given) < count:
            return GAP
        given = [*given[: count - 1], ",".join(given[count - 1 :])]
        # Words around a gap keep their sense: only a word with a gap in it is changed or kept wrongly.
        return GAP if any(GAP in argument for argument in given) else change(*given)

    return function


_GLOB = re.compile(r"[*?\[]")


def patterned(text: str) -> bool:
    """Whether a text stands for files that are not known one by one, or has a gap."""
    return GAP in text or _GLOB.search(text) is not None


def _filter(keep: bool) -> Callable[[str, str], str]:
    def change(patterns: str, text: str) -> str:
        tests = words(patterns)
        if patterned(text) and not all("%" in test for test in tests):
            return text if not keep else GAP
        return " ".join(word for word in words(text) if any(match(t, word) is not None for t in tests) is keep)

    return change


def _wordlist(first: str, last: str, text: str) -> str:
    if not (first.strip().isdigit() and last.strip().isdigit()):
        return GAP
    return " ".join(words(text)[max(0, int(first) - 1) : int(last)])


def _join(left: str, right: str) -> str:
    one, two = words(left), words(right)
    length = max(len(one), len(two))
    one, two = one + [""] * (length - len(one)), two + [""] * (length - len(two))
    return " ".join(a + b for a, b in zip(one, two, strict=True))


def _shell(expander: Expander, text: str) -> str:
    expander.found.shells.append(expander.expand(text))
    return GAP


def _file(expander: Expander, text: str) -> str:
    target = expander.expand(arguments(text)[0]).strip()
    if target.startswith("<"):
        return GAP
    expander.found.files.append(target.lstrip(">").strip())
    return ""


def _unseen(why: str) -> Callable[[Expander, str], str]:
    def function(expander: Expander, text: str) -> str:
        expander.expand(text)
        expander.found.unseen.append(why)
        return GAP

    return function


def _silent(expander: Expander, text: str) -> str:
    expander.expand(text)
    return ""


def _gap(expander: Expander, text: str) -> str:
    expander.expand(text)
    return GAP


def _foreach(expander: Expander, given: list[str]) -> str:
    if len(given) < 3:
        return GAP
    name, values = expander.expand(given[0]).strip(), expander.expand(given[1])
    if GAP in values:
        return GAP
    return " ".join(expander.within({name: value}, ",".join(given[2:])) for value in words(values))


def _if(expander: Expander, given: list[str]) -> str:
    condition = expander.expand(given[0].strip())
    branches = [expander.expand(branch) for branch in given[1:3]] + ["", ""]
    if patterned(condition):
        return GAP if branches[0] != branches[1] else branches[0]
    return branches[0] if condition else branches[1]


def _any_of(expander: Expander, given: list[str]) -> str:
    for argument in given:
        value = expander.expand(argument.strip())
        if value:
            return GAP if patterned(value) else value
    return ""


def _all_of(expander: Expander, given: list[str]) -> str:
    values = [expander.expand(argument.strip()) for argument in given]
    if "" in values:
        return ""
    return GAP if any(patterned(value) for value in values) else values[-1]


def _call(expander: Expander, given: list[str]) -> str:
    name = expander.expand(given[0]).strip()
    values = {str(number): expander.expand(argument) for number, argument in enumerate(given[1:], start=1)}
    variable = expander.variables.get(name)
    if variable is None:
        return GAP
    return expander.within({**{str(number): "" for number in range(10)}, **values, "0": name}, variable.text)


FUNCTIONS: Mapping[str, Callable[[Expander, str], str]] = {
    "subst": _known(lambda old, new, text: text.replace(old, new) if old else text, 3),
    "patsubst": _known(patsubst, 3),
    "strip": _known(lambda text: " ".join(words(text)), 1),
    "findstring": _known(lambda part, text: GAP if patterned(text) else part if part in text else "", 2),
    "filter": _known(_filter(True), 2),
    "filter-out": _known(_filter(False), 2),
    "sort": _known(lambda text: " ".join(sorted(set(words(text)))), 1),
    "word": _known(lambda number, text: _wordlist(number, number, text), 2),
    "wordlist": _known(_wordlist, 3),
    "words": _known(lambda text: GAP if patterned(text) else str(len(words(text))), 1),
    "firstword": _known(lambda text: " ".join(words(text)[:1]), 1),
    "lastword": _known(lambda text: " ".join(words(text)[-1:]), 1),
    "dir": _known(_dir, 1),
    "notdir": _known(_notdir, 1),
    "suffix": _known(_each(lambda word: posixpath.splitext(word)[1]), 1),
    "basename": _known(_each(lambda word: posixpath.splitext(word)[0]), 1),
    "addsuffix": _known(lambda suffix, text: " ".join(word + suffix for word in words(text)), 2),
    "addprefix": _known(lambda prefix, text: " ".join(prefix + word for word in words(text)), 2),
    "join": _known(_join, 2),
    # A pattern stands for the files that fit it, here as in the shell to which it is handed on.
    "wildcard": _known(lambda text: " ".join(word if patterned(word) else GAP for word in words(text)), 1),
    "abspath": _gap,
    "realpath": _gap,
    "value": _gap,
    "origin": _gap,
    "flavor": _gap,
    "shell": _shell,
    "file": _file,
    "info": _silent,
    "warning": _silent,
    "error": _silent,
    "eval": _unseen("$(eval …) makes rules that are not seen"),
    "guile": _unseen("$(guile …) runs a program of its own"),
}  # fmt: skip
"""Functions of the expanded text behind the name."""

_LAZY: Mapping[str, Callable[[Expander, list[str]], str]] = {
    "foreach": _foreach, "if": _if, "or": _any_of, "and": _all_of, "call": _call,
}  # fmt: skip
"""Functions that expand their arguments themselves."""
