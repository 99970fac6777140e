"""Random scripts together with the trees they must be read as: each strategy gives pairs of text and tree."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TypeAlias

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from pytest_cbx.shell.nodes import (
    AndOr,
    ArithmeticExpansion,
    Assignment,
    Brace,
    Case,
    Clause,
    Command,
    CommandSubstitution,
    Connector,
    For,
    Function,
    Glob,
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
    Statement,
    Subshell,
    Word,
    WordPart,
)
from tests.unit.shell.tree import NOWHERE, lit, word

Part: TypeAlias = tuple[str, WordPart]

_PLAIN = st.text("abcxyz019./-_+@%^:,é", min_size=1, max_size=4)
_NAMES = st.sampled_from(["x", "name", "A_1", "_"])
_TEXTS = st.text("ab '\"\\$`\n*?{}~#&;|()<>é\r\t!", max_size=5)
_BLANKS = st.sampled_from([" ", "  ", "\t", " \\\n "])


def _single(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _double(text: str) -> str:
    return '"' + "".join(f"\\{char}" if char in '"\\$`' else char for char in text) + '"'


def _ansi(text: str) -> str:
    return "$'" + "".join(f"\\x{ord(char):02x}" if ord(char) < 128 else char for char in text) + "'"


def _quoted() -> SearchStrategy[Part]:
    """Quoted literals in all three ways of quoting."""
    made = st.tuples(st.sampled_from([_single, _double, _ansi]), _TEXTS)
    # `'` as `'\''` is one quoted literal too.
    return made.map(lambda pair: (pair[0](pair[1]), lit(pair[1], quoted=True)))


def _parameters(*, quoted: bool) -> SearchStrategy[Part]:
    def made(name: str, form: str, text: str) -> Part:
        arguments = (word(lit(text, quoted=quoted)),)
        plain = (f"${{{name}}}", Parameter(name=name, quoted=quoted))
        return {
            "plain": plain,
            "length": (f"${{#{name}}}", Parameter(name=name, length=True, quoted=quoted)),
            "indirect": (f"${{!{name}}}", Parameter(name=name, indirect=True, quoted=quoted)),
            "default": (
                f"${{{name}:-{text}}}",
                Parameter(name=name, operator=":-", arguments=arguments, quoted=quoted),
            ),
            "suffix": (
                f"${{{name}%%{text}}}",
                Parameter(name=name, operator="%%", arguments=(word(lit(text)),), quoted=quoted),
            ),
            "index": (f"${{{name}[2]}}", Parameter(name=name, index=word("2"), quoted=quoted)),
            "quoting": (f"${{{name}@Q}}", Parameter(name=name, operator="@Q", quoted=quoted)),
        }[form]

    forms = st.sampled_from(["plain", "length", "indirect", "default", "suffix", "index", "quoting"])
    return st.builds(made, _NAMES, forms, st.text("abc019", min_size=1, max_size=3))


def _substitutions(scripts: SearchStrategy[tuple[str, Script]], *, quoted: bool) -> SearchStrategy[Part]:
    dollar = scripts.map(lambda pair: (f"$( {pair[0]})", CommandSubstitution(body=pair[1], quoted=quoted)))
    ticks = scripts.map(lambda pair: (_backquoted(pair[0], quoted), CommandSubstitution(body=pair[1], quoted=quoted)))
    return st.one_of(dollar, ticks)


def _backquoted(text: str, quoted: bool) -> str:
    escaped = "".join(f"\\{char}" if char in ('`\\$"' if quoted else "`\\$") else char for char in text)
    # Bash takes line continuations out before it looks at the backslashes.
    return f"`{escaped}`"


def _arithmetic(*, quoted: bool) -> SearchStrategy[Part]:
    def made(name: str, number: int) -> Part:
        text = f" {name} + (${name} * {number}) "
        parts = (Parameter(name=name, quoted=True), Parameter(name=name, quoted=True))
        return f"$(({text}))", ArithmeticExpansion(text=text, parts=parts, quoted=quoted)

    return st.builds(made, _NAMES, st.integers(0, 99))


def _in_double_quotes(scripts: SearchStrategy[tuple[str, Script]]) -> SearchStrategy[list[Part]]:
    """A whole double-quoted string with expansions in it; the quotes stand at its first and last piece."""
    texts = st.text("ab '*~{}#", min_size=1, max_size=3).map(lambda text: (text, lit(text, quoted=True)))
    inner = st.one_of(texts, _parameters(quoted=True), _substitutions(scripts, quoted=True), _arithmetic(quoted=True))

    def wrapped(parts: list[Part]) -> list[Part]:
        return [('"' + "".join(text for text, _ in parts) + '"', parts[0][1]), *(("", part) for _, part in parts[1:])]

    return st.lists(inner, min_size=1, max_size=3).map(wrapped)


def _merged(parts: Sequence[WordPart]) -> tuple[WordPart, ...]:
    merged: list[WordPart] = []
    for part in parts:
        last = merged[-1] if merged else None
        if isinstance(part, Literal) and isinstance(last, Literal) and part.quoted == last.quoted:
            merged[-1] = lit(last.text + part.text, quoted=part.quoted)
        else:
            merged.append(part)
    return tuple(merged)


@cache
def words(scripts: SearchStrategy[tuple[str, Script]], *, globs: bool = True) -> SearchStrategy[tuple[str, Word]]:
    """A word that is not empty and looks like no assignment and no reserved word."""
    kinds: list[SearchStrategy[list[Part]]] = [
        _PLAIN.map(lambda text: [(text, lit(text))]),
        _quoted().map(lambda part: [part]),
        _parameters(quoted=False).map(lambda part: [part]),
        _in_double_quotes(scripts),
        _arithmetic(quoted=False).map(lambda part: [part]),
        _substitutions(scripts, quoted=False).map(lambda part: [part]),
    ]
    if globs:
        patterns = st.sampled_from(["*", "?", "[a-z]", "[!x]", "**"])
        kinds.append(patterns.map(lambda text: [(text, Glob(pattern=text))]))
        kinds.append(st.just([("{b,c{1..3}}", _brace())]))
        kinds.append(scripts.map(lambda pair: [(f"<({pair[0]})", ProcessSubstitution(body=pair[1], reads_from=True))]))

    def made(pieces: list[list[Part]]) -> tuple[str, Word]:
        parts = [("w", lit("w")), *_apart([part for piece in pieces for part in piece])]
        return "".join(text for text, _ in parts), word(*_merged([part for _, part in parts]))

    return st.lists(st.one_of(kinds), min_size=1, max_size=3).map(made)


def _apart(parts: list[Part]) -> list[Part]:
    """With a letter between patterns, and behind what ends in a character that a pattern would take."""
    spaced: list[Part] = []
    for text, part in parts:
        if spaced and isinstance(part, (Glob, Brace)):
            spaced.append(("w", lit("w")))
        spaced.append((text, part))
        if isinstance(part, (Glob, Brace)):
            spaced.append(("w", lit("w")))
    return spaced


def _brace() -> Brace:
    inner = Brace(alternatives=(word("1"), word("2"), word("3")))
    return Brace(alternatives=(word("b"), word("c", inner)))


@cache
@st.composite
def redirects(draw: DrawFn, scripts: SearchStrategy[tuple[str, Script]]) -> tuple[str, Redirect]:
    """A redirect with its target on the same line."""
    operator = draw(st.sampled_from(["<", ">", ">>", ">|", "<>", "&>", "&>>", ">&", "<&", "<<<"]))
    descriptor = None if operator.startswith("&") else draw(st.sampled_from([None, "2", "10", "{fd}"]))
    text, target = draw(words(scripts, globs=False))
    made = Redirect(operator=operator, target=target, descriptor=descriptor, span=NOWHERE)
    return f"{descriptor or ''}{operator}{draw(st.sampled_from(['', ' ']))}{text}", made


@cache
@st.composite
def simples(draw: DrawFn, scripts: SearchStrategy[tuple[str, Script]]) -> tuple[str, Simple]:
    """A simple command with a first word; redirects stand anywhere."""
    texts: list[str] = []
    assignments: list[Assignment] = []
    for name in draw(st.lists(_NAMES, max_size=2)):
        append = draw(st.booleans())
        text, value = draw(words(scripts, globs=False))
        texts.append(f"{name}{'+' if append else ''}={text}")
        assignments.append(Assignment(name=name, value=value, append=append, span=NOWHERE))
    found: list[Word] = []
    targets: list[Redirect] = []
    for number, (is_word, pair, target) in enumerate(
        draw(st.lists(st.tuples(st.booleans(), words(scripts), redirects(scripts)), min_size=1, max_size=4))
    ):
        if is_word or number == 0:
            texts.append(pair[0])
            found.append(pair[1])
        else:
            texts.append(target[0])
            targets.append(target[1])
    text = draw(_BLANKS).join(texts)
    return text, Simple(words=tuple(found), assignments=tuple(assignments), redirects=tuple(targets), span=NOWHERE)


@cache
@st.composite
def pipelines(draw: DrawFn, commands: SearchStrategy[tuple[str, Command]]) -> tuple[str, Command]:
    """One command or several."""
    members = draw(st.lists(commands, min_size=1, max_size=2))
    negated = draw(st.booleans())
    text = draw(st.sampled_from([" | ", "|", " |\n"])).join(text for text, _ in members)
    if len(members) == 1 and not negated:
        return members[0]
    made = Pipeline(commands=tuple(command for _, command in members), negated=negated, span=NOWHERE)
    return ("! " if negated else "") + text, made


@cache
@st.composite
def lists(draw: DrawFn, commands: SearchStrategy[tuple[str, Command]]) -> tuple[str, Command]:
    """Pipelines joined by `&&` and `||`."""
    text, command = draw(pipelines(commands))
    for connector in draw(st.lists(st.sampled_from(Connector), max_size=1)):
        more, right = draw(pipelines(commands))
        text = f"{text} {connector.value}{draw(st.sampled_from([' ', chr(10)]))}{more}"
        command = AndOr(left=command, connector=connector, right=right, span=NOWHERE)
    return text, command


@cache
@st.composite
def scripts_of(draw: DrawFn, commands: SearchStrategy[tuple[str, Command]]) -> tuple[str, Script]:
    """Statements; the text ends with a separator, so that any closing word may follow."""
    texts: list[str] = []
    statements: list[Statement] = []
    for text, command in draw(st.lists(lists(commands), min_size=1, max_size=2)):
        separator = draw(st.sampled_from(["; ", "\n", " & ", " # a comment \\\n", "\n\n"]))
        texts.append(text + separator)
        statements.append(Statement(command=command, background=separator == " & "))
    return "".join(texts), Script(statements=tuple(statements), span=NOWHERE)


@cache
@st.composite
def compounds(
    draw: DrawFn, inner: SearchStrategy[tuple[str, Command]], scripts: SearchStrategy[tuple[str, Script]]
) -> tuple[str, Command]:
    """One compound command of `inner` ones, perhaps with a redirect; `scripts` stand in its words."""
    first, body = draw(scripts_of(inner))
    second, other = draw(scripts)
    text, item = draw(words(scripts, globs=False))
    target_text, target = draw(st.one_of(st.none(), redirects(scripts))) or ("", None)
    behind = (target,) if target is not None else ()
    kind = draw(st.sampled_from(["(", "{", "if", "if else", "while", "until", "for", "select", "case", "function"]))
    made: dict[str, tuple[str, Command]] = {
        "(": (f"({first})", Subshell(body=body, redirects=behind, span=NOWHERE)),
        "{": (f"{{ {first}}}", Group(body=body, redirects=behind, span=NOWHERE)),
        "if": (
            f"if {first}then\n{second}fi",
            If(branches=((body, other),), otherwise=None, redirects=behind, span=NOWHERE),
        ),
        "if else": (
            f"if {first}then {second}elif {second}then {first}else {second}fi",
            If(branches=((body, other), (other, body)), otherwise=other, redirects=behind, span=NOWHERE),
        ),
        "while": (
            f"while {first}do {second}done",
            Loop(condition=body, body=other, until=False, redirects=behind, span=NOWHERE),
        ),
        "until": (
            f"until {first}do {second}done",
            Loop(condition=body, body=other, until=True, redirects=behind, span=NOWHERE),
        ),
        "for": (
            f"for x in {text} b\ndo {first}done",
            For(variable="x", words=(item, word("b")), body=body, redirects=behind, span=NOWHERE),
        ),
        "select": (
            f"select x; do {first}done",
            For(variable="x", words=None, body=body, select=True, redirects=behind, span=NOWHERE),
        ),
        "case": (
            f"case {text} in a|b) {first};; \n (*) {second};;& esac",
            Case(
                subject=item,
                clauses=(
                    Clause(patterns=(word("a"), word("b")), body=body, terminator=";;"),
                    Clause(patterns=(word(Glob(pattern="*")),), body=other, terminator=";;&"),
                ),
                redirects=behind,
                span=NOWHERE,
            ),
        ),
        "function": (
            f"f() {{\n{first}}}",
            Function(name="f", body=Group(body=body, span=NOWHERE), redirects=behind, span=NOWHERE),
        ),
    }
    printed, command = made[kind]
    return (f"{printed} {target_text}" if target_text else printed), command


def all_scripts() -> SearchStrategy[tuple[str, Script]]:
    """Whole scripts, with compound commands and substitutions within each other."""
    leaf: SearchStrategy[tuple[str, Command]] = _PLAIN.map(
        lambda text: (f"w{text}", Simple(words=(word(f"w{text}"),), span=NOWHERE))
    )
    small = leaf.map(lambda pair: (f"{pair[0]}\n", Script(statements=(Statement(command=pair[1]),), span=NOWHERE)))
    inner = st.one_of(leaf, simples(small), compounds(leaf, small))
    single = inner.map(lambda pair: (f"{pair[0]};", Script(statements=(Statement(command=pair[1]),), span=NOWHERE)))
    return scripts_of(st.one_of(simples(single), compounds(inner, small)))
