"""What a walk tells beside effects: how programs were called, and what the writing of a text shows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from pytest_cbx.effects.values import Field
from pytest_cbx.shell.nodes import Span


class Sign(Enum):
    """Something that a reviewer would want to know, though it is no effect."""

    HIDDEN_TEXT = "hidden-text"
    """A program runs text that is known, but that was decoded or fetched first."""
    DISGUISED = "disguised"
    """A program's name is put together from pieces, or written with quotes and escapes that it does not need."""
    BLANK = "blank"
    """`IFS` stands for a blank."""
    MULTIPLIES = "multiplies"
    """A function or loop starts ever more processes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One sign, with the program that it is about."""

    sign: Sign
    program: str
    span: Span | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """One call of a program."""

    program: str
    """Its base name."""
    words: tuple[Field, ...]
    """All words after its name."""
    span: Span | None
    """Where its name stands; inside an inner text, where that text does."""
    path: tuple[str, ...] = ()
    """Sub-commands that the catalogue lists: `remote`, `add`."""
    given: tuple[tuple[tuple[str, ...], Field | None], ...] = ()
    """Options that the catalogue lists, in order: all names of each, and its value."""
    operands: tuple[Field, ...] = ()
    """What is left for the last sub-command."""

    def has(self, *names: str) -> bool:
        """Whether an option with one of these names was given."""
        return any(name in spellings for spellings, _ in self.given for name in names)

    def values(self, *names: str) -> list[Field]:
        """The values of the options with these names."""
        return [
            value for spellings, value in self.given if value is not None and any(name in spellings for name in names)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """A variable that is set."""

    name: str
    value: Field
    span: Span | None
