"""Two readers, one tree: the reader of record's, with what only the second reader finds beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pytest_cbx.shell.nodes import Command, Literal, Script, Simple, Span, Unreadable, Word
from pytest_cbx.shell.pieces import commands_of
from pytest_cbx.shell.plain import plain_words
from pytest_cbx.shell.reader import read
from pytest_cbx.shell.second import Answer, Found, ask


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that the two readers see differently."""

    sentence: str
    """For people."""
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What both readers find in a text."""

    script: Script
    """The tree of the reader of record."""
    extra: tuple[Command, ...] = ()
    """Commands that only the second reader finds. They count as if they might run."""
    differences: tuple[Difference, ...] = ()
    abstains: str = ""
    """Why the second reader says nothing; empty where it read the text."""


def read_both(text: str) -> Reading:
    """Read bash text with both readers. Never raises.

    Of plain words both make the same, so nobody needs to ask: loading the second reader takes longer than all else of a reading.
    """
    if plain_words(text) is not None:
        return Reading(script=read(text))
    return compare(text, read(text), ask(text))


def read_alone(text: str) -> Reading:
    """Read bash text with the reader of record only. Never raises."""
    return Reading(script=read(text), abstains="nobody asked it")


def compare(text: str, script: Script, answer: Answer) -> Reading:
    """The reading that a tree and the second reader's answer make up."""
    if answer.abstains:
        return Reading(script=script, abstains=answer.abstains)
    ours, unreadable = commands_of(script, text)
    theirs = {tuple((piece.start, piece.end) for piece in found): found for found in answer.commands}
    extra: list[Command] = []
    differences: list[Difference] = []
    for key, found in theirs.items():
        words = ours.get(key)
        if words is None:
            command = _again(text, found)
            known = any(one.start <= command.span.start and command.span.end <= one.end for one in unreadable)
            if not (known and isinstance(command, Unreadable)):
                extra.append(command)
            differences.append(_difference("also finds", text, command.span))
        elif any(piece.value is not None for piece in found):
            misread = _with_values(words, found, key)
            if misread is not None:
                extra.append(misread)
                differences.append(_difference("reads other words in", text, misread.span))
    for key in ours.keys() - theirs.keys():
        if key:
            differences.append(_difference("does not find", text, Span(key[0][0], key[-1][1])))
    differences.sort(key=lambda one: one.span.start)
    return Reading(script=script, extra=tuple(extra), differences=tuple(differences))


def _difference(verb: str, text: str, span: Span) -> Difference:
    shown = " ".join(text[span.start : span.end].split())
    shown = shown if len(shown) <= 60 else f"{shown[:59]}…"
    return Difference(sentence=f"the second reader {verb} `{shown}`", span=span)


def _again(text: str, found: Found) -> Command:
    """A command that only the second reader finds, made of its words as ours reads them one by one."""
    span = Span(found[0].start, found[-1].end)
    script = read(" ".join(text[piece.start : piece.end] for piece in found if piece.kind != "heredoc"))
    statements = script.statements
    if len(statements) == 1 and isinstance(statements[0].command, Simple):
        return replace(statements[0].command, span=span)
    return Unreadable(text=text[span.start : span.end], reason="only the second reader finds a command here", span=span)


def _with_values(command: Simple, found: Found, key: tuple[tuple[int, int], ...]) -> Simple | None:
    """The command with the words that the second reader makes of its quotes; None where both make the same."""
    values = {place: piece.value for place, piece in zip(key, found, strict=True) if piece.value is not None}
    words: list[Word] = []
    differs = False
    for word in command.words:
        value = values.get((word.span.start, word.span.end))
        if value is None or not _is_literal(word) or _text(word) == value:
            words.append(word)
        else:
            differs = True
            words.append(Word(parts=(Literal(text=value, quoted=True),), span=word.span))
    return replace(command, words=tuple(words)) if differs else None


def _is_literal(word: Word) -> bool:
    return all(isinstance(part, Literal) for part in word.parts)


def _text(word: Word) -> str:
    return "".join(part.text for part in word.parts if isinstance(part, Literal))
