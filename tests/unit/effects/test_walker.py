"""The walker: what whole scripts touch."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.paths import Context
from pytest_cbx.effects.values import Origin
from tests.unit.effects.help import CONTEXT, Tree, compact_of, effects_of

EXACT: list[tuple[str, list[str]]] = [
    # lists, pipes, groups
    ("cat a; cat b", ["read a", "read b"]),
    ("cat a && rm b || touch c", ["read a", "delete b", "create c", "metadata c"]),
    ("cat a | tee b | wc -l > c", ["read a", "write b", "write c"]),
    ("{ cat a; rm b; } > c", ["write c", "read a", "delete b"]),
    ("(cd src; cat a); cat a", ["read src/a", "read a"]),
    ("! cat a", ["read a"]),
    ("time cat a", ["read a"]),
    ("cat a & cat b", ["read a", "read b"]),
    ("coproc rm a", ["delete a"]),
    # branches and loops
    ("if [ -f a ]; then rm a; else touch b; fi", ["read a", "delete a", "create b", "metadata b"]),
    ("if true; then rm a; elif cat x; then rm b; fi", ["read x", "delete a", "delete b"]),
    ("while read -r l; do rm a; done < list", ["read list", "delete a"]),
    ("until rm a; do cat b; done", ["delete a", "read b"]),
    ("for f in a b; do rm $f; done", ["delete a", "delete b"]),
    ("for f in *.o; do rm \"$f\"; done", ["delete *.o"]),
    ("for ((i=0; i<3; i++)); do cat f$i; done", ["read f*"]),
    ("for f in $X; do cat src/$f; done", ["read ?"]),
    ("case $x in a) rm a;; *) rm b;; esac", ["delete a", "delete b"]),
    ("select x in a b; do rm y; done", ["delete y"]),
    # variables
    ("D=build; rm -rf $D", ["destroy build/**"]),
    ("F=-rf; rm $F d", ["destroy d/**"]),
    ("a=r; b=m; $a$b -rf d", ["destroy d/**"]),
    ("R=rm; $R a", ["delete a"]),
    ("X='a b'; cat $X", ["read a", "read b"]),
    ("X='a b'; cat \"$X\"", ["read a b"]),
    ("X='*.c'; cat $X", ["read *.c"]),
    ("f=a.txt; cat ${f%.txt}.md", ["read a.md"]),
    ("f=d/a.txt; cat ${f##*/}", ["read a.txt"]),
    ("x=1; if true; then x=2; fi; cat f$x", ["read f*"]),
    ("x=a; true && x=b; cat $x", ["read *"]),
    ("x=(a b); cat \"${x[@]}\"", ["read a", "read b"]),
    ("x=(a b); cat ${x[1]}", ["read b"]),
    ("x=a; x+=b; cat $x", ["read ab"]),
    ("x=a; (x=b); cat $x", ["read a"]),
    ("X=a cat b", ["read b"]),
    ("x=a; unset x; cat b$x", ["read b"]),
    ("read x; cat \"d/$x\"", ["read d/**"]),
    ("if read y; then d=out/a1; else d=out/a2; fi; cat $d/x", ["read out/a*/x"]),
    ("if read y; then d=out; else d=out/x; fi; cat $d", ["read ?"]),
    ("if read y; then d=-a; else d=b; fi; head $d", ["read ?"]),
    ("n=0; while read y; do cat u$n; n=$((n + 1)); done", ["read u0", "read u*"]),
    ("rm${IFS}-rf${IFS}d", ["destroy d/**"]),
    ("cat $HOME/a ~/b", ["read /home/u/a", "read /home/u/b"]),
    ("cat $((1+1))", ["read *"]),
    ("cat log.$$", ["read log.*"]),
    # directories
    ("cd src && rm a", ["delete src/a"]),
    ("cd src; cd ..; rm a", ["delete a"]),
    ("cd /w/src; cat ../a", ["read a"]),
    ("cd /tmp; cat a", ["read /tmp/a"]),
    ("cd; cat a", ["read /home/u/a"]),
    ("cd src; cd -; cat a", ["read a"]),
    ("if true; then cd src; fi; rm a", ["delete ?"]),
    ("cd \"$X\"; rm a", ["delete ?"]),
    ("cd src || exit 1; cat a", ["read src/a"]),
    ("mkdir b && cd b && touch a && cat c", ["create b", "create b/a", "metadata b/a", "read b/c"]),
    ("cd src || rm a", ["delete a"]),
    ("cd src && rm a || rm b", ["delete src/a", "delete ?"]),
    ("if cd src; then rm a; else rm b; fi", ["delete src/a", "delete b"]),
    ("{ cd src; cat x; } || rm a", ["read src/x", "delete ?"]),
    ("cd src || return; cd sub || exit; rm a", ["delete src/sub/a"]),
    ("cat ../a ./b//c d/../e", ["read /a", "read b/c", "read e"]),
    # redirects
    ("echo > a", ["write a"]),
    ("echo >> a", ["append a"]),
    ("echo >| a", ["write a"]),
    ("echo &> a", ["write a"]),
    ("echo >& a", ["write a"]),
    ("echo 2>&1", []),
    ("echo > /dev/null 2> /dev/stderr", []),
    ("cat < a", ["read a"]),
    ("cat <> a", ["write a"]),
    ("exec 3> a", ["write a"]),
    ("> a", ["write a"]),
    ("echo > $X", ["write ?"]),
    ("cat < /dev/tcp/h/80", ["network"]),
    ("echo > >(cat > a)", ["write a"]),
    ("cat <<E\n$(rm a)\nE", ["delete a"]),
    ("cat <<'E'\n$(rm a)\nE", []),
    ("cat <<< $(rm a)", ["delete a"]),
    # substitutions, wherever they stand
    ("echo $(rm a)", ["delete a"]),
    ("X=$(rm a)", ["delete a"]),
    ("echo ${x:-$(rm a)}", ["delete a"]),
    ("echo $(( $(rm a) + 1 ))", ["delete a"]),
    ("a[$(rm a)]=1", ["delete a"]),
    ("diff <(rm a) <(cat b)", ["delete a", "read b"]),
    ("cat < $(rm a)", ["delete a", "read ?"]),
    ("cat $(echo a b)", ["read a", "read b"]),
    ("cat \"$(dirname d/a)/b\"", ["read d/b"]),
    # text that is read again
    ("eval 'rm a'", ["delete a"]),
    ("eval rm $'\\x61'", ["delete a"]),
    ("bash -c 'rm a'", ["delete a"]),
    ("bash -c 'bash -c \"rm a\"'", ["delete a"]),
    ("bash -O expand_aliases -c 'alias cat=rm\ncat a'", ["delete a", "read a"]),
    ("bash -O lastpipe -c 'c=cat; echo rm | read c; $c a'", ["unknown"]),
    ("PS1='$(rm a)' bash --norc -i -c :", ["unknown"]),
    ("PS1='\\u$ ' bash --norc -i -c :", []),
    ("echo 'rm a' | sh", ["delete a"]),
    ("printf 'rm %s\\n' a b | sh", ["delete a", "delete b"]),
    ("base64 -d <<< cm0gYQ== | bash", ["delete a"]),
    ("bash <<E\nrm a\nE", ["delete a"]),
    ("trap 'rm a' EXIT", ["delete a"]),
    ("c=cat; trap 'c=rm' DEBUG; $c a", ["unknown"]),
    ("trap 'c=rm' ERR; c=cat; $c a", ["unknown"]),
    ("c=cat; trap 'echo $c' INT; $c a", ["read a"]),
    ("c=cat; trap 'c=rm' EXIT; $c a", ["read a"]),
    ("D=a; trap \"rm $D\" EXIT", ["delete a"]),
    ("eval \"$X\"", ["execute"]),
    ("bash -c \"$X\"", ["unknown", "execute"]),
    ("X=a; bash -c 'rm x$X'", ["delete ?"]),
    ("export X=a; bash -c 'rm x$X'", ["delete xa"]),
    # functions and aliases
    ("f() { rm a; }", []),
    ("f() { rm a; }; f", ["delete a"]),
    ("f() { rm \"$1\"; }; f a; f b", ["delete a", "delete b"]),
    ("ls() { rm -rf d; }; ls", ["destroy d/**"]),
    ("ls() { rm -rf d; }; command ls -d x", ["read x"]),
    ("f() { local D=x; }; D=a; f; cat $D", ["read a"]),
    ("f() { cd src; }; f; cat a", ["read src/a"]),
    ("f() { rm a; f; }; f", ["delete a", "unknown"]),
    ("if x=1; then rm() { :; }; fi; rm a", ["delete a"]),
    ("alias cat=rm\ncat a", ["read a"]),
    ("shopt -s expand_aliases\nalias cat=rm\ncat a", ["delete a", "read a"]),
    ("shopt -s expand_aliases; alias rm=echo; rm a", ["delete a"]),
    ("shopt -s expand_aliases\nalias rm=echo\n\\rm a", ["delete a"]),
    ("ls() { rm a; }; command eval ls", ["delete a"]),
    # loops, functions and clauses that are left before their end
    ("for c in rm echo; do [ -f x ] && break; done; $c a", ["read x", "unknown"]),
    ("c=rm; for i in 1; do [ -f x ] && continue; c=echo; done; $c a", ["read x", "unknown"]),
    ("f() { if [ -f x ]; then c=rm; return; fi; c=echo; }; f; $c a", ["read x", "unknown"]),
    ("for i in 1 2; do for j in 1 2; do c=rm; [ -f x ] && break 2; done; c=echo; done; $c a", ["read x", "unknown"]),
    ("for i in 1; do [ -f x ] && break; rm() { :; }; done; rm a", ["delete a", "read x"]),
    ("c=echo; case $1 in x) c=rm ;& y) $c a ;; esac", ["unknown"]),
    ("c=echo; case $1 in x) c=rm ;; y) $c a ;; esac", []),
    ("for f in a b; do [ -f x ] || continue; cat $f; done", ["read a", "read b", "read x"]),
    ("c=echo; shopt -s lastpipe; echo rm | read c; $c a", ["unknown"]),
    ("c=echo; echo rm | read c; $c a", []),
    # arithmetic where a variable is set
    ("declare -i n; n='a[$(rm b)]'", ["unknown"]),
    ("declare -i n='a[$(rm b)]'", ["unknown"]),
    ("declare -i n; read n <<< 'a[$(rm b)]'", ["unknown"]),
    ("declare -ai n; n=('a[$(rm b)]')", ["unknown"]),
    ("RANDOM='a[$(rm b)]'", ["unknown"]),
    ("declare -i n=5; rm a$n", ["delete a5"]),
    ("x='a[$(rm b)]'; echo ${!x}", ["unknown"]),
    ("x='a[$(rm b)]'; y=([x]=1)", ["unknown"]),
    ("x='a[$(rm b)]'; y=(1); unset 'y[x]'", ["unknown"]),
    ("((PATH=1)); ls -d x", ["read x", "unknown"]),
    ("coproc PATH { :; }; ls -d x", ["read x", "unknown"]),
    # what is printed
    ("eval \"echo a$(printf '\\u003b')rm b\"", ["execute"]),
    ("eval \"$(printf 'echo \" \\\"; rm b #\"')\"", ["delete b"]),
    ("sort $(date +-oout) in", ["cache ?", "execute", "read ?", "read in", "write ?"]),
    ("cat $(date +%Y)", ["read *"]),
    ("cat $(expr 1 + 1)", ["read *"]),
    ("sort $(expr x-oout : 'x\\(.*\\)')", ["cache ?", "execute", "read ?", "write ?"]),
    ("x=$(umask); ${x:+rm} a", ["unknown"]),
    ("rm() { :; }; nohup rm -rf d", ["destroy d/**"]),
    ("rm() { :; }; exec rm -rf d", ["destroy d/**"]),
    ("rm() { :; }; export -f rm; bash -c 'rm a'", ["delete a"]),
    ("T=a; trap 'rm x$T' EXIT; T=b", ["delete ?"]),
    ("trap 'rm x$T' EXIT; T=b", ["delete ?"]),
    ("T=a; trap 'rm x$T' EXIT; cat b", ["delete xa", "read b"]),
    ("trap 'rm a' EXIT; cd src", ["delete ?"]),
    ("trap \"trap 'rm a' EXIT\" INT", ["delete a"]),
    # programs by path
    ("./cat a", ["read cat", "execute"]),
    ("/tmp/x/cat a", ["read /tmp/x/cat", "execute"]),
    ("/bin/cat a", ["read a"]),
    ("/usr/local/bin/cat a", ["read a"]),
    ("/usr/bin/../../tmp/cat a", ["read /tmp/cat", "execute"]),
    ("$X a", ["unknown"]),
    ("\"$X\" a", ["unknown"]),
    ("'' a", ["unknown"]),
    # variables that change what runs
    ("PATH=/tmp cat a", ["unknown", "read a"]),
    ("export LD_PRELOAD=x", ["unknown"]),
    ("BASH_ENV=e cat a", ["execute", "read a"]),
    ("PAGER=cat cat a", ["read a"]),
    ("read PATH", ["unknown"]),
    ("FOO=1 cat a", ["read a"]),
    ("for PATH in a b; do :; done", ["unknown"]),
    (": ${LD_PRELOAD:=x}", ["unknown"]),
    ("declare -n r=PATH; r=x", ["unknown"]),
    # evaluation in arithmetic and subscripts
    ("x=1; [ -f c ] && x='a[$(rm b)]'; ((x))", ["read c", "unknown"]),
    ("x=1; [ -f c ] || x='a[$(rm b)]'; [[ $x -eq 1 ]]", ["read c", "unknown"]),
    ("set -- 'a[$(rm b)]'; (( $1 ))", ["unknown"]),
    ("f() { echo ${z:$1}; }; f 'a[$(rm b)]'", ["unknown"]),
    ("x=('a[$(rm b)]'); echo $((x))", ["unknown"]),
    ("x=b; b='a[$(rm b)]'; ((x))", ["unknown"]),
    ("mapfile -t x <<< 'a[$(rm b)]'; ((x))", ["unknown"]),
    ("trap \"x='a[\\$(rm b)]'; ((x))\" DEBUG; :", ["unknown"]),
    ("echo 'see [$(rm b)]'", []),
    ("x=$1; ((x > 1)); echo $((x + y))", []),
    ("declare -A m; for k in \"${!m[@]}\"; do m[$k]=${m[$k]}; done", []),
    ("x='a[$(rm b)]'; y[$x]=1", ["unknown"]),
    ("x='a[$(rm b)]'; echo ${y[$x]}", ["unknown"]),
    ("printf -v \"y[$x]\" 1", ["unknown"]),
    ("x='a[$(rm y)]'; [[ $x -eq 1 ]]", ["unknown"]),
    ("x='a[$(rm y)]'; echo $((x))", ["unknown"]),
    ("(( a > b ))", []),
    ("[[ -f a && $x == y* ]]", ["read a"]),
    ("cd sub; [[ ! -e ../a || b -nt c ]]", ["read a", "read sub/b", "read sub/c"]),
    ("[[ -t 1 && $x == -n ]]", []),
    ("x=$(true); echo ${x@P}", ["unknown"]),
    ("echo ${x@Q}", []),
]  # fmt: skip


@pytest.mark.parametrize(("command", "expected"), EXACT, ids=[command for command, _ in EXACT])
def test_effects_of_a_script(command: str, expected: list[str]) -> None:
    assert sorted(compact_of(command)) == sorted(expected), command


def test_a_fork_bomb_changes_the_machine() -> None:
    assert compact_of(":(){ :|:& };:") == ["system"]


@pytest.mark.parametrize(
    ("command", "conditional"),
    [
        ("cat a", {"cat": False}),
        ("cat a && rm b", {"cat": False, "rm": True}),
        ("cat a || rm b", {"cat": False, "rm": True}),
        ("if cat a; then rm b; fi", {"cat": False, "rm": True}),
        ("while cat a; do rm b; done", {"cat": False, "rm": True}),
        ("f() { rm b; }; f", {"rm": True}),
        ("trap 'rm b' EXIT", {"trap": False, "rm": True}),
        ("true && rm b; rm c", {"true": False, "rm": False}),
        ("frob", {"frob": False}),
    ],
)
def test_programs_say_whether_they_always_run(command: str, conditional: dict[str, bool]) -> None:
    assert {use.name: use.conditional for use in effects_of(command).programs} == conditional


def test_programs_say_whether_they_are_listed() -> None:
    assert {use.name: use.known for use in effects_of("cat a; frob; ./cat b").programs} == {
        "cat": False,
        "frob": False,
    } | {"cat": True}


def test_unreadable_text_is_unknown_and_says_so() -> None:
    effects = effects_of("cat a &&& rm -rf b")
    assert not effects.readable
    assert effects.unknown


def test_readable_text_says_so() -> None:
    assert effects_of("cat a | frob").readable


def test_places_are_relative_to_the_workspace_not_to_the_working_directory() -> None:
    inner = Context(cwd="/w/sub", workspace="/w", home="/home/u")
    assert compact_of("cat a ../b ../../c /w/d", inner) == ["read sub/a", "read b", "read /c", "read d"]


def test_known_variables_of_the_environment_are_used() -> None:
    context = Context(cwd="/w", workspace="/w", home="/home/u", environment={"OUT": "build"})
    assert compact_of("rm -rf $OUT", context) == ["destroy build/**"]
    assert compact_of('rm -rf "src/$OTHER"', context) == ["destroy src/**"]
    assert compact_of('rm -rf "$OTHER/src"', context) == ["destroy ?"]


@pytest.mark.parametrize(
    ("text", "kind", "part"),
    [
        ("cat a; rm b", Kind.DELETE, "b"),
        ("rm a; echo x > b", Kind.WRITE, "> b"),
        ("ls; curl -s x", Kind.NETWORK, "curl"),
        ("true; bash -c 'true; true; true; true; rm b'", Kind.DELETE, "'true; true; true; true; rm b'"),
        ("f() { rm $1; }; f b", Kind.DELETE, "$1"),
        ("rm a b", Kind.DELETE, "a"),
        ("rm $(curl x)", Kind.DELETE, "$(curl x)"),
        ("rm $(curl x)", Kind.NETWORK, "curl"),
        ("sudo rm a", Kind.DELETE, "a"),
        ("LD_PRELOAD=x ls", Kind.UNKNOWN, "LD_PRELOAD=x"),
    ],
)
def test_a_span_is_the_part_of_the_text_that_says_so(text: str, kind: Kind, part: str) -> None:
    effect = next(effect for effect in effects_of(text).effects if effect.kind is kind)
    assert effect.span is not None
    assert text[effect.span.start : effect.span.end] == part


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ('eval "$x"', Origin(given=True, if_empty="")),
        ('eval "$(curl x)"', Origin(fetched=True)),
        ('eval "$(ls)"', Origin()),
        ("ls | base64 -d | sh", Origin(decoded=True)),
        ('x=$(curl a); y="b $x"; eval "$y"', Origin(fetched=True)),
        ("curl a | sed s/a/b/ | sh", Origin(fetched=True)),
        ('curl a | while read l; do eval "$l"; done', Origin(given=True, fetched=True)),
    ],
)
def test_text_that_runs_says_where_it_comes_from(text: str, origin: Origin) -> None:
    (found,) = {effect.origin for effect in effects_of(text).effects if effect.kind is Kind.EXECUTE}
    assert found == origin


@pytest.mark.parametrize("text", ["bash a.sh", "source a.sh", "./a.sh"])
def test_what_a_script_does_stands_at_its_name(text: str) -> None:
    context = replace(CONTEXT, files=Tree({"a.sh": "#!/bin/sh\nrm b\n"}, executable=["a.sh"]))
    effect = next(effect for effect in effects_of(text, context).effects if effect.kind is Kind.DELETE)
    assert effect.span is not None
    assert text[effect.span.start : effect.span.end].endswith("a.sh")


def test_calls_are_told_with_their_options() -> None:
    (call,) = effects_of("git -C sub push --force origin main").invocations
    assert (call.program, call.path) == ("git", ("push",))
    assert call.has("--force")
    assert [value.text for value in call.values("-C")] == ["sub"]
    assert [operand.text for operand in call.operands] == ["origin", "main"]


@pytest.mark.parametrize(
    "command",
    [
        "x=aaaaaaaaaa; for i in 1 2 3 4 5 6 7 8; do for j in 1 2 3 4 5 6 7 8; do x=$x$x$x; done; done; cat $x",
        "f() { g; g; g; g; }; g() { h; h; h; h; }; h() { f; f; f; f; }; f",
        "eval " * 50 + "rm a",
        "echo " + "{a,b}" * 30,
        "x='" + "a" * 5000 + "'; cat ${x//*a*a*a*a*b/y}",
        "$(" * 40 + "rm a" + ")" * 40,
    ],
)
def test_scripts_that_blow_up_are_given_up_as_unknown(command: str) -> None:
    assert {"unknown", "read ?", "delete a"} & set(compact_of(command))
