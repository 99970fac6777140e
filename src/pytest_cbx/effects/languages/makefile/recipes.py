"""Which recipes a goal would run, as texts for a shell, in the order in which make would come to them."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_cbx.effects.languages.makefile.expansion import GAP, Variable, match, patterned, words
from pytest_cbx.effects.languages.makefile.reading import Makefile, Rule, assigned

MOST_TARGETS = 400

_BUILT_IN = (
    ("%.o", "%.c", "$(COMPILE.c) $(OUTPUT_OPTION) $<"),
    ("%.o", "%.cc", "$(COMPILE.cc) $(OUTPUT_OPTION) $<"),
    ("%.o", "%.cpp", "$(COMPILE.cpp) $(OUTPUT_OPTION) $<"),
    ("%", "%.o", "$(LINK.o) $^ $(LOADLIBES) $(LDLIBS) -o $@"),
    ("%", "%.c", "$(LINK.c) $^ $(LOADLIBES) $(LDLIBS) -o $@"),
)
"""Implicit rules of make's own for C and C++; the others (yacc, RCS, TeX…) are not taken for granted."""

_SPECIAL = frozenset(
    {".PHONY", ".SUFFIXES", ".DEFAULT", ".PRECIOUS", ".INTERMEDIATE", ".NOTINTERMEDIATE", ".SECONDARY", ".SECONDEXPANSION",
     ".DELETE_ON_ERROR", ".IGNORE", ".LOW_RESOLUTION_TIME", ".SILENT", ".EXPORT_ALL_VARIABLES", ".NOTPARALLEL", ".ONESHELL", ".POSIX"}
)  # fmt: skip
_VARIABLE = "CBX_NOT_KNOWN"
"""A shell variable that nobody sets: the shell's reader knows that its value is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One text for a shell. `always`: it runs under `make -n`, too."""

    text: str
    target: str
    always: bool


