"""From a TOML value to a typed one, or to what is wrong with it. No file, no line: those are the caller's.

A reader takes the value and returns the typed one, or raises `Wrong`. The texts of `Wrong` go on after the key's name:
"`timeout` in command "lint" " + "must be …, not …".
"""

from __future__ import annotations

import json
import math
import os.path
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from types import MappingProxyType
from typing import TypeAlias, TypeVar

from pytest_cbx.config import units
from pytest_cbx.config.model import ResultFormat, parse_results
from pytest_cbx.severity import RULES, Severity
from pytest_cbx.tier import Tier

T = TypeVar("T")
E = TypeVar("E", bound=Enum)
Reader: TypeAlias = Callable[[object], T]

SECONDS_MAX = 7 * 86400.0
"""The longest time that a setting may name: beyond a few weeks the system's own timers overflow."""
BYTES_MAX = (1 << 63) - 1
MEMORY_MIN = 1 << 20
"""Bytes; with less no program starts, so a smaller number is a forgotten unit."""
DESCRIPTORS_MIN = 16
RETRIES_MAX = 100
SHARDS_MAX = 100

_LOCK = re.compile(r"[^\s:]+(:read)?")
_NOT_TAGS = frozenset({"and", "or", "not", "None", "True", "False"})
"""Words of pytest's own `-m` language."""
_PYTEST_MARKS = frozenset({"parametrize", "usefixtures", "filterwarnings", "skipif"})
"""Marks that pytest gives a meaning which a bare tag cannot have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong with a value. `at`: the way from the value to the faulty part, empty for the whole."""

    message: str
    hint: str = ""
    at: tuple[str | int, ...] = ()


class Wrong(Exception):
    """The value cannot be used; all its faults at once."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(*(fault.message for fault in faults))
        self.faults = faults


def wrong(message: str, hint: str = "") -> Wrong:
    """A single fault of the whole value."""
    return Wrong(Fault(message=message, hint=hint))


def kind(value: object) -> str:
    """What a value is, in words for the end of a message."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value if len(value) <= 40 else value[:39] + "…")
    if isinstance(value, int | float):
        return str(value) if abs(value) < 1e30 else "so large a number"
    if isinstance(value, list):
        return "a list"
    return "a table" if isinstance(value, dict) else "a date or time"


def quoted(written: str) -> str:
    """The text in quotes, on one line, with escapes for all that does not print."""
    shown = json.dumps(written, ensure_ascii=False)
    return shown if shown.isprintable() else json.dumps(written)


def nearest(word: str, known: list[str]) -> str:
    """`did you mean …?` where a known word is near, else the known words, else empty."""
    close = get_close_matches(word, known, n=1, cutoff=0.6) or get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]}?"
    return f"known: {', '.join(known)}" if 0 < len(known) <= 20 else ""


# --- plain values ----------------------------------------------------------------------------------


def boolean(value: object) -> bool:
    """true or false."""
    if isinstance(value, bool):
        return value
    raise wrong(f"must be true or false, not {kind(value)}", _unquoted(value))


def _unquoted(value: object) -> str:
    return (
        f"write {value.lower()} without quotes" if isinstance(value, str) and value.lower() in ("true", "false") else ""
    )


def text(value: object) -> str:
    """Any text but an empty one; without NUL characters, which no system call takes."""
    if not isinstance(value, str):
        hint = f'write "{value}", in quotes' if isinstance(value, int | float) and not isinstance(value, bool) else ""
        raise wrong(f"must be a text, not {kind(value)}", hint)
    if not value.strip():
        raise wrong("must not be empty")
    if "\0" in value:
        raise wrong("must not contain a NUL character")
    return value


