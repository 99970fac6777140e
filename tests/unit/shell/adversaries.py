"""Texts that would cost a careless reader or walker too much time or memory: each construct of bash repeated, nested, half open."""

from __future__ import annotations

from collections.abc import Callable

LONGEST = 131_071
"""Bytes that Linux takes as one argument (MAX_ARG_STRLEN with its NUL): no longer text ever reaches `bash -c`."""


def repeated(piece: str) -> Callable[[int], str]:
    return lambda size: piece * (size // len(piece))


def nested(opening: str, middle: str, closing: str) -> Callable[[int], str]:
    def made(size: int) -> str:
        depth = (size - len(middle)) // (len(opening) + len(closing))
        return opening * depth + middle + closing * depth

    return made


def after(head: str, piece: str, tail: str = "") -> Callable[[int], str]:
    return lambda size: head + piece * ((size - len(head) - len(tail)) // len(piece)) + tail


def _numbered(template: str) -> Callable[[int], str]:
    def made(size: int) -> str:
        pieces: list[str] = []
        length = number = 0
        while length < size - 2 * len(template) - 12:
            pieces.append(template.replace("@", str(number)))
            length += len(pieces[-1])
            number += 1
        return "".join(pieces)

    return made


_REPEATED = (
    "a;", "a|", "a&&", "a||b;", "a&", "a|&", "a\n", "a;;", ";", "|", "&", "\n", " ", "\t", "\\\n", "! ", "! a;", "time ", "time a;",
    "-p ", "a && b || c;", "a|b && c|d;", "a &\n", "a\\\n", "#\n", "#a\\\n", "a #b\n", "; ;", "a;\n\n", "coproc a;", "coproc ",
    "a&&! ", '"', "'", '""', "''", '\'"', '\'"\'"', '"a" ', "'a' ", "\\", "\\ ", "\\a", "$'", "$'a", "$'\\", "$'\\x41' ",
    "$'\\u00e9'", '$"', '$"a" ', '"\\', '"\\"', '"$', '"$a', '"$a" ', '"$(', '"`', '"${', '"${a', '"\'', "`", "` ", "`\\`", "`a` ",
    "`\\", "``", "a`b", "$", "$a", "$a ", "${", "${a", "${a}", "${a} ", "${a:-", "${a:-b} ", "${a%", "${a##*/} ", "${a/b/c} ",
    "${a//", "${a[", "${a[$", "${!a} ", "${#a} ", "${a@P} ", "${a:1:2} ", "${a:$", "${a:?", "$(", "$(a", "$(a) ", "$(a;", "$((",
    "$((1", "$((1)) ", "$((a+", "$(( (", "$[", "$[1] ", "((", "((a));", "((a", "<(", "<(a) ", ">(a) ", ">(", "~", "~a ", "~/ ",
    "a=~:", "$1", "$@ ", "${@}", "$*", "$((a[", "a[", "a[$", "a[b]=c ", "*", "?", "[", "]", "[a", "[!", "[[:", "[a-z] ", "*a", "*?",
    "@(", "@(a|", "!(a) ", "+(", "?(*(", "{", "}", "{a", "{a,", "{a,b}", "{a,b} ", "{,}", "{,", "{1..9}", "{1..9} ", "{1..999999} ",
    "{a..z}", "{a,{", "},{", "{a,b}{", "{{", ",", "..", "{1..", "$x{a,b} ", ">", "<", ">a ", "<a ", ">>a ", "2>&1 ", "<&-", ">&",
    "&>a ", "&>>", "<>a ", ">|a ", "{a}>b ", "<<<a ", "<<< ", "<<a ", "<<a", "<<-a ", "<<'a' ", "<<a\n", "<<a\na\n",
    "cat <<a\n$b\na\n", "<<a <<b\n", "10>a ", "999999999999>a ", "(", ")", "( ", "()", "(a)", "(a);", "{ ", "{ a;", "{ a; };",
    "if ", "if a;then ", "if a; then b; fi;", "then ", "fi;", "else ", "elif a;then ", "while ", "while a;do ",
    "while a; do b; done;", "until a;do ", "do ", "done;", "for ", "for a ", "for a in b;do ", "for a in b c; do d; done;",
    "for a in b c;do ", "for ((", "for ((;;)) ", "for ((;;)); do ", "select a in b;do ", "case ", "case a in ", "case a in a) ",
    "case a in a) b;; esac;", "case a in (a|", "esac;", "a) b;; ", ";;& ", "function ", "function a ", "function a { ", "a()",
    "a() {", "a() { b; };", "a() (", "a(){ a;};", "[[", "[[ ", "[[ a ", "[[ a && ", "[[ ( ", "[[ a =~ (", "[[ a ]];",
    "[[ a == b ]] && ", "]] ", "a", "a ", "abc ", "a=", "a=b ", "a=b;", "a+=b;", "a+=$a;", "a=(", "a=(b ", "a=(b) ", "a=([b]=c) ",
    "a=$a$a;", "x=$x$x;", 'x="$x$x";', "x=a;", "export a=b;", "local a;", "declare -n a=b;", "unset a;", "read a;", "a=b c=d e;",
    "a=$(b);", "a=${a}b;", "a=${a:-b}c;", "a=${a//b/cc};", "set -- a b;", "set -- $@ $@;", 'set -- "$@" "$@" a;', "shift;",
    "printf -v a b;", "IFS=a;", 'a=("${a[@]}" b);', "a+=(b);", "let a=a+1;", "eval ", "eval a;", "eval 'eval a';", 'eval "$x";',
    "trap a EXIT;", "trap 'trap a EXIT' EXIT;", "bash -c a;", "bash -c 'bash -c a';", "alias a=b;", "source a;", ". ", "exec ",
    "exec a;", "exec 3>a;", "command ", "builtin ", "env ", "env a=b ", "sudo ", "nohup ", "xargs ", "find . -exec ", "time -p ",
    "cd a;", "cd ..;", "cd a && ", "cd - ;", "pushd a;", "popd;", "exit;", "return;", "break;", "cd a || exit;", "rm -rf a;",
    "cat a b c;", "cp a b;", "git -c a=b ", "git status;", "sed -i s/a/b/ c;", "awk '{print}' a;", "tar xf a;", "./a;",
    "echo a|sh;", "echo a > b\n", "sort a | uniq > b;", "-", "--", "--a", "-a ", "--a=b ", "é", "\u200b", "😀", "\ud800", "\x01",
    "\r\n", "\x7f", "\ufeff", "a\xa0", "é;", "é|", 'a $(b) "c" \'d\' > e;', "if a; then\n b | c\nfi\n", "(a;b)|{ c;}&&d||e&",
    '$(a)$(b)"$(c)"`d`', "{a,$(b)}c ", "${a:-$(b)} ", "a=$((a+1));", '"${a[@]}" ', 'a\'b\'"c"$\'d\' ', "[ -f a ] && b || c;",
    "<(a) >(b) ", 'a <<< "$b";', "f() { g; }; g() { f; }; f;", "case $a in b) c;; *) d;; esac;", "while :; do :; done;",
)  # fmt: skip

_NESTED = (
    ("(", "a", ")"), ("( ", "a", " )"), ("{ ", "a", "; }"), ("$(", "a", ")"), ("a $(", "a", ")"), ('"$(', "a", ')"'),
    ("`", "a", "`"), ("<(", "a", ")"), ("$((", "1", "))"), ("((", "1", "))"), ("$[", "1", "]"), ("${a:-", "b", "}"),
    ('"${a:-', "b", '}"'), ("${a[", "b", "]}"), ("a[", "b", "]=c"), ("${a/", "b", "/c}"), ("if ", "a", ";then b;fi"),
    ("if a;then ", "b", ";fi"), ("if a;then b;else ", "c", ";fi"), ("while ", "a", ";do b;done"), ("while a;do ", "b", ";done"),
    ("until a;do ", "b", ";done"), ("for a in b;do ", "c", ";done"), ("for a in b c;do ", "d", ";done"),
    ("for a in b c d e f g h;do ", "i", ";done"), ("for ((;;));do ", "a", ";done"), ("for a;do ", "b", ";done"),
    ("select a in b;do ", "c", ";done"), ("case a in a) ", "b", ";; esac"), ("case $(", "a", ") in b) ;; esac"),
    ("a() { ", "b", "; }"), ("function a { ", "b", "; }"), ("a() { b; ", "c", "; }; a"), ("f() (", "a", ")"),
    ("coproc { ", "a", "; }"), ("time { ", "a", "; }"), ("! { ", "a", "; }"), ("a=(", "b", ")"), ("a=$(", "b", ")"),
    ('a="$(', "b", ')"'), ("[[ ( ", "a", " ) ]]"), ("( [[ ", "a", " ]] )"), ("@(", "a", ")"), ("@(a|", "b", ")"), ("{a,", "b", "}"),
    ("{a,b", "c", "}"), ("{{a,b},", "c", "}"), ("x{", "a,b", "}y"), ("eval '", "a", "'"), ('eval "', "a", '"'),
    ("bash -c '", "a", "'"), ('bash -c "$(', "a", ')"'), ("trap '", "a", "' EXIT"), ("sudo ", "a", ""), ("env a=b ", "c", ""),
    ("xargs ", "a", ""), ("eval ", "a", ""), ("command ", "a", ""), ("a && { ", "b", "; }"), ("{ a && ", "b", "; }"),
    ("( a | ", "b", " )"), ("{ ", "a", "; } > b"), ("$(<", "a", ")"), ('"`', "a", '`"'), ('\'"', "a", '"\''), ("$'", "a", "'"),
    ("<<< $(", "a", ")"), ('cat <<< "$(', "a", ')"'), ("> $(", "a", ")"), ("for a in $(", "b", "); do c; done"),
    ("if [[ a ]]; then case b in b) ", "c", ";; esac; fi"), ("x=1; { ", "$x", "; }"),
)  # fmt: skip

_FRAMED = (
    ("echo {", "a,", "b}"), ("echo {", "{a,b},", "c}"), ("cat <<E\n", "a\n", "E\n"), ("cat <<E\n", "$a\n", "E\n"),
    ("cat <<E\n", "$(a)\n", "E\n"), ("cat <<'E'\n", "\\\n", "E\n"), ("cat <<-E\n", "\ta\n", "E\n"), ("cat <<E\n", "`a`\n", "E\n"),
    ("cat <<E\n", "\\$\\\\", "\nE\n"), ("cat <<'E'\n", "a\\\n", "E\n"), ("bash <<E\n", "rm a\n", "E\n"), ("echo '", "a", "'"),
    ('echo "', "a", '"'), ("echo '", "\\\n", "'"), ("echo '", "\n", "'"), ('echo "', "$a ", '"'), ('echo "', '\\"', '"'),
    ("echo $'", "\\n", "'"), ("echo $'", "\\xff", "'"), ("echo $'", "\\xc3\\xa9", "'"), ("echo `", "\\`", "`"),
    ("echo `", "\\\\", "`"), ("echo $((", "1+", "1))"), ("echo $((", "a+", "1))"), ("echo $((", "(", "1))"),
    ("a=1;echo $((", "a=a+", "1))"), ("a='b[$(c)]';((", "a+", "1))"), ("((", "a,", "1))"), ("let '", "a+", "1'"),
    ("let ", "a=a+1 ", ""), ("a=(", "b ", ")"), ("a=(", "[1]=b ", ")"), ("a=(", "$a ", ")"), ("a=(", "* ", ');b "${a[@]}"'),
    ("case a in ", "a|", "b) c;; esac"), ("case a in ", "b) c;; ", "esac"), ("case $x in ", "b) x=1;; ", "esac"),
    ("for a in ", "b ", ";do c $a;done"), ("for a in ", "* ", ";do c $a;done"), ("for a in ", "$b ", ";do c;done"),
    ("if a;then ", "b;", "fi"), ("if a;then b;", "elif a;then b;", "fi"), ("if a;then x=1;", "elif b;then x=2;", "fi"),
    ("while a;do ", "b;", "done"), ("while a;do ", "x=$x$x;", "done"), ("while a;do ", "cd b;", "done"),
    ("for a in 1 2 3 4 5 6 7 8;do ", "b $a;", "done"), ("for a in 1 2 3 4 5 6 7 8;do ", "x=$x$a;", "done"),
    ("f() { ", "a;", "};f;f;f"), ("f() { ", "f;", "};f"), ("f() { ", "$1 a;", "};f b;f c"), ("f() { a; };", "f;", ""),
    ("f() { f; };", "f;", ""), ("f() { g; };g() { h; };h() { a; };", "f;", ""), ("f() { f|f& };", "f;", ""),
    ("x=a;", "x=$x$x;", "b $x"), ("x=a;", "b $x;", ""), ("x=*;", "b $x;", ""), ("x=a;", "x=${x//a/aa};", "b $x"),
    ("x=a;", 'x="$x $x";', "rm $x"), ("x=a;y=b;", "x=$y$y;y=$x$x;", "rm $x"), ("x=aaaaaaaaaaaaaaaa;", "y=${x//a/$x}$y;", "rm $y"),
    ("x=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa;", "b ${x##*a*a*a*b};", ""),
    ("x=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa;", "b ${x%%*a*b};", ""),
    ("x=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa;", "b ${x//*a*a*b/c};", ""), ("trap '", "a;", "' EXIT"),
    ("", "trap 'rm a' EXIT;", "x=1"), ("trap a EXIT;", "x=1;x=2;", ""), ("eval '", "a;", "'"), ('eval "', "eval a;", '"'),
    ("bash -c '", "a;", "'"), ("bash -c '", "bash -c a;", "'"), ("x='a;a;a;a;a;a;a;a';", 'eval "$x";', ""),
    ("x='bash -c a';", 'eval "$x";', ""), ("shopt -s expand_aliases\nalias a='a a'\n", "a\n", ""),
    ("shopt -s expand_aliases\nalias a=b b=a\n", "a\n", ""), ("shopt -s expand_aliases\nalias a='b;b;b;b'\n", "a\n", ""),
    ("set -- ", "a ", "; b $@"), ("set -- a;", "set -- $@ $@;", "b $@"), ("set -- a b;", "for x; do y $x; done;", ""),
    ("a=(b c d);", "e ${a[@]};", ""), ("a=(b);", "a=(${a[@]} ${a[@]});", "c ${a[@]}"), ("rm ", "a ", ""), ("rm ", "-rf ", "a"),
    ("rm ", "*/ ", ""), ("rm ", '"$x" ', ""), ("rm ", "a*b?c[d] ", ""), ("cp ", "a ", "b"), ("cp ", "* ", "b"),
    ("git ", "-c a=b ", "status"), ("sed ", "-e s/a/b/ ", "c"), ("sed '", "s/a/b/;", "' c"), ("awk '{", 'print > "a";', "}' c"),
    ("awk '", "{a}", "'"), ("find . ", "-exec rm {} \\; ", ""), ("find . ", "-name a -o ", "-delete"), ("find . ", "( ", ""),
    ("tar cf a ", "b ", ""), ("tar ", "-c ", "f a"), ("make ", "a ", ""), ("make ", "A=b ", ""), ("env ", "A=b ", "c"),
    ("xargs ", "-I{} ", "a"), ("sudo ", "sudo ", "a"), ("cat ", "> a ", ""), ("cat ", "< a ", ""), ("cat ", "2>&1 ", ""),
    ("cat ", "<<< a ", ""), ("{ a;} ", ">b ", ""), ("cat ", "<(a) ", ""), ("cat ", ">(a) ", ""), ("printf '", "%s", "'"),
    ("printf '", "%s\\n", "' a b|sh"), ("echo ", "a ", "|sh"), ("echo '", "a;", "'|sh"), ("echo ", "{a,b,c,d,e,f,g,h} ", ""),
    ("echo ", "{1..60} ", ""), ("rm ", "{a,b,c,d,e,f,g,h}{a,b,c,d} ", ""), ("echo ", "$x{a,b,c,d} ", ""),
    ("echo ", "*{a,b,c,d} ", ""), ("echo ", "@(a|b) ", ""), ("[[ a =~ ", "(a|b)", " ]]"), ("[[ ", "a && ", "b ]]"),
    ("[[ ", "-f a && ", "b ]]"), ("[[ ", "! ", "a ]]"), ("[ ", "-f a -a ", "b ]"), ("test ", "a ", ""), ("a ", "| b ", "> c"),
    ("a ", "&& b ", ""), ("a ", "|| b ", ""), ("x=1 ", "&& x=2 ", ""), ("cd a ", "&& cd b ", ""), ("cd a ", "|| cd b ", "; rm c"),
    ("! a ", "| ! b ", ""), ("local ", "a=b ", ""), ("export ", "a=b ", ""), ("declare ", "-a ", "b"), ("readonly ", "a ", ""),
    ("read ", "a ", "<<< b"), ("unset ", "a ", ""), ("exec ", "3>a ", ""), ("pushd a;", "popd;", ""),
    ("python -c '", "import a;", "'"), ("perl -e '", "unlink a;", "'"), ("base64 -d <<< ", "aaaa", "|sh"), ("ssh a '", "b;", "'"),
    ("docker run ", "-v a:b ", "c"), ("timeout 5 ", "timeout 5 ", "a"), ("parallel ", "a ", "::: b"), ("curl ", "-o a ", "b"),
    ("ls ", "--a", ""), ("ls -", "l", ""), ("ls --", "a=", ""), ("tee ", "a ", ""), ("touch ", "../", "a"), ("cat ", "a/../", "b"),
    ("cat /", "a/", ""), ("cat ~", "a", ""), ("a=", "~:", ""), ("a=", "b:", "~"), ("{x,", "y}{x,", "y}"), ("echo ${x:", "1+", "1}"),
    ("echo ${x", "[1", "]}"), ("echo ${", "!", "x}"), ("echo ${x@", "P", "}"),
)  # fmt: skip

_NUMBERED = (
    "x@=a;", "x@=$x;", "export x@=$y;", "f@() { a; };", "f@() { a; };f@;", "rm a@;", "cat a@ > b@\n", "alias a@=b;",
    "trap 'rm a@' EXIT;", "cd a@;", "x@=a;rm $x@;", "for a@ in b; do c $a@; done;", "if a@; then x@=1; fi;",
    "while a@; do x@=1; done;", "x@=(a b c);", "cat <<E@\na\nE@\n", "frob@;", "./a@;", "rm -rf a@/*;", "git checkout b@;",
    "bash -c 'rm a@';", "eval 'x@=1';", "echo $((x@+1));", "case x in a@) x@=1;; esac;", "(x@=1);", "x@=1|y;", "local x@=1;",
    "declare -n r@=x;", "a@ && ", "a@ | ", "f@() { f@; };f@;",
)  # fmt: skip

ADVERSARIES: dict[str, Callable[[int], str]] = {
    **{f"{piece!r}…": repeated(piece) for piece in _REPEATED},
    **{f"{opening!r}…{middle!r}…{closing!r}": nested(opening, middle, closing) for opening, middle, closing in _NESTED},
    **{f"{opening!r}… without its end": repeated(opening) for opening, _, _ in _NESTED if opening not in _REPEATED},
    **{f"{head!r} {piece!r}… {tail!r}": after(head, piece, tail) for head, piece, tail in _FRAMED},
    **{f"{template!r} numbered": _numbered(template) for template in _NUMBERED},
}
"""For each name a text of about so many characters."""
