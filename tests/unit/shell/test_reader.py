"""Constructs one by one: what each text is read as."""

from __future__ import annotations

import pytest

from pytest_cbx.shell.nodes import (
    AndOr,
    Arithmetic,
    ArithmeticExpansion,
    ArithmeticFor,
    Assignment,
    Case,
    Command,
    CommandSubstitution,
    Conditional,
    Connector,
    Coprocess,
    For,
    Function,
    Glob,
    Group,
    If,
    Parameter,
    Pipeline,
    ProcessSubstitution,
    Script,
    Simple,
    Statement,
    Subshell,
    Tilde,
    Word,
)
from pytest_cbx.shell.reader import read
from tests.unit.shell.tree import NOWHERE, bare, lit, redirect, script, simple, word

A, B, C = simple("a"), simple("b"), simple("c")
BOTH = redirect(">&", "1", "2")


def assign(name: str, value: Word | None, **rest: object) -> Assignment:
    return Assignment(name=name, value=value, span=NOWHERE, **rest)  # type: ignore[arg-type]


def pipe(*commands: Command, **rest: bool) -> Pipeline:
    return Pipeline(commands=commands, span=NOWHERE, **rest)


def both(left: Command, right: Command, connector: Connector = Connector.AND) -> AndOr:
    return AndOr(left=left, connector=connector, right=right, span=NOWHERE)


def sub(*commands: Command, quoted: bool = False) -> CommandSubstitution:
    return CommandSubstitution(body=script(*commands), quoted=quoted)