def texts(value: object, each: Reader[str] = text) -> tuple[str, ...]:
    """A list of texts, each as `each` takes it."""
    if not isinstance(value, list):
        hint = f"write [{kind(value)}]" if isinstance(value, str) else ""
        raise wrong(f"must be a list of texts, not {kind(value)}", hint)
    found: list[str] = []
    faults: list[Fault] = []
    for number, element in enumerate(value):
        try:
            found.append(each(element))
        except Wrong as error:
            faults += [
                Fault(message=f"element {number + 1} {fault.message}", hint=fault.hint, at=(number, *fault.at))
                for fault in error.faults
            ]
    if faults:
        raise Wrong(*faults)
    return tuple(found)


def whole(least: int, most: int | None = None) -> Reader[int]:
    """A whole number from `least` to `most`."""
    limits = f"a whole number from {least} to {most}" if most is not None else f"a whole number, {least} or more"

    def read(value: object) -> int:
        if (
            isinstance(value, bool)
            or not isinstance(value, int)
            or value < least
            or (most is not None and value > most)
        ):
            raise wrong(f"must be {limits}, not {kind(value)}")
        return value

    return read


def positive(value: object) -> float:
    """A number above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
        raise wrong(f"must be a number above 0, not {kind(value)}")
    return float(value)


def choice(kinds: type[E]) -> Reader[E]:
    """One member of an enum by its value."""
    known = [str(member.value) for member in kinds]

    def read(value: object) -> E:
        if isinstance(value, str) and value in known:
            return kinds(value)
        words = ", ".join(f'"{word}"' for word in known)
        close = get_close_matches(value.lower(), known, n=1, cutoff=0.6) if isinstance(value, str) else []
        raise wrong(f"must be one of {words}, not {kind(value)}", f'did you mean "{close[0]}"?' if close else "")

    return read


# --- quantities ------------------------------------------------------------------------------------


def seconds(value: object) -> float:
    """A duration above 0, of at most a week."""
    form = 'a number of seconds or a duration such as "90s"'
    found = _quantity(value, units.duration, form)
    if not 0 < found <= SECONDS_MAX:
        raise wrong(f"must be above 0 and at most 7 days, not {kind(value)}")
    return float(found)


def milliseconds(value: object) -> float:
    """Milliseconds as a plain number, or a duration such as "1s"."""
    found = _quantity(
        value, lambda written: units.duration(written) * 1000, 'a number of milliseconds or a duration such as "1s"'
    )
    if not 0 < found <= SECONDS_MAX * 1000:
        raise wrong(f"must be above 0 and at most 7 days, not {kind(value)}")
    return float(found)


def memory(total: Callable[[], int]) -> Reader[int]:
    """Bytes, or a share of the machine's memory, which `total` tells in bytes when it is needed."""

    def read(value: object) -> int:
        form = 'a size such as "512MB", a number of bytes, or a share of the machine such as "20%"'
        if isinstance(value, str) and value.strip().endswith("%"):
            found = int(_quantity(value, units.share, form) * total())
        else:
            found = _bytes(value, units.size, form)
        if found < MEMORY_MIN:
            hint = f'did you mean "{value}MB"?' if isinstance(value, int) and value > 0 else ""
            raise wrong(f"must be at least 1MB, with less no program starts; not {kind(value)}", hint)
        return found

    return read


def size(value: object) -> int:
    """Bytes, at least as many as one file of some size takes: a smaller number is a forgotten unit."""
    found = _bytes(value, units.size, 'a size such as "4GB", or a number of bytes')
    if found < MEMORY_MIN:
        hint = f'did you mean "{value}GB"?' if isinstance(value, int) and value > 0 else ""
        raise wrong(f"must be at least 1MB, not {kind(value)}", hint)
    return found


def bandwidth(value: object) -> int:
    """Bytes per second, above 0."""
    found = _bytes(value, units.bandwidth, 'a size a second such as "100MB/s", or a number of bytes a second')
    if found < 1:
        raise wrong(f"must be above 0, not {kind(value)}")
    return found


def share(value: object) -> float:
    """A share from 0 to 1."""
    found = float(_quantity(value, units.share, form := 'a share from 0 to 1 such as 0.2 or "20%"'))
    if not 0 <= found <= 1:
        hint = f'did you mean "{value}%"?' if 1 < found <= 100 else ""
        raise wrong(f"must be {form}, not {kind(value)}", hint)
    return found


