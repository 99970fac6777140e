"""The entry: bash text in, the neutral syntax tree out."""

from __future__ import annotations

from dataclasses import replace

from pytest_cbx.shell.grammar import Body, Chain, Element, shape
from pytest_cbx.shell.heredocs import Heredoc
from pytest_cbx.shell.lexer import ArithmeticHeader, ForHeader, Lexer, Mark, Token
from pytest_cbx.shell.nodes import (
    AndOr,
    ArithmeticFor,
    Case,
    Clause,
    Command,
    Connector,
    Coprocess,
    For,
    Function,
    Group,
    If,
    Loop,
    Pipeline,
    Redirect,
    Script,
    Simple,
    Span,
    Statement,
    Subshell,
    Unreadable,
    Word,
)
from pytest_cbx.shell.simple import Draft, finish_redirects
from pytest_cbx.shell.source import END, Lost, Source

LONGEST = 131_071
"""Bytes. Linux refuses to start a program with a longer argument (MAX_ARG_STRLEN, with its NUL), so `bash -c` never sees such a text."""

MAX_LIST = 100
"""Commands in one and-or list; it nests to the left, and whoever walks it may recurse."""


def read(text: str) -> Script:
    """Read bash text. Never raises: what cannot be read is `Unreadable`, with its place and reason.

    Spans are half-open ranges of characters of `text`. Every character lies in the span of a statement, in a
    here-document's body, or is a blank, a newline, a comment, or a separator between statements.
    """
    if END in text:
        return _unreadable(text, "a NUL character, which bash text cannot hold")
    if len(text) * 4 > LONGEST and len(text.encode(errors="surrogatepass")) > LONGEST:
        return _unreadable(text, f"longer than the {LONGEST:,} bytes that Linux hands to a program")
    try:
        return _Reading(text).whole()
    except RecursionError:
        return _unreadable(text, "nested too deep")


def _unreadable(text: str, reason: str) -> Script:
    span = Span(0, len(text))
    return Script(statements=(Statement(command=Unreadable(text=text, reason=reason, span=span)),), span=span)


class _Reading:
    """Reads one text with all the scripts within it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def whole(self) -> Script:
        source = Source(self._text, self.body)
        lexer = Lexer(source, 0, self._text, closing=False)
        try:
            lexer.run()
        except Lost as lost:
            lexer.give_up(lost.reason)
        return self._script(lexer, Span(0, len(self._text)))

    def body(self, source: Source, pos: int) -> tuple[Script, int]:
        """A substitution's body from `pos` to its closing parenthesis, or (-1) a text of its own."""
        depth, doubt, waiting = source.depth, source.doubt, source.waiting
        source.deeper()
        source.doubt, source.waiting = None, []
        start = max(pos, 0)
        lexer = Lexer(source, start, self._text, closing=pos >= 0)
        lexer.run()
        if source.waiting:
            raise Lost("a here-document that does not end within its substitution")
        if waiting and "\n" in source.text[start : lexer.pos]:
            raise Lost("a substitution of several lines on the line of a here-document")
        source.depth, source.doubt, source.waiting = depth, doubt, waiting
        return self._script(lexer, source.span(start, lexer.pos)), lexer.pos + 1 if pos >= 0 else lexer.pos

    def _script(self, lexer: Lexer, span: Span) -> Script:
        """Each statement has a grammar of its own: an error stays where it is, and like statements share their shape."""
        tokens, marks = lexer.tokens, lexer.marks
        if len(tokens) == 1 and not marks and type(tokens[0][3]) is Simple:
            return Script(statements=(Statement(command=tokens[0][3]),), span=span)
        statements: list[Statement] = []
        marked = iter(sorted(marks))
        mark = next(marked, len(tokens))
        start = 0
        for end in (*lexer.separators, len(tokens)):
            separator = tokens[end][0] if end < len(tokens) else ""
            payload = tokens[start][3] if end == start + 1 else None
            if type(payload) is Simple and start not in marks:
                statements.append(Statement(command=payload, background=separator == "&"))
            elif end > start:
                here: dict[int, list[Mark]] = {}
                while mark < end:
                    here[mark - start] = marks[mark]
                    mark = next(marked, len(tokens))
                statements += _Builder(self._text, tokens[start:end], here).statements(background=separator == "&")
            elif separator:
                statements.append(self._stray(tokens[end]))
            start = end + 1
        return Script(statements=tuple(statements), span=span)

    def _stray(self, token: Token) -> Statement:
        _, start, end, _ = token
        reason = f"{token[0]} without a command before it"
        return Statement(command=Unreadable(text=self._text[start:end], reason=reason, span=Span(start, end)))


