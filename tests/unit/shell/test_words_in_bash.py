"""The words of a text as real bash sees them, against the words of our tree."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_cbx.shell.nodes import Unreadable
from pytest_cbx.shell.reader import read
from tests.unit.shell.bash import words_in_bash, words_we_read

WORDS = (
    # plain, single and double quotes, backslashes
    "a b c", "'a b' c", '"a b" c', "a'b c'd", 'a"b c"d', "''", '""', "'' \"\" x", "a''b", 'a""b', r"a\ b", r"\a\b", r"'\a'",
    r'"\a\$\`\"\\"', r'"a\nb"', "'a\nb'", '"a\nb"', "\"it's\"", "'say \"x\"'", r"\'", r"\"", r"\\", r"\\\\", r"a\#b", "a#b", "#a",
    "a #b", "a '#b'", "a\t\tb", "'a'\"b\"c", "$", "a$", "'$x'", r"\$x", r'"\$x"', '"$"', '"$ "', "$ a", "a$%", "'`'", r"\`", r'"\`"',
    # ANSI-C and translated strings
    "$'a b'", r"$'a\nb'", r"$'\t\\\'\"'", r"$'\x41\x42'", r"$'\101\60'", r"$'é\u00e9\U0001F600'", r"$'\cA'", r"$'\c@x'", r"$'\e'",
    r"$'a\qb'", r"$'\x'", r"$'\x4'", r"$'\xc3\xa9'", r"$'a\0b'c", r"$'\x{41}'", "$''", "a$'b'c", '"$\'a\'"', '$"a b"', '$""', '$"a"b',
    r"$'\1011'", r"$'\8'", r"$'a\?b'",
    # line continuations
    "a\\\nb", "a \\\n b", "\"a\\\nb\"", "'a\\\nb'", "$'a\\\nb'", "a\\\\\\\nb", "\\\na", "a\\\n", "'a'\\\n'b'", "a # b\\\n", "\"\\\\\\\nb\"",
    "a\\\n\\\n\\\nb", "a'x\\\ny'b\\\nc",
    # braces
    "{a,b}", "x{a,b}y", "{a,b}{c,d}", "{a,{b,c}}", "{{a,b},c}", "{a}", "{}", "{,}", "{a,}", "{,a}", "x{,a}", "{a,b", "a,b}", "{a,b}}",
    "{{a,b}", "{a,{b}", "{{a,b}}", "{a,b,c}d{e,f}", r"{a\,b,c}", r"\{a,b}", "'{a,b}'", '{"a,b",c}', "{'a b',c}", "{a b,c}", "{1..5}",
    "{5..1}", "{1..10..3}", "{01..10..4}", "{1..010..4}", "{-2..2}", "{-02..1}", "{a..e}", "{e..a}", "{a..e..2}", "{1..3}{a..b}",
    "{1..a}", "{1..}", "{..1}", "{1...3}", "{1.5..2}", "{+1..3}", "{1..3..0}", "{1..5..-2}", "{3..1..-1}", "{a..c}x", "x{1..1}",
    "{1..3,5}", "{a,b..d}", "{a,b}{", "{a}{b,c}", "{}{a,b}", "x{a,'b}c',d}", "{a,b}\\{c,d}", "${", "{$,a}", "{a,\\\nb}", "{[a,b],c}",
    "[{a,b}]", "{a,b}*", "{*,?}", "{''}", "{'',a}", "a{b,}c", "{a}b,c}", "{a,}}b", "{{1..2},x}",
    # tildes
    "~", "~/a", "~/a/~", "a~", "'~'", r"\~", "x=~", "x=~/a", "x=a:~", "x=~:~/b", "x+=~", "x=a=~", "-x=~", "a:~", "~:a", "~:'a'", "~'a'",
    "~/'a'", "~\"/a\"", "x=~/{}", "x=~/{a,b}", "{~,a}", "{~/a,~/b}", "{~,x}/y", "{a,~}", "x{,~}", "x='~'", "x=''~", "~/{a,b}", "~-x/y z",
    # patterns that match nothing
    "*", "a*b", "?", "[abc]", "[!a]b", "[a-z]*", "[", "]", "[]", "[]a]", "a[b", "a]b", "[[:alpha:]]x", r"\*", "'*'", '"?"', "[a]b[c]",
    '["a"]', "['a b']", r"[\]]", "**/x", "*.{a,b}", "a[b]=c", "x=*", "a[0]b",
    # quotes within an expansion within quotes
    '"${unset:-a b}"', '"${unset-*}"', '"${unset:-\'a b\'}"', '"${unset:-\'a}\'}"', '"${unset:-"a b"}"', '"${unset:-\\}x}"',
    '"${unset:-{a}}"',
    '"${unset:-~}"', '"${unset:-\\a\\$\\"}"', '"a${unset:-b}"c', '"${unset:-${unset:-a}b}"', '"${unset:-a\\\nb}"',
    '"${unset:-}"', '"${unset:-#a}"',
    # what is special elsewhere only
    "a=b", "=a", "a==b", "!", "!a", "a!b", "%1", "@", "+", "-", "--a=b", "a,b", "a:b", "^a", "a^b", "in", "if", "then", "{ a", "}", "time",
    "a;", "-- a", "2", "a2", "é", "日本 x", "a\u00a0b", "\u2028", "a\rb", "a\r", "\x0ba", "a\x0c b", "\x7f", "\x01",
)  # fmt: skip


def test_as_in_bash(tmp_path: Path) -> None:
    wrong: list[str] = []
    unread: list[str] = []
    for text, expected in zip(WORDS, words_in_bash(WORDS, tmp_path), strict=True):
        read = words_we_read(text)
        if read is None:
            unread.append(text)
        elif read != expected:
            wrong.append(f"{text!r}: bash sees {expected}, we {read}")
    assert not wrong, "\n".join(wrong)
    # Another user's home, a byte that ends the string, and a syntax error.
    assert set(unread) == {"~-x/y z", r"$'\c@x'", "${"}
    assert len(WORDS) >= 150


_PIECES = st.sampled_from(
    [
        *"ab'\"\\{},~*?[]!#=:/-+@^%12x ",
        "\\\n",
        "$'",
        "..",
        "{a,b}",
        "{1..3}",
        "''",
        "\\'",
        '$"',
        "x=",
        "~/",
        "\t",
        "\\n",
        "\\\\",
    ]
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.lists(_PIECES, max_size=10).map("".join), min_size=20, max_size=60))
def test_any_soup_as_in_bash(texts: list[str], tmp_path: Path) -> None:
    for text, expected in zip(texts, words_in_bash(texts, tmp_path), strict=True):
        read = words_we_read(text)
        assert read is None or read == expected, text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{1..1001}", "brace"),
        ("{1..100}{1..100}", "brace"),
        ("{a..Z}", "brace"),
        (r"$'\xff'", "ANSI-C"),
        (r"$'\ud800'", "ANSI-C"),
        ("~:$x/b", "tilde"),
        ("@(a|'b')", "extended glob"),
    ],
)
def test_says_what_it_does_not_enumerate(text: str, reason: str) -> None:
    script = read(f"first; echo {text} b; last")
    commands = [statement.command for statement in script.statements]
    unreadable = commands[1]
    assert isinstance(unreadable, Unreadable)
    assert reason in unreadable.reason
    assert unreadable.text.startswith("echo ")
