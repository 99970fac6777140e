"""The statement grammar: tree-sitter-bash reads the skeleton that the lexer leaves, this module takes over its tree.

A skeleton has `x` for each simple command, word or pattern, `>x` for each redirect behind a compound command, and the
operators and reserved words as they are. The set of node kinds is closed: what is not listed here is `broken`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import tree_sitter
import tree_sitter_bash

from pytest_cbx.shell.source import Lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One command. `kind` is `x`, `(`, `{`, `if`, `while`, `until`, `for`, `case` or `broken`.

    `first` and `last` are indices of tokens. `bodies` are the scripts within it, in order (an `if` has condition, body,
    condition, body…, and `else`); `heads` the tokens of a `for`'s header, or of a case's word and patterns.
    """

    kind: str
    first: int
    last: int
    bodies: tuple[Body, ...] = ()
    heads: tuple[int, ...] = ()
    terminators: tuple[int | None, ...] = ()
    """For each clause of a case the token that ends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Commands (with the tokens of their redirects) and the operators between them (tokens), as they follow each other."""

    elements: tuple[tuple[Element, tuple[int, ...]], ...]
    operators: tuple[tuple[str, int], ...]
    background: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A script. `first` and `last` are the tokens around it (-1: the script's edges)."""

    chains: tuple[Chain, ...]
    first: int
    last: int


_Item: TypeAlias = tuple[str, int, Element | None]
"""A piece of a flattened list: kind (`command`, `redirect` or an operator), token, element."""

_COMPOUNDS = {
    "subshell": "(", "compound_statement": "{", "if_statement": "if", "while_statement": "while",
    "for_statement": "for", "case_statement": "case",
}  # fmt: skip
_PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))
_CACHED = 400
MAX_PIPES = 1_000
"""Pipes in one statement, with all that it encloses."""


def shape(tokens: tuple[str, ...]) -> Body:
    """The grammar of a sequence of tokens."""
    if len(tokens) <= _CACHED:
        return _cached_shape(tokens)
    if tokens.count("|") > MAX_PIPES:
        # tree-sitter-bash takes memory by the square of a pipeline that does not end.
        return _broken_whole(tokens)
    return _shape(tokens)


def _broken_whole(tokens: tuple[str, ...]) -> Body:
    whole = Element(kind="broken", first=0, last=len(tokens) - 1)
    return Body(chains=(Chain(elements=((whole, ()),), operators=(), background=False),), first=-1, last=-1)


def _shape(tokens: tuple[str, ...]) -> Body:
    return _Reader(tokens).read()


_cached_shape = lru_cache(maxsize=4096)(_shape)


