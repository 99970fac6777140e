"""make: the recipes of the asked goals are read and followed; by convention where no makefile can be seen."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from pytest_cbx.effects.languages.makefile.expansion import GAP
from pytest_cbx.effects.languages.makefile.reading import Makefile, read_makefile
from pytest_cbx.effects.languages.makefile.recipes import for_shell, goals_of
from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.seen import SOMEWHERE
from pytest_cbx.effects.values import UNKNOWN, Field

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

_NAMES = ("GNUmakefile", "makefile", "Makefile")
_BUILDING = (
    "all", "build", "test", "tests", "check", "lint", "compile", "coverage", "unit", "docs", "html", "test-*", "check-*", "build-*",
    "lint-*", "*.o", "*.a", "*.so",
)  # fmt: skip
"""Goals that by convention only build, test or check."""
_HARMLESS = (
    "CC=gcc", "CC=cc", "CC=clang", "CXX=g++", "CXX=clang++", "CFLAGS=*", "CXXFLAGS=*", "LDFLAGS=*", "V=[01]", "VERBOSE=[01]",
    "DEBUG=[01]", "BUILD=*", "PREFIX=*", "PYTHON=python*",
)  # fmt: skip
_ASSIGNMENT = re.compile(r"^([A-Za-z_.][\w.]*)\s*(?:::?:?|\?|\+)?=(.*)$", re.DOTALL)
_SHELL = re.compile(r"^(?:\S*/env\s+)?(?:\S*/)?(?:ba|da|k|z)?sh$")
_SHELL_FLAGS = re.compile(r"^(?:-[euxo]*c|-o pipefail|-[eux]+|pipefail|-o)(?: (?:-[euxo]*c|-o|pipefail|-[eux]+))*$")
_IDLE = ("-n", "--just-print", "--dry-run", "--recon", "-q", "--question", "-t", "--touch")
"""Under these only recipes that call make again run."""


def make(call: Call) -> None:
    """`make [OPTION…] [NAME=VALUE…] [GOAL…]`."""
    goals: list[str] = []
    overrides: dict[str, str] = {}
    for operand in call.parsed.operands:
        assignment = _ASSIGNMENT.match(operand.text)
        if assignment:
            overrides[assignment[1]] = assignment[2] if operand.known else f"{assignment[2]}{GAP}"
        elif operand.known:
            goals.append(operand.text)
        else:
            call.doubt("a goal that is not known beforehand")
    makefile = None if call.given("-E", "--eval") else _read(call, overrides)
    if makefile is None:
        _by_convention(call)
        return
    key = (f"make:{call.base.text}:{' '.join(goals)}", 0)
    if key in call.host.active:
        call.doubt("make runs itself with the same goals")
        return
    call.host.active.append(key)
    _run(call, makefile, goals, overrides)
    call.host.active.pop()


def _read(call: Call, overrides: dict[str, str]) -> Makefile | None:
    """The makefile; None where it cannot be seen."""
    host = call.host
    files = [given.value for parsed in call.readings for given in parsed.options if "-f" in given.option.names]
    texts: list[str] = []
    names = [value or UNKNOWN for value in files] or [Field(name) for name in _NAMES]
    for name in names:
        text = host.file_text(name, call.base, call.name)
        if text is not None:
            call.touch(Kind.READ, name)
            texts.append(text)
            if not files:
                break
        elif files:
            return None
    if not texts:
        return None
    environment = {
        name: value.text
        for name, value in host.state.variables.items()
        if name in host.state.exported and isinstance(value, Field) and value.known
    }
    environment["CURDIR"] = call.base.text if call.base.known else GAP
    if call.given("-C", "--directory"):
        environment["PWD"] = environment["CURDIR"]

    def include(path: str) -> str | None:
        included = host.file_text(Field(path), call.base, call.name)
        if included is not None:
            call.touch(Kind.READ, Field(path))
        return included

    return read_makefile("\n".join(texts), names[0].text, overrides=overrides, environment=environment, include=include)


def _run(call: Call, makefile: Makefile, goals: list[str], overrides: dict[str, str]) -> None:
    host = call.host

    def exists(path: str) -> bool:
        return host.file_text(Field(path), call.base, call.name) is not None

    walk, starts = goals_of(makefile, goals, exists)
    recipes = list(walk.recipes(starts))
    for goal in filter(walk.lacks, goals):
        # It fails now; another makefile may be there when it runs.
        _goal(call, Field(goal), f"the makefile has no rule for {goal}")
    shells = makefile.expander.expand("$(SHELL)").strip(), makefile.expander.expand("$(.SHELLFLAGS)").strip()
    if not _SHELL.match(shells[0]) or not _SHELL_FLAGS.match(shells[1]):
        call.effect(Kind.EXECUTE, f"recipes run by {shells[0].replace(GAP, '…')} are not followed")
    state = host.state.process()
    state.cwd = call.base
    with host.fork(state):
        for name, value in overrides.items():
            host.assign(name, Field(value) if GAP not in value else UNKNOWN, temporary=True)
        for name in makefile.exported - overrides.keys():
            value = makefile.expander.expand(f"$({name})") if name != "*" else ""
            host.assign(name, Field(value) if GAP not in value else UNKNOWN, temporary=True)
        idle = call.given(*_IDLE)
        for text in makefile.found.shells:
            host.run_text(Field(for_shell(text)), call.name)
        for recipe in recipes:
            if recipe.always or not idle:
                host.run_text(Field(recipe.text), call.name)
            if call.given("-t", "--touch"):
                call.touch(Kind.METADATA, Field(recipe.target))
    for file in makefile.found.files:
        call.touch(Kind.WRITE, Field(file) if GAP not in file else UNKNOWN)
    for why in dict.fromkeys(makefile.found.unseen):
        call.effect(Kind.EXECUTE, why)


def _by_convention(call: Call) -> None:
    """The usual goals build, test and clean; whatever else may do anything."""
    operands = call.parsed.operands
    if call.given("-f", "--file", "--makefile"):
        call.effect(Kind.EXECUTE, "a makefile of an uncommon name that is not seen")
    call.touch(Kind.OUTPUT, Field("."), "tree", SOMEWHERE[0]) if not operands else None
    for operand in operands:
        _goal(call, operand, "its recipes are not seen")


def _goal(call: Call, goal: Field, unseen: str) -> None:
    """What a goal does by its name."""
    if goal.known and any(fnmatchcase(goal.text, pattern) for pattern in (*_BUILDING, *_HARMLESS)):
        call.touch(Kind.OUTPUT, Field("."), "tree", SOMEWHERE[0])
    elif goal.known and goal.text == "clean":
        call.touch(Kind.DELETE, Field("."), "tree", SOMEWHERE[1])
    else:
        call.effect(Kind.EXECUTE, unseen)


INTERPRETERS: dict[str, Callable[[Call], None]] = {"make": make}