def margin(value: object) -> float:
    """A share from 0 to below 1."""
    found = share(value)
    if found >= 1:
        raise wrong(f"must be below 1, else nothing is left to run with; not {kind(value)}")
    return found


def _quantity(value: object, parse: Callable[[str], float], form: str) -> float:
    """A plain finite number as it is, a text as `parse` reads it."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if abs(value) < 1e30 and math.isfinite(value):
            return value
    elif isinstance(value, str):
        try:
            return parse(value)
        except units.UnitError:
            pass
    raise wrong(f"must be {form}, not {kind(value)}")


def _bytes(value: object, parse: Callable[[str], int], form: str) -> int:
    found = _quantity(value, parse, form)
    if found != int(found) or not 0 <= found <= BYTES_MAX:
        raise wrong(f"must be {form}, not {kind(value)}")
    return int(found)


# --- words with a form of their own ----------------------------------------------------------------


def name(value: object) -> str:
    """A command's name: the last part of a node id, so without "::", line ends and other characters that do not print."""
    found = text(value)
    if "::" in found:
        raise wrong(
            'must not contain "::", which divides the parts of a node id', f'write "{found.replace("::", ":")}"'
        )
    if not found.isprintable():
        raise wrong(f"must be one line of printable characters, not {quoted(found)}")
    if found != found.strip():
        raise wrong("must not begin or end with a blank", f'write "{found.strip()}"')
    return found


def lock(value: object) -> str:
    """A named lock: `name`, or `name:read` to share it."""
    found = text(value)
    if not (_LOCK.fullmatch(found) and found.isprintable()):
        hint = f'write "{found.split(":", 1)[0]}:read" to share it' if found.count(":") == 1 else ""
        raise wrong(f'must be "name" or "name:read", without blanks, not {kind(value)}', hint)
    return found


def locks(value: object) -> tuple[str, ...]:
    """Named locks, each once."""
    found = texts(value, lock)
    seen: dict[str, str] = {}
    for number, entry in enumerate(found):
        key = entry.removesuffix(":read")
        if key in seen:
            raise Wrong(Fault(message=f'names the lock "{key}" twice', hint="keep one of them", at=(number,)))
        seen[key] = entry
    return found


def tag(value: object) -> str:
    """A tag, which becomes a pytest marker and so must be a name that `-m` can select."""
    found = text(value)
    if not found.isidentifier() or found in _NOT_TAGS:
        better = re.sub(r"\W", "_", found)
        hint = f'write "{better}"' if better.isidentifier() and better not in _NOT_TAGS else ""
        raise wrong(f"must be a name of letters, digits and _ that pytest's -m can select, not {kind(value)}", hint)
    if found in _PYTEST_MARKS:
        raise wrong(f'must not be "{found}", which pytest reads as a mark of its own', f'write "{found}_"')
    return found


def tags(value: object) -> tuple[str, ...]:
    """Tags."""
    return texts(value, tag)


def tier(value: object) -> Tier | None:
    """A tier by its full name or first word, in any case, `-` for `_`; None for "auto"."""
    if isinstance(value, str):
        word = value.strip().replace("-", "_").upper()
        for member in Tier:
            if word in (member.value, member.value.split("_", maxsplit=1)[0]):
                return member
        if word == "AUTO":
            return None
    known = ["auto", *(member.value for member in Tier)]
    spellings = {spelling.upper(): full for full in known for spelling in (full, full.split("_", maxsplit=1)[0])}
    close = get_close_matches(value.upper(), spellings, n=1, cutoff=0.5) if isinstance(value, str) else []
    words = ", ".join(f'"{word}"' for word in known)
    raise wrong(f"must be one of {words}, not {kind(value)}", f'did you mean "{spellings[close[0]]}"?' if close else "")


