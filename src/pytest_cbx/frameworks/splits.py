"""How the text of a command is made to run a part of its tests: for tools that can take one, data; else what the text says itself.

Sources: jestjs.io "shard", vitest.dev "shard", playwright.dev "Sharding", nodejs.org `--test-shard`, nexte.st "Partitioning test
runs", ctest(1) `-I`, mesonbuild.com `--slice` (1.8), cucumber-js "Sharding" (12.2), rstest.rs "shard", go.dev `go list`; bats(1) and
rspec(1): files that are named are the only ones that run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pytest_cbx.shell.nodes import Glob, Literal, Parameter, Simple, Tilde, Word
from pytest_cbx.shell.reader import read

SHARD, SHARDS = "CBX_SHARD", "CBX_SHARDS"
"""Environment variables of a shard: its number, from 1, and how many there are."""
_MENTIONED = re.compile(rf"\b{SHARD}\b")
_ALL_MENTIONED = re.compile(rf"\b{SHARDS}\b")
_NAMING = re.compile(rf"[\w./-]*(?:\$\{{{SHARD}\}}|\${SHARD}\b)[\w./-]*")
"""A path, or a part of one, that has the number of the shard in it."""


@dataclass(frozen=True, slots=True)
class Split:
    """How a tool is told to take a part."""

    words: tuple[str, ...]
    """Its name, and what follows that; programs are compared without their directory."""
    option: str
    """Put right behind these words: `{shard}` of `{shards}`."""
    among: str = ""
    """Only where this is among its words."""
    apart: tuple[str, ...] = ()
    """Patterns of what it writes beside each file of tests, so that no two shards meet there."""

    @property
    def name(self) -> str:
        """Of the option."""
        return re.split(r"[ =]", self.option)[0]


_SNAPSHOTS = ("**/__snapshots__/**",)
SPLITS = (
    Split(("jest",), "--shard={shard}/{shards}", apart=_SNAPSHOTS),
    Split(("vitest", "run"), "--shard={shard}/{shards}", apart=_SNAPSHOTS),
    Split(("vitest",), "--shard={shard}/{shards}", apart=_SNAPSHOTS),
    Split(("playwright", "test"), "--shard={shard}/{shards}"),
    Split(("rstest", "run"), "--shard={shard}/{shards}", apart=_SNAPSHOTS),
    Split(("rstest",), "--shard={shard}/{shards}", apart=_SNAPSHOTS),
    Split(("cucumber-js",), "--shard={shard}/{shards}"),
    Split(("cargo", "nextest", "run"), "--partition count:{shard}/{shards}"),
    Split(("meson", "test"), "--slice={shard}/{shards}"),
    Split(("ctest",), "-I {shard},,{shards}"),
    Split(("pytest",), "--cbx-shard={shard}/{shards}"),
    Split(("py.test",), "--cbx-shard={shard}/{shards}"),
    Split(("node",), "--test-shard={shard}/{shards}", among="--test"),
)


@dataclass(frozen=True, slots=True)
class Files:
    """A tool that takes no part of its tests, but the files that it is given, and then no others."""

    words: tuple[str, ...]
    suffix: str
    """Of its files."""
    values: frozenset[str]
    """Options whose value is the next word. Any other word without a dash might be a folder, which would run in each shard."""


_BATS_VALUES = """-f --filter --filter-tags --filter-status --negative-filter -F --formatter --report-formatter -j --jobs -o --output
  --code-quote-style --gather-test-outputs-in --setup-suite-file --line-reference-format --parallel-binary-name"""
FILES = (
    Files(
        ("bats",),
        ".bats",
        frozenset(_BATS_VALUES.split()),
    ),
    Files(
        ("rspec",),
        "_spec.rb",
        frozenset("-I -r --require -O --options --order --seed -f --format -o --out -e --example -E -t --tag".split()),  # noqa: SIM905
    ),
)
# Not mocha: it adds the files of its configuration to those that it is given, so that each shard would run these.
_GO = Split(("go", "test"), "")
_LAUNCHERS = (
    ("npx", "--no-install"), ("npx",), ("npm", "exec", "--"), ("pnpm", "exec"), ("pnpm",), ("yarn", "run"), ("yarn",), ("bunx",),
    ("poetry", "run"), ("uv", "run"), ("pipenv", "run"), ("pdm", "run"), ("hatch", "run"), ("bundle", "exec"),
    ("python", "-m"), ("coverage", "run", "-m"), ("coverage", "run", "--parallel-mode", "-m"),
)  # fmt: skip
"""What may stand before a tool's name. Python by any of its names."""
_PYTHON = re.compile(r"python\d*(?:\.\d+)?")
KNOWN = "Jest, Vitest, Playwright, Rstest, cucumber-js, node --test, pytest, go test, ctest, meson test, cargo nextest, bats, RSpec"

