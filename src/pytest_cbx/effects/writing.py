"""What the writing of a command shows, as far as only its syntax tree tells: disguised names, loops that multiply."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_cbx.effects.facts import Sign
from pytest_cbx.effects.values import Field
from pytest_cbx.shell.nodes import (
    ArithmeticFor,
    Brace,
    CommandSubstitution,
    Glob,
    Literal,
    Loop,
    Parameter,
    Simple,
    Word,
    WordPart,
)

if TYPE_CHECKING:
    from pytest_cbx.effects.walker import Walker

_NEEDS_NO_QUOTES = re.compile(r"[\w./+-]+")
_PAUSES = frozenset({"wait", "sleep", "read", "inotifywait", "break", "exit"})


def look(walker: Walker, words: Sequence[Word], fields: Sequence[Field]) -> None:
    """Note how a simple command is written: its name, and `$IFS` in place of blanks."""
    if not words:
        return
    parts = words[0].parts
    if _spread(parts, fields):
        walker.record.sign(Sign.DISGUISED, fields[0].text, fields[0].span)
    if (len(parts) != 1 or type(parts[0]) is not Literal or parts[0].quoted) and _disguised(words[0], fields):
        walker.record.sign(Sign.DISGUISED, fields[0].text, fields[0].span)
    for word in words:
        if len(word.parts) > 1 and any(_is_ifs(part) for part in word.parts):
            walker.record.sign(Sign.BLANK, "", word.span if walker.own_text else None)


def _spread(parts: Sequence[WordPart], fields: Sequence[Field]) -> bool:
    """Whether a pattern or a brace gives the name: `/b?n/c?t`, `{rm,-rf,x}`."""
    if any(type(part) is Brace for part in parts):
        return len(fields) > 1
    patterns = [part.pattern for part in parts if isinstance(part, Glob)]
    first = parts[0] if parts else None
    absolute = isinstance(first, Literal) and first.text.startswith("/")
    return bool(patterns) and (absolute or any(sign in pattern for pattern in patterns for sign in "?["))


def _is_ifs(part: object) -> bool:
    return isinstance(part, Parameter) and part.name == "IFS" and not part.quoted


def _disguised(word: Word, fields: Sequence[Field]) -> bool:
    """Whether a name is known, but nobody reads it at once. Plain quotes, one variable and one leading backslash are usual."""
    if not fields or not fields[0].known or not _NEEDS_NO_QUOTES.fullmatch(fields[0].text):
        return False
    parts = word.parts
    if all(type(part) is Literal for part in parts):
        texts = [part.text for part in parts if isinstance(part, Literal)]
        first = parts[0]
        escaped = isinstance(first, Literal) and first.quoted and len(texts) == 2 and len(texts[0]) == 1
        usual = len("".join(texts)) + (2 if len(texts) == 1 else int(escaped))
        return "/" not in fields[0].text and word.span.end - word.span.start > usual
    sources = [part for part in parts if isinstance(part, Parameter | CommandSubstitution) and not _is_ifs(part)]
    pieces = any(part.operator == ":" for part in sources if isinstance(part, Parameter))
    printed = any(isinstance(part, CommandSubstitution) for part in sources)
    return "/" not in fields[0].text and (len(sources) > 1 or pieces or printed)


def multiplies(node: Loop | ArithmeticFor) -> bool:
    """Whether an endless loop starts a background command each time, and never pauses."""
    commands = [_name(statement.command) for statement in node.body.statements]
    if not any(statement.background for statement in node.body.statements) or not _PAUSES.isdisjoint(commands):
        return False
    if isinstance(node, ArithmeticFor):
        return not "".join(node.text.split(";")[1:2]).strip()
    condition = [statement.command for statement in node.condition.statements]
    word = "false" if node.until else "true"
    return len(condition) == 1 and _name(condition[0]) in (word, ":" if not node.until else word)


def _name(command: object) -> str:
    if not isinstance(command, Simple) or not command.words:
        return ""
    part = command.words[0].parts[0] if len(command.words[0].parts) == 1 else None
    return part.text if isinstance(part, Literal) else ""
