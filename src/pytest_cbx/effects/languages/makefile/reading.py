"""Reads a makefile: its variables and rules. Conditions that are not known are taken both ways."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from pytest_cbx.effects.languages.makefile.expansion import GAP, Expander, Found, Variable, closing, patterned, words

MOST_LINES = 20_000
MOST_INCLUDES = 30

DEFAULTS: Mapping[str, Variable] = {
    name: Variable(text, True)
    for name, text in {
        "AR": "ar", "ARFLAGS": "-rv", "AS": "as", "CC": "cc", "CXX": "g++", "CPP": "$(CC) -E", "FC": "f77", "LD": "ld",
        "LEX": "lex", "YACC": "yacc", "RM": "rm -f", "MAKE": "make", "MAKECMDGOALS": "", "MAKEFLAGS": "", "MFLAGS": "",
        "SHELL": "/bin/sh", ".SHELLFLAGS": "-c", "SUFFIXES": "", ".LIBPATTERNS": "", "OUTPUT_OPTION": "-o $@",
        "COMPILE.c": "$(CC) $(CFLAGS) $(CPPFLAGS) $(TARGET_ARCH) -c", "LINK.c": "$(CC) $(CFLAGS) $(CPPFLAGS) $(LDFLAGS)",
        "COMPILE.cc": "$(CXX) $(CXXFLAGS) $(CPPFLAGS) $(TARGET_ARCH) -c", "LINK.cc": "$(CXX) $(CXXFLAGS) $(CPPFLAGS) $(LDFLAGS)",
        "COMPILE.cpp": "$(COMPILE.cc)", "LINK.o": "$(CC) $(LDFLAGS)",
    }.items()
}  # fmt: skip
"""What `make -p` prints of its own for an empty makefile, as far as recipes use it."""

_ASSIGNMENT = re.compile(
    r"^\s*(?P<words>(?:(?:export|override|private|unexport)\s+)*)(?P<name>[^\s:#=!?+]+|\$[({].*?[)}])\s*"
    r"(?P<operator>::?:?=|\?=|\+=|!=|=)\s*(?P<value>.*)$",
    re.DOTALL,
)
_DEFINE = re.compile(r"^\s*(?:override\s+|export\s+)*define\s+(\S+)\s*(::?:?=|\?=|\+=|!=|=)?\s*$")
_CONDITION = re.compile(r"^\s*(ifeq|ifneq|ifdef|ifndef)\b\s*(.*)$", re.DOTALL)
_ELSE = re.compile(r"^\s*else\b\s*(.*)$", re.DOTALL)
_ENDIF = re.compile(r"^\s*endif\b")
_INCLUDE = re.compile(r"^\s*(-?include|sinclude)\s+(.*)$", re.DOTALL)
_EXPORT = re.compile(r"^\s*(?:un)?export\b\s*(.*)$", re.DOTALL)
_COMMENT = re.compile(r"(?<!\\)#.*", re.DOTALL)


@dataclass(slots=True, kw_only=True)
class Rule:
    """Targets, what they need, and the recipe's lines as they stand. `stem_pattern` is a static pattern rule's target pattern."""

    targets: tuple[str, ...]
    prerequisites: tuple[str, ...]
    order_only: tuple[str, ...] = ()
    recipe: list[str] = field(default_factory=list)
    stem_pattern: str = ""
    uncertain: bool = False
    """It may not be there: it stands in a condition that is not known."""

    @property
    def implicit(self) -> bool:
        return not self.stem_pattern and any("%" in target for target in self.targets)


@dataclass(slots=True, kw_only=True)
class Makefile:
    """All that was read, includes within."""

    expander: Expander
    found: Found
    rules: list[Rule] = field(default_factory=list)
    specific: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)
    """For each target or pattern its own variables: name, operator, value."""
    exported: set[str] = field(default_factory=set)
    one_shell: bool = False
    default_goal: str = ""


def read_makefile(
    text: str,
    name: str,
    *,
    overrides: Mapping[str, str],
    environment: Mapping[str, str],
    include: Callable[[str], str | None],
) -> Makefile:
    """Read a makefile's text.

    `overrides` are the command line's variables; `include` gives the text of a file that it includes, as far as it can be seen.
    """
    found = Found()
    variables = {**DEFAULTS, **{key: Variable(value, False) for key, value in environment.items()}}
    variables.update({key: Variable(value, True) for key, value in overrides.items()})
    variables["MAKEFILE_LIST"] = Variable(name, False)
    makefile = Makefile(expander=Expander(variables, found), found=found)
    _Reader(makefile, frozenset(overrides), include).read(text)
    return makefile


@dataclass(slots=True)
class _Branch:
    """One `if` that is open: whether its present part counts (None: not known), and whether an earlier part did."""

    taken: bool | None
    before: bool | None


class _Reader:
    """Goes through the lines from top to bottom."""

    def __init__(self, makefile: Makefile, fixed: frozenset[str], include: Callable[[str], str | None]) -> None:
        self._makefile = makefile
        self._fixed = fixed
        self._include = include
        self._branches: list[_Branch] = []
        self._rule: Rule | None = None
        self._lines = 0
        self._includes = 0

    def read(self, text: str) -> None:
        outer, self._branches = self._branches, list(self._branches)
        self._rule = None
        depth = len(self._branches)
        lines = _logical_lines(text)
        for line in lines:
            self._lines += 1
            if self._lines > MOST_LINES:
                self._doubt("a makefile that is too long to follow")
                break
            if line.startswith("\t") and self._rule is not None:
                if self._counts is not False:
                    self._rule.recipe.append(line[1:])
                continue
            self._statement(line, lines)
        del self._branches[depth:]
        self._branches = outer
        self._rule = None

    @property
    def _counts(self) -> bool | None:
        """Whether the present line counts; None when that is not known."""
        verdict: bool | None = True
        for branch in self._branches:
            if branch.taken is False:
                return False
            verdict = None if branch.taken is None else verdict
        return verdict

    def _doubt(self, why: str) -> None:
        self._makefile.found.unseen.append(why)

    def _statement(self, line: str, lines: Iterator[str]) -> None:
        plain = _COMMENT.sub("", line)
        if not plain.strip():
            return
        if self._conditional(plain) or self._counts is False:
            return
        define = _DEFINE.match(plain)
        if define:
            self._assign(define[1], define[2] or "=", "\n".join(_body(lines)))
        elif include := _INCLUDE.match(plain):
            self._read_included(include[2], optional=include[1] != "include")
        elif assignment := _assignment(plain):
            self._assigned(assignment)
        elif export := _EXPORT.match(plain):
            self._makefile.exported.update(words(self._makefile.expander.expand(export[1])) or {"*"})
        elif re.match(r"^\s*(vpath|undefine|load|-load)\b", plain):
            self._doubt(f"a directive that is not followed: {plain.split()[0]}")
        else:
            self._read_rule(plain, line)

    # --- conditions ----------------------------------------------------------------------------------

    def _conditional(self, line: str) -> bool:
        if condition := _CONDITION.match(line):
            verdict = self._holds(condition[1], condition[2]) if self._counts is not False else False
            self._branches.append(_Branch(verdict, verdict))
            return True
        if _ENDIF.match(line):
            if self._branches:
                self._branches.pop()
            return True
        other = _ELSE.match(line)
        if not other or not self._branches:
            return bool(other)
        branch = self._branches[-1]
        again = _CONDITION.match(other[1])
        now: bool | None = self._holds(again[1], again[2]) if again else True
        if branch.before is True:
            branch.taken = False
        else:
            branch.taken = None if branch.before is None and now is not False else now
        branch.before = (
            True if branch.before is True or now is True else (None if None in (branch.before, now) else False)
        )
        return True

    def _holds(self, kind: str, text: str) -> bool | None:
        expander = self._makefile.expander
        if kind in ("ifdef", "ifndef"):
            variable = expander.variables.get(expander.expand(text.strip()))
            return (variable is not None and bool(variable.text)) == (kind == "ifdef")
        sides = _sides(text.strip())
        if sides is None:
            return None
        left, right = (expander.expand(side) for side in sides)
        if patterned(left) or patterned(right):
            return None
        return (left == right) == (kind == "ifeq")

    # --- variables -----------------------------------------------------------------------------------

    def _assigned(self, found: re.Match[str]) -> None:
        name = self._makefile.expander.expand(found["name"]).strip()
        if "export" in found["words"].split():
            self._makefile.exported.add(name)
        if name in self._fixed and "override" not in found["words"]:
            return
        if name == ".RECIPEPREFIX":
            self._doubt("recipes with another prefix than a tab")
        elif name == ".DEFAULT_GOAL":
            self._makefile.default_goal = self._makefile.expander.expand(found["value"]).strip()
        else:
            self._assign(name, found["operator"], found["value"])

    def _assign(self, name: str, operator: str, value: str) -> None:
        expander = self._makefile.expander
        before = expander.variables.get(name)
        if self._counts is None:
            # In a condition that is not known: it may have either value.
            expander.expand(value)
            expander.variables[name] = Variable(GAP, False)
            return
        expander.variables[name] = assigned(expander, before, operator, value)

    # --- rules and includes ----------------------------------------------------------------------------

    def _read_included(self, text: str, *, optional: bool) -> None:
        for name in words(self._makefile.expander.expand(text)):
            content = None if patterned(name) else self._include(name)
            self._includes += 1
            if content is not None and self._includes <= MOST_INCLUDES:
                self.read(content)
            elif (not optional or self._includes > MOST_INCLUDES or patterned(name)) and not name.endswith(".d"):
                self._doubt(f"the included file {name.replace(GAP, '…')} is not seen")

    def _read_rule(self, plain: str, line: str) -> None:
        head, semicolon, first = _split_recipe(plain)
        expander = self._makefile.expander
        text = expander.expand(head)
        found = re.search(r"(?<![A-Za-z]):(?![\\/])|:$|:(?=\s)|:", text)
        if not found:
            if expander.expand(plain).strip():
                self._doubt(f"a line that is not understood: {line.strip()[:40]}")
            return
        targets = tuple(words(text[: found.start()].rstrip("&")))
        rest = text[found.end() :].removeprefix(":")
        specific = _assignment(rest) if "=" in rest else None
        if specific and not semicolon:
            # The value is expanded when it is used, so it is taken from the text as it stands.
            raw = _assignment(plain[plain.index(":") + 1 :].removeprefix(":")) or specific
            for target in targets:
                self._makefile.specific.setdefault(target, []).append((specific["name"], raw["operator"], raw["value"]))
            return
        if any(GAP in target for target in targets):
            self._doubt("a rule whose targets are not known beforehand")
        self._add(targets, rest, first if semicolon else None)

    def _add(self, targets: tuple[str, ...], rest: str, first: str | None) -> None:
        if ".ONESHELL" in targets:
            self._makefile.one_shell = True
        pattern, colon, needs = rest.partition(":")
        if not colon:
            pattern, needs = "", rest
        normal, _, order = needs.partition("|")
        rule = Rule(
            targets=tuple(posixpath.normpath(target) if target.startswith("./") else target for target in targets),
            prerequisites=tuple(words(normal)), order_only=tuple(words(order)),
            recipe=[first] if first is not None else [], stem_pattern=pattern.strip(), uncertain=self._counts is None,
        )  # fmt: skip
        self._makefile.rules.append(rule)
        self._rule = rule


def assigned(expander: Expander, before: Variable | None, operator: str, value: str) -> Variable:
    """The variable after `NAME operator value`."""
    if operator == "+=" and before is not None:
        added = value if before.recursive else expander.expand(value)
        return replace(before, text=f"{before.text} {added}".strip())
    if operator == "?=":
        return before if before is not None else Variable(value, True)
    if operator == "!=":
        expander.found.shells.append(expander.expand(value))
        return Variable(GAP, False)
    if operator in ("=", "+="):
        return Variable(value, True)
    return Variable(expander.expand(value), False)


def _assignment(line: str) -> re.Match[str] | None:
    """`NAME = value`, and no rule: no colon stands before the operator."""
    found = _ASSIGNMENT.match(line)
    return found if found and not line.startswith("\t") else None


def _logical_lines(text: str) -> Iterator[str]:
    """Lines with their continuations: joined by a blank, but kept as they are in recipes."""
    pending: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        pending.append(line)
        if line.endswith("\\") and (len(line) - len(line.rstrip("\\"))) % 2:
            continue
        if pending[0].startswith("\t"):
            yield "\n".join([pending[0], *(part.removeprefix("\t") for part in pending[1:])])
        else:
            yield " ".join(
                [
                    *(part[:-1].strip(" \t") if at else part[:-1].rstrip() for at, part in enumerate(pending[:-1])),
                    pending[-1].strip(" \t") if len(pending) > 1 else pending[-1],
                ]
            )
        pending = []
    if pending:
        yield "\n".join(pending).rstrip("\\")


def _body(lines: Iterator[str]) -> Iterator[str]:
    """The lines of a `define` up to its `endef`."""
    depth = 1
    for line in lines:
        if re.match(r"^\s*define\b", line):
            depth += 1
        elif re.match(r"^\s*endef\b", line):
            depth -= 1
            if not depth:
                return
        yield line


def _sides(text: str) -> tuple[str, str] | None:
    """Both sides of `(a,b)`, `"a" "b"` or `'a' 'b'`."""
    if text.startswith("("):
        end = closing(text, 0)
        body = text[1:end] if end > 0 else ""
        depth = 0
        for index, char in enumerate(body):
            depth += (char in "({") - (char in ")}")
            if char == "," and not depth:
                return body[:index].strip(), body[index + 1 :].strip()
        return None
    quoted = re.match(r"""^(["'])(.*?)\1\s*(["'])(.*?)\3\s*$""", text)
    return (quoted[2], quoted[4]) if quoted else None


def _split_recipe(line: str) -> tuple[str, str, str]:
    """A rule's line before and behind the first `;` that starts its recipe."""
    depth = 0
    for index, char in enumerate(line):
        depth += (char in "({") - (char in ")}")
        if char == ";" and not depth:
            return line[:index], ";", line[index + 1 :].strip()
    return line, "", ""
