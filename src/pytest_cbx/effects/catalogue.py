"""The catalogue of programs: reads and checks `programs/*.toml`. The format is described in `docs/catalogue.md`.

Reading package data is the only input this package does; it happens once.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from importlib import resources
from typing import Literal

import msgspec

from pytest_cbx.effects.model import Duration, Kind, Weight
from pytest_cbx.errors import InternalError

Value = Literal["none", "required", "optional"]
Run = Literal["", "command", "shell"]


class RuleSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An effect with conditions; a plain string is one without."""

    do: str
    when: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    why: str = ""


Rules = tuple[str | RuleSpec, ...]


class OptionSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An option that has an effect or steers the reading of the words."""

    names: str
    value: Value = "none"
    arguments: int = 1
    effects: Rules = ()
    run: Run = ""
    directory: bool = False
    ends: bool = False
    quits: bool = False


class SlotSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A position of operands."""

    count: Literal["1", "?", "*", "+"] = "*"
    effects: Rules = ()
    default: str | None = None
    when: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    match: tuple[str, ...] = ()
    run: Run = ""


class Example(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command and all effects it must give, in compact form."""

    command: str
    expect: tuple[str, ...]


class OptionSet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options that several entries share."""

    flags: str = ""
    values: str = ""
    optional: str = ""
    option: tuple[OptionSpec, ...] = ()


class EntrySpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A program or a sub-command as the file has it. None: as the entry above says."""

    names: tuple[str, ...]
    weight: Weight | None = None
    duration: Duration | None = None
    memory: str | None = None
    effects: Rules = ()
    flags: str = ""
    values: str = ""
    optional: str = ""
    option: tuple[OptionSpec, ...] = ()
    use: tuple[str, ...] = ()
    quits: str = "--help --version"
    operands: tuple[SlotSpec, ...] = ()
    keywords: dict[str, Rules] = {}
    command: tuple[EntrySpec, ...] = ()
    inherit: bool = False
    style: Literal["gnu", "dash", "none"] | None = None
    abbreviate: bool | None = None
    permute: bool = True
    digits: bool = False
    bundled: bool = False
    clusters: bool = True
    prefixes: str = ""
    dash: Literal["stream", "file"] | None = None
    lenient_options: str = ""
    complete: bool = False
    code: str = ""
    otherwise: str = ""
    assumed: str = ""
    skip: str = ""
    help: str | None = None
    negatable: bool | None = None
    externals: bool = False
    examples: tuple[Example, ...] = ()


class VariableSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A variable of the environment that changes what runs."""

    effect: Literal["execute", "unknown"]
    why: str
    safe: tuple[str, ...] = ()

    def harmless(self, value: str) -> bool:
        """Whether the value is one of `safe`, or each of its words matches a pattern there."""
        words = value.split()
        return value in self.safe or (
            bool(words) and all(any(fnmatchcase(word, pattern) for pattern in self.safe) for word in words)
        )


class FamilySpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file."""

    sets: dict[str, OptionSet] = {}
    environment: dict[str, VariableSpec] = {}
    unclassifiable: dict[str, str] = {}
    program: tuple[EntrySpec, ...] = ()


def read_family(text: str, *, name: str) -> FamilySpec:
    """Read one file's text. Raises `InternalError` when it does not follow the format: the files are our own."""
    try:
        return msgspec.convert(tomllib.loads(text), FamilySpec)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InternalError(f"catalogue file {name}: {error}") from error


@cache
def _texts() -> Mapping[str, str]:
    folder = resources.files("pytest_cbx.effects").joinpath("programs")
    files = sorted((item for item in folder.iterdir() if item.name.endswith(".toml")), key=lambda item: item.name)
    return {item.name.removesuffix(".toml"): item.read_text("utf-8") for item in files}


@cache
def families() -> Mapping[str, FamilySpec]:
    """All files of the package, whole, by name without suffix, in the order of their names."""
    return {name: read_family(text, name=f"{name}.toml") for name, text in _texts().items()}


class _Sections:
    """The files cut at their tables. Most commands need a handful of programs, and parsing all of them takes longest."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.sets: dict[str, OptionSet] = {}
        self.environment: dict[str, VariableSpec] = {}
        self.unclassifiable: dict[str, str] = {}
        self.programs: dict[str, tuple[str, str]] = {}
        """Family and section of each name."""
        for family, text in texts.items():
            sections = _BOUNDARY.split(text)
            shared = read_family("".join(s for s in sections if not s.startswith(_PROGRAM)), name=f"{family}.toml")
            self.sets.update(shared.sets)
            self.environment.update(shared.environment)
            self.unclassifiable.update(shared.unclassifiable)
            for section in (s for s in sections if s.startswith(_PROGRAM)):
                for name in _names(section):
                    if name in self.programs:
                        raise InternalError(f"catalogue file {family}.toml: the program {name!r} is listed twice")
                    self.programs[name] = family, section


_PROGRAM = "[[program]]"
_BOUNDARY = re.compile(r"^(?=\[\[program\]\]|\[(?:sets|environment|unclassifiable)[.\]])", re.MULTILINE)
_NAMES = re.compile(r"^names = \[(.*?)\]$", re.MULTILINE | re.DOTALL)
_QUOTED = re.compile(r'"([^"]+)"')


def _names(section: str) -> list[str]:
    found = _NAMES.search(section)
    return _QUOTED.findall(found[1]) if found else []


@cache
def _sections() -> _Sections:
    return _Sections(_texts())


def names() -> frozenset[str]:
    """Every name of every listed program."""
    return frozenset(_sections().programs)


def is_listed(name: str) -> bool:
    """Whether some entry has that name."""
    return name in _sections().programs


def family_of(name: str) -> str:
    """The name of the file that lists a program; empty where none does."""
    return _sections().programs.get(name, ("", ""))[0]


def unclassifiable() -> Mapping[str, str]:
    """Programs that are known, and why no entry can say what they would touch."""
    return _sections().unclassifiable


@cache
def program(name: str) -> EntrySpec | None:
    """The entry that has that name, or None. Raises `InternalError` when its file does not follow the format."""
    place = _sections().programs.get(name)
    if place is None:
        return None
    family, section = place
    return _entry(family, section)


@cache
def _entry(family: str, section: str) -> EntrySpec:
    (entry,) = read_family(section, name=f"{family}.toml").program
    return entry


def option_sets() -> Mapping[str, OptionSet]:
    """Shared option sets of all files."""
    return _sections().sets


@cache
def variables() -> tuple[Mapping[str, VariableSpec], tuple[tuple[str, VariableSpec], ...]]:
    """The variables that change what runs: by exact name, and those with a pattern (`GIT_CONFIG_*`)."""
    merged = list(_sections().environment.items())
    return {n: s for n, s in merged if "*" not in n}, tuple((n, s) for n, s in merged if "*" in n)


@lru_cache(maxsize=4096)
def variable(name: str) -> VariableSpec | None:
    """The listed variable of that name, or None."""
    exact, patterns = variables()
    return exact.get(name) or next((spec for pattern, spec in patterns if fnmatchcase(name, pattern)), None)


def kinds_of(rules: Iterable[str | RuleSpec]) -> frozenset[Kind]:
    """The kinds of effects that these rules can give."""
    return frozenset(Kind((rule if isinstance(rule, str) else rule.do).split(" ", 1)[0]) for rule in rules)
