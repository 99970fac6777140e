"""The shell's expansions: from a word of the syntax tree to the arguments that a program gets, as far as they are known."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from pytest_cbx.effects import parameters
from pytest_cbx.effects.parameters import joined
from pytest_cbx.effects.state import State
from pytest_cbx.effects.values import (
    EMPTY,
    TAME,
    UNKNOWN,
    UNKNOWN_MANY,
    Field,
    Origin,
    Shape,
    concat,
    split,
    wild,
)
from pytest_cbx.shell.nodes import (
    ArithmeticExpansion,
    Brace,
    CommandSubstitution,
    Glob,
    Literal,
    Parameter,
    ProcessSubstitution,
    Script,
    Tilde,
    Word,
    WordPart,
)

MOST_ALTERNATIVES = 64
"""More alternatives of braces than this in one word are given up as unknown."""

MOST_FIELDS = 20_000
"""Arguments expanded for one text, loops and functions unrolled. Beyond it the rest counts as unknown."""

MOST_PARTS = 1_000
"""More expansions than this in one word are walked, but their values are given up."""

_NAME = re.compile(r"[A-Za-z_]\w*")
_CODE = re.compile(r"\$\(|`|\$\{.*@P")
_CODED = re.compile(r"\[.*(?:\$\(|`|\$\{)", re.DOTALL)
_SUBSCRIPT = r"(?:\[[^\]]*\])?\s*"
_ASSIGNED = re.compile(
    rf"\b([A-Za-z_]\w*){_SUBSCRIPT}(?:[-+*/%&|^]|<<|>>)?=(?!=)|(?:\+\+|--)\s*([A-Za-z_]\w*)"
    rf"|\b([A-Za-z_]\w*){_SUBSCRIPT}(?:\+\+|--)"
)
_TILDES = {"": "HOME", "+": "PWD", "-": "OLDPWD"}


class Host(Protocol):
    """What the expansions need of the walker."""

    @property
    def own_text(self) -> bool:
        """Whether what is walked stands in the command's own text, so that its spans count."""

    @property
    def state(self) -> State:
        """The shell's state at this point."""

    def substitution(self, body: Script) -> Field:
        """Walk the body of a command substitution and give its output, as far as known."""

    def process(self, body: Script, reads_from: bool) -> Field:
        """Walk the body of a process substitution and give the path that stands for it."""

    def assign(self, name: str, value: Field) -> None:
        """Set a variable."""

    def listed(self, pattern: Field) -> None:
        """Take note of a pattern that the shell looks up."""

    def doubt(self, reason: str) -> None:
        """Note that something unknown may run here."""


