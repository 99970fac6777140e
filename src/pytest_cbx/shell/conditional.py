"""`[[ … ]]`: its operands and operators, in the order of the text."""

from __future__ import annotations

import re

from pytest_cbx.shell import words
from pytest_cbx.shell.nodes import Conditional, Literal, Unreadable, Word
from pytest_cbx.shell.source import END, Lost, Source

_OPERATOR = re.compile(r"&&|\|\||[()]|[<>](?!\()")
_REGEX_RUN = re.compile(r"[^ \t\n'\"\\$`()\0]+")


def conditional(source: Source, start: int, original: str) -> tuple[Conditional | Unreadable, int]:
    """The test whose `[[` stands at `start`, and the index behind its `]]`.

    Raises:
        Lost: its end cannot be told.
    """
    outer, source.doubt = source.doubt, None
    found: list[Word] = []
    pos = start + 2
    while True:
        text = source.text
        char = text[pos]
        if char in " \t":
            pos += 1
            continue
        if char == "\n":
            if source.waiting:
                raise Lost("a here-document within [[")
            pos += 1
            continue
        if text.startswith("]]", pos) and text[pos + 2] in words.WORD_ENDS:
            break
        if char == "#":
            raise Lost("a comment within [[")
        operator = _OPERATOR.match(text, pos)
        if len(found) > 1 and _is(found[-1], "=~"):
            word, pos = _regex(source, pos)
        elif operator is not None:
            word, pos = _literal(source, operator[0], pos, operator.end()), operator.end()
        elif char in words.WORD_ENDS and char not in "<>":
            raise Lost("[[ without ]]")
        else:
            word, pos = words.word(source, pos, words.PATTERN)
        found.append(word)
    end = pos + 2
    doubt, source.doubt = source.doubt, outer
    span = source.span(start, end)
    if doubt is not None:
        return Unreadable(text=original[span.start : span.end], reason=doubt, span=span), end
    return Conditional(words=tuple(found), span=span), end


def _literal(source: Source, text: str, start: int, end: int) -> Word:
    return Word(parts=(Literal(text=text, quoted=False),), span=source.span(start, end))


def _is(word: Word, text: str) -> bool:
    return word.parts == (Literal(text=text, quoted=False),)


def _regex(source: Source, start: int) -> tuple[Word, int]:
    """The regular expression at `start`: up to a blank outside of parentheses; its metacharacters are literals."""
    pieces: list[words.Piece] = []
    pos = start
    level = 0
    while True:
        text = source.text
        char = text[pos]
        run = _REGEX_RUN.match(text, pos)
        if run is not None:
            pieces.append((Literal(text=run[0], quoted=False), pos, run.end()))
            pos = run.end()
        elif char == END or (char in " \t\n" and level == 0):
            break
        elif char == '"':
            more, pos = words.double_quoted(source, pos + 1)
            pieces += more
        elif char in "'\\$`":
            part, end = words.expansion(source, pos)
            pieces.append((part, pos, end))
            pos = end
        else:
            level += (char == "(") - (char == ")" and level > 0)
            pieces.append((Literal(text=char, quoted=False), pos, pos + 1))
            pos += 1
    return words.finish(source, pieces, start, pos, words.SUBJECT), pos
