"""Findings on texts that are not what they look like: characters that nobody sees, names that look like others, disguises."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from pytest_cbx.effects.facts import Sign
from pytest_cbx.effects.model import Effects
from pytest_cbx.safety.model import Finding, Severity
from pytest_cbx.shell.nodes import Span

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f]+|\r(?!\n|$)")
_LINE_END = re.compile(r"\r(?=\n|$)")
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2060-\u2064\u206a-\u206f\u3164\ufeff\uffa0"
    "\U000e0000-\U000e007f]+"
)
_DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]+")
_BLANK = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")

_LIKE_LATIN = dict(
    zip("аеорсухіјѕԁһӏɡαοрνιІЅАВЕКМНОРСТХ", "aeopcyxijsdhlgaopviISABEKMHOPCTX", strict=True)
)  # fmt: skip
"""Letters of other alphabets that look like these (Unicode's confusables, those that names of programs have)."""


def look(effects: Effects, text: str) -> Iterator[Finding]:
    """Findings on the characters of the text, and on how names are written."""
    for found in _CONTROL.finditer(text):
        yield _deceptive(Severity.CRITICAL, "a control character hides part of the text on a terminal", found)
    if (ending := _LINE_END.search(text)) is not None:
        yield _deceptive(
            Severity.WARNING, "a carriage return at the end of a line becomes part of its last word", ending
        )
    if not text.isascii():
        yield from _characters(text)
        yield from _lookalikes(effects)
    for fact in effects.facts:
        if fact.sign is Sign.DISGUISED:
            message = f"the name {fact.program} is written so that nobody reads it at once"
        elif fact.sign is Sign.BLANK:
            message = "$IFS stands for a blank, which hides where words end"
        else:
            continue
        yield Finding(rule="obfuscation", severity=Severity.WARNING, message=message, span=fact.span)


def _deceptive(severity: Severity, message: str, found: re.Match[str]) -> Finding:
    return Finding(rule="deceptive-text", severity=severity, message=message, span=Span(*found.span()))


def _characters(text: str) -> Iterator[Finding]:
    for found in _DIRECTION.finditer(text):
        yield _deceptive(
            Severity.CRITICAL, "characters that turn the direction of writing: it reads otherwise than it runs", found
        )
    for found in _INVISIBLE.finditer(text):
        if not _joins_signs(text, found):
            yield _deceptive(Severity.CRITICAL, "a character that nobody sees", found)
    for found in _BLANK.finditer(text):
        yield _deceptive(Severity.WARNING, "a blank that the shell takes for a letter", found)


def _joins_signs(text: str, found: re.Match[str]) -> bool:
    """A joiner between pictures (👩‍💻), where it belongs."""
    before = text[found.start() - 1 : found.start()]
    return found.group() == "\u200d" and before != "" and unicodedata.category(before) in ("So", "Sk", "Mn")


def _lookalikes(effects: Effects) -> Iterator[Finding]:
    for call in effects.invocations:
        plain = unicodedata.normalize("NFKC", "".join(_LIKE_LATIN.get(letter, letter) for letter in call.program))
        if plain != call.program and plain.isascii():
            message = f"the program's name looks like {plain}, but is another one"
            yield Finding(rule="deceptive-text", severity=Severity.CRITICAL, message=message, span=call.span)
