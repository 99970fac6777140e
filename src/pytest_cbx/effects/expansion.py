"""The shell's expansions: from a word of the syntax tree to the arguments that a program gets, as far as they are known."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from pytest_cbx.effects.state import NUMBERS, State
from pytest_cbx.effects.values import (
    EMPTY,
    GIVEN,
    TAME,
    UNKNOWN,
    UNKNOWN_MANY,
    Field,
    Origin,
    Shape,
    Variable,
    concat,
    split,
    strip,
    substitute,
    substring,
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

_NAME = re.compile(r"[A-Za-z_]\w*")
_CODE = re.compile(r"\$\(|`|\$\{.*@P")


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

    __slots__ = ("host",)

    def __init__(self, host: Host) -> None:
        self.host = host

    def words(self, words: Sequence[Word]) -> list[Field]:
        """All arguments that the words expand to."""
        fields: list[Field] = []
        own = self.host.own_text
        for word in words:
            found = self.word(word)
            fields.extend([field.at(word.span) for field in found] if own else found)
        return fields

    def word(self, word: Word) -> list[Field]:
        """The arguments of one word, with splitting and patterns."""
        parts = word.parts
        if len(parts) == 1 and type(parts[0]) is Literal:
            return [Field(parts[0].text)]
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
                    value = values[0].single() if len(values) == 1 else _joined(values)
                    if pattern and value.known and isinstance(part, Parameter) and not part.quoted and wild(value.text):
                        value = Field(value.text, Shape.PATTERN)
                    pieces.append(value)
        return concat(pieces).single() if pieces else EMPTY

    def target(self, word: Word) -> Field:
        """A redirect's target: one word with patterns; several are an error at run time."""
        fields = self.word(word)
        return fields[0].single() if len(fields) == 1 else UNKNOWN

    def _fields(self, parts: Sequence[WordPart]) -> list[Field]:
        fields: list[Field] = []
        current: list[Field] = []
        for part in parts:
            match part:
                case Literal(text=text):
                    current.append(Field(text))
                case Glob(pattern=pattern):
                    current.append(Field(pattern, Shape.PATTERN, True))
                case Parameter(quoted=False) | CommandSubstitution(quoted=False) | ArithmeticExpansion(quoted=False):
                    for index, value in enumerate(self._part(part)):
                        if index and current:
                            fields.append(concat(current))
                            current = []
                        current = self._split(value, fields, current)
                case _:
                    values = self._part(part)
                    for index, value in enumerate(values):
                        if index:
                            fields.append(concat(current))
                            current = []
                        current.append(value)
        if current:
            fields.append(concat(current))
        return fields

    def _split(self, value: Field, fields: list[Field], current: list[Field]) -> list[Field]:
        """Split an unquoted value; complete fields go to `fields`, the rest is the new current field."""
        if value.unknown:
            origin = replace(value.origin or Origin(), split=True)
            return [*current, Field(value.text, Shape.UNKNOWN, True, value.span, origin)]
        separators = self.host.state.variables.get("IFS", Field(" \t\n"))
        if not isinstance(separators, Field) or not separators.known:
            return [*current, UNKNOWN_MANY]
        if not value.known:
            return [*current, value]
        before, words, after = split(value.text, separators.text)
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

    def _part(self, part: WordPart) -> list[Field]:
        """The value of a part before splitting; several for `"$@"` and arrays, none for an empty `"$@"`."""
        host = self.host
        match part:
            case Literal(text=text):
                return [Field(text)]
            case Tilde(user=user):
                return [Field(f"~{user}")] if user else [_scalar(host.state.variables.get("HOME", UNKNOWN))]
            case Parameter():
                return self._parameter(part)
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
        for name in _NAME.findall(text):
            value = variables.get(name)
            if isinstance(value, Field) and _CODE.search(value.text):
                self.host.doubt(f"arithmetic evaluates the text of {name}, which runs a command")
            elif re.search(rf"\b{name}\s*(?:[-+*/%&|^]|<<|>>)?=(?!=)|(?:\+\+|--)\s*{name}|{name}\s*(?:\+\+|--)", text):
                variables[name] = TAME

    def evaluated(self, value: Field) -> None:
        """Text that a builtin reads as the name of a variable with a subscript: the subscript is evaluated."""
        if "[" in value.text and _CODE.search(value.text):
            self.host.doubt("the subscript of a variable's name runs a command")
        elif value.unknown and "[" in value.text:
            self.host.doubt("the subscript of a variable's name is not known")

    # --- parameters ----------------------------------------------------------------------------------

    def _parameter(self, node: Parameter) -> list[Field]:
        if not (node.operator or node.index or node.length or node.indirect or node.arguments):
            return self._plain(node)
        many = self._is_list(node)
        values = self._base(node)
        patterns = node.operator[:1] in "#%/"
        arguments = [
            self.one(argument, pattern=patterns and not index) for index, argument in enumerate(node.arguments)
        ]
        if node.operator in (":", "/", "//") or node.length:
            for argument in node.arguments if node.operator == ":" else ():
                self.arithmetic("".join(part.text for part in argument.parts if isinstance(part, Literal)))
        if node.length:
            return [TAME]
        if many:
            return self._each(node, values, arguments)
        return [self._operated(node, values[0] if values else EMPTY, arguments)]

    def _plain(self, node: Parameter) -> list[Field]:
        if node.name in "@*":
            return self._positional(node)
        return [self._value_of(node.name)]

    def _value_of(self, name: str) -> Field:
        state = self.host.state
        value = state.variables.get(name)
        if value is not None:
            return _scalar(value)
        if name.isdigit() and name != "0":
            if state.positional is None:
                return GIVEN
            return state.positional[int(name) - 1] if int(name) <= len(state.positional) else EMPTY
        return TAME if name in NUMBERS else GIVEN

    def _positional(self, node: Parameter) -> list[Field]:
        values = self.host.state.positional
        if values is None:
            return [UNKNOWN_MANY]
        if node.name == "*" and node.quoted:
            return [_joined(list(values))]
        return list(values)

    def _is_list(self, node: Parameter) -> bool:
        if node.indirect:
            return False
        if node.name in ("@", "*"):
            return True
        return node.index is not None and _literal(node.index) in ("@", "*")

    def _base(self, node: Parameter) -> list[Field]:
        if node.indirect:
            name = self._value_of(node.name)
            if node.operator or not (name.known and _NAME.fullmatch(name.text)):
                return [UNKNOWN_MANY]
            return [self._value_of(name.text)]
        if node.name in ("@", "*"):
            return self._positional(node)
        if node.index is None:
            return [self._value_of(node.name)]
        index = self.one(node.index)
        self.arithmetic(index.text)
        self.evaluated(Field(f"{node.name}[{index.text}]", index.shape))
        value = self.host.state.variables.get(node.name)
        if index.text in ("@", "*") and index.known:
            return list(value) if isinstance(value, tuple) else [UNKNOWN_MANY if value is None else value]
        if isinstance(value, tuple):
            if index.known and index.text.isdigit():
                return [value[int(index.text)] if int(index.text) < len(value) else EMPTY]
            return [UNKNOWN]
        return [value if value is not None and index.text == "0" else UNKNOWN]

    def _each(self, node: Parameter, values: list[Field], arguments: list[Field]) -> list[Field]:
        if node.operator == ":":
            try:
                numbers = [int(argument.text) for argument in arguments if argument.known]
            except ValueError:
                numbers = []
            if len(numbers) != len(arguments) or not numbers or numbers[0] < 0 or UNKNOWN_MANY in values:
                return [UNKNOWN_MANY]
            start = numbers[0] - (node.name in ("@", "*"))
            stop = start + numbers[1] if len(numbers) > 1 else None
            return values[max(0, start) : stop]
        if not node.operator:
            return values if not (node.quoted and node.name == "*") else [_joined(values)]
        if not values:
            return [self._operated(node, EMPTY, arguments)] if node.operator in (":-", "-", ":=") else []
        return [self._operated(node, value, arguments) for value in values]

    def _operated(self, node: Parameter, value: Field, arguments: list[Field]) -> Field:
        operator = node.operator
        argument = arguments[0] if arguments else EMPTY
        if not operator:
            return value
        if operator in _CONDITIONAL:
            return self._conditional(node, value, argument)
        if operator in ("#", "##", "%", "%%"):
            return strip(value, operator, argument)
        if operator[0] == "/":
            return substitute(value, operator, argument, arguments[1] if len(arguments) > 1 else EMPTY)
        if operator == ":":
            return substring(value, arguments)
        if operator in _CASES and not arguments and value.known:
            return Field(_CASES[operator](value.text))
        if operator == "@P":
            self.host.doubt("${…@P} expands the value again, with its substitutions")
        return UNKNOWN

    def _conditional(self, node: Parameter, value: Field, argument: Field) -> Field:
        """`:-`, `-`, `:=`, `=`, `:+`, `+`, `:?`, `?`."""
        operator = node.operator
        state = self.host.state
        is_set = node.name in state.variables or (node.name.isdigit() and value is not EMPTY)
        empty = value.known and not value.text
        use_argument = empty and (operator[0] == ":" or not is_set)
        if operator[-1] == "?":
            return _if_empty(value, None)
        if operator[-1] == "+":
            if not value.known and value.shape is not Shape.PATTERN:
                return UNKNOWN
            return EMPTY if use_argument else argument
        result = argument if use_argument else _if_empty(value, argument.text if argument.known else None)
        if operator[-1] == "=":
            self.host.assign(node.name, result)
        return result