class _Builder:
    """Makes nodes of the tokens of one statement and their grammar."""

    __slots__ = ("_marks", "_text", "_tokens")

    def __init__(self, text: str, tokens: list[Token], marks: dict[int, list[Mark]]) -> None:
        self._text = text
        self._tokens = tokens
        self._marks = marks

    def statements(self, *, background: bool) -> tuple[Statement, ...]:
        """The statement; several where the grammar finds an error in it."""
        found = self._statements(shape(tuple(token[0] for token in self._tokens)))
        if background:
            return (*found[:-1], replace(found[-1], background=True))
        return found

    def _statements(self, body: Body) -> tuple[Statement, ...]:
        return tuple(Statement(command=self._chain(chain), background=chain.background) for chain in body.chains)

    def _body(self, body: Body) -> Script:
        start = self._tokens[body.first][2]
        end = self._tokens[body.last][1] if body.last >= 0 else self._end_of(body, start)
        return Script(statements=self._statements(body), span=Span(start, max(start, end)))

    def _end_of(self, body: Body, start: int) -> int:
        if not body.chains:
            return start
        return self._tokens[body.chains[-1].elements[-1][0].last][2]

    # --- lists and pipelines -----------------------------------------------------------------------------

    def _chain(self, chain: Chain) -> Command:
        if len(chain.elements) == 1:
            element, redirects = chain.elements[0]
            if element.first not in self._marks:
                return self._command(element, redirects)
        first, last = self._range(chain)
        if sum(operator != "|" for operator, _ in chain.operators) > MAX_LIST:
            return self._broken(first, last, f"a list of more than {MAX_LIST} commands")
        pipelines: list[list[int]] = [[0]]
        connectors: list[Connector] = []
        for number, (operator, _) in enumerate(chain.operators, start=1):
            if operator == "|":
                pipelines[-1].append(number)
            else:
                connectors.append(Connector(operator))
                pipelines.append([number])
        result = self._pipeline(chain, pipelines[0])
        for connector, members in zip(connectors, pipelines[1:], strict=True):
            right = self._pipeline(chain, members)
            span = Span(result.span.start, right.span.end)
            result = AndOr(left=result, connector=connector, right=right, span=span)
        return result

    def _range(self, chain: Chain) -> tuple[int, int]:
        element, redirects = chain.elements[-1]
        return chain.elements[0][0].first, max(element.last, *redirects, element.last)

    def _pipeline(self, chain: Chain, members: list[int]) -> Command:
        commands: list[Command] = []
        negated = timed = False
        start: int | None = None
        for place, number in enumerate(members):
            element, redirects = chain.elements[number]
            command = self._command(element, redirects)
            for kind, name, mark_start in self._marks.get(element.first, ()):
                if kind == "coproc":
                    command = Coprocess(name=name, body=command, span=Span(mark_start, command.span.end))
                elif kind == "function":
                    continue
                elif place:
                    return self._broken(chain.elements[members[0]][0].first, element.last, f"{kind} within a pipeline")
                else:
                    negated ^= kind == "!"
                    timed |= kind == "time"
                    start = mark_start if start is None else start
            if number < len(chain.operators) and place < len(members) - 1:
                both = self._tokens[chain.operators[number][1]][3]
                if isinstance(both, Redirect):
                    command = _with_redirects(command, (both,))
            commands.append(command)
        if len(commands) == 1 and not negated and not timed and start is None:
            return commands[0]
        span = Span(commands[0].span.start if start is None else start, commands[-1].span.end)
        return Pipeline(commands=tuple(commands), negated=negated, timed=timed, span=span)

    # --- commands ------------------------------------------------------------------------------------------

    def _broken(self, first: int, last: int, reason: str) -> Unreadable:
        start = self._tokens[first][1]
        marks = self._marks.get(first)
        if marks:
            start = marks[0].place
        end = max(token[2] for token in self._tokens[first : last + 1])
        return Unreadable(text=self._text[start:end], reason=reason, span=Span(start, end))

    def _why(self, element: Element) -> str:
        for token in self._tokens[element.first : element.last + 1]:
            if isinstance(token[3], Unreadable):
                return token[3].reason
        return "no statement that bash's grammar allows"

    def _command(self, element: Element, redirect_tokens: tuple[int, ...] = ()) -> Command:
        last = max(redirect_tokens, default=element.last)
        if element.kind == "broken":
            return self._broken(element.first, element.last, self._why(element))
        pending: list[Redirect | Heredoc] = []
        for token in redirect_tokens:
            payload = self._tokens[token][3]
            if isinstance(payload, (Redirect, Heredoc)):
                pending.append(payload)
        redirects = finish_redirects(pending)
        if redirects is None:
            return self._broken(element.first, last, "a here-document without its body")
        command = self._bare_command(element)
        for kind, name, start in self._marks.get(element.first, ()):
            if kind == "function":
                command = Function(name=name, body=command, span=Span(start, command.span.end))
        if not redirects:
            return command
        return _with_redirects(command, redirects)

    def _bare_command(self, element: Element) -> Command:
        span = Span(self._tokens[element.first][1], self._tokens[element.last][2])
        kind = element.kind
        if kind == "x":
            return self._unit(element.first)
        bodies = tuple(self._body(body) for body in element.bodies)
        if kind in ("(", "{"):
            return Subshell(body=bodies[0], span=span) if kind == "(" else Group(body=bodies[0], span=span)
        if kind in ("while", "until"):
            return Loop(condition=bodies[0], body=bodies[1], until=kind == "until", span=span)
        if kind == "if":
            pairs = tuple(zip(bodies[::2], bodies[1::2], strict=False))
            return If(branches=pairs, otherwise=bodies[-1] if len(bodies) % 2 else None, span=span)
        return self._headed(element, bodies, span)

    def _headed(self, element: Element, bodies: tuple[Script, ...], span: Span) -> Command:
        """A `for`, `select` or `case`, whose head was read as one token."""
        head = self._tokens[element.heads[0]][3]
        if isinstance(head, ForHeader):
            return For(variable=head.variable, words=head.words, body=bodies[0], select=head.select, span=span)
        if isinstance(head, ArithmeticHeader):
            return ArithmeticFor(text=head.text, parts=head.parts, body=bodies[0], span=span)
        if isinstance(head, Word) and element.kind == "case":
            return Case(subject=head, clauses=self._clauses(element, bodies), span=span)
        return self._broken(element.first, element.last, "a construct that is not known")

    def _clauses(self, element: Element, bodies: tuple[Script, ...]) -> tuple[Clause, ...]:
        clauses: list[Clause] = []
        for head, body, terminator in zip(element.heads[1:], bodies, element.terminators, strict=True):
            patterns = self._tokens[head][3]
            ending = self._tokens[terminator][3] if terminator is not None else ";;"
            assert isinstance(patterns, tuple)
            assert isinstance(ending, str)
            clauses.append(Clause(patterns=patterns, body=body, terminator=ending))
        return tuple(clauses)

    def _unit(self, token: int) -> Command:
        payload = self._tokens[token][3]
        if isinstance(payload, Draft):
            finished = payload.finished()
            return finished if finished is not None else self._broken(token, token, "a here-document without its body")
        if isinstance(payload, (ForHeader, ArithmeticHeader, Word, tuple, Redirect, Heredoc, str)) or payload is None:
            return self._broken(token, token, "a head without its construct")
        return payload


def _with_redirects(command: Command, redirects: tuple[Redirect, ...]) -> Command:
    """The command with further redirects behind its own."""
    if isinstance(command, Coprocess):
        return replace(command, body=_with_redirects(command.body, redirects))
    if isinstance(command, (Unreadable, Pipeline, AndOr)):
        return command
    end = max(command.span.end, *(redirect.span.end for redirect in redirects))
    return replace(command, redirects=command.redirects + redirects, span=Span(command.span.start, end))
