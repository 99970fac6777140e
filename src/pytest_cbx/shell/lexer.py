"""Cuts a script into the tokens that its grammar knows; simple commands, tests and arithmetic are one token each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from pytest_cbx.shell import expansions, words
from pytest_cbx.shell.conditional import conditional
from pytest_cbx.shell.heredocs import Heredoc, read_bodies
from pytest_cbx.shell.nodes import Arithmetic, Conditional, Redirect, Simple, Unreadable, Word, WordPart
from pytest_cbx.shell.redirects import both, redirect
from pytest_cbx.shell.simple import Draft, FunctionName, simple
from pytest_cbx.shell.source import END, MAX_PIECES, Lost, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class ForHeader:
    """`for x in a b`; `words` None: without `in`."""

    variable: str
    words: tuple[Word, ...] | None
    select: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ArithmeticHeader:
    """`for ((…))`."""

    text: str
    parts: tuple[WordPart, ...]


class Mark(NamedTuple):
    """What stands before a command and changes its meaning."""

    kind: str
    """`!`, `time`, `coproc` or `function`."""
    name: str
    """Of the coprocess or function."""
    place: int


Unit: TypeAlias = Simple | Draft | Conditional | Arithmetic | Unreadable
Payload: TypeAlias = Unit | ForHeader | ArithmeticHeader | Word | tuple[Word, ...] | Redirect | Heredoc | str | None
Token: TypeAlias = tuple[str, int, int, Payload]
"""What the grammar sees, the place in the original text, and what was read there."""

_RESERVED = re.compile(
    r"(?:if|then|elif|else|fi|while|until|for|select|do|done|case|esac|function|time|coproc|[{}!]|\[\[)(?=[ \t\n;&|()\0]|[<>](?!\())"
)
_OPERATOR = re.compile(r";;&|;;|;&|;|&&|&|\|\||\|&|\|")
_BLANKS = re.compile(r"[ \t]*")
_EMPTY_PARENTHESES = re.compile(r"[ \t]*\([ \t]*\)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?=[ \t\n;#\0])")
_FUNCTION_NAME = re.compile(r"[^ \t\n;&|<>()'\"\\$`\0]+")
_KEYWORD_ENDS = " \t\n;&|<>()" + END
_COMPOUND = re.compile(r"\(|(?:[{]|\[\[|if|while|until|for|case|select)(?=[ \t\n;(])")
_COPROCESS_NAME = re.compile(
    r"(?!(?:if|while|until|for|case|select|function|time|coproc)[ \t(])([^ \t\n;&|<>()'\"\\$`\0]+)[ \t]+"
    r"(?=\(|(?:[{]|\[\[|if|while|until|for|case|select)[ \t\n;(])"
)
_TIME_OPTIONS = re.compile(r"(?:[ \t]+-p(?=[ \t\n;&|()\0]))?(?:[ \t]+--(?=[ \t\n;&|()\0]))?")
_CLOSERS = {"fi": "if", "done": "loop", "esac": "case", "}": "{"}
_OPENERS = {"if": "if", "loop": "a loop", "case": "case", "{": "{", "(": "("}
_SEPARATORS = frozenset((";", "&", "\n"))
_CONTINUES = frozenset(("then", "elif", "else", "do"))


class Lexer:
    """Reads one script: a whole text, or a substitution's body up to its closing parenthesis."""

    __slots__ = (
        "_closing", "_fresh", "_item", "_kept", "_open", "_opened", "_original", "_source", "_word", "marks", "pos", "separators",
        "tokens",
    )  # fmt: skip

    def __init__(self, source: Source, pos: int, original: str, *, closing: bool) -> None:
        self._source = source
        self._original = original
        self._closing = closing
        self._open: list[str] = []
        self._opened: list[tuple[int, int]] = []
        """Of each open construct where it starts in the source and among the tokens."""
        self._fresh = True
        """A newline here ends nothing."""
        self._word = True
        """A command may start here; otherwise a compound command has just ended."""
        self._item = pos
        self._kept = 0
        self.pos = pos
        self.tokens: list[Token] = []
        self.separators: list[int] = []
        """Indices of the tokens that end statements outside of compound commands."""
        self.marks: dict[int, list[Mark]] = {}
        """For an index of `tokens` what stands before that."""

    def run(self) -> None:
        """Read all tokens; `pos` is then at the closing parenthesis or at the end.

        Raises:
            Lost: the tokens read so far are whole, but nothing can be said about what follows.
        """
        while self._step():
            pass

    def give_up(self, reason: str) -> None:
        """Make one unreadable token of everything from the command that could not be finished."""
        if self._opened:
            self._item, self._kept = self._opened[0]
            self._word = True
        del self.tokens[self._kept :]
        self.separators = [index for index in self.separators if index < self._kept]
        for index in [index for index in self.marks if index > self._kept]:
            del self.marks[index]
        # A mark here (`!`, `time`) waits for a command, which is then the unreadable one.
        if not self._word and self._kept not in self.marks:
            self._emit(";", self._item, self._item)
        span = self._source.span(self._item, self._source.end)
        text = self._original[span.start : span.end]
        self.tokens.append(("x", span.start, span.end, Unreadable(text=text, reason=reason, span=span)))
        self.pos = self._source.end

    # --- tokens -----------------------------------------------------------------------------------

    def _emit(self, token: str, start: int, end: int, payload: Payload = None) -> None:
        source = self._source
        if token in _SEPARATORS and not self._open:
            self.separators.append(len(self.tokens))
        if source.at is None:
            self.tokens.append((token, start, end, payload))
        else:
            span = source.span(start, end)
            self.tokens.append((token, span.start, span.end, payload))

    def _step(self) -> bool:
        source = self._source
        source.spent.pieces += 1
        if source.spent.pieces > MAX_PIECES:
            raise Lost(f"more than {MAX_PIECES:,} commands and operators")
        text, pos = source.text, self.pos
        while text[pos] in " \t":
            pos += 1
        self.pos = pos
        char = text[pos]
        if char == END:
            self._end_of_text()
            return False
        if char == "\n":
            self._newline()
            return True
        if char == "#":
            self.pos = source.comment_end(pos)
            return True
        self._item, self._kept = pos, len(self.tokens)
        if char == ")":
            return self._close(pos)
        if not self._word:
            self._after_compound(pos)
        elif char == "(":
            self._parenthesis(pos)
        elif char in ";|" or (char == "&" and text[pos + 1] != ">"):
            self._operator(pos)
        else:
            reserved = _RESERVED.match(text, pos)
            if reserved is not None:
                self._reserved(reserved[0], pos)
            else:
                self._command(pos)
        return True

    def _command(self, pos: int) -> None:
        payload, end = simple(self._source, pos, self._original)
        self.pos = end
        if isinstance(payload, FunctionName):
            self._function(payload, pos, end)
            return
        if end == pos:
            raise Lost("a character that starts no command")
        self._emit("x", pos, end, payload)
        self._fresh = False
        self._word = False

    def _function(self, name: FunctionName, start: int, end: int) -> None:
        """A function's head marks the compound command behind it."""
        pos = self._skip_lines(end)
        if not _COMPOUND.match(self._source.text, pos):
            raise Lost("a function whose body is no compound command")
        self.marks.setdefault(len(self.tokens), []).append(Mark("function", name.name, self._source.place(start)))
        self.pos = pos
        self._fresh = self._word = True

    def _newline(self) -> None:
        source = self._source
        if not self._fresh:
            self._emit("\n", self.pos, self.pos + 1)
            self._fresh = self._word = True
        self.pos = read_bodies(source, self.pos + 1) if source.waiting else self.pos + 1

    def _skip_lines(self, pos: int) -> int:
        """Behind blanks, newlines and comments."""
        source = self._source
        while True:
            char = source.text[pos]
            if char == "\n":
                pos = read_bodies(source, pos + 1) if source.waiting else pos + 1
            elif char in " \t":
                pos += 1
            elif char == "#":
                pos = source.comment_end(pos)
            else:
                return pos

    def _end_of_text(self) -> None:
        source = self._source
        if self._closing:
            raise Lost("a parenthesis without its partner")
        if self._open:
            raise Lost(f"{_OPENERS.get(self._open[-1], 'for')} without its end")
        if source.waiting:
            raise Lost(f"a here-document without its body up to {source.waiting[0].delimiter!r}")

    def _close(self, pos: int) -> bool:
        if self._open and self._open[-1] == "(":
            self._leave()
            self._emit(")", pos, pos + 1)
            self.pos = pos + 1
            self._fresh = self._word = False
            return True
        if self._closing and not self._open:
            return False
        raise Lost("a closing parenthesis without its partner")

    def _enter(self, kind: str) -> None:
        self._open.append(kind)
        self._opened.append((self._item, self._kept))
        self._source.deeper()

    def _leave(self) -> str:
        self._source.deeper(-1)
        self._opened.pop()
        return self._open.pop()

    # --- after a command ------------------------------------------------------------------------------

    def _after_compound(self, pos: int) -> None:
        """What may follow a command: an operator, a redirect, a reserved word that goes on or closes."""
        text = self._source.text
        char = text[pos]
        if char in "<>{&0123456789":
            one = redirect(self._source, pos)
            if one is not None:
                self._emit(">x", pos, one[1], one[0])
                self.pos = one[1]
                return
        if char in ";|&":
            self._operator(pos)
            return
        reserved = _RESERVED.match(text, pos)
        if reserved is None or (reserved[0] not in _CLOSERS and reserved[0] not in _CONTINUES):
            raise Lost("a word where a command has just ended")
        # The grammar of tree-sitter-bash wants a terminator here, bash's own does not.
        self._emit(";", pos, pos)
        self._reserved(reserved[0], pos)

    def _operator(self, pos: int) -> None:
        match = _OPERATOR.match(self._source.text, pos)
        if match is None:
            raise Lost("an operator that is not known")
        operator = match[0]
        self.pos = match.end()
        self._fresh = self._word = True
        if operator in (";;", ";&", ";;&"):
            if not self._open or self._open[-1] != "case":
                raise Lost(f"{operator} outside of a case")
            self._emit(";;", pos, self.pos, operator)
            self._patterns()
        elif operator == "|&":
            self._emit("|", pos, self.pos, both(self._source, pos))
        else:
            self._emit(operator, pos, self.pos)

    # --- reserved words ---------------------------------------------------------------------------------

    def _reserved(self, word: str, pos: int) -> None:
        self.pos = end = pos + len(word)
        self._fresh = self._word = True
        if len(self.tokens) in self.marks and (word in _CLOSERS or word in _CONTINUES):
            raise Lost(f"{self.marks[len(self.tokens)][0].kind} without a command")
        if word in _CLOSERS:
            opened = self._open[-1] if self._open else ""
            if opened not in (_CLOSERS[word], f"{word} for done"):
                raise Lost(f"{word} without its beginning")
            self._leave()
            self._emit(word if opened == _CLOSERS[word] else "done", pos, end)
            self._fresh = self._word = False
        elif word in ("for", "select"):
            self._for(word, pos)
        elif word == "case":
            self._case(pos)
        elif word == "[[":
            payload, self.pos = conditional(self._source, pos, self._original)
            self._emit("x", pos, self.pos, payload)
            self._fresh = self._word = False
        elif word == "function":
            self._function_keyword(pos)
        elif word == "time" and self._time_is_a_word():
            self._command(pos)
        elif word in ("!", "time", "coproc"):
            self._mark(word, pos)
        else:
            if word in ("if", "{"):
                self._enter(word)
            elif word in ("while", "until"):
                self._enter("loop")
            self._emit(word, pos, end)

    def _time_is_a_word(self) -> bool:
        """Behind `|` and `coproc` bash takes `time` for a program's name."""
        marks = self.marks.get(len(self.tokens))
        return marks[-1].kind == "coproc" if marks else bool(self.tokens) and self.tokens[-1][0] == "|"

    def _mark(self, word: str, start: int) -> None:
        text = self._source.text
        name = ""
        if word == "time":
            options = _TIME_OPTIONS.match(text, self.pos)
            self.pos = options.end() if options is not None else self.pos
        pos = self._skip_blanks(self.pos)
        if word == "coproc":
            named = _COPROCESS_NAME.match(text, pos)
            if named is not None:
                name, pos = named[1], named.end()
        marks = self.marks.setdefault(len(self.tokens), [])
        if marks and marks[-1].kind == "coproc":
            raise Lost(f"{word} behind coproc")
        marks.append(Mark(word, name, self._source.place(start)))
        self.pos = pos
        if text[pos] in "\n;&|)#" + END and text[pos : pos + 2] != "&>":
            if word == "coproc" or text[pos] in "&|":
                raise Lost(f"{word} without a command")
            self._emit("x", pos, pos, Simple(words=(), span=self._source.span(pos, pos)))
            self._fresh = self._word = False

    def _function_keyword(self, start: int) -> None:
        text = self._source.text
        pos = self._skip_lines(self.pos)
        name = _FUNCTION_NAME.match(text, pos)
        if name is None:
            raise Lost("a function without a plain name")
        parentheses = _EMPTY_PARENTHESES.match(text, name.end())
        self.pos = parentheses.end() if parentheses is not None else name.end()
        self._function(FunctionName(name=name[0]), start, self.pos)

    def _parenthesis(self, pos: int) -> None:
        source = self._source
        if source.text[pos + 1] == "(":
            found = expansions.try_arithmetic(source, pos + 2)
            if found is not None:
                if source.doubt is not None:
                    raise Lost(source.doubt)
                text, parts, self.pos = found
                payload = Arithmetic(text=text, parts=parts, span=source.span(pos, self.pos))
                self._emit("x", pos, self.pos, payload)
                self._fresh = self._word = False
                return
        self._enter("(")
        self._emit("(", pos, pos + 1)
        self.pos = pos + 1
        self._fresh = True

    def _for(self, keyword: str, start: int) -> None:
        source = self._source
        self._enter("loop")
        pos = self._skip_lines(self.pos)
        header: ForHeader | ArithmeticHeader
        if keyword == "for" and source.text.startswith("((", pos):
            found = expansions.try_arithmetic(source, pos + 2)
            if found is None:
                raise Lost("for (( without its end")
            text, parts, end = found
            header = ArithmeticHeader(text=text, parts=parts)
        else:
            name = _NAME.match(source.text, pos)
            if name is None:
                raise Lost(f"{keyword} without a variable")
            end = self._skip_lines(name.end())
            if source.text.startswith("in", end) and source.text[end + 2] in _KEYWORD_ENDS:
                found_words, end = self._words(end + 2)
                header = ForHeader(variable=name[0], words=found_words, select=keyword == "select")
            else:
                header = ForHeader(variable=name[0], words=None, select=keyword == "select")
        if source.doubt is not None:
            raise Lost(source.doubt)
        last = end
        end = self._skip_blanks(end)
        if source.text[end] == ";":
            end += 1
        # tree-sitter-bash takes `select` in fewer places than `for`.
        self._emit("for", start, start + len(keyword))
        self._emit("x", pos, last, header)
        self._emit(";", end, end)
        self.pos = self._skip_lines(end)
        if source.text[self.pos] == "{":
            self._emit("do", self.pos, self.pos + 1)
            self._open[-1] = "} for done"
            self.pos += 1

    def _skip_blanks(self, pos: int) -> int:
        blanks = _BLANKS.match(self._source.text, pos)
        return blanks.end() if blanks is not None else pos

    def _words(self, pos: int) -> tuple[tuple[Word, ...], int]:
        """The words of a `for` up to `;` or the newline."""
        source = self._source
        found: list[Word] = []
        while True:
            pos = self._skip_blanks(pos)
            char = source.text[pos]
            if char == "#":
                pos = source.comment_end(pos)
                char = source.text[pos]
            if char in ";\n":
                return tuple(found), pos
            if not words.starts_word(source.text, pos):
                raise Lost("for without do")
            word, pos = words.word(source, pos, words.ARGUMENT)
            found.append(word)

    def _case(self, start: int) -> None:
        source = self._source
        self._enter("case")
        pos = self._skip_lines(self.pos)
        if not words.starts_word(source.text, pos):
            raise Lost("case without a word")
        subject, end = words.word(source, pos, words.SUBJECT)
        after = self._skip_lines(end)
        if source.doubt is not None:
            raise Lost(source.doubt)
        if not source.text.startswith("in", after) or source.text[after + 2] not in _KEYWORD_ENDS:
            raise Lost("case without in")
        self._emit("case", start, start + 4)
        self._emit("x", pos, end, subject)
        self._emit("in", after, after + 2)
        self.pos = after + 2
        self._patterns()

    def _patterns(self) -> None:
        """The patterns of a clause up to their parenthesis, or `esac`."""
        source = self._source
        pos = start = self._skip_lines(self.pos)
        if source.text.startswith("esac", pos) and source.text[pos + 4] in _KEYWORD_ENDS:
            self.pos = pos
            self._reserved("esac", pos)
            return
        if source.text[pos] == "(":
            pos += 1
        found: list[Word] = []
        while True:
            pos = self._skip_blanks(pos)
            if not words.starts_word(source.text, pos):
                raise Lost("a case clause without a pattern")
            word, pos = words.word(source, pos, words.PATTERN)
            found.append(word)
            pos = self._skip_blanks(pos)
            char = source.text[pos]
            pos += 1
            if char == ")":
                break
            if char != "|":
                raise Lost("a case clause without its parenthesis")
        if source.doubt is not None:
            raise Lost(source.doubt)
        self._emit("x", start, pos - 1, tuple(found))
        self._emit(")", pos - 1, pos)
        self.pos = pos
        self._fresh = self._word = True
