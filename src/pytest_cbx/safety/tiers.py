"""From what a command would do to how freely it may run, with the reasons for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pytest_cbx.effects.model import Effect, Effects, Kind, Place, Scope
from pytest_cbx.safety.findings import findings_of
from pytest_cbx.safety.model import Assessment
from pytest_cbx.safety.places import Area, area_of, in_home
from pytest_cbx.tier import Tier

SAFE = Tier.SAFE_PARALLEL
CONDITIONAL = Tier.CONDITIONAL_PARALLEL
SEQUENTIAL = Tier.SEQUENTIAL_REQUIRED
DANGEROUS = Tier.DANGEROUS_ISOLATED


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What one kind of effect means. `sentence` has `{program}` and `{object}`; `fallback` is the object when no place is known."""

    tier: Tier
    sentence: str
    fallback: str = ""


RULES: Mapping[Kind, Rule] = MappingProxyType(
    {
        Kind.READ: Rule(tier=SAFE, sentence="{program} reads {object}", fallback="something"),
        Kind.CACHE: Rule(
            tier=CONDITIONAL, sentence="{program} fills its cache: {object}", fallback="outside the work tree"
        ),
        Kind.OUTPUT: Rule(tier=CONDITIONAL, sentence="{program} writes its output: {object}", fallback="somewhere"),
        Kind.NETWORK: Rule(tier=SEQUENTIAL, sentence="{program} talks to {object}", fallback="another host"),
        Kind.WRITE: Rule(tier=SEQUENTIAL, sentence="{program} changes {object}", fallback="files"),
        Kind.APPEND: Rule(tier=SEQUENTIAL, sentence="{program} appends to {object}", fallback="a file"),
        Kind.CREATE: Rule(tier=SEQUENTIAL, sentence="{program} creates {object}", fallback="a file"),
        Kind.DELETE: Rule(tier=SEQUENTIAL, sentence="{program} deletes {object}", fallback="files"),
        Kind.METADATA: Rule(
            tier=SEQUENTIAL, sentence="{program} changes mode, owner or times of {object}", fallback="files"
        ),
        Kind.STATE: Rule(tier=SEQUENTIAL, sentence="{program} changes {object}", fallback="shared state"),
        Kind.BIND: Rule(tier=SEQUENTIAL, sentence="{program} listens on port {object}", fallback="of its choice"),
        Kind.KILL: Rule(tier=SEQUENTIAL, sentence="{program} signals {object}", fallback="other processes"),
        Kind.EXECUTE: Rule(tier=SEQUENTIAL, sentence="{program} runs code that is not seen and may do anything"),
        Kind.UNKNOWN: Rule(tier=SEQUENTIAL, sentence="{program} is not in the catalogue: it may do anything"),
        Kind.DESTROY: Rule(
            tier=DANGEROUS, sentence="{program} destroys {object}", fallback="what cannot be told beforehand"
        ),
        Kind.SYSTEM: Rule(tier=DANGEROUS, sentence="{program} changes {object}", fallback="the machine"),
        Kind.PRIVILEGE: Rule(tier=DANGEROUS, sentence="{program} runs as another user"),
    }
)
"""Every kind of effect, its tier, and the sentence for people. Rows from the laxest tier to the strictest."""

PACKAGE_TOOLS = frozenset(
    {
        "bazel", "bazelisk", "buck2", "buf", "bun", "bundle", "bundle-audit", "bundler", "bunx", "cabal", "cargo",
        "composer", "conan", "conda", "corepack", "cross", "cypress", "dart", "dotnet", "errcheck", "flutter", "gem",
        "go", "golangci-lint", "gosec", "gotestsum", "govulncheck", "gradle", "hatch", "mamba", "micromamba", "mix",
        "mvn", "mvnd", "nox", "npm", "npx", "pdm", "pip", "pip-audit", "pip-compile", "pip-sync", "pip3", "pipenv",
        "pipx", "playwright", "pn", "pnpm", "pnpx", "pnx", "poetry", "pre-commit", "prek", "pyproject-build", "rebar3",
        "revive", "sbt", "sbtn", "stack", "staticcheck", "swift", "tectonic", "tox", "typst", "uv", "uvx", "vcpkg",
        "wasm-pack", "yarn", "yarnpkg", "zig",
    }
)  # fmt: skip
"""Programs that fetch what a lock file or an index names, into a cache that several of them may fill at once."""

CHANGES = frozenset({Kind.OUTPUT, Kind.WRITE, Kind.APPEND, Kind.CREATE, Kind.DELETE, Kind.METADATA, Kind.DESTROY})
"""Kinds that change a place for others. (A cache is made for several writers.)"""

_TRUNCATES = frozenset({Kind.OUTPUT, Kind.WRITE, Kind.DELETE, Kind.METADATA, Kind.DESTROY})

INSTALLATIONS = frozenset({"the Python environment", "the installed gems", "the conda environments"})
"""States that a package tool may change beside other commands: they hold a lock on it, and nothing else."""

_HANDED = ("standard input", "text that it runs")
"""How the walker says that a program runs what the command hands it, not a file of its own."""

_NAMED_BY_DETAIL = frozenset({Kind.NETWORK, Kind.BIND, Kind.KILL, Kind.STATE, Kind.SYSTEM})


