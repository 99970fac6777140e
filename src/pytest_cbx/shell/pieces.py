"""The simple commands of a tree, wherever they stand, by the places of their words: what two readers can compare."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from pytest_cbx.shell.nodes import (
    AndOr,
    Arithmetic,
    ArithmeticExpansion,
    ArithmeticFor,
    Assignment,
    Brace,
    Case,
    Command,
    CommandSubstitution,
    Conditional,
    Coprocess,
    For,
    Function,
    Group,
    If,
    Literal,
    Loop,
    Parameter,
    Pipeline,
    ProcessSubstitution,
    Redirect,
    Script,
    Simple,
    Span,
    Subshell,
    Unreadable,
    Word,
    WordPart,
)

Places: TypeAlias = tuple[tuple[int, int], ...]
"""Where the words, assignments and redirects of a command start and end, in order of the text."""


def commands_of(script: Script, text: str) -> tuple[dict[Places, Simple], list[Span]]:
    """All simple commands of the tree, and the places that could not be read.

    The redirects of a compound command count as a command without words.
    """
    collector = _Collector(text)
    collector.script(script)
    return collector.found, collector.unreadable


Compound: TypeAlias = (
    Group | Subshell | If | Loop | For | ArithmeticFor | Case | Conditional | Arithmetic | Function
)  # fmt: skip


class _Collector:
    __slots__ = ("_text", "found", "unreadable")

    def __init__(self, text: str) -> None:
        self._text = text
        self.found: dict[Places, Simple] = {}
        self.unreadable: list[Span] = []

    def script(self, script: Script) -> None:
        for statement in script.statements:
            self.command(statement.command)

    def command(self, node: Command) -> None:
        match node:
            case Simple():
                self._simple(node)
            case Pipeline(commands=commands):
                for command in commands:
                    self.command(command)
            case AndOr(left=left, right=right):
                self.command(left)
                self.command(right)
            case Coprocess(body=body):
                self.command(body)
            case Unreadable(span=span):
                self.unreadable.append(span)
            case _:
                self._compound(node)

    def _compound(self, node: Compound) -> None:
        match node:
            case Function(body=command):
                self.command(command)
            case For(words=words):
                self._words(words or ())
            case Case(subject=subject, clauses=clauses):
                self._words((subject, *(pattern for clause in clauses for pattern in clause.patterns)))
            case Conditional(words=words):
                self._words(words)
            case Arithmetic(parts=parts) | ArithmeticFor(parts=parts):
                self._parts(parts)
            case _:
                pass
        for body in _bodies(node):
            self.script(body)
        if node.redirects:
            self._simple(Simple(words=(), redirects=node.redirects, span=node.span))

    def _simple(self, node: Simple) -> None:
        places = [(word.span.start, word.span.end) for word in node.words]
        for word in node.words:
            self._word(word)
        if node.assignments or node.operands_assigned or node.redirects:
            for assignment in (*node.assignments, *node.operands_assigned):
                places.append((assignment.span.start, assignment.span.end))
                self._assignment(assignment)
            for redirect in node.redirects:
                self._word(redirect.target)
                if not self._implied(redirect):
                    places.append((redirect.span.start, redirect.span.end))
            places.sort()
        self.found[tuple(places)] = node

    def _implied(self, redirect: Redirect) -> bool:
        """Whether it is the `2>&1` in `|&`, which no one wrote."""
        span = redirect.span
        return span.end - span.start == 2 and self._text[span.start : span.end] == "|&"

    def _assignment(self, node: Assignment) -> None:
        for word in (node.index, node.value, *(node.elements or ())):
            if word is not None:
                self._word(word)

    def _words(self, words: Iterable[Word]) -> None:
        for word in words:
            self._word(word)

    def _word(self, word: Word) -> None:
        parts = word.parts
        if len(parts) != 1 or type(parts[0]) is not Literal:
            self._parts(parts)

    def _parts(self, parts: Iterable[WordPart]) -> None:
        for part in parts:
            match part:
                case CommandSubstitution(body=body) | ProcessSubstitution(body=body):
                    self.script(body)
                case Parameter(arguments=arguments, index=index):
                    self._words(arguments)
                    if index is not None:
                        self._word(index)
                case ArithmeticExpansion(parts=inner):
                    self._parts(inner)
                case Brace(alternatives=alternatives):
                    self._words(alternatives)
                case _:
                    pass


def _bodies(node: Compound) -> tuple[Script, ...]:
    """The scripts of a compound command, in order of the text."""
    match node:
        case If(branches=branches, otherwise=otherwise):
            scripts = [script for branch in branches for script in branch]
            return (*scripts, otherwise) if otherwise is not None else tuple(scripts)
        case Loop(condition=condition, body=body):
            return (condition, body)
        case Case(clauses=clauses):
            return tuple(clause.body for clause in clauses)
        case Conditional() | Arithmetic() | Function():
            return ()
        case _:
            return (node.body,)
