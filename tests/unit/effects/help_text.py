"""Reads the options and their arity out of a program's `--help`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Arity = Literal["none", "required", "optional"]

_LINE = re.compile(r"^\s{0,12}(?P<spec>-{1,2}[^\s-].*|-[-\d].*)$")
_NAME = re.compile(r"^(--[A-Za-z0-9][\w.-]*|-[^\s,=\[<-])")
_DASH_NAME = re.compile(r"^(--?[A-Za-z0-9][\w.-]*)")
_DESCRIPTION = re.compile(r"\s{2,}(?![\s-])|\t+| : |: | - ")
_SEPARATOR = re.compile(r",\s*| or |\s*\|\s*|\s+(?=--?[A-Za-z0-9])|(?<=\w)/(?=-)")
_OPTIONAL = re.compile(r"\s?\[(?!no-)|\[=")
_REQUIRED = re.compile(r"=|\s*<|\s+[A-Z\d'\"{]|\s+[a-z]+$|[A-Z][A-Z]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Documented:
    """Options that one line of the help gives as the same."""

    names: tuple[str, ...]
    arity: Arity
    line: str


def documented(text: str, *, dash: bool = False) -> list[Documented]:
    """All options that the lines of a help text begin with. `dash`: long options have a single dash."""
    found = []
    for line in text.splitlines():
        match = _LINE.match(line.expandtabs(8).replace("\b", ""))
        option = _line(match["spec"], line, dash=dash) if match else None
        if option is not None:
            found.append(option)
    return found


def _line(spec: str, line: str, *, dash: bool) -> Documented | None:
    spec = _DESCRIPTION.split(spec, maxsplit=1)[0]
    names: list[str] = []
    arity: Arity = "none"
    for piece in _SEPARATOR.split(spec.strip()):
        name = (_DASH_NAME if dash else _NAME).match(piece)
        if name is None:
            continue
        names.append(name[0])
        rest = piece[name.end() :]
        if _OPTIONAL.match(rest):
            arity = "optional"
        elif arity == "none" and _REQUIRED.match(rest):
            arity = "required"
    return Documented(names=tuple(names), arity=arity, line=line.strip()) if names else None
