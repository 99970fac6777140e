"""Applies a catalogue entry to the words of a command: which effects it has, where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from pytest_cbx.effects.catalogue import EntrySpec, program
from pytest_cbx.effects.destinations import destinations, is_directory
from pytest_cbx.effects.grammar import Entry, Given, Option, Parsed, Slot, compile_entry, parse
from pytest_cbx.effects.matching import MOST_COMPARED, matches, valued
from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.paths import is_stream, join, name_of, parent_of, parents_of, resolve, stem_of
from pytest_cbx.effects.pathspecs import pathspecs
from pytest_cbx.effects.repository import Repository
from pytest_cbx.effects.rules import PLACED, Condition, Rule
from pytest_cbx.effects.survey import Changed, touch_parts
from pytest_cbx.effects.values import EMPTY, UNKNOWN, Field, Shape, concat

if TYPE_CHECKING:
    from pytest_cbx.effects.walker import Walker


TEXT_RUNNERS = frozenset(
    {"perl", "ruby", "php", "lua", "Rscript", "tclsh", "pwsh", "julia", "elixir", "osascript", "groovy"}
)
"""Programs that run the text of an option or of their standard input."""


class Call:
    """One use of a program: its entry (chain), its words, and where its effects go."""

    __slots__ = (
        "assigned", "base", "chain", "chosen", "fields", "host", "name", "output", "parsed", "path", "readings", "repository",
        "survey", "unlisted",
    )  # fmt: skip

    def __init__(self, host: Walker, name: str, fields: list[Field], entry: Entry) -> None:
        self.host: Walker = host
        self.name = name
        """The program's name, for people and reasons."""
        self.fields = fields
        """All words after the program's name."""
        self.chain: list[Entry] = [entry]
        """The entry and the entries of its sub-commands."""
        self.readings: list[Parsed] = []
        self.parsed = Parsed()
        """How the last entry of the chain reads its words."""
        self.base = host.state.cwd
        """The directory it works in."""
        self.assigned = 0
        """How many assignments stood among the operands of a declaration builtin."""
        self.output: Field | None = None
        """What it prints, where a special interpreter knows."""
        self.chosen = ""
        """The word that chose the last sub-command."""
        self.path: tuple[str, ...] = ()
        """The sub-commands."""
        self.unlisted = False
        """`chosen` is no listed sub-command, and the entry's `otherwise` says what that means."""
        self.repository: Repository | None = None
        """Where git works, once it was asked for."""
        self.survey: tuple[Changed | None] | None = None
        """What git changes in the work tree, once it was asked for."""

    @property
    def entry(self) -> Entry:
        return self.chain[-1]

    # --- what interpreters use ---------------------------------------------------------------------

    def touch(self, kind: Kind, target: Field, scope: str = "path", why: str = "") -> None:
        """An effect on a path."""
        if target.known and (not target.text or is_stream(target.text)):
            return
        if target.known and target.text == "-" and self.entry.dash == "stream":
            return
        if scope in ("into", "into-tree"):
            self._into(kind, target, why, tree=scope == "into-tree")
            return
        if scope == "git":
            touch_parts(self, kind, target, why)
            return
        if scope == "pathspec":
            for path, within in pathspecs(self, target):
                self.touch(kind, path, within, why)
            return
        if scope == "parents":
            for parent in parents_of(target, self.base, self.host.context):
                if kind is Kind.DELETE or not is_directory(self, parent):
                    self.touch(kind, parent, why=why)
            return
        places = resolve(target, self.base, self.host.context, scope)
        if places is None:
            reason = "the path is not known beforehand"
            self.host.note(kind, None, self.name, f"{why}: {reason}" if why else reason, target)
        else:
            for place in places:
                self.host.note(kind, place, self.name, why, target)

    def effect(self, kind: Kind, detail: str = "", subject: Field | None = None) -> None:
        """An effect without a place. `subject`: the word or text that it is about."""
        if subject is None and kind is Kind.EXECUTE and self.name in TEXT_RUNNERS:
            subject = self._handed()
        self.host.note(kind, None, self.name, detail, subject)

    def _handed(self) -> Field | None:
        """The text that the program is handed to run, where it comes from elsewhere: a word, or its standard input."""
        fed = not self.parsed.operands or self.parsed.operands[0].text == "-"
        texts = [*self.fields, self.host.stdin] if fed else self.fields
        return next(
            (text for text in texts if text.origin is not None and (text.origin.fetched or text.origin.decoded)), None
        )

    def doubt(self, reason: str) -> None:
        """An UNKNOWN effect."""
        self.host.note(Kind.UNKNOWN, None, self.name, reason)

    def given(self, *names: str) -> bool:
        """Whether an option was given, at any level of sub-commands."""
        return any(parsed.given(*names) for parsed in self.readings)

    def surely(self, *names: str) -> bool:
        """Whether an option was given and not taken back by a later one."""
        return any(name in parsed.names - parsed.negated for parsed in self.readings for name in names)

    def value(self, *names: str) -> Field | None:
        """The value of an option, the innermost level first."""
        for parsed in reversed(self.readings):
            if parsed.given(*names):
                return parsed.value(*names)
        return None

    def _into(self, kind: Kind, target: Field, why: str, *, tree: bool) -> None:
        """A destination of the other operands."""
        sources = [operand for operand in self.parsed.operands if operand is not target]
        for path, scope in list(destinations(self, target, sources, tree=tree)):
            self.touch(kind, path, scope, why)

    # --- applying the entry --------------------------------------------------------------------------

    def read(self) -> bool:
        """Parse the words through the chain of sub-commands; false when the program only prints and quits."""
        fields = self.fields
        while True:
            entry = self.entry
            parsed = parse(entry, fields)
            self.readings.append(parsed)
            self.parsed = parsed
            if parsed.quits and not parsed.problems:
                # Where sub-commands have help words, the options before still count: git's may name what shows the help.
                parsed.operands = []
                return entry.help is not None
            if not entry.commands and not entry.spec.externals:
                return True
            chosen = parsed.operands[0] if parsed.operands else EMPTY
            spec = self._subcommand(entry, chosen.text) if chosen.known else None
            if spec is None and chosen.known and entry.spec.assumed and not (parsed.operands and entry.spec.otherwise):
                # The words are read once more, from the first option on: they are all that sub-command's.
                self.readings[-1] = Parsed()
                self.chain.append(compile_entry(entry.commands[entry.spec.assumed], entry))
                continue
            if not parsed.operands:
                return True
            self.chosen = chosen.text if chosen.known else ""
            self.unlisted = spec is None and chosen.known and bool(entry.spec.otherwise)
            if self.unlisted:
                return True
            if spec is None:
                parsed.problems.append(
                    f"the sub-command {chosen.text} is not in the catalogue"
                    if chosen.known
                    else "the sub-command is not known beforehand"
                )
                return True
            below = compile_entry(spec, entry)
            fields = parsed.operands[1:]
            parsed.operands = []
            if (
                fields
                and fields[0].known
                and fields[0].text in (entry.help or ())
                and fields[0].text not in below.options
            ):
                return True
            self.chain.append(below)
            self.path = (*self.path, chosen.text)

    def _subcommand(self, entry: Entry, name: str) -> EntrySpec | None:
        return entry.commands.get(name) or (program(f"{self.name}-{name}") if entry.spec.externals else None)

    def load(self) -> None:
        """Note the code that options load although the program only prints something and quits."""
        for parsed in self.readings:
            for given in parsed.options:
                for rule in given.option.rules:
                    if rule.kind is Kind.EXECUTE:
                        self._rule(rule, given.value if given.value is not None else EMPTY)

    def apply(self) -> None:
        """Note all effects that the entries' data gives."""
        for entry, parsed in zip(self.chain, self.readings, strict=True):
            for problem in parsed.problems:
                self.doubt(problem)
            if parsed.wild:
                self._wild(entry)
            for given in parsed.options:
                self._option(given)
        for entry in self.chain:
            for rule in entry.rules:
                self._rule(rule, EMPTY)
        last = self.parsed
        if not self.unlisted and (not last.problems or not self.entry.commands):
            self._operands(last)

    def _wild(self, entry: Entry) -> None:
        """Some argument may be any option: every option's effects are possible."""
        if not entry.complete:
            self.doubt("an argument that is not known beforehand may be any option")
            return
        for option in entry.every_option:
            for rule in option.rules:
                if rule.kind is not Kind.READ:
                    self._rule(rule, UNKNOWN)
            if option.run:
                self.doubt(f"an argument that is not known beforehand may be {option.names[0]}")

    def _option(self, given: Given) -> None:
        option, value = given.option, given.value
        if option.directory and value is not None:
            self.base = join(self.base, value)
        for rule in option.rules:
            self._rule(rule, value if value is not None else EMPTY)
        if option.run == "shell" and value is not None:
            with self.process():
                self.host.run_text(value, self.name)
        elif option.run == "command" and value is not None:
            if value.known:
                with self.process():
                    self.host.run([Field(word) for word in value.text.split()])
            else:
                self.effect(Kind.EXECUTE, "the command is not known beforehand")

    def _operands(self, parsed: Parsed) -> None:
        entry = self.entry
        operands = parsed.operands
        if entry.code and not entry.slots:
            return
        if entry.keywords:
            operands = self._keywords(operands)
        matching = [slot for slot in entry.slots if slot.match]
        slots = [slot for slot in entry.slots if not slot.match and self._met(slot.when, slot.unless)]
        if matching:
            operands = self._matched(matching, operands, known=bool(slots))
            operands = operands if slots else []
        for slot, taken in self._distribute(slots, operands):
            self._slot(slot, taken)

    def _keywords(self, operands: list[Field]) -> list[Field]:
        rest = []
        for operand in operands:
            name, equals, _ = operand.text.partition("=")
            rules = self.entry.keywords.get(name) if equals else None
            if rules is None:
                rest.append(operand)
                continue
            for rule in rules:
                self._rule(rule, operand.after(len(name) + 1))
        return rest

    def _matched(self, slots: list[Slot], operands: list[Field], *, known: bool) -> list[Field]:
        """Apply slots with `match`; the operands that none of them matches are returned (and unknown, without other slots)."""
        rest = []
        for operand in operands:
            hits = [
                slot
                for slot in slots
                if operand.known and any(fnmatchcase(operand.text, pattern) for pattern in slot.match)
            ]
            for slot in hits:
                if self._met(slot.when, slot.unless):
                    self._slot(slot, [operand])
            if not hits:
                rest.append(operand)
                if not known:
                    self.doubt(f"the operand {operand.text} is not in the catalogue")
        if not operands:
            for slot in slots:
                if slot.default is not None:
                    self._slot(slot, [])
        return rest

    def _distribute(self, slots: list[Slot], operands: list[Field]) -> Iterable[tuple[Slot, list[Field]]]:
        """Which slot gets which operands, in order of the slots."""
        star = next((index for index, slot in enumerate(slots) if slot.count in "*+" or slot.run), None)
        uncertain = next((index for index, operand in enumerate(operands) if operand.many), None)
        before = slots if star is None else slots[:star]
        after = [] if star is None else slots[star + 1 :]
        if uncertain is not None and not _certain(before, after, star, operands, uncertain) and len(slots) > 1:
            return [(slot, operands) for slot in slots]
        taken: list[tuple[Slot, list[Field]]] = []
        needed = sum(slot.count == "1" for slot in after)
        for slot in before:
            left = len(operands) - needed
            got = operands[:1] if left > 0 else []
            operands = operands[len(got) :]
            taken.append((slot, got))
        if star is None:
            if operands and not (len(slots) == 1 and uncertain is not None):
                self.doubt(f"more operands than the catalogue lists: {operands[0].text}")
            return taken
        tail: list[tuple[Slot, list[Field]]] = []
        for slot in reversed(after):
            got = operands[-1:] if operands else []
            operands = operands[: len(operands) - len(got)]
            tail.append((slot, got))
        return [*taken, (slots[star], operands), *reversed(tail)]

    def _slot(self, slot: Slot, operands: list[Field]) -> None:
        if not operands:
            if slot.default is None:
                return
            operands = [Field(slot.default)]
        if slot.run:
            self._run(slot, operands)
            return
        for operand in operands:
            for rule in slot.rules:
                self._rule(rule, operand)

    def _run(self, slot: Slot, operands: list[Field]) -> None:
        if slot.run == "shell":
            pieces: list[Field] = []
            for index, operand in enumerate(operands):
                pieces.extend([Field(" "), operand] if index else [operand])
            with self.process():
                self.output = self.host.run_text(concat(pieces), self.name)
            return
        if operands:
            with self.process():
                self.output = self.host.run(operands)

    @contextmanager
    def process(self) -> Iterator[None]:
        """What is run inside is started by this program: no functions, aliases or builtins of the shell, and its directory."""
        state = self.host.state.process(self.host.state.positional)
        state.cwd = self.base
        with self.host.fork(state):
            yield

    def assignments(self, operands: list[Field]) -> list[Field]:
        """Apply the leading `NAME=value` operands; the others are returned."""
        for index, operand in enumerate(operands):
            name, equals, _ = operand.text.partition("=")
            if not equals:
                return operands[index:]
            self.host.assign(name, operand.after(len(name) + 1), temporary=True)
        return []

    # --- rules ---------------------------------------------------------------------------------------

    def _rule(self, rule: Rule, subject: Field) -> None:
        if (rule.when or rule.unless) and not self._met(rule.when, rule.unless, subject):
            return
        if rule.kind not in PLACED:
            detail = self._render(rule.template, subject)
            self.effect(rule.kind, _spoken(detail) or rule.why)
            return
        if rule.template == ("?",):
            self.touch(rule.kind, UNKNOWN, rule.scope, rule.why)
            return
        if (
            rule.template[1:2] in (("operand",), ("value",))
            and len(rule.template) == 3
            and not (rule.template[0] or rule.template[2])
        ):
            self.touch(rule.kind, subject, rule.scope, rule.why)
            return
        target = self._render(rule.template, subject)
        if target is not None:
            self.touch(rule.kind, target, rule.scope, rule.why)

    def _render(self, template: tuple[str, ...], subject: Field) -> Field | None:
        """The template with its placeholders filled; None when it needs an option that was not given."""
        pieces = []
        for index, text in enumerate(template):
            value: Field | None = Field(text)
            if index % 2:
                value = self._placeholder(text, subject)
            if value is None:
                return None
            if value.text or not value.known:
                pieces.append(value.single())
        if not pieces:
            return EMPTY
        first = pieces[0]
        if first.known and first.text.startswith("~/"):
            home = self.host.state.variables.get("HOME", UNKNOWN)
            pieces[0:1] = [home if isinstance(home, Field) else UNKNOWN, Field(first.text[1:])]
        return concat(pieces)

    def _placeholder(self, name: str, subject: Field) -> Field | None:
        match name:
            case "operand" | "value":
                return subject
            case "name":
                return name_of(subject)
            case "stem":
                return stem_of(subject)
            case "parent":
                return parent_of(subject)
            case "after:" | "after=":
                return _after(subject, name[-1])
            case "last":
                return self.parsed.operands[-1] if self.parsed.operands else None
            case _:
                return self.exported(name[1:]) if name.startswith("$") else self.value(name)

    def exported(self, name: str) -> Field | None:
        """A variable of the environment that the command's text sets, unless it is empty."""
        state = self.host.state
        value = state.variables.get(name) if name in state.exported else None
        return value if isinstance(value, Field) and value != EMPTY else None

    def _met(self, when: tuple[Condition, ...], unless: tuple[Condition, ...], subject: Field = EMPTY) -> bool:
        # Plain loops: this is asked more often than anything else.
        for condition in unless:
            if self._holds(condition, subject, doubt=False):
                return False
        for condition in when:
            if self._holds(condition, subject, doubt=True):
                return True
        return not when

    def _holds(self, condition: Condition, subject: Field, *, doubt: bool) -> bool:
        first, *others = condition.tests
        name, pattern = first
        if not self._test(name, pattern, subject, doubt=doubt):
            return False
        return not others or all(self._test(name, pattern, subject, doubt=doubt) for name, pattern in others)

    def _test(self, name: str, pattern: str | None, subject: Field, *, doubt: bool) -> bool:
        if name == "operand":
            operands = self.parsed.operands
            if pattern is None:
                return bool(operands)
            candidates = [subject] if subject is not EMPTY else operands
            if len(candidates) * len(self.parsed.options) > MOST_COMPARED:
                return doubt
            return any(matches(candidate, pattern, doubt=doubt) for candidate in candidates)
        if name.startswith("$"):
            value = self.exported(name[1:])
            return value is not None and (pattern is None or matches(value, pattern, doubt=doubt))
        for parsed in self.readings:
            if name not in parsed.names or (name in parsed.negated and not doubt):
                continue
            if pattern is None or valued(parsed, name, pattern, doubt=doubt):
                return True
        return doubt and any(parsed.wild for parsed in self.readings)


def _certain(before: list[Slot], after: list[Slot], star: int | None, operands: list[Field], uncertain: int) -> bool:
    """Whether all uncertain operands surely fall to the slot that takes many."""
    if star is None or uncertain < len(before) or any(slot.count == "?" for slot in before + after):
        return False
    last = max(index for index, operand in enumerate(operands) if operand.many)
    return len(operands) - 1 - last >= len(after)


def _after(subject: Field, sign: str) -> Field | None:
    """The part after the first `sign`; None when there is none."""
    before, found, _ = subject.text.partition(sign)
    if found:
        return subject.after(len(before) + 1)
    return None if subject.known else UNKNOWN


def _spoken(detail: Field | None) -> str:
    if detail is None:
        return ""
    return detail.text if detail.shape is not Shape.UNKNOWN else detail.text + "…"


def option_of(entry: Entry | None, name: str) -> Option | None:
    """The option of that name in an entry or those above it."""
    while entry is not None:
        if name in entry.options:
            return entry.options[name]
        entry = entry.parent
    return None
