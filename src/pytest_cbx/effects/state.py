"""What the shell would know at a point of a script: variables, working directory, functions, aliases."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from pytest_cbx.effects.paths import Context
from pytest_cbx.effects.values import UNKNOWN, Field, Shape, Variable, as_pattern
from pytest_cbx.shell.nodes import Function

NUMBERS = frozenset(
    {"RANDOM", "SRANDOM", "SECONDS", "LINENO", "UID", "EUID", "PPID", "BASHPID", "EPOCHSECONDS", "EPOCHREALTIME", "SHLVL", "OPTIND",
     "COLUMNS", "LINES", "?", "$", "!", "#"}
)  # fmt: skip
"""Parameters that hold numbers."""

_COUNTERS = frozenset({"RANDOM", "SRANDOM", "OPTIND", "HISTCMD"})
"""Parameters of bash that evaluate what they are set to."""

MOST_ELEMENTS = 200
"""Longer arrays and lists of positional parameters are given up as unknown: they could be doubled again and again."""


def listed(fields: Sequence[Field]) -> tuple[Field, ...] | None:
    """Positional parameters; None where nobody knows how many there are, or where there are too many."""
    return None if len(fields) > MOST_ELEMENTS or any(field.many for field in fields) else tuple(fields)


@dataclass(slots=True, kw_only=True)
class State:
    """Changed in place while the walker goes through a script; copied where the shell forks or branches."""

    variables: dict[str, Variable]
    cwd: Field
    functions: dict[str, Function] = field(default_factory=dict)
    aliases: dict[str, str | None] = field(default_factory=dict)
    """None: an alias whose text is unknown."""
    expand_aliases: bool = False
    positional: tuple[Field, ...] | None = None
    """`$1…`; None when unknown."""
    exported: set[str] = field(default_factory=set)
    """Variables that programs get too."""
    doubtful: set[str] = field(default_factory=set)
    """Functions that may or may not be defined."""
    functions_exported: bool = False
    integers: set[str] = field(default_factory=lambda: set(_COUNTERS))
    """Variables whose values are evaluated as arithmetic when they are set (`declare -i`)."""
    last_in_shell: bool = False
    """The last command of a pipeline runs in this shell (`shopt -s lastpipe`)."""
    ended: bool = False
    """The shell, function or loop was left (`exit`, `return`, `break`)."""

    @classmethod
    def start(cls, context: Context) -> State:
        """The state in which `bash -c` starts."""
        variables: dict[str, Variable] = {name: Field(value) for name, value in context.environment.items()}
        variables.update(IFS=Field(" \t\n"), HOME=Field(context.home), PWD=Field(context.cwd))
        return cls(
            variables=variables, cwd=Field(context.cwd), positional=(), exported={*context.environment, "HOME", "PWD"}
        )  # fmt: skip

    def copy(self) -> State:
        """What a subshell or another branch starts with."""
        return State(
            variables=dict(self.variables), cwd=self.cwd, functions=dict(self.functions), aliases=dict(self.aliases),
            expand_aliases=self.expand_aliases, positional=self.positional, exported=set(self.exported),
            doubtful=set(self.doubtful), functions_exported=self.functions_exported, integers=set(self.integers),
            last_in_shell=self.last_in_shell, ended=self.ended,
        )  # fmt: skip

    def process(self, positional: tuple[Field, ...] | None = ()) -> State:
        """What another shell process starts with: only exported variables and functions reach it (these in a shell only)."""
        child = self.copy()
        child.variables = {name: value for name, value in self.variables.items() if name in self.exported}
        child.variables["IFS"] = Field(" \t\n")
        if self.functions_exported:
            child.doubtful |= child.functions.keys()
        else:
            child.functions, child.doubtful = {}, set()
        child.aliases, child.expand_aliases = {}, False
        child.integers, child.last_in_shell = set(_COUNTERS), False
        child.positional, child.ended = positional, False
        return child

    def merge(self, other: State) -> None:
        """Keep what holds on both ways to this point; of short names a pattern that fits both; the rest becomes unknown."""
        if other.ended and not self.ended:
            self._add_definitions(other)
            return
        if self.ended and not other.ended:
            self.variables, self.cwd, self.positional = dict(other.variables), other.cwd, other.positional
            self.ended = False
        for name in self.variables.keys() | other.variables.keys():
            one, another = self.variables.get(name), other.variables.get(name)
            if one != another:
                self.variables[name] = either(one, another)
        if self.cwd != other.cwd:
            self.cwd = UNKNOWN
        if self.positional != other.positional:
            self.positional = None
        self._add_definitions(other)

    def _add_definitions(self, other: State) -> None:
        for name in self.functions.keys() | other.functions.keys():
            if self.functions.get(name) is not other.functions.get(name):
                self.doubtful.add(name)
        self.functions = {**other.functions, **self.functions}
        self.doubtful |= other.doubtful
        self.aliases = {**other.aliases, **self.aliases}
        self.expand_aliases |= other.expand_aliases
        self.functions_exported |= other.functions_exported
        self.integers |= other.integers
        self.last_in_shell |= other.last_in_shell

    def same_as(self, other: State) -> bool:
        """Whether nothing that expansions use differs."""
        return (
            self.variables == other.variables
            and self.cwd == other.cwd
            and self.positional == other.positional
            and self.functions.keys() == other.functions.keys()
        )

    def change_directory(self, path: Field) -> None:
        self.cwd = path
        self.variables["OLDPWD"] = self.variables.get("PWD", UNKNOWN)
        self.variables["PWD"] = path


_NAME = re.compile(r"[\w*][\w.+*-]*")


def either(one: Variable | None, other: Variable | None) -> Field:
    """A value that may be one or the other: `out/a` or `out/b` is `out/*`."""
    if (
        not (isinstance(one, Field) and isinstance(other, Field))
        or one.unknown
        or other.unknown
        or one.many
        or other.many
    ):
        return UNKNOWN
    parts, others = (as_pattern(field).split("/") for field in (one, other))
    if len(parts) != len(others):
        return UNKNOWN
    joined: list[str] = []
    for part, counterpart in zip(parts, others, strict=True):
        if part == counterpart:
            joined.append(part)
        elif _NAME.fullmatch(part) and _NAME.fullmatch(counterpart):
            joined.append(re.sub(r"\*+", "*", f"{posixpath.commonprefix([part, counterpart])}*"))
        else:
            return UNKNOWN
    return Field("/".join(joined), Shape.PATTERN)