Writer: TypeAlias = Callable[[int, int], str]
"""The text of a shard, by its number (from 1) and how many there are."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Nobody knows how to split a text."""

    message: str
    hint: str


def writer(text: str, results: str = "") -> Writer | Refused:
    """What makes the text of a shard.

    Args:
        text: what the whole command runs.
        results: where it says that its results are; what names that file says nothing of how the text is split.
    """
    call = _call(text)
    if call is None:
        return _by_itself(text) or Refused(
            "how to split its text is not known",
            f"make it one plain call of {KNOWN}, or have it use ${SHARD} and ${SHARDS}",
        )
    words, values, end, one = call
    if own := _own_words(text, values[end:], results, one):
        return own
    if isinstance(one, Files):
        return _files(text, words[end:], values[end:], one)
    if one is _GO:
        return _packages(text, words[end:], values[end:])
    at = words[end - 1].span.end
    return lambda shard, shards: f"{text[:at]} {one.option.format(shard=shard, shards=shards)}{text[at:]}"


def apart(text: str) -> tuple[str, ...]:
    """Patterns of what the shards of this text write apart from one another; see `Split.apart`."""
    call = _call(text)
    return call[3].apart if call is not None and isinstance(call[3], Split) else ()


def _call(text: str) -> tuple[Sequence[Word], Sequence[str], int, Split | Files] | None:
    """A call of a known tool: its words, their values, where those of the tool's name end, and how it is split."""
    words = _plain_call(text)
    values = [_value(word, text) for word in words]
    start = _behind_launchers(values)
    for one in (*SPLITS, *FILES, _GO):
        end = start + len(one.words)
        found = start < len(values) and (_program(values[start]), *values[start + 1 : end]) == one.words
        if found and (not isinstance(one, Split) or not one.among or one.among in values):
            return words, values, end, one
    return None


def _by_itself(text: str) -> Writer | None:
    return (lambda shard, shards: text) if _MENTIONED.search(text) else None


def _own_words(text: str, values: Sequence[str], results: str, one: Split | Files) -> Writer | Refused | None:
    """What the text of a known tool says about its part itself; None: nothing.

    To add an option where it is split already would leave tests out, and to add none where the number only names a file would run
    all of them in each shard. So what may be either is refused.
    """
    option = one.name if isinstance(one, Split) else ""
    taken = option and any(value == option or value.startswith(f"{option}=") for value in values)
    if taken or _ALL_MENTIONED.search(text):
        return _by_itself(text) or Refused(
            f"its text says {option if taken else f'${SHARDS}'} already, the same for each shard",
            f"leave that out, or have it say ${SHARD} as well",
        )
    if not _MENTIONED.search(_NAMING.sub(lambda found: "" if found[0] in results else found[0], text)):
        return None
    tool = " ".join(one.words)
    own = option and f"{option} with ${SHARD} and ${SHARDS}"
    return Refused(
        f"whether ${SHARD} chooses tests in its text, or only names a file, is not known",
        f"give {tool} {own or f'its part by ${SHARD} and ${SHARDS}'}; then nothing is added to the text",
    )