class Expander:
    """Expands words in the host's current state. Substitutions are walked by the host as they are met."""

    __slots__ = ("_coded", "_spent", "host")

    def __init__(self, host: Host) -> None:
        self.host = host
        self._spent = 0
        self._coded = False
        """Whether a word held text that arithmetic would run (`a[$(…)]`): whatever it evaluates from then on may be that."""

    def words(self, words: Sequence[Word]) -> list[Field]:
        """All arguments that the words expand to."""
        fields: list[Field] = []
        own = self.host.own_text
        for word in words:
            if self._spent > MOST_FIELDS:
                self.host.doubt("the script has more words than can be followed")
                return [*fields[:1], UNKNOWN_MANY]
            parts = word.parts
            if len(parts) == 1 and type(parts[0]) is Literal:
                text = parts[0].text
                if "[" in text:
                    self._note_code(text)
                fields.append(Field(text, Shape.KNOWN, False, word.span if own else None))
                self._spent += 1
                continue
            found = self.word(word)
            for field in found:
                if "[" in field.text:
                    self._note_code(field.text)
            self._spent += len(found)
            fields.extend([field.at(word.span) for field in found] if own else found)
        return fields

    def word(self, word: Word) -> list[Field]:
        """The arguments of one word, with splitting and patterns."""
        parts = word.parts
        if len(parts) == 1 and type(parts[0]) is Literal:
            return [Field(parts[0].text)]
        if len(parts) > MOST_PARTS:
            self._visit(parts)
            return [UNKNOWN_MANY]
        if any(type(part) is Brace for part in parts):
            variants = _variants(parts)
            if variants is None:
                self._visit(parts)
                return [UNKNOWN_MANY]
            return [field for variant in variants for field in self._fields(variant)]
        fields = self._fields(parts)
        if any(type(part) is Glob for part in parts):
            for field in fields:
                if field.many and field.shape is Shape.PATTERN:
                    self.host.listed(field)
        return fields

    def one(self, word: Word, *, pattern: bool = False) -> Field:
        """The word as exactly one argument: no splitting, no patterns (assignments, `[[ ]]`, `case`, here-strings).

        `pattern`: its wildcards count (the patterns of `${x#p}` and `${x/p/s}`).
        """
        if len(word.parts) > MOST_PARTS:
            self._visit(word.parts)
            return UNKNOWN
        pieces: list[Field] = []
        for part in word.parts:
            match part:
                case Glob(pattern=text):
                    pieces.append(Field(text, Shape.PATTERN if pattern else Shape.KNOWN))
                case Brace():
                    self._visit((part,))
                    pieces.append(UNKNOWN)
                case _:
                    values = self._part(part)
                    value = values[0].single() if len(values) == 1 else joined(values)
                    if pattern and value.known and isinstance(part, Parameter) and not part.quoted and wild(value.text):
                        value = Field(value.text, Shape.PATTERN)
                    pieces.append(value)
        value = concat(pieces).single() if pieces else EMPTY
        self._note_code(value.text)
        return value

    def _note_code(self, text: str) -> None:
        self._coded = self._coded or ("[" in text and _CODED.search(text) is not None)

    def target(self, word: Word) -> Field:
        """A redirect's target: one word with patterns; several are an error at run time."""
        fields = self.word(word)
        return fields[0].single() if len(fields) == 1 else UNKNOWN

    def _fields(self, parts: Sequence[WordPart]) -> list[Field]:
        fields: list[Field] = []
        current: list[Field] = []
        for part in parts:
            current = self._add(part, fields, current)
        if current:
            fields.append(concat(current))
        return fields

    def _add(self, part: WordPart, fields: list[Field], current: list[Field], *, argument: bool = False) -> list[Field]:
        """Add a part to the current field; complete fields go to `fields`, the rest is the new current field.

        `argument`: the part stands in the argument of an unquoted expansion, where bare text is split, too.
        """
        match part:
            case Literal(text=text, quoted=quoted):
                if argument and not quoted:
                    return self._split(Field(text), fields, current)
                current.append(Field(text))
            case Glob(pattern=pattern):
                current.append(Field(pattern, Shape.PATTERN, True))
            case Parameter(quoted=False, operator=operator, length=False) if operator in parameters.CHOOSING:
                values, chosen = parameters.choice(self, part)
                for inner in chosen.parts if chosen is not None else ():
                    current = self._add(inner, fields, current, argument=True)
                return self._split_all(values, fields, current)
            case Parameter(quoted=False) | CommandSubstitution(quoted=False) | ArithmeticExpansion(quoted=False):
                return self._split_all(self._part(part), fields, current)
            case _:
                for index, value in enumerate(self._part(part)):
                    if index:
                        fields.append(concat(current))
                        current = []
                    current.append(value)
        return current

    def _split_all(self, values: list[Field], fields: list[Field], current: list[Field]) -> list[Field]:
        for index, value in enumerate(values):
            if index and current:
                fields.append(concat(current))
                current = []
            current = self._split(value, fields, current)
        return current

    def separators(self) -> str | None:
        """The characters of IFS; None where they are not known."""
        value = self.host.state.variables.get("IFS", UNKNOWN)
        return value.text if isinstance(value, Field) and value.known else None

    def _split(self, value: Field, fields: list[Field], current: list[Field]) -> list[Field]:
        """Split an unquoted value; complete fields go to `fields`, the rest is the new current field."""
        if value.unknown:
            origin = replace(value.origin or Origin(), split=True)
            current.append(Field(value.text, Shape.UNKNOWN, True, value.span, origin))
            return current
        separators = self.separators()
        if separators is None:
            current.append(UNKNOWN_MANY)
            return current
        if not value.known:
            current.append(value)
            return current
        before, words, after = split(value.text, separators)
        if before and current:
            fields.append(concat(current))
            current = []
        for index, text in enumerate(words):
            if index:
                fields.append(concat(current))
                current = []
            shape = Shape.PATTERN if wild(text) else Shape.KNOWN
            current.append(Field(text, shape, shape is Shape.PATTERN, None, value.origin))
        if after and current:
            fields.append(concat(current))
            current = []
        return current

    def _tilde(self, user: str) -> Field:
        """`~`, `~user`, `~+` and `~-`; the stack of directories (`~1`) is not followed."""
        variables = self.host.state.variables
        if user in _TILDES:
            return parameters.scalar(variables.get(_TILDES[user], UNKNOWN))
        return UNKNOWN if user[0] in "+-" or user.isdigit() else Field(f"~{user}")

    def _part(self, part: WordPart) -> list[Field]:
        """The value of a part before splitting; several for `"$@"` and arrays, none for an empty `"$@"`."""
        host = self.host
        match part:
            case Literal(text=text):
                return [Field(text)]
            case Tilde(user=user):
                return [self._tilde(user)]
            case Parameter():
                return parameters.values_of(self, part)
            case CommandSubstitution(body=body):
                return [host.substitution(body)]
            case ProcessSubstitution(body=body, reads_from=reads_from):
                return [host.process(body, reads_from)]
            case ArithmeticExpansion(text=text, parts=parts):
                self.arithmetic(text, parts)
                return [TAME]
            case Glob(pattern=pattern):
                return [Field(pattern, Shape.PATTERN, True)]
            case _:
                self._visit((part,))
                return [UNKNOWN_MANY]

    def _visit(self, parts: Sequence[WordPart]) -> None:
        """Walk what runs in these parts; the values do not matter."""
        for part in parts:
            if isinstance(part, Brace):
                for alternative in part.alternatives:
                    self._visit(alternative.parts)
            else:
                self._part(part)

    def arithmetic(self, text: str, parts: Sequence[WordPart] = ()) -> None:
        """Walk an arithmetic expression. A variable's text is evaluated again there, with its substitutions."""
        self._visit(parts)
        variables = self.host.state.variables
        if self._coded and (parts or _NAME.search(text)):
            self.host.doubt("arithmetic evaluates text, and some text of the script would run a command there")
        for name in dict.fromkeys(_NAME.findall(text)):
            value = variables.get(name)
            if isinstance(value, Field) and _CODE.search(value.text):
                self.host.doubt(f"arithmetic evaluates the text of {name}, which runs a command")
            elif isinstance(value, Field) and value.known and _ASSIGNED.search(value.text):
                self.host.doubt(f"arithmetic evaluates the text of {name}, which sets a variable")
        for match in _ASSIGNED.finditer(text):
            name = match[1] or match[2] or match[3]
            self.host.assign(name, UNKNOWN if isinstance(variables.get(name), tuple) else TAME)

    def calculated(self, value: Field) -> None:
        """A value that is evaluated as arithmetic: what a comparison has, or a variable of integers is set to."""
        self.arithmetic(value.text)
        self.evaluated(value)

    def subscript(self, name: str, index: Field) -> None:
        """`name[index]` in the shell's own syntax. What is not known of a subscript is taken for a number or a key."""
        self.arithmetic(index.text)
        if not index.unknown:
            self.evaluated(Field(f"{name}[{index.text}]", index.shape))

    def evaluated(self, value: Field) -> None:
        """Text that a builtin reads as the name of a variable with a subscript: the subscript is evaluated."""
        if "[" in value.text and _CODE.search(value.text):
            self.host.doubt("the subscript of a variable's name runs a command")
        elif value.known and "[" in value.text:
            self.arithmetic(value.text.partition("[")[2])
        elif self._coded and not value.known:
            self.host.doubt("a value is evaluated, and some text of the script would run a command there")
        elif value.unknown and "[" in value.text:
            self.host.doubt("the subscript of a variable's name is not known")


def _variants(parts: Sequence[WordPart]) -> list[list[WordPart]] | None:
    """The word once for each combination of alternatives, in the shell's order; None when there are too many."""
    variants: list[list[WordPart]] = [[]]
    for part in parts:
        choices = list(_alternatives(part))
        if len(variants) * len(choices) > MOST_ALTERNATIVES:
            return None
        variants = [[*variant, *choice] for variant in variants for choice in choices]
    return variants


def _alternatives(part: WordPart) -> Iterator[Sequence[WordPart]]:
    if not isinstance(part, Brace):
        yield (part,)
        return
    for alternative in part.alternatives:
        inner = _variants(alternative.parts)
        if inner is None:
            yield (part,)
        else:
            yield from inner
