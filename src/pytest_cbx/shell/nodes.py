"""The neutral syntax tree: what any reader of bash text gives, whatever parser is behind it.

The set of node kinds is closed. A reader that meets anything else gives `Unreadable` with the place,
so that nobody downstream has to guess. Offsets are characters into the text that was read.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of characters, `start` inclusive, `end` exclusive."""

    start: int
    end: int


# --- words -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Literal:
    """Text after quote removal and decoding (`$'\\x41'` is `A`). `quoted` text is never split or globbed."""

    text: str
    quoted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Glob:
    """An unquoted pattern piece: `*`, `?`, `[a-z]`, or an extended glob such as `@(a|b)`, verbatim."""

    pattern: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tilde:
    """An unquoted `~` or `~user` at the start of a word or of an assignment's value."""

    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """`$x`, `${x}`, `${x[i]}`, `${x:-w}`, `${#x}`, `${!x}`, `${x@P}`, `$1`, `$@`, `$?`…

    `operator` is the text between name and argument (`:-`, `##`, `/`, `@P`, `:` for a substring…), empty for a plain one.
    `arguments` are the words after it (two for `/` and for substrings `${x:1:2}`).
    """

    name: str
    operator: str = ""
    arguments: tuple[Word, ...] = ()
    index: Word | None = None
    length: bool = False
    indirect: bool = False
    quoted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSubstitution:
    """`$(…)` or backquotes."""

    body: Script
    quoted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSubstitution:
    """`<(…)` (`reads_from` true: the word reads what the body writes) or `>(…)`."""

    body: Script
    reads_from: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ArithmeticExpansion:
    """`$((…))` or `$[…]`. `parts` are the parameters and substitutions found inside, at any depth."""

    text: str
    parts: tuple[WordPart, ...] = ()
    quoted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Brace:
    """`{a,b}` or `{1..5}` (already enumerated). Each alternative is a word of its own."""

    alternatives: tuple[Word, ...]


WordPart: TypeAlias = (
    Literal | Glob | Tilde | Parameter | CommandSubstitution | ProcessSubstitution | ArithmeticExpansion | Brace
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One shell word before expansion. No parts: the empty word (`''` is one quoted empty literal)."""

    parts: tuple[WordPart, ...]
    span: Span


# --- redirects and assignments -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """One redirect. `operator` is verbatim: `<`, `>`, `>>`, `>|`, `<>`, `&>`, `&>>`, `<&`, `>&`, `<<<`, `<<`, `<<-`.

    `descriptor` is the number or `{name}` before it, or None. For a heredoc `target` is the body (parts as in a
    double-quoted word, or one quoted literal when the delimiter was quoted); for `<<<` it is the string.
    """

    operator: str
    target: Word
    descriptor: str | None = None
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """`x=w`, `x+=w`, `x[i]=w`, `x=(a b)` (`elements`)."""

    name: str
    value: Word | None
    append: bool = False
    index: Word | None = None
    elements: tuple[Word, ...] | None = None
    span: Span


# --- commands ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Simple:
    """A simple command. `words` may be empty (only assignments or redirects).

    Builtins such as `export`, `declare`, `local`, `readonly`, `unset`, `test`, `[`, `let` are simple commands too;
    the assignments among a declaration's operands are in `operands_assigned`, not in `words`.
    """

    words: tuple[Word, ...]
    assignments: tuple[Assignment, ...] = ()
    operands_assigned: tuple[Assignment, ...] = ()
    redirects: tuple[Redirect, ...] = ()
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """Two or more commands joined by `|` or `|&`, or one that is negated or timed."""

    commands: tuple[Command, ...]
    negated: bool = False
    timed: bool = False
    span: Span


class Connector(Enum):
    """What stands between two commands of an and-or list."""

    AND = "&&"
    OR = "||"


@dataclass(frozen=True, slots=True, kw_only=True)
class AndOr:
    """`left && right` or `left || right`, left-associative."""

    left: Command
    connector: Connector
    right: Command
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Subshell:
    """`( … )`."""

    body: Script
    redirects: tuple[Redirect, ...] = ()
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """`{ …; }`."""

    body: Script
    redirects: tuple[Redirect, ...] = ()
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class If:
    """`branches` are (condition, body) of `if` and each `elif`."""

    branches: tuple[tuple[Script, Script], ...]
    otherwise: Script | None
    redirects: tuple[Redirect, ...] = ()
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """`while` and `until`."""

    condition: Script
    body: Script
    until: bool
    redirects: tuple[Redirect, ...] = ()
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class For:
    """`for x in …` and `select x in …`. `words` None: over `"$@"`."""

    variable: str
    words: tuple[Word, ...] | None
    body: Script
    select: bool = False
    redirects: tuple[Redirect, ...] = ()
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class ArithmeticFor:
    """`for ((a; b; c))`. `parts` as in `ArithmeticExpansion`."""

    text: str
    parts: tuple[WordPart, ...]
    body: Script
    redirects: tuple[Redirect, ...] = ()
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One clause of a `case`. `terminator` is `;;`, `;&` or `;;&`."""

    patterns: tuple[Word, ...]
    body: Script
    terminator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`case w in … esac`."""

    subject: Word
    clauses: tuple[Clause, ...]
    redirects: tuple[Redirect, ...] = ()
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function definition; its body runs only when it is called."""

    name: str
    body: Command
    redirects: tuple[Redirect, ...] = ()
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditional:
    """`[[ … ]]`. `words` are its operands and operators in order of the text."""

    words: tuple[Word, ...]
    redirects: tuple[Redirect, ...] = ()
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic:
    """`(( … ))`. `parts` as in `ArithmeticExpansion`."""

    text: str
    parts: tuple[WordPart, ...] = ()
    redirects: tuple[Redirect, ...] = ()
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Coprocess:
    """`coproc [NAME] command`."""

    name: str
    body: Command
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A place that the reader could not turn into a node of this module. Whatever runs there is unknown."""

    text: str
    reason: str
    span: Span


Command: TypeAlias = (
    Simple | Pipeline | AndOr | Subshell | Group | If | Loop | For | ArithmeticFor | Case | Function | Conditional
    | Arithmetic | Coprocess | Unreadable
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One command of a script and whether `&` sends it to the background."""

    command: Command
    background: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A sequence of statements: a whole text, or the body of a compound command or substitution."""

    statements: tuple[Statement, ...]
    span: Span