def assess(effects: Effects, *, text: str = "", declared: Tier | None = None, trust: bool = False) -> Assessment:
    """The tier of a command, the reasons (strictest first, each once), and the findings.

    The strictest effect decides. `declared` is the tier that the configuration names (None for `auto`): a stricter one always
    wins, a laxer one only with `trust`. `text`: the command, into which the findings' spans point.
    """
    graded = list(_graded(effects))
    tier = max((grade for grade, _ in graded), default=SAFE, key=lambda grade: grade.strictness)
    own = _ordered(graded)
    findings = findings_of(effects, text)
    if declared is None or declared is tier:
        return Assessment(tier=tier, reasons=own, findings=findings)
    if declared > tier:
        return Assessment(tier=declared, reasons=("declared in the configuration", *own), findings=findings)
    if trust:
        return Assessment(tier=declared, reasons=("trusted by the configuration", *own), findings=findings)
    refused = f"the laxer tier {declared.value} in the configuration is ignored: it needs trust = true"
    return Assessment(tier=tier, reasons=(*own, refused), findings=findings)


def _graded(effects: Effects) -> Iterator[tuple[Tier, str]]:
    if not effects.readable:
        yield DANGEROUS, "the text could not be read: it may do anything"
    active = {effect.program for effect in effects.effects if effect.kind is not Kind.READ}
    readers = list(dict.fromkeys(e.program or "the shell" for e in effects.effects if e.program not in active))
    for effect in effects.effects:
        if effect.kind is not Kind.READ:
            yield tier_of(effect), sentence_of(effect)
    if readers:
        yield SAFE, f"{_listed(readers)} only {'reads' if len(readers) == 1 else 'read'}"
    elif not effects.effects:
        yield SAFE, "it touches no file"
    if remote_code(effects):
        yield DANGEROUS, "it runs code that comes from another host"
    if any(e.kind is Kind.EXECUTE and e.origin is not None and e.origin.decoded for e in effects.effects):
        yield DANGEROUS, "it runs text that was decoded first, so that nobody reads it"
    # What only the second reader finds has effects of its own, which have their tier.
    for sentence in effects.differences:
        yield SAFE, sentence


def tier_of(effect: Effect) -> Tier:
    """The tier of one effect: its kind's row in `RULES`, made stricter by where it happens."""
    tier = RULES[effect.kind].tier
    if effect.program in PACKAGE_TOOLS and (effect.kind is Kind.NETWORK or effect.detail in INSTALLATIONS):
        return CONDITIONAL
    if effect.place is None or effect.kind not in CHANGES:
        return tier
    area = area_of(effect.place)
    if area is Area.DEVICE:
        return SAFE
    if area is Area.SECRET and in_home(effect.place.path) is None:
        area = Area.MACHINE  # `/etc/sudoers` is the system's, whoever's secrets it holds.
    return max(tier, _tier_in(area, effect.kind, effect.place.scope), key=lambda grade: grade.strictness)


def _tier_in(area: Area, kind: Kind, scope: Scope) -> Tier:
    if area is Area.WORKSPACE:
        return SAFE
    if area in (Area.MACHINE, Area.ROOT) or (area in (Area.STARTUP, Area.SECRET) and kind in _TRUNCATES):
        return DANGEROUS
    many = kind is Kind.DELETE and scope is not Scope.PATH
    return DANGEROUS if many and area is not Area.TEMPORARY else SEQUENTIAL


def sentence_of(effect: Effect) -> str:
    """One short sentence for people, such as "sed changes a.txt (-i edits in place)"."""
    rule = RULES[effect.kind]
    program, detail, thing = effect.program or "the command", effect.detail, rule.fallback
    if effect.kind is Kind.UNKNOWN and detail:
        return f"{detail}: it may do anything" if program in detail else f"{program}: {detail}; it may do anything"
    if effect.place is not None:
        thing = spoken(effect.place)
    elif effect.kind in _NAMED_BY_DETAIL and detail:
        detail, thing = "", detail
    sentence = rule.sentence.format(program=program, object=thing)
    return f"{sentence} ({detail})" if detail else sentence


def spoken(place: Place) -> str:
    """A place in words: `src` and all below it is "everything in src"."""
    where = "the work tree" if place.path == "." else place.path
    if place.scope is Scope.SOURCES:
        return f"the sources in {where}"
    return f"everything in {where}" if place.scope is Scope.TREE else where


def remote_code(effects: Effects) -> bool:
    """Whether code that another host sends may be run: some program fetches, and another runs text that it is handed."""
    fetches = any(e.kind is Kind.NETWORK and e.program not in PACKAGE_TOOLS for e in effects.effects)
    return any(
        e.kind is Kind.EXECUTE
        and ((fetches and any(sign in e.detail for sign in _HANDED)) or (e.origin is not None and e.origin.fetched))
        for e in effects.effects
    )


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _ordered(graded: Iterable[tuple[Tier, str]]) -> tuple[str, ...]:
    by_tier = sorted(graded, key=lambda pair: -pair[0].strictness)
    return tuple(dict.fromkeys(sentence for _, sentence in by_tier))
