"""Reads the words of a command by the option grammar of its catalogue entry."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from pytest_cbx.effects.catalogue import EntrySpec, OptionSet, OptionSpec, SlotSpec, Value, option_sets
from pytest_cbx.effects.model import Duration, Weight
from pytest_cbx.effects.rules import Condition, Rule, compile_conditions, compile_rules
from pytest_cbx.effects.values import UNKNOWN, Field, Shape
from pytest_cbx.errors import InternalError

_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Option:
    """An option of an entry, under all its names."""

    names: tuple[str, ...]
    value: Value = "none"
    arguments: int = 1
    rules: tuple[Rule, ...] = ()
    run: str = ""
    directory: bool = False
    ends: bool = False
    quits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slot:
    """A position of operands."""

    count: str
    rules: tuple[Rule, ...]
    default: str | None
    when: tuple[Condition, ...]
    unless: tuple[Condition, ...]
    match: tuple[str, ...]
    run: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entry:
    """A compiled catalogue entry."""

    name: str
    weight: Weight
    duration: Duration
    memory: int
    rules: tuple[Rule, ...]
    options: dict[str, Option]
    every_option: tuple[Option, ...]
    style: Literal["gnu", "dash", "none"]
    abbreviate: bool
    permute: bool
    digits: bool
    bundled: bool
    clusters: bool
    skip: str
    dash: str
    lenient: bool
    provoking: frozenset[str]
    """Options whose presence brings an effect, by themselves or as a condition of one."""
    complete: bool
    help: frozenset[str] | None
    negatable: bool
    prefixes: tuple[str, ...]
    slots: tuple[Slot, ...]
    keywords: dict[str, tuple[Rule, ...]]
    commands: dict[str, EntrySpec]
    code: str
    spec: EntrySpec
    parent: Entry | None


@dataclass(frozen=True, slots=True)
class Given:
    """An option that was given, with its value."""

    option: Option
    value: Field | None = None


@dataclass(slots=True)
class Parsed:
    """The words of a command as its entry reads them."""

    options: list[Given] = field(default_factory=list)
    operands: list[Field] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """What the entry does not list: each makes the command unknown."""
    wild: bool = False
    """Some argument may be an option."""
    quits: bool = False
    names: set[str] = field(default_factory=set)
    """All names of the given options."""
    negated: set[str] = field(default_factory=set)
    """Names of options that a later one took back (`--dry-run --no-dry-run`)."""
    rest: int = 0
    """Index of the first word that was not read (after `ends`, or the operands of an entry that does not permute)."""

    def given(self, *names: str) -> bool:
        """Whether an option with one of these names was given."""
        return not self.names.isdisjoint(names)

    def value(self, *names: str) -> Field | None:
        """The value of the last given option with one of these names."""
        found = [given.value for given in self.options if any(name in given.option.names for name in names)]
        return found[-1] if found else None


def memory_of(text: str | None) -> int:
    """Bytes of `512MB`. Raises `InternalError` on anything else."""
    if not text:
        return 0
    number, unit = text[:-2].strip(), text[-2:]
    if unit not in _UNITS or not number.isdigit():
        raise InternalError(f"catalogue: memory {text!r} is no number of KB, MB or GB")
    return int(number) * _UNITS[unit]


_FALSE = frozenset({"false", "False", "FALSE", "f", "F"})
"""Values that take a switch back (`-check=false`, as Go's programs read it)."""

_COMPILED: dict[tuple[int, int], Entry] = {}
"""By identity; an entry holds its spec, so that an identity is never used again."""


def compile_entry(spec: EntrySpec, parent: Entry | None = None) -> Entry:
    """The entry ready for use; what a sub-command leaves out it takes from its parent."""
    key = (id(spec), id(parent))
    entry = _COMPILED.get(key)
    if entry is None:
        entry = _COMPILED[key] = _compile(spec, parent)
    return entry


def _compile(spec: EntrySpec, parent: Entry | None) -> Entry:
    helping = parent.help if parent else None
    options = _options(spec, quits=helping is None)
    if spec.inherit and parent:
        options = {**parent.options, **options}
    return Entry(
        name=f"{parent.name} {spec.names[0]}" if parent else spec.names[0],
        weight=spec.weight or (parent.weight if parent else Weight.LOW),
        duration=spec.duration or (parent.duration if parent else Duration.QUICK),
        memory=memory_of(spec.memory) or (parent.memory if parent else 0),
        rules=compile_rules(spec.effects),
        options=options,
        every_option=tuple(dict.fromkeys(options.values())),
        style=spec.style or (parent.style if parent else "gnu"),
        abbreviate=spec.abbreviate if spec.abbreviate is not None else (parent.abbreviate if parent else True),
        permute=spec.permute and not spec.command,
        digits=spec.digits,
        bundled=spec.bundled,
        clusters=spec.clusters,
        skip=spec.skip,
        dash=spec.dash or (parent.dash if parent else "stream"),
        lenient=bool(spec.lenient_options),
        provoking=_provoking(spec, options) if spec.lenient_options else frozenset(),
        complete=spec.complete or bool(spec.lenient_options),
        help=frozenset(spec.help.split()) if spec.help is not None else helping,
        negatable=spec.negatable if spec.negatable is not None else (parent.negatable if parent else False),
        prefixes=tuple(spec.prefixes.split()),
        slots=tuple(_slot(slot) for slot in spec.operands),
        keywords={name: compile_rules(rules) for name, rules in spec.keywords.items()},
        commands={name: command for command in spec.command for name in command.names},
        code=spec.code,
        spec=spec,
        parent=parent,
    )


def _provoking(spec: EntrySpec, options: dict[str, Option]) -> frozenset[str]:
    rules = [*spec.effects, *(rule for slot in spec.operands for rule in slot.effects)]
    rules += [rule for option in spec.option for rule in option.effects]
    conditions = [
        *(c for rule in rules if not isinstance(rule, str) for c in rule.when),
        *(c for slot in spec.operands for c in slot.when),
    ]
    named = {name for condition in compile_conditions(tuple(conditions)) for name, _ in condition.tests}
    return frozenset(
        name for name, option in options.items() if option.rules or option.run or not named.isdisjoint(option.names)
    )


def _slot(spec: SlotSpec) -> Slot:
    return Slot(
        count=spec.count, rules=compile_rules(spec.effects), default=spec.default, when=compile_conditions(spec.when),
        unless=compile_conditions(spec.unless), match=spec.match, run=spec.run,
    )  # fmt: skip


def _options(spec: EntrySpec, *, quits: bool) -> dict[str, Option]:
    found: dict[str, Option] = {}
    for name in spec.quits.split() if quits else ():
        found[name] = Option(names=(name,), quits=True)
    sources: list[EntrySpec | OptionSet] = [spec]
    for name in spec.use:
        if name not in option_sets():
            raise InternalError(f"catalogue: {spec.names[0]} uses the unknown option set {name!r}")
        sources.append(option_sets()[name])
    for source in reversed(sources):
        for text, value in ((source.flags, "none"), (source.values, "required"), (source.optional, "optional")):
            for name in text.split():
                found[name] = Option(names=(name,), value=value)  # type: ignore[arg-type]
        for option in source.option:
            compiled = _option(option)
            found.update(dict.fromkeys(compiled.names, compiled))
    return found


def _option(spec: OptionSpec) -> Option:
    return Option(
        names=tuple(spec.names.split()), value=spec.value, arguments=spec.arguments, rules=compile_rules(spec.effects),
        run=spec.run, directory=spec.directory, ends=spec.ends, quits=spec.quits,
    )  # fmt: skip


def parse(entry: Entry, fields: list[Field]) -> Parsed:
    """Read the arguments that follow the program's (or sub-command's) name."""
    return _Reader(entry, fields).read()


class _Reader:
    """One reading of one list of arguments."""

    __slots__ = ("entry", "fields", "index", "parsed")

    def __init__(self, entry: Entry, fields: list[Field]) -> None:
        self.entry = entry
        self.fields = fields
        self.index = 0
        self.parsed = Parsed()

    def read(self) -> Parsed:
        parsed, fields, entry = self.parsed, self.fields, self.entry
        if entry.style == "none":
            parsed.operands = list(fields)
            alone = entry.options.get(fields[0].text) if len(fields) == 1 and fields[0].known else None
            parsed.quits = alone is not None and alone.quits
            return parsed
        if entry.bundled and fields and fields[0].known and fields[0].text[:1] not in ("-", ""):
            self._bundle(fields[0].text)
        while self.index < len(fields):
            current = fields[self.index]
            if not self._is_option(current):
                if entry.skip and self.index == 0 and current.known and fnmatchcase(current.text, entry.skip):
                    self.index += 1
                    continue
                if not entry.permute:
                    break
                parsed.operands.append(current)
                self.index += 1
                continue
            self.index += 1
            if current.text == "--" and current.known:
                break
            if self._option(current):
                break
        parsed.rest = self.index
        parsed.operands.extend(fields[self.index :])
        return parsed

    def _is_option(self, current: Field) -> bool:
        text = current.text
        if current.unknown and (not text or text == "-"):
            self.parsed.wild = True
            return False
        return len(text) > 1 and text[0] == "-"

    def _option(self, current: Field) -> bool:
        """Read one option word; true when it ends the options."""
        if self.entry.style == "dash":
            return self._long(current, "-" if not current.text.startswith("--") else "--")
        if current.text.startswith("--"):
            return self._long(current, "--")
        return self._cluster(current)

    def _bundle(self, letters: str) -> None:
        """The first word is a cluster without a dash; the values follow in the order of their letters (`tar xzf a`)."""
        self.index = 1
        for letter in letters:
            option = self.entry.options.get(f"-{letter}")
            if option is None:
                self._unlisted(f"-{letter}")
            else:
                self._give(option, self._following(option) if option.value == "required" else None)

    def _long(self, current: Field, dashes: str) -> bool:
        name, equals, _ = current.text.partition("=")
        if not equals and not current.known:
            self.parsed.problems.append(f"an option that cannot be told: {current.text}…")
            return False
        value = current.after(len(name) + 1) if equals else None
        option = self._named(name) or (self._named(name[1:]) if self.entry.style == "dash" and dashes == "--" else None)
        if option is None and self.entry.style == "dash":
            attached = next((prefix for prefix in self.entry.prefixes if name.startswith(prefix)), None)
            if attached:
                option = self.entry.options.get(attached, Option(names=(attached,)))
                return self._give(option, current.after(len(attached)))
        if option is None and self.entry.negatable and name.startswith("--no-"):
            positive = self._named(f"--{name[5:]}")
            if positive is not None:
                self.parsed.negated.update(positive.names)
                return False
        if option is None:
            self._unlisted(name)
            return False
        if option.value == "required" and value is None:
            value = self._following(option)
        ends = self._give(option, value)
        if option.value == "none" and value is not None and value.known and value.text in _FALSE:
            self.parsed.negated.update(option.names)
        return ends

    def _named(self, name: str) -> Option | None:
        options = self.entry.options
        option = options.get(name)
        if option is not None or not self.entry.abbreviate or len(name) < 3 or not name.startswith("--"):
            return option
        matches = {id(found): found for known, found in options.items() if known.startswith(name)}
        if len(matches) == 1:
            return next(iter(matches.values()))
        # An ambiguous prefix is an error at run time unless the program knows fewer options than we do: take the gravest.
        grave = [found for found in matches.values() if found.rules or found.run]
        return grave[0] if grave else next(iter(matches.values()), None)

    def _cluster(self, current: Field) -> bool:
        text = current.text
        if self.entry.digits and text[1:].isdigit() and current.known:
            return False
        whole = self.entry.options.get(text) if len(text) > 2 and current.known else None
        if whole is not None:
            return self._give(whole, self._following(whole) if whole.value == "required" else None)
        for prefix in self.entry.prefixes:
            if text.startswith(prefix) and (len(text) > len(prefix) or not current.known):
                return self._give(self.entry.options.get(prefix, Option(names=(prefix,))), current.after(len(prefix)))
        for position in range(1, len(text)):
            option = self._lettered(text, position)
            if option is None:
                if self.entry.digits and text[position].isdigit():
                    continue
                self._unlisted(
                    f"-{text[position]}" if position == 1 or len(text) == 2 else f"-{text[position]} in {text}"
                )
                return self._second(text, position)
            if option.value == "none":
                if self._give(option, None):
                    return True
                continue
            attached = position + 1 < len(text) or not current.known
            if attached:
                return self._give(option, current.after(position + 1))
            return self._give(option, self._following(option) if option.value == "required" else None)
        if not current.known:
            self.parsed.problems.append(f"an option that cannot be told: {text}…")
        return False

    def _lettered(self, text: str, position: int) -> Option | None:
        """The option that this letter of a word is; where letters are not joined, a switch must be the whole word."""
        option = self.entry.options.get(f"-{text[position]}")
        joined = option is not None and option.value == "none" and len(text) > 2
        return None if joined and not self.entry.clusters else option

    def _second(self, text: str, position: int) -> bool:
        """Harmless as an unlisted letter is, it may be a switch: the one behind it counts. (Three letters are a word.)"""
        if position == 1 and len(text) == 3 and f"-{text[2]}" in self.entry.provoking:
            option = self.entry.options[f"-{text[2]}"]
            return self._give(option, self._following(option) if option.value == "required" else None)
        return False

    def _following(self, option: Option) -> Field:
        """The value in the next word or words."""
        last = UNKNOWN
        for _ in range(option.arguments):
            if self.index >= len(self.fields):
                self.parsed.problems.append(f"{option.names[0]} lacks its value")
                return UNKNOWN
            last = self.fields[self.index]
            if last.many and last.shape is Shape.UNKNOWN:
                self.parsed.wild = True
            self.index += 1
        return last

    def _give(self, option: Option, value: Field | None) -> bool:
        self.parsed.options.append(Given(option, value))
        self.parsed.names.update(option.names)
        # Programs that stop at the first operand hand the rest on: `lua a.lua --version` runs a.lua.
        self.parsed.quits |= option.quits and not self.parsed.operands
        if self.entry.negatable:
            self._take_back(option)
        return option.ends

    def _take_back(self, option: Option) -> None:
        """`--verify` takes back `--no-verify`, and the other way round, where both are listed."""
        self.parsed.negated.difference_update(option.names)
        for name in option.names:
            opposite = self.entry.options.get(f"--{name[5:]}" if name.startswith("--no-") else f"--no-{name[2:]}")
            if name.startswith("--") and opposite is not None:
                self.parsed.negated.update(opposite.names)

    def _unlisted(self, name: str) -> None:
        if not self.entry.lenient:
            self.parsed.problems.append(f"the option {name} is not in the catalogue")
