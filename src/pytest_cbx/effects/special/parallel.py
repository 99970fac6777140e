"""GNU parallel: runs shell text once for each combination of its inputs. Facts: parallel(1) 20221122."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.special.fd import PLACEHOLDERS
from pytest_cbx.effects.special.find import inner
from pytest_cbx.effects.values import TAME, UNKNOWN, Field, Shape

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

MOST_RUNS = 24
_SOURCE = re.compile(r"(:::|::::)(\+?)")
_MARKER = re.compile(r"\{(?:(\d+)?(\.|//?|/\.)?|[#%]|[+./%:,^#@][^{}\s]*)\}")
_SPECIAL = re.compile(r"[^\w@%+=:,./-]")

Source = tuple[bool, list[Field]]
"""Whether it is linked to the source before, and its values."""


def parallel(call: Call) -> None:
    """`parallel [OPTION…] [COMMAND…] [::: VALUE… | :::: FILE…]…`."""
    if call.given("--dry-run", "--shell-quote"):
        return
    if call.given("-S", "--sshloginfile", "--nonall", "--onall"):
        call.effect(Kind.NETWORK, "other hosts")
        call.effect(Kind.EXECUTE, "commands run on other hosts")
    command, sources = _split(call)
    if any(not word.known for word in command):
        call.effect(Kind.EXECUTE, "the command is not known beforehand")
        return
    quoted = call.given("-q")
    text = " ".join(_quote_around(word.text) if quoted else word.text for word in command)
    if "{=" in text or call.given("--rpl", "-I", "-i", "--parens", "--basenamereplace"):
        call.effect(Kind.EXECUTE, "the command is built from its input")
        return
    if call.given("--pipe", "--pipe-part", "--tee"):
        _run(call, text, (), appended=False)
        return
    for values in _combinations(call, sources):
        _run(call, text, values)


def _split(call: Call) -> tuple[list[Field], list[Source]]:
    """The command's words, and the sources behind `:::` and `::::`."""
    words = list(call.parsed.operands)
    cuts = [index for index, word in enumerate(words) if word.known and _SOURCE.fullmatch(word.text)]
    command = words[: cuts[0]] if cuts else words
    sources: list[Source] = []
    for start, end in itertools.pairwise([*cuts, len(words)]):
        found = _SOURCE.fullmatch(words[start].text)
        values = words[start + 1 : end]
        linked = bool(found and found.group(2))
        if found and found.group(1) == "::::":
            for file in values:
                call.touch(Kind.READ, file)
            values = [UNKNOWN]
        sources.append((linked, values))
    if not cuts or call.given("-a"):
        sources.insert(0, (False, [UNKNOWN] if call.given("-a") else _lines(call)))
    return command, sources


def _lines(call: Call) -> list[Field]:
    """What standard input gives, line by line."""
    text = call.host.stdin
    if text.known and not call.given("-0", "-d", "-C", "--header", "--csv"):
        return [Field(line) for line in text.text.splitlines()]
    return [Field(text.text, Shape.PATTERN)] if text.shape is Shape.PATTERN else [UNKNOWN]


def _combinations(call: Call, sources: Sequence[Source]) -> list[tuple[Field, ...]]:
    """The values of each run, one of each source."""
    if call.given("-n", "-N", "-m", "-X", "-L", "-l", "-C", "--header", "--trim", "--csv", "--xargs", "-d"):
        return (
            [tuple(_one_of(values) for _, values in sources)]
            if not call.given("-C", "-n", "-N", "--csv", "-d")
            else [()]
        )
    groups: list[list[tuple[Field, ...]]] = []
    for linked, values in sources:
        if (linked or call.given("--link")) and groups:
            groups[-1] = [(*run, value.single()) for run, value in zip(groups[-1], values, strict=False)]
        else:
            groups.append([(value.single(),) for value in values])
    if math.prod(map(len, groups)) > MOST_RUNS:
        return [tuple(_one_of(values) for _, values in sources)]
    return [tuple(itertools.chain(*parts)) for parts in itertools.product(*groups)]


def _one_of(values: Sequence[Field]) -> Field:
    if len(set(values)) == 1:
        return values[0].single()
    return (
        TAME if values and all(value.known and re.fullmatch(r"\w[\w.+-]*", value.text) for value in values) else UNKNOWN
    )


def _run(call: Call, text: str, values: tuple[Field, ...], *, appended: bool = True) -> None:
    host = call.host
    if not text:
        for value in values:
            with host.maybe():
                host.run_text(value, call.name)
        return
    if appended and not _MARKER.search(text):
        text += " {}"
    with host.maybe(), call.process(), host.input(UNKNOWN):
        unclear = False

        def rendered(value: Field, position: int) -> str:
            nonlocal unclear
            if value.known:
                return _quote(value.text)
            # A value that is not known beforehand goes through a variable: parallel quotes it, so it stays one word.
            unclear |= "'" in text
            name = f"_cbx_{position}"
            host.state.variables[name] = inner(value)
            host.state.exported.add(name)
            return f'"${{{name}}}"'

        def put(found: re.Match[str]) -> str:
            chosen = _values(found, values)
            return " ".join(rendered(value, found.start() * 10 + index) for index, value in enumerate(chosen))

        filled = _MARKER.sub(put, text)
        if unclear:
            call.effect(Kind.EXECUTE, "the command is built from its input")
        else:
            host.run_text(Field(filled), call.name)


def _values(found: re.Match[str], values: tuple[Field, ...]) -> list[Field]:
    """What stands for a marker: one word for each source, or of the one that it names."""
    marker = found.group()
    if marker in ("{#}", "{%}"):
        return [TAME]
    number, form = found.group(1), found.group(2) or ""
    if marker != f"{{{number or ''}{form}}}":
        return [UNKNOWN]
    chosen = list(values) or [UNKNOWN]
    if number:
        chosen = [values[int(number) - 1] if 0 < int(number) <= len(values) else UNKNOWN]
    return [PLACEHOLDERS[f"{{{form}}}"](value) for value in chosen]


def _quote_around(text: str) -> str:
    """The text quoted, but for the markers in it."""
    if not text:
        return "''"
    ends = [(found.start(), found.end()) for found in _MARKER.finditer(text)]
    cuts = [0, *(end for _, end in ends)]
    pieces = [text[start:end] for start, end in zip(cuts, [*(start for start, _ in ends), len(text)], strict=True)]
    quoted = [_quote(piece) if piece else "" for piece in pieces]
    return "".join(
        part
        for piece, marker in zip(quoted, [*(text[a:b] for a, b in ends), ""], strict=True)
        for part in (piece, marker)
    )


def _quote(text: str) -> str:
    return _SPECIAL.sub(lambda found: f"\\{found.group()}" if found.group() != "\n" else "'\n'", text) or "''"


INTERPRETERS: dict[str, Callable[[Call], None]] = {"parallel": parallel}