_CONDITIONAL = frozenset({":-", "-", ":=", "=", ":+", "+", ":?", "?"})
_CASES: dict[str, Callable[[str], str]] = {
    "^": lambda text: text[:1].upper() + text[1:],
    "^^": str.upper,
    ",": lambda text: text[:1].lower() + text[1:],
    ",,": str.lower,
}


def _if_empty(value: Field, text: str | None) -> Field:
    """The value, where nothing from outside can make it empty: the text stands in for it then, or (None) the shell stops."""
    if value.origin is None or value.origin.if_empty is None:
        return value
    return replace(value, origin=replace(value.origin, if_empty=text))


def _scalar(value: Variable) -> Field:
    """A variable without a subscript: an array gives its first element."""
    if isinstance(value, Field):
        return value
    return value[0] if value else EMPTY


def _joined(values: list[Field]) -> Field:
    pieces: list[Field] = []
    for index, value in enumerate(values):
        if index:
            pieces.append(Field(" "))
        pieces.append(value.single())
    return concat(pieces) if pieces else EMPTY


def _literal(word: Word) -> str | None:
    """The word's text when it is literal or a bare `*`."""
    texts = [
        part.text if isinstance(part, Literal) else part.pattern if isinstance(part, Glob) else None
        for part in word.parts
    ]
    return "".join(text for text in texts if text is not None) if None not in texts else None


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
