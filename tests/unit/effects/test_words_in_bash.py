"""Real bash as the judge of values that are followed through a script: a value that counts as known must be right.

Scripts of assignments, expansions and builtins call `show` with words; bash, in an empty directory and with nothing on its
PATH, says what these are. Each of its calls must be one that the walk foresaw.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_cbx.effects.analysis import analyse
from pytest_cbx.effects.paths import Context
from pytest_cbx.effects.values import Field, Shape
from pytest_cbx.shell.reader import read

_SHOW = 'show() { printf \'%s\\0\' call "$#" "$@"; }\n'

STATEMENTS = (
    "x=a", "x='a b'", "x=", "y=$x", 'y="$x c"', "x=*.c", "x=d/e.txt", "x+=z", "unset x", "y=x", "x=a:b::c", "IFS=:", "IFS=' '",
    "unset IFS", "a=(p 'q r' s)", 'a=("$x" $y)', "a+=(t)", "a[1]=u", "a=()", "set -- 1 '2 3' 4", "set -- $x", "shift", "shift 9",
    "x=${a[1]}", "x=${a[*]}", "x=${y:-w}", ": ${x:=v}", "x=$((1+1))", "((x=3))", "let y=4", "x=${x#*/}", "x=${x%.*}",
    "x=${x//a/b}", "x=${x/#/pre}", "x=${x/%/post}", "x=${x:1}", "x=${x: -1}", "x=${x:0:2}", "x=${x^^}", "x=${x@U}",
    "x=$'\\t\\x41\\u00e9'", 'x=$"q"', "x='\\n'", "x=${x@E}", "printf -v x %s-%s m n", "read x <<< 'k l'",
    "read -r x y <<< 'k l m'", "x=~", "x=~/f", "x=b y=$x", "declare -i x=1+1", "declare -l x=ABC", "declare -A x=([k]=v)",
    "local z=1", "x=$(echo o)", "x=$(printf '%s\\n' a b)", "if [[ $x == a ]]; then x=1; else y=2; fi", "[[ $x ]] && y=3",
    "case $x in a*) x=4;; *) y=5;; esac", "for x in a b; do :; done", "for x in a b; do break; done",
    "for i in 1 2; do x=$x$i; done", "f() { x=6; }; f", "f() { local x=7; show $x; }; f", "f() { x=8; return; x=9; }; f",
    "(x=10)", "{ x=11; }", "x=12 :", "eval 'x=13'", "y=${!x}", "y=${x-unset}", "y=${x+set}", "y=${#x}", "x='$y'",
)  # fmt: skip
WORDS = (
    "$x", '"$x"', "$y", '"$y"', "${x}z", "a$x", '"$x$y"', "$x$y", "${a[@]}", '"${a[@]}"', "${a[*]}", '"${a[*]}"', "${a[0]}",
    "${a[1]}", "$a", "$@", '"$@"', "$*", '"$*"', 'b"$@"c', "$1", "$2", "${x:-d e}", '${x:-"d e"}', '"${x:-d e}"', "${x:+d e}",
    "${x:+'d e'}", "${x-d}", "${x+d}", "${x#a}", "${x##*/}", "${x%z}", "${x%%.*}", "${x/a/b}", "${x//[ab]/_}", '"${x/a/"$y"}"',
    "${x:1}", '"${x:0:1}"', "${x^}", "${x,,}", "${a[@]#p}", '"${a[@]/q/Q}"', '"${a[@]:1}"', '"${@:2}"', "${#x}", "${#a[@]}", "~",
    "~/z", "{$x,b}", "{1..3}$x", "a{,b}", "'$x'", "\\$x", "$'\\x41$x'", "$((x))", "${!y}", "*", "x*", "'*'", "[ab]", "$(echo $x)",
    '"$(echo "$x")"', "`echo $y`", "-$x-", "''$x", "$x''", '""', "${x:-$y}", "${x:-${y:-q}}", "~+", "${x@Q}", "${x@L}",
    "${*:1:1}", "${a[-1]}", "${a[@]:1:1}", "${x:-*}",
)  # fmt: skip

scripts = st.lists(
    st.one_of(
        st.sampled_from(STATEMENTS),
        st.lists(st.sampled_from(WORDS), max_size=3).map(lambda ws: " ".join(["show", *ws])),
    ),
    min_size=1,
    max_size=8,
).map(lambda lines: "\n".join([*lines, 'show "$x" "$y" "${a[@]}"']))


def shown_by_bash(script: str, directory: Path) -> list[list[str]]:
    """The words of each call of `show`, in order."""
    env = {"HOME": "/home/u", "LC_ALL": "C.UTF-8", "PATH": "/nonexistent"}
    bash = next(
        folder for folder in os.environ.get("PATH", os.defpath).split(":") if os.access(f"{folder}/bash", os.X_OK)
    )
    done = subprocess.run(
        [f"{bash}/bash", "-c", _SHOW + script], env=env, cwd=directory, capture_output=True, check=False, timeout=20
    )
    pieces = iter([piece.decode(errors="surrogateescape") for piece in done.stdout.split(b"\0")[:-1]])
    calls = []
    for piece in pieces:
        assert piece == "call", (script, done.stdout)
        calls.append([next(pieces) for _ in range(int(next(pieces)))])
    return calls


def foreseen(script: str, directory: str = "/w") -> list[tuple[Field, ...]]:
    """The words of each call of `show` that the walk foresees."""
    effects = analyse(read(script), Context(cwd=directory, workspace=directory, home="/home/u"))
    return [call.words for call in effects.invocations if call.program == "show"]


def fits(words: Sequence[str], fields: Sequence[Field]) -> bool:
    """Whether the words are among what the fields stand for."""
    if not fields:
        return not words
    first, rest = fields[0], fields[1:]
    if first.many:
        return any(
            all(_may_be(word, first) for word in words[:count]) and fits(words[count:], rest)
            for count in range(len(words) + 1)
        )
    return bool(words) and _may_be(words[0], first) and fits(words[1:], rest)


def _may_be(word: str, field: Field) -> bool:
    if field.shape is Shape.KNOWN:
        return word == field.text
    if field.shape is Shape.PATTERN:
        # A pattern that matches nothing stays as it is; the test's directory is empty.
        return fnmatchcase(word, field.text) or word == field.text
    return field.many or word.startswith(field.text)


def check(script: str, directory: Path) -> None:
    foresight = foreseen(script, str(directory))
    for call in shown_by_bash(script, directory):
        assert any(fits(call, fields) for fields in foresight), (call, foresight, script)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(script=scripts)
def test_what_is_known_is_right(script: str, tmp_path: Path) -> None:
    check(script, tmp_path)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("x=b; show $x${x}", ["bb"]),
        ("a=(rm -rf 'd e'); show \"${a[@]}\"", ["rm", "-rf", "d e"]),
        ("x=d/e.txt; show ${x%/*} ${x##*.}", ["d", "txt"]),
        ("x=; show ${x:-'a b'}", ["a b"]),
        ("x=; show ${x:-a b}", ["a", "b"]),
        ("x=a:b; IFS=:; show $x", ["a", "b"]),
        ("set -- a b; IFS=-; show \"$*\"", ["a-b"]),
        ("set -- a 'b c'; shift; show \"$@\"", ["b c"]),
        ("x=abc; show ${x/#/p} ${x/%/s} ${x: -2}", ["pabc", "abcs", "bc"]),
        ("x='a\\tb'; show ${x@E}", ["a", "b"]),
        ("x=A; show ${x,} ${x@L}", ["a", "a"]),
        ("y=x; x=z; show ${!y}", ["z"]),
        ("show ~+/a", ["/w/a"]),
        ("show $'\\x72\\155' $\"a b\"", ["rm", "a b"]),
        ("x=1; f() { local x=2; show $x; }; f", ["2"]),
    ],
)  # fmt: skip
def test_values_that_should_be_known(script: str, words: list[str], tmp_path: Path) -> None:
    assert foreseen(script) == [tuple(Field(word) for word in words)]
    expected = [word.replace("/w", str(tmp_path)) for word in words]
    assert shown_by_bash(script, tmp_path) == [expected]