class Goals:
    """Walks from goals to what they need, each target once."""

    def __init__(self, makefile: Makefile, exists: Callable[[str], bool]) -> None:
        self._makefile = makefile
        self._exists = exists
        self._explicit: dict[str, list[Rule]] = {}
        self._patterns: list[Rule] = []
        for rule in makefile.rules:
            if rule.implicit:
                self._patterns.append(rule)
            else:
                for target in rule.targets:
                    self._explicit.setdefault(target, []).append(rule)
        self._done: set[str] = set()
        self._phony = {name for rule in self._explicit.get(".PHONY", []) for name in rule.prerequisites}

    def default(self) -> str:
        """The goal when none is named: the first target that is neither special nor a pattern. Empty: there is none."""
        if self._makefile.default_goal:
            return self._makefile.default_goal
        for rule in self._makefile.rules:
            for target in rule.targets:
                if not rule.implicit and (not target.startswith(".") or "/" in target):
                    return target
        return ""

    def recipes(self, goals: Sequence[str]) -> Iterator[Recipe]:
        """The recipes for these goals. Targets that are up to date when make runs are left out by make itself."""
        for goal in goals:
            yield from self._target(goal, {})

    def lacks(self, goal: str) -> bool:
        """Whether make would find neither a rule for the goal nor a file of that name."""
        known = goal in self._explicit or goal in self._phony or patterned(goal) or self._exists(goal)
        return not known and not any(self._implicit(goal))

    def _target(self, target: str, inherited: Mapping[str, Variable]) -> Iterator[Recipe]:
        if target in self._done or target in _SPECIAL:
            return
        if len(self._done) >= MOST_TARGETS:
            self._makefile.found.unseen.append("more targets than can be followed")
            return
        self._done.add(target)
        rules = self._explicit.get(target, [])
        own = self._own_variables(target, inherited)
        cooks = [rule for rule in rules if rule.recipe]
        needs = [name for rule in rules for name in self._needs(rule, target)]
        implicit: list[tuple[Rule, str]] = []
        if not cooks and target not in self._phony:
            implicit = list(self._implicit(target))
        for rule, stem in implicit:
            needs += [need.replace("%", stem, 1) for need in (*rule.prerequisites, *rule.order_only)]
        for need in needs:
            yield from self._target(need, own)
        inputs = [name for rule in rules for name in self._inputs(rule, target)]
        for rule in cooks:
            stem = match(rule.stem_pattern, target) or "" if rule.stem_pattern else posixpath.splitext(target)[0]
            yield from self._lines(rule, target, inputs, stem, own)
        for rule, stem in implicit:
            all_inputs = [*(need.replace("%", stem, 1) for need in rule.prerequisites), *inputs]
            yield from self._lines(rule, target, all_inputs, stem, own)

    def _needs(self, rule: Rule, target: str) -> list[str]:
        return [*self._inputs(rule, target), *rule.order_only]

    def _inputs(self, rule: Rule, target: str) -> list[str]:
        if not rule.stem_pattern:
            return list(rule.prerequisites)
        stem = match(rule.stem_pattern, target)
        return [need.replace("%", stem, 1) for need in rule.prerequisites] if stem is not None else []

    def _implicit(self, target: str) -> Iterator[tuple[Rule, str]]:
        """Pattern rules that fit a target without a recipe of its own; make's own ones where the makefile has none.

        Which one make takes depends on the files that are there: all that fit are followed.
        """
        own = [(rule, stem) for rule in self._patterns for stem in self._stems(rule, target) if rule.recipe]
        specific = [(rule, stem) for rule, stem in own if rule.targets != ("%",)]
        yield from specific or own
        if own:
            return
        for pattern, need, recipe in _BUILT_IN:
            stem = match(pattern, target)
            if stem and self._may_be_there(need.replace("%", stem, 1), of_many=pattern == "%.o"):
                yield Rule(targets=(pattern,), prerequisites=(need,), recipe=[recipe]), stem
                return

    def _may_be_there(self, path: str, *, of_many: bool) -> bool:
        """Whether make's own rules would find a file, or make it of a C or C++ source. `of_many`: a pattern counts as found."""
        if patterned(path):
            return of_many
        if path in self._explicit or self._exists(path):
            return True
        stem, suffix = posixpath.splitext(path)
        return suffix == ".o" and any(self._exists(f"{stem}{source}") for source in (".c", ".cc", ".cpp"))

    def _stems(self, rule: Rule, target: str) -> Iterable[str]:
        for pattern in rule.targets:
            # A pattern without a slash is held against the base name; the directory becomes part of the stem.
            folder, base = ("", target) if "/" in pattern else posixpath.split(target)
            stem = match(pattern, base)
            if stem:
                yield posixpath.join(folder, stem) if folder else stem
                return

    def _own_variables(self, target: str, inherited: Mapping[str, Variable]) -> Mapping[str, Variable]:
        own = dict(inherited)
        for pattern, settings in self._makefile.specific.items():
            if match(pattern, target) is None:
                continue
            for name, operator, value in settings:
                before = own.get(name, self._makefile.expander.variables.get(name))
                own[name] = assigned(self._makefile.expander, before, operator, value)
        return own

    def _lines(
        self, rule: Rule, target: str, inputs: Sequence[str], stem: str, own: Mapping[str, Variable]
    ) -> Iterator[Recipe]:
        expander = self._makefile.expander
        automatic = {
            "@": target, "<": inputs[0] if inputs else "", "^": " ".join(dict.fromkeys(inputs)), "+": " ".join(inputs),
            "?": " ".join(dict.fromkeys(inputs)), "*": stem, "|": " ".join(rule.order_only), "%": "",
        }  # fmt: skip
        saved = dict(expander.variables)
        expander.variables.update(own)
        texts = [(line, expander.within(automatic, line)) for line in rule.recipe]
        expander.variables = saved
        lines = [(plain, written) for written, text in texts for plain in _unprefixed(text, self._makefile.one_shell)]
        if self._makefile.one_shell:
            lines = [("\n".join(text for text, _ in lines), "\n".join(rule.recipe))]
        for text, written in lines:
            if text.strip():
                always = written.lstrip("@-").startswith("+") or "$(MAKE)" in written or "${MAKE}" in written
                yield Recipe(text=for_shell(text), target=target, always=always)


def _unprefixed(text: str, one_shell: bool) -> Iterator[str]:
    """The lines of an expanded recipe line (a `define` has several) without `@`, `-`, `+`."""
    parts: list[str] = []
    for line in text.split("\n"):
        if parts and parts[-1].endswith("\\"):
            parts[-1] += f"\n{line}"
        else:
            parts.append(line)
    for part in parts:
        yield part.lstrip(" \t").lstrip("@-+ \t") if not one_shell else part


def for_shell(text: str) -> str:
    """The text with its gaps as a variable that is not known, in the quotes that they stand in."""
    if GAP not in text:
        return text
    out: list[str] = []
    quote = ""
    escaped = False
    for char in text:
        if char == GAP:
            out.append(f"'\"${{{_VARIABLE}}}\"'" if quote == "'" else f"${{{_VARIABLE}}}")
            continue
        if escaped:
            escaped = False
        elif char == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        out.append(char)
    return "".join(out)


def goals_of(makefile: Makefile, named: Sequence[str], exists: Callable[[str], bool]) -> tuple[Goals, list[str]]:
    """The walk and where it starts. `exists` tells whether a source file is there."""
    goals = Goals(makefile, exists)
    starts = [word for name in named for word in words(name)]
    default = goals.default()
    return goals, starts or ([default] if default else [])