class _Reader:
    """Takes over one tree. Byte offsets of the skeleton become indices of tokens."""

    def __init__(self, tokens: tuple[str, ...]) -> None:
        self._tokens = tokens
        self._index: dict[int, int] = {}
        offset = 0
        for number, token in enumerate(tokens):
            self._index[offset] = number
            offset += len(token) + 1
        self._starts = list(self._index)
        self._seen = 0

    def read(self) -> Body:
        """Read the whole skeleton; every command of it is somewhere in the result."""
        tree = _PARSER.parse(" ".join(self._tokens).encode("ascii"))
        body = self._body(tree.root_node.children, -1, -1)
        if self._seen != self._tokens.count("x") + self._tokens.count(">x"):
            # The tree lost something; nothing of it can be trusted.
            return _broken_whole(self._tokens)
        return body

    def _token(self, node: tree_sitter.Node) -> int:
        return self._index[node.start_byte]

    def _last(self, node: tree_sitter.Node) -> int:
        """The last token that starts before the node ends."""
        return bisect_left(self._starts, node.end_byte) - 1

    def _body(self, nodes: list[tree_sitter.Node], first: int, last: int) -> Body:
        """The statements among sibling nodes."""
        chains: list[Chain] = []
        for node in nodes:
            kind = node.type
            if kind in (";", "\n"):
                continue
            if kind == "&" and chains and not node.is_missing:
                before = chains[-1]
                chains[-1] = Chain(elements=before.elements, operators=before.operators, background=True)
                continue
            chains.append(self._chain(node))
        return Body(chains=tuple(chains), first=first, last=last)

    def _chain(self, node: tree_sitter.Node) -> Chain:
        if node.has_error or node.is_missing:
            return self._broken(node)
        seen = self._seen
        try:
            items = self._flat(node)
        except (KeyError, Lost):
            self._seen = seen
            return self._broken(node)
        elements: list[tuple[Element, list[int]]] = []
        operators: list[tuple[str, int]] = []
        for kind, token, element in items:
            if element is not None:
                elements.append((element, []))
            elif kind == ">x" and elements:
                elements[-1][1].append(token)
            else:
                operators.append((kind, token))
        if len(operators) != len(elements) - 1:
            self._seen = seen
            return self._broken(node)
        return Chain(
            elements=tuple((element, tuple(redirects)) for element, redirects in elements),
            operators=tuple(operators),
            background=False,
        )

    def _broken(self, node: tree_sitter.Node) -> Chain:
        first = max(bisect_right(self._starts, node.start_byte) - 1, 0)
        last = max(bisect_left(self._starts, node.end_byte) - 1, first)
        self._seen += sum(token in ("x", ">x") for token in self._tokens[first : last + 1])
        element = Element(kind="broken", first=first, last=last)
        return Chain(elements=((element, ()),), operators=(), background=False)

    def _flat(self, node: tree_sitter.Node) -> list[_Item]:
        """The commands, redirects and operators of a statement in the order of the text.

        tree-sitter-bash hangs a redirect behind `a && { b; }` on the whole list, bash on the group. In the order of the
        text both say the same.
        """
        items: list[_Item] = []
        left = [node]
        while left:
            node = left.pop()
            kind = node.type
            if kind in ("list", "pipeline", "redirected_statement"):
                left.extend(reversed(node.children))
            elif kind in ("&&", "||", "|"):
                items.append((kind, self._token(node), None))
            elif kind == "file_redirect":
                items.append((">x", self._redirect(node), None))
            else:
                element = self._element(node)
                items.append(("command", element.first, element))
        return items

    def _redirect(self, node: tree_sitter.Node) -> int:
        token = self._token(node)
        if self._tokens[token] != ">x" or self._last(node) != token:
            raise Lost("a redirect of more than one token")
        self._seen += 1
        return token

    def _element(self, node: tree_sitter.Node) -> Element:
        kind = node.type
        if kind == "command":
            first = self._token(node)
            if self._tokens[first] != "x" or self._last(node) != first:
                raise Lost("a command of more than one token")
            self._seen += 1
            return Element(kind="x", first=first, last=first)
        if kind not in _COMPOUNDS:
            raise Lost(f"a node of kind {kind}")
        children = node.children
        first, last = self._token(node), self._last(node)
        keyword = self._tokens[first]
        if kind in ("subshell", "compound_statement"):
            body = self._body(children[1:-1], first, last)
            return Element(kind=keyword, first=first, last=last, bodies=(body,))
        if kind == "if_statement":
            return Element(kind="if", first=first, last=last, bodies=self._branches(children))
        if kind == "case_statement":
            return self._case(node)
        group = children[-1]
        if group.type != "do_group":
            raise Lost("a loop without do")
        body = self._body(group.children[1:-1], self._token(group), last)
        if kind == "while_statement":
            condition = self._body(children[1:-1], first, self._token(group))
            return Element(kind=keyword, first=first, last=last, bodies=(condition, body))
        self._seen += 1
        return Element(kind=keyword, first=first, last=last, bodies=(body,), heads=(first + 1,))

    def _branches(self, children: list[tree_sitter.Node]) -> tuple[Body, ...]:
        bodies: list[Body] = []
        run: list[tree_sitter.Node] = []
        opened = self._token(children[0])
        flat: list[tree_sitter.Node] = []
        for child in children[1:]:
            flat += child.children if child.type in ("elif_clause", "else_clause") else [child]
        for child in flat:
            if child.type in ("then", "elif", "else", "fi"):
                token = self._token(child)
                bodies.append(self._body(run, opened, token))
                opened, run = token, []
            else:
                run.append(child)
        return tuple(bodies)

    def _case(self, node: tree_sitter.Node) -> Element:
        first, last = self._token(node), self._last(node)
        bodies: list[Body] = []
        heads = [first + 1]
        terminators: list[int | None] = []
        self._seen += 1
        for item in node.children[3:-1]:
            if item.type in (";", "\n"):
                continue
            if item.type != "case_item":
                raise Lost("a case with something that is no clause")
            children = item.children
            head = self._token(item)
            closed = children[-1].type == ";;"
            end = self._token(children[-1]) if closed else self._last(item)
            self._seen += 1
            heads.append(head)
            bodies.append(self._body(children[2:-1] if closed else children[2:], head + 1, end if closed else -1))
            terminators.append(end if closed else None)
        return Element(
            kind="case",
            first=first,
            last=last,
            bodies=tuple(bodies),
            heads=tuple(heads),
            terminators=tuple(terminators),
        )