def deny(value: object) -> Severity | None:
    """A severity; None for "off"."""
    known = ["off", *(member.value for member in Severity)]
    if isinstance(value, str) and value in known:
        return None if value == "off" else Severity(value)
    words = ", ".join(f'"{word}"' for word in known)
    close = get_close_matches(value.lower(), known, n=1, cutoff=0.6) if isinstance(value, str) else []
    raise wrong(f"must be one of {words}, not {kind(value)}", f'did you mean "{close[0]}"?' if close else "")


def rule(value: object) -> str:
    """The name of a rule of findings."""
    found = text(value)
    if found not in RULES:
        close = get_close_matches(found.lower(), RULES, n=1, cutoff=0.6)
        hint = f'did you mean "{close[0]}"?' if close else f"known: {', '.join(RULES)}"
        raise wrong(f"must be the name of a rule of findings, not {kind(value)}", hint)
    return found


def rules(value: object) -> tuple[str, ...]:
    """Names of rules, each once."""
    return tuple(dict.fromkeys(texts(value, rule)))


def environment(value: object) -> Mapping[str, str]:
    """Variables and their values, both texts."""
    if not isinstance(value, dict):
        raise wrong(f"must be a table of texts, not {kind(value)}", 'write env = { CI = "1" }')
    faults: list[Fault] = []
    for variable, content in value.items():
        shown_name = variable if variable.isprintable() else quoted(variable)
        if not variable or "=" in variable or "\0" in variable:
            faults.append(Fault(message=f"has {kind(variable)}, which cannot be a variable's name", at=(variable,)))
        if not isinstance(content, str):
            shown = kind(content) if isinstance(content, bool | int | float) else "…"
            hint = f'write {shown_name} = "{shown}"'
            faults.append(
                Fault(message=f"has {shown_name} set to {kind(content)}; it must be a text", hint=hint, at=(variable,))
            )
        elif "\0" in content:
            faults.append(Fault(message=f"has {shown_name} with a NUL character", at=(variable,)))
    if faults:
        raise Wrong(*faults)
    return MappingProxyType(dict(value))


def needs(value: object) -> tuple[str, ...]:
    """Names of commands, each once; whether they exist is judged when all are known."""
    return tuple(dict.fromkeys(texts(value)))


def argv(value: object) -> tuple[str, ...]:
    """A program and its options."""
    if isinstance(value, str) and value.split():
        raise wrong(
            f"must be a list of texts, not {kind(value)}", f"write {json.dumps(value.split(), ensure_ascii=False)}"
        )
    found = texts(value)
    if not found:
        raise wrong("must not be empty", 'write ["bash", "-eo", "pipefail", "-c"]')
    return found


def root(value: object) -> str:
    """A folder, as written. `~` would be taken literally, so it is refused."""
    found = text(value)
    if found.startswith("~"):
        raise wrong(f"must not begin with ~, not {kind(value)}", "write the folder in full, or relative to this file")
    return found


def roots(value: object) -> tuple[str, ...]:
    """Folders."""
    return texts(value, root)


def is_inside(folder: str, base: str) -> bool:
    """Whether the absolute `folder` is `base` or lies below it, by their text alone."""
    folder, base = os.path.normpath(folder), os.path.normpath(base)
    return folder == base or folder.startswith(base.rstrip("/") + "/")


def results(value: object) -> str:
    """A glob or `-`, after the name of a format and a colon or not."""
    said = text(value)
    form, pattern = parse_results(said)
    head, colon, _ = said.partition(":")
    if form is None and colon and re.fullmatch(r"[a-z]+[a-z0-9-]*", head):
        known = [one.value for one in ResultFormat]
        close = get_close_matches(head, known, 1)
        raise wrong(
            f'has no format "{head}"; there are {", ".join(known)}',
            f'did you mean "{close[0]}:"?' if close else 'a path with a colon in it: begin it with "./"',
        )
    if not pattern:
        raise wrong(
            "must name a file after its format", f'write "{head}:reports/results.xml", or "{head}:-" for the output'
        )
    return said
