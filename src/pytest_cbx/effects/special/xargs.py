"""xargs: runs a command with the words of its input. Facts: xargs(1) of GNU findutils 4.9 and of FreeBSD 14 (`-J -R -S`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_cbx.effects.paths import join
from pytest_cbx.effects.special.find import filled, inner, is_shell, put
from pytest_cbx.effects.values import TAME, UNKNOWN, UNKNOWN_MANY, Field, Origin, Shape

if TYPE_CHECKING:
    from pytest_cbx.effects.interpreter import Call

LONGEST_INPUT = 4_000
MOST_RUNS = 32
"""For more items than this the command is run once, with one that stands for all."""

_ITEM = re.compile(r"""(?:"[^"\n]*"|'[^'\n]*'|\\.|[^\s"'\\])+""", re.DOTALL)
_LINE = re.compile(r"""(?:"[^"\n]*"|'[^'\n]*'|\\.|[^\n"'\\])+""", re.DOTALL)
_QUOTED = re.compile(r""""([^"\n]*)"|'([^'\n]*)'|\\(.)""", re.DOTALL)


def xargs(call: Call) -> None:
    """`xargs [OPTION…] [COMMAND [ARGUMENT…]]`."""
    host = call.host
    words = list(call.parsed.operands) or [Field("echo")]
    slot = call.value("--process-slot-var")
    if slot is not None and slot.known:
        with host.fork():
            host.assign(slot.text, TAME, temporary=True)
    for command in _commands(call, words):
        with host.maybe(), call.process(), host.input(UNKNOWN):
            host.run(command)


def _commands(call: Call, words: list[Field]) -> list[list[Field]]:
    """The words of each run."""
    marker = _marker(call)
    if marker is None:
        return [_with(call, words, group) for group in _groups(call, _items(call, lines=call.given("-L", "-l")))]
    if not marker.known:
        return [[UNKNOWN for _ in words]]
    items = [inner(item) if is_shell(words[0]) else item for item in _several(_items(call, lines=True))]
    return [[put(word, item.single(), marker.text) for word in words] for item in items]


def _marker(call: Call) -> Field | None:
    """What -I, -i, --replace put in; None without them."""
    if not call.given("-I", "-i"):
        return None
    value = call.value("-I", "-i")
    return value if value is not None and (value.text or not value.known) else Field("{}")


def _with(call: Call, words: list[Field], group: Sequence[Field]) -> list[Field]:
    """The command with a group of items behind it, or in place of BSD's `-J` marker."""
    added: list[Field] = []
    for item in group:
        added += filled(words[0], item) if item.many else [item]
    marker = call.value("-J")
    if marker is not None and marker.known and marker.text in [word.text for word in words]:
        at = [word.text for word in words].index(marker.text)
        return [*words[:at], *added, *words[at + 1 :]]
    return [*words, *added]


def _items(call: Call, *, lines: bool) -> list[Field]:
    """The words (or lines) of the input. One that may be many stands for any number."""
    text = _input(call)
    if text.unknown or len(text.text) > LONGEST_INPUT:
        return [replace(UNKNOWN_MANY, origin=Origin(given=True) | text.origin)]
    if not text.known:
        return [Field(text.text, Shape.PATTERN, True) if not re.search(r"\s", text.text.rstrip("\n")) else UNKNOWN_MANY]
    separator = "\0" if call.given("-0") else _delimiter(call.value("-d"))
    if separator is None:
        return [UNKNOWN_MANY]
    if separator:
        return [Field(item) for item in text.text.removesuffix(separator).split(separator)] if text.text else []
    form = _LINE if lines else _ITEM
    if re.sub(form, "", text.text).strip():
        return [UNKNOWN_MANY]
    found = [item.lstrip(" \t") if lines else item for item in form.findall(text.text)]
    if lines and call.given("-L", "-l"):
        return [Field(line) for line in found if line]
    return [_unquoted(item) for item in found if item]


def _unquoted(item: str) -> Field:
    return Field(_QUOTED.sub(lambda quoted: "".join(filter(None, quoted.groups())), item))


def _input(call: Call) -> Field:
    """What it reads: the file of -a, or standard input. A file that is not seen does not count as read: nothing follows from it."""
    host, file, base = call.host, call.value("-a"), call.base
    if file is None and (host.stdin.known or host.redirected is None or host.redirected[0] is not host.stdin):
        return host.stdin
    if file is None and host.redirected is not None:
        _, file, base = host.redirected
    files, path = host.context.files, join(base, file) if file is not None else UNKNOWN
    if files is None or file is None or not path.known or files.text(path.text) is None:
        return UNKNOWN
    seen = host.file_text(file, base, call.name)
    return UNKNOWN if seen is None else Field(seen)


def _delimiter(value: Field | None) -> str | None:
    """The character of -d; empty without it, None when it is not known."""
    if value is None:
        return ""
    if not value.known:
        return None
    text = {"\\n": "\n", "\\t": "\t", "\\0": "\0", "\\r": "\r"}.get(value.text, value.text)
    return text if len(text) == 1 else None


def _groups(call: Call, items: list[Field]) -> list[list[Field]]:
    """The items of each run."""
    if any(item.many for item in items) or not items:
        return [items]
    if call.given("-L", "-l"):
        size = _number(call.value("-L", "-l"), default=1)
        whole = call.given("-0", "-d")
        lines = [[line] if whole else [_unquoted(word) for word in _ITEM.findall(line.text)] for line in items]
        if size is None or len(lines) > MOST_RUNS * size:
            return [[UNKNOWN_MANY]]
        return [[word for line in lines[at : at + size] for word in line] for at in range(0, len(lines), size)]
    size = _number(call.value("-n"), default=0) if call.given("-n") else len(items)
    if not size or len(items) > MOST_RUNS * size:
        return [[UNKNOWN_MANY]]
    return [items[at : at + size] for at in range(0, len(items), size)]


def _number(value: Field | None, *, default: int) -> int | None:
    if value is None:
        return default
    return int(value.text) if value.known and value.text.isdigit() and int(value.text) else None


def _several(items: list[Field]) -> list[Field]:
    """The items, or one that stands for all of too many."""
    if len(items) <= MOST_RUNS:
        return items
    tame = all(item.known and re.fullmatch(r"\w[\w.+-]*", item.text) for item in items)
    return [TAME if tame else UNKNOWN]


INTERPRETERS: dict[str, Callable[[Call], None]] = {"xargs": xargs}