STRUCTURES: dict[str, Script] = {
    "": script(),
    " \n# only a comment": script(),
    "a; b\nc": script(A, B, C),
    "a & b": script(Statement(command=A, background=True), B),
    "a && b || c &": script(Statement(command=both(both(A, B), C, Connector.OR), background=True)),
    "a | b && c": script(both(pipe(A, B), C)),
    "a |\n\n # comment\n b": script(pipe(A, B)),
    "a |& b": script(pipe(simple("a", redirects=(BOTH,)), B)),
    "{ a; } >f |& b": script(
        pipe(Group(body=script(A), redirects=(redirect(">", "f"), BOTH), span=NOWHERE), B)
    ),
    "a && { b; } > f": script(both(A, Group(body=script(B), redirects=(redirect(">", "f"),), span=NOWHERE))),
    "! a | b": script(pipe(A, B, negated=True)),
    "! ! a": script(pipe(A)),
    "time -p a | b": script(pipe(A, B, timed=True)),
    "a | time b": script(pipe(A, simple("time", "b"))),
    "(a)&&b": script(both(Subshell(body=script(A), span=NOWHERE), B)),
    "((a); b)": script(Subshell(body=script(Subshell(body=script(A), span=NOWHERE), B), span=NOWHERE)),
    "if(a)then b;fi": script(
        If(
            branches=((script(Subshell(body=script(A), span=NOWHERE)), script(B)),),
            otherwise=None,
            span=NOWHERE,
        )
    ),
    ">f a 2>&1 <g": script(simple("a", redirects=(redirect(">", "f"), BOTH, redirect("<", "g")))),
    "a>f": script(simple("a", redirects=(redirect(">", "f"),))),
    "a2>f": script(simple("a2", redirects=(redirect(">", "f"),))),
    "> f": script(simple(redirects=(redirect(">", "f"),))),
    "a {fd}<>f >&- <&3- >| g &>> h": script(
        simple(
            "a",
            redirects=(
                redirect("<>", "f", "{fd}"), redirect(">&", "-"), redirect("<&", "3-"), redirect(">|", "g"), redirect("&>>", "h"),
            ),
        )
    ),
    "a <<< $x*": script(simple("a", redirects=(redirect("<<<", word(Parameter(name="x"), "*")),))),
    "x=1 y+=2 a z=3": script(
        simple("a", "z=3", assignments=(assign("x", word("1")), assign("y", word("2"), append=True)))
    ),
    "x= y[1]=b": script(
        simple(assignments=(assign("x", word()), assign("y", word("b"), index=word("1"))))
    ),
    "x=(a 'b c' # no\n d)": script(
        simple(assignments=(assign("x", None, elements=(word("a"), word(lit("b c", quoted=True)), word("d"))),))
    ),
    "export a x=~/b": script(
        simple("export", "a", operands_assigned=(assign("x", word(Tilde(user=""), "/b")),))
    ),
    "declare -a x=(a)": script(
        simple("declare", "-a", operands_assigned=(assign("x", None, elements=(word("a"),)),))
    ),
    "for i do a; done": script(For(variable="i", words=None, body=script(A), span=NOWHERE)),
    "for i in; do a; done": script(For(variable="i", words=(), body=script(A), span=NOWHERE)),
    "for i in b; { a; }": script(For(variable="i", words=(word("b"),), body=script(A), span=NOWHERE)),
    "for ((i=0; i<$n; i++)) do a; done": script(
        ArithmeticFor(
            text="i=0; i<$n; i++",
            parts=tuple(Parameter(name=name, quoted=True) for name in ("i", "i", "n", "i")),
            body=script(A),
            span=NOWHERE,
        )
    ),
    "f() { a; }": script(Function(name="f", body=Group(body=script(A), span=NOWHERE), span=NOWHERE)),
    "function f-g\n( a ) >h": script(
        Function(name="f-g", body=Subshell(body=script(A), span=NOWHERE), redirects=(redirect(">", "h"),), span=NOWHERE)
    ),
    "f() [[ a ]]": script(Function(name="f", body=Conditional(words=(word("a"),), span=NOWHERE), span=NOWHERE)),
    "coproc a b": script(Coprocess(name="", body=simple("a", "b"), span=NOWHERE)),
    "coproc NAME { a; }": script(Coprocess(name="NAME", body=Group(body=script(A), span=NOWHERE), span=NOWHERE)),
    "(( x + $(a) ))": script(
        Arithmetic(text=" x + $(a) ", parts=(Parameter(name="x", quoted=True), sub(A, quoted=True)), span=NOWHERE)
    ),
    "[[ -f a && $x =~ ^(b c|d)$ ]]": script(
        Conditional(
            words=(word("-f"), word("a"), word("&&"), word(Parameter(name="x")), word("=~"), word("^(b c|d)$")),
            span=NOWHERE,
        )
    ),
    "[[ a == @(b|c)* ]]": script(
        Conditional(words=(word("a"), word("=="), word(Glob(pattern="@(b|c)"), Glob(pattern="*"))), span=NOWHERE)
    ),
    "grep pattern file\r\nrm b": script(simple("grep", "pattern", "file\r"), simple("rm", "b")),
    "a # comment \\\nb": script(A, B),
    "a 'b\\\nc'\\\nd": script(simple("a", word(lit("b\\\nc", quoted=True), "d"))),
    "a &\\\n& b": script(both(A, B)),
    "a $\\\n(b)": script(simple("a", word(sub(B)))),
    'a "$\\\n(b)"': script(simple("a", word(sub(B, quoted=True)))),
    "i\\\nf a; then b; fi": script(If(branches=((script(A), script(B)),), otherwise=None, span=NOWHERE)),
    "a `b \\`c\\``": script(simple("a", word(sub(simple("b", word(sub(C))))))),
    'a "`b \\"c d\\"`"': script(simple("a", word(sub(simple("b", word(lit("c d", quoted=True))), quoted=True)))),
    "a $(b # )\n)": script(simple("a", word(sub(B)))),
    "a $(case x in b) c;; esac)": script(
        simple("a", word(sub(read("case x in b) c;; esac").statements[0].command)))
    ),
    "a <(b) >(c)": script(
        simple(
            "a",
            word(ProcessSubstitution(body=script(B), reads_from=True)),
            word(ProcessSubstitution(body=script(C), reads_from=False)),
        )
    ),
    "a $((1 + x[$(b)]))": script(
        simple(
            "a",
            word(ArithmeticExpansion(text="1 + x[$(b)]", parts=(Parameter(name="x", quoted=True), sub(B, quoted=True)))),
        )
    ),
    "a $((b) | c)": script(
        simple("a", word(sub(pipe(Subshell(body=script(B), span=NOWHERE), C))))
    ),
    "a<<E;b\nx\nE\nc": script(simple("a", redirects=(redirect("<<", word(lit("x\n", quoted=True))),)), B, C),
    "a <<E <<-'F' | b\n$x\\$\nE\n\t$y\n\tF\nc": script(
        pipe(
            simple(
                "a",
                redirects=(
                    redirect("<<", word(Parameter(name="x", quoted=True), lit("$\n", quoted=True))),
                    redirect("<<-", word(lit("$y\n", quoted=True))),
                ),
            ),
            B,
        ),
        C,
    ),
    'a <<E\n"$(b)" \\\nc\nE': script(
        simple(
            "a",
            redirects=(
                redirect("<<", word(lit('"', quoted=True), sub(B, quoted=True), lit('" c\n', quoted=True))),
            ),
        )
    ),
    "a <<'E'\nx\\\nE\nb": script(simple("a", redirects=(redirect("<<", word(lit("x\\\n", quoted=True))),)), B),
    "a $(b <<E\nx\nE\n)": script(
        simple("a", word(sub(simple("b", redirects=(redirect("<<", word(lit("x\n", quoted=True))),)))))
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", STRUCTURES)
def test_structure(text: str) -> None:
    assert bare(read(text)) == bare(STRUCTURES[text])


PARAMETERS: dict[str, Parameter] = {
    "$x": Parameter(name="x"),
    "$1": Parameter(name="1"),
    "$@": Parameter(name="@"),
    "${10}": Parameter(name="10"),
    "$?": Parameter(name="?"),
    "$$": Parameter(name="$"),
    "${#}": Parameter(name="#"),
    "${#x}": Parameter(name="x", length=True),
    "${##}": Parameter(name="#", length=True),
    "${##a}": Parameter(name="#", operator="#", arguments=(word("a"),)),
    "${#-a}": Parameter(name="#", operator="-", arguments=(word("a"),)),
    "${#x[@]}": Parameter(name="x", length=True, index=word("@")),
    "${!x}": Parameter(name="x", indirect=True),
    "${!}": Parameter(name="!"),
    "${!x*}": Parameter(name="x", operator="*", indirect=True),
    "${!x@}": Parameter(name="x", operator="@", indirect=True),
    "${!x[@]}": Parameter(name="x", index=word("@"), indirect=True),
    "${x[$i]}": Parameter(name="x", index=word(Parameter(name="i"))),
    "${x:-a b}": Parameter(name="x", operator=":-", arguments=(word("a b"),)),
    "${x=~/a}": Parameter(name="x", operator="=", arguments=(word(Tilde(user=""), "/a"),)),
    "${x:?}": Parameter(name="x", operator=":?", arguments=(word(),)),
    "${x+$(a)}": Parameter(name="x", operator="+", arguments=(word(sub(A)),)),
    "${x:-{a}": Parameter(name="x", operator=":-", arguments=(word("{a"),)),
    "${x##*/}": Parameter(name="x", operator="##", arguments=(word(Glob(pattern="*"), "/"),)),
    "${x%'}'}": Parameter(name="x", operator="%", arguments=(word(lit("}", quoted=True)),)),
    "${x//a\\/b/c}": Parameter(name="x", operator="//", arguments=(word("a", lit("/", quoted=True), "b"), word("c"))),
    "${x/#a}": Parameter(name="x", operator="/#", arguments=(word("a"),)),
    "${x^^}": Parameter(name="x", operator="^^", arguments=(word(),)),
    "${x,[a-c]}": Parameter(name="x", operator=",", arguments=(word(Glob(pattern="[a-c]")),)),
    "${x@P}": Parameter(name="x", operator="@P"),
    "${@:2}": Parameter(name="@", operator=":", arguments=(word(lit("2", quoted=True)),)),
    "${x:1:$n}": Parameter(
        name="x", operator=":", arguments=(word(lit("1", quoted=True)), word(Parameter(name="n", quoted=True)))
    ),
}


@pytest.mark.parametrize("text", PARAMETERS)
def test_parameter(text: str) -> None:
    assert bare(read(f"a {text}")) == script(simple("a", word(PARAMETERS[text])))


def test_quoted_default_keeps_single_quotes_and_globs() -> None:
    inner = Parameter(
        name="x", operator=":-", arguments=(word(lit("'*' ", quoted=True), sub(B, quoted=True)),), quoted=True
    )
    assert bare(read("a \"${x:-'*' $(b)}\"")) == script(simple("a", word(inner)))


def test_case_with_all_terminators() -> None:
    read_case = read("case $x in\n(a|'b') a ;;\n c*) b;& d) ;;& *) c\nesac").statements[0].command
    assert isinstance(read_case, Case)
    assert [clause.terminator for clause in read_case.clauses] == [";;", ";&", ";;&", ";;"]
    assert bare(read_case.clauses[0].patterns) == (word("a"), word(lit("b", quoted=True)))
    assert [len(clause.body.statements) for clause in read_case.clauses] == [1, 1, 0, 1]


def test_reserved_words_count_only_where_a_command_starts() -> None:
    assert bare(read("echo if then { } ! [[ done; 'if' a")) == script(
        simple("echo", "if", "then", "{", "}", "!", "[[", "done"), simple(word(lit("if", quoted=True)), "a")
    )


def test_a_long_pipeline_is_flat() -> None:
    command = read("|".join(["a"] * 1000)).statements[0].command
    assert isinstance(command, Pipeline)
    assert len(command.commands) == 1000


def test_a_name_for_a_builtin_is_a_simple_command() -> None:
    command = read("[ -f a ] ").statements[0].command
    assert isinstance(command, Simple)
    assert bare(command.words) == (word("["), word("-f"), word("a"), word("]"))
