"""What cannot be read says so, with its place; nothing is dropped, nothing is raised."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_cbx.shell.nodes import Redirect, Script, Simple, Span, Statement, Unreadable, Word
from pytest_cbx.shell.reader import MAX_LIST, read
from pytest_cbx.shell.source import MAX_DEPTH
from tests.unit.shell.tree import nodes

_NOTHING = re.compile(r"(?:[ \t\n;&]|\\\n|#[^\n]*(?:\n|$))*")


def uncovered(text: str, script: Script) -> str:
    """The text outside of all commands' and here-documents' spans."""
    covered = bytearray(len(text))
    for node in nodes(script):
        span: Span | None = None
        if isinstance(node, Statement):
            span = node.command.span
        elif isinstance(node, Redirect) and node.operator.startswith("<<"):
            span = node.target.span
        if span is not None:
            assert 0 <= span.start <= span.end <= len(text)
            covered[span.start : span.end] = b"\1" * (span.end - span.start)
    return "".join(char for char, seen in zip(text, covered, strict=True) if not seen)


def unreadables(script: Script) -> list[Unreadable]:
    return [node for node in nodes(script) if isinstance(node, Unreadable)]


@pytest.mark.parametrize(
    ("text", "unread", "reason"),
    [
        ("a; echo 'b; c", "echo 'b; c", "single quote"),
        ('a; echo "b; c', 'echo "b; c', "double quote"),
        ("a; echo `b; c", "echo `b; c", "backquote"),
        ("a; echo $(b; c", "echo $(b; c", "parenthesis"),
        ("a; echo ${x; c", "echo ${x; c", "expansion"),
        ("a; echo $'b", "echo $'b", "ANSI-C"),
        ("a\necho ) b", ") b", "closing parenthesis"),
        ("a; cat <<E\nb", "cat <<E\nb", "here-document"),
        ("a; cat <<$x\nb", "cat <<$x\nb", "here-document"),
        ("a; if b; then c", "if b; then c", "if without its end"),
        ("a | if b; then c; for", "if b; then c; for", "variable"),
        ("a; if b; fi", "if b; fi", "grammar"),
        ("git log &&& rm -rf /", "git log &&", "grammar"),
        ("a; b >", "b >", "target"),
        ("a; & c", "&", "without a command"),
        ("a; b;; c", "b;; c", "outside of a case"),
        ("a; { b", "{ b", "without its end"),
        ("a; { b; fi; c", "{ b; fi; c", "without its beginning"),
        ("a; while b; do (c; done", "while b; do (c; done", "beginning"),
        ("a; ( b", "( b", "without its end"),
        ("a; (b) c", "c", "has just ended"),
        ("a; fi", "fi", "without its beginning"),
        ("a; x=(b", "x=(b", "array"),
        ("a; [[ b", "[[ b", "without ]]"),
        ("a; f() b", "f() b", "compound"),
        ("a; echo b(c)", "echo b(c)", "parenthesis"),
        ("a; for 1x in b; do c; done", "for 1x in b; do c; done", "variable"),
        ("a; echo ${ b; }", "echo ${ b; }", "braces"),
        ("a; coproc", "coproc", "without a command"),
        ("a | ! b", "a | ! b", "within a pipeline"),
        ("a\0b", "a\0b", "NUL"),
    ],
)
def test_the_place_and_the_reason(text: str, unread: str, reason: str) -> None:
    script = read(text)
    found = unreadables(script)
    assert found, script
    for one in found:
        assert text[one.span.start : one.span.end] == one.text
    assert unread.startswith(found[0].text)
    assert any(reason in one.reason for one in found), found
    assert text.index(unread) == found[0].span.start
    assert not _NOTHING.sub("", uncovered(text, script))


def test_the_rest_of_the_script_is_still_read() -> None:
    script = read("first\necho {1..5000}\nif a; then echo {1..5000}; fi\nlast")
    kinds = [type(statement.command).__name__ for statement in script.statements]
    assert kinds == ["Simple", "Unreadable", "If", "Simple"]
    assert [one.text for one in unreadables(script)] == ["echo {1..5000}"] * 2


def test_an_unreadable_substitution_leaves_its_command_readable() -> None:
    script = read('echo "$(echo {1..5000})" b')
    assert type(script.statements[0].command).__name__ == "Simple"
    assert len(unreadables(script)) == 1


_DEEP = {
    "subshells": ("( " * 10_000, ") " * 10_000),
    "substitutions": ("$(" * 10_000, ")" * 10_000),
    "quoted substitutions": ('"$(' * 10_000, ')"' * 10_000),
    "groups": ("{ " * 10_000, "; }" * 10_000),
    "conditions": ("if " * 10_000, "; then a; fi" * 10_000),
    "expansions": ("${x:-" * 10_000, "}" * 10_000),
    "arithmetic": ("$((" * 10_000, "))" * 10_000),
    "braces": ("{a," * 10_000, "}" * 10_000),
    "functions": ("f() { " * 10_000, "; }" * 10_000),
    "processes": ("a <(" * 10_000, ")" * 10_000),
    "tests": ("[[ " + "( " * 10_000, ") " * 10_000),
    "arrays": ("x=(" * 10_000, ")" * 10_000),
}


@pytest.mark.parametrize("kind", _DEEP)
def test_depth_is_bounded(kind: str) -> None:
    opening, closing = _DEEP[kind]
    text = f"{opening}a{closing}"
    script = read(text)
    assert unreadables(script)
    assert not _NOTHING.sub("", uncovered(text, script))


def test_depth_that_people_write_is_read() -> None:
    depth = MAX_DEPTH // 2
    assert not unreadables(read("$(" * depth + "a" + ")" * depth))
    assert not unreadables(read("( " * depth + "a" + " )" * depth))
    assert not unreadables(read('"$(' * depth + "a" + ')"' * depth))


def test_lists_are_bounded_since_they_nest() -> None:
    assert not unreadables(read("&&".join(["a"] * MAX_LIST)))
    assert unreadables(read("&&".join(["a"] * (MAX_LIST + 2))))


@pytest.mark.parametrize(
    "piece", ["a ", "'", "a[ ", "[", "`", "\\", "(", "a&&", "<<a ", "${", "{a,", "x\n", "# x\\\n", "'\\\n' ", "é"]
)
def test_much_text(piece: str) -> None:
    text = piece * (50_000 // len(piece))
    script = read(text)
    assert not _NOTHING.sub("", uncovered(text, script)) or not unreadables(script)


_SOUP = st.lists(
    st.sampled_from(
        [*" \t\n;&|<>(){}$`'\"\\#=~*?[]!+-:%^,./0a1", "\r", "\ud800", "é", "\0", " if ", " then ", " fi\n", " do ", " done\n", "case a in ",
         " esac ", "for x in ", "while ",
         "function ", "f() ", "[[ ", " ]]", "((", "))", "$(", "${", "$((", "<<E\n", "E\n", "<<-'E'", "\\\n",
         "&&", "||", ";;", "{a,b}", "$'", "time ", "coproc ", "x=(", "x[1]=", "export ", "<(", "a b\n"]
    ),
    max_size=40,
).map("".join)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(text=_SOUP)
def test_nothing_is_dropped_and_nothing_raised(text: str) -> None:
    script = read(text)
    left = uncovered(text, script)
    outside = [statement for statement in script.statements if isinstance(statement.command, Unreadable)]
    assert script.span == Span(0, len(text))
    # A comment's text is left too; where it starts is left as well, so what is left reads as nothing but comments.
    if "#" not in text:
        assert not left.strip(" \t\n;&\\"), (left, outside)


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=60))
def test_any_text(text: str) -> None:
    script = read(text)
    if "#" not in text:
        assert not uncovered(text, script).strip(" \t\n;&\\")


@settings(max_examples=200, deadline=None)
@given(text=_SOUP)
def test_spans_hold_their_own_text(text: str) -> None:
    for one in unreadables(read(text)):
        assert text[one.span.start : one.span.end] == one.text


def test_words_know_their_place_behind_continuations() -> None:
    text = "a \\\nb 'c\\\nd' `e \\\\f` <<E\n\tx $y\nE\n  last"
    script = read(text)
    first, last = (statement.command for statement in script.statements)
    assert isinstance(first, Simple)
    assert [text[word.span.start : word.span.end] for word in first.words] == ["a", "b", "'c\\\nd'", "`e \\\\f`"]
    assert text[last.span.start : last.span.end] == "last"
    target = first.redirects[0].target
    assert text[target.span.start : target.span.end] == "\tx $y\nE"
    inner = [node for node in nodes(first.words[3].parts) if isinstance(node, Word)]
    assert sorted(text[word.span.start : word.span.end] for word in inner) == ["\\f", "e"]