def _plain_call(text: str) -> Sequence[Word]:
    """The words of a text that is one simple command whose words are the same in each shard, but for its number; none of any other."""
    statements = read(text).statements
    if len(statements) != 1 or statements[0].background:
        return ()
    command = statements[0].command
    return command.words if isinstance(command, Simple) and all(map(_is_fixed, command.words)) else ()


def _is_fixed(word: Word) -> bool:
    return all(
        isinstance(part, Literal | Glob | Tilde) or (isinstance(part, Parameter) and part.name in (SHARD, SHARDS))
        for part in word.parts
    )


def _value(word: Word, text: str) -> str:
    if all(isinstance(part, Literal) for part in word.parts):
        return "".join(part.text for part in word.parts if isinstance(part, Literal))
    return text[word.span.start : word.span.end]


def _program(value: str) -> str:
    name = os.path.basename(value)
    return "python" if _PYTHON.fullmatch(name) else name


def _behind_launchers(values: Sequence[str]) -> int:
    """Where the tool's own name stands."""
    start = 0
    while True:
        for launcher in _LAUNCHERS:
            end = start + len(launcher)
            if end < len(values) and (_program(values[start]), *values[start + 1 : end]) == launcher:
                start = end
                break
        else:
            return start


# --- tools that are given what they run -------------------------------------------------------------------

_NOTHING = "no {} are left for this shard"
"""Where there are fewer of them than shards. The tool must not be called with none then: it would take what it takes by itself."""


_TAP = frozenset({"tap", "tap13", "-t", "--tap"})


def _packages(text: str, words: Sequence[Word], values: Sequence[str]) -> Writer | Refused:
    """`go test` takes every `shards`-th of the packages that `go list` names."""
    named = [number for number, value in enumerate(values) if value.startswith(("./", "../")) or value.endswith("...")]
    if not _stand_together(named):
        return Refused("go test must be told its packages in one place", "write them next to each other, as in ./...")
    start, end = words[named[0]].span.start, words[named[-1]].span.end
    # Whoever reads events takes no output at all for a death.
    said = _NOTHING.format("packages")
    if "-json" in values:
        said = f'\'{{"Action":"output","Output":"{said}"}}\''

    def write(shard: int, shards: int) -> str:
        chosen = f"go list {text[start:end]} | awk 'NR % {shards} == {shard % shards}'"
        test = f"{text[:start]}$packages{text[end:]}"
        return f'packages=$({chosen}) || exit; if [ -n "$packages" ]; then {test}; else echo {said}; fi'

    return write


def _files(text: str, words: Sequence[Word], values: Sequence[str], tool: Files) -> Writer | Refused:
    """Every `shards`-th of the files that the text names; patterns are the shell's own, so that none is left out that it would find."""
    behind = {number + 1 for number, value in enumerate(values) if value in tool.values}
    operands = [number for number, value in enumerate(values) if not value.startswith("-") and number not in behind]
    if not _stand_together(operands) or not all(values[number].endswith(tool.suffix) for number in operands):
        return Refused(
            f"{tool.words[0]} must be told its files, and nothing but files, in one place",
            f"write them next to each other, as words or patterns of the shell: tests/*{tool.suffix}",
        )
    start, end = words[operands[0]].span.start, words[operands[-1]].span.end
    said = "1..0" if tool.words == ("bats",) and _TAP.intersection(values) else _NOTHING.format("files")

    def write(shard: int, shards: int) -> str:
        every = f"all=({text[start:end]}); files=(); for ((n = {shard - 1}; n < ${{#all[@]}}; n += {shards}))"
        test = f'{text[:start]}"${{files[@]}}"{text[end:]}'
        return (
            f'{every}; do files+=("${{all[n]}}"); done; if [ ${{#files[@]}} -gt 0 ]; then {test}; else echo {said}; fi'
        )

    return write


def _stand_together(places: Sequence[int]) -> bool:
    return bool(places) and list(places) == list(range(places[0], places[-1] + 1))
