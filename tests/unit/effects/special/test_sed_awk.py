"""sed and awk: the files that their programs name, and what they start."""

from __future__ import annotations

import pytest

from tests.unit.effects.help import compact_of

SED: list[tuple[str, list[str]]] = [
    # options
    ("sed -n '1,5p' a", ["read a"]),
    ("sed -Ei~ s/a/b/ a b", ["read a", "write a", "write a~", "read b", "write b", "write b~"]),
    ("sed -i.bak s/a/b/ *.txt", ["read *.txt", "write *.txt", "write *.txt.bak"]),
    ("sed -i'bak/*' p d/g", ["read d/g", "write d/g", "write bak/d/g"]),
    ("sed --in-place=.b -s -e p -e d a", ["read a", "write a", "write a.b"]),
    ("sed --expr='w o' a", ["write o", "read a"]),
    ("sed -i '' 's/a/b/w o' a", ["write o", "read a", "write a"]),
    ("sed -i .bak p a", ["read a", "write a"]),
    ("sed -n --sandbox 'w o' a", ["read a"]),
    ("sed --sandbox -f x a", ["read x", "read a"]),
    ("sed -f x a", ["read x", "execute", "read a"]),
    ("echo 'w o' | sed -f - a", ["write o", "read a"]),
    ("sed -f <(echo 'w o') a", ["write o", "read a"]),
    ("sed -i p", []),
    # scripts that name files
    ("sed 'w o' a", ["write o", "read a"]),
    ("sed ';W o' a", ["write o", "read a"]),
    ("sed '1~2  !  w o' a", ["write o", "read a"]),
    ("sed '\\%a%w o' a", ["write o", "read a"]),
    ("sed '/a/I,/b/Mw o' a", ["write o", "read a"]),
    ("sed '0~3w o' a", ["write o", "read a"]),
    ("sed 's/a/b/gw o' a", ["write o", "read a"]),
    ("sed 's/a/b/;w o' a", ["write o", "read a"]),
    ("sed 's/a/b/ w o' a", ["write o", "read a"]),
    ("sed 's/[/]/x/w o' a", ["write o", "read a"]),
    ("sed 'y/abc/xyz/;w o' a", ["write o", "read a"]),
    ("sed -e '1{w o' -e '}' a", ["write o", "read a"]),
    ("sed '1{w o\n}' a", ["write o", "read a"]),
    ("sed 'w o}' a", ["write o}", "read a"]),
    ("sed 'w o ' a", ["write o ", "read a"]),
    ("sed ':a w o' a", ["write o", "read a"]),
    ("sed 'ba w o\n:a' a", ["write o", "read a"]),
    ("sed -e 'a foo\\\\' -e 'w o' a", ["write o", "read a"]),
    ("sed 'a\\\ntext\nw o' a", ["write o", "read a"]),
    ("sed 'q5\nw o' a", ["write o", "read a"]),
    ("sed 'v 4.2\nw o' a", ["write o", "read a"]),
    ("sed 'r f' a", ["read f", "read a"]),
    ("sed 'w /dev/stdout' a", ["read a"]),
    # what is none
    ("sed -e 'a foo\\' -e 'w o' a", ["read a"]),
    ("sed '#foo;w o' a", ["read a"]),
    ("sed 'i foo;w o' a", ["read a"]),
    ("sed 's/a/woutput/' a", ["read a"]),
    ("sed 's#x#s/a/b/w o#' a", ["read a"]),
    ("sed ':a;N;$!ba;s/\\n/ /g' a", ["read a"]),
    ("sed 's/x/[/;s/y/]/' a", ["read a"]),
    # programs
    ("sed '1e touch m' a", ["create m", "metadata m", "read a"]),
    ("sed '1etouch m' a", ["create m", "metadata m", "read a"]),
    ("sed 's/x/touch m/e' a", ["execute", "read a"]),
    ("sed 's/x/y/;e' a", ["execute", "read a"]),
    # what is not known
    ("sed \"s/x/$V/\" a", ["unknown", "read a"]),
    ("sed \"s/x/$(date)/\" a", ["read a"]),
    ("sed \"s/x/$(ls *.c)/\" a", ["read *.c", "read *.c/*", "unknown", "read a"]),
    ("echo ls | sed '1e sh' a", ["execute", "read a"]),
    ("sed \"s|x|$(date)|\" a", ["unknown", "read a"]),
    ("sed 's/a' a", ["unknown", "read a"]),
    ("sed --frob p a", ["unknown", "read a"]),
]  # fmt: skip

AWK: list[tuple[str, list[str]]] = [
    # programs that only print
    ("awk '{print $1}' a v=1 b", ["read a", "read b"]),
    ("awk '$1 > 5 {print $2 / 2}' a", ["read a"]),
    ("awk '{print ($1 > $2), \"a>b\"}' a", ["read a"]),
    ("awk '/a\\/b/ {x = $1 / 2 / 3} END {print x/NR}' a", ["read a"]),
    ("awk '{print > \"/dev/stderr\"}' a", ["read a"]),
    ("awk '{ x = a > b ? 1 : 2; print x }' a", ["read a"]),
    ("awk 'BEGIN {while ((\"date\" | getline l) > 0) print l}'", []),
    ("awk -F: -v x=1 -- '{print x}' a", ["read a"]),
    ("awk --sandbox '{print > \"o\"; system(\"rm x\")}' a", ["read a"]),
    ("awk '# print > \"o\"\n{print}' a", ["read a"]),
    # output files
    ("awk '{print > \"o\"}' a", ["read a", "write o"]),
    ("awk '{print \\\n> \"o\"}' a", ["read a", "write o"]),
    ("awk '{print >> \"o\"}' a", ["read a", "append o"]),
    ("awk '{print \"x\",\n\"y\" > \"o\"}' a", ["read a", "write o"]),
    ("awk '{printf(\"%s\", $1) > \"o\"}' a", ["read a", "write o"]),
    ("awk '{print $0 > \"o\" \"p\"}' a", ["read a", "write op"]),
    ("awk '{print > $1 \".txt\"}' a", ["read a", "write *.txt"]),
    ("awk '{print > (\"d/\" $1)}' a", ["read a", "write d/*"]),
    ("awk '{print > FILENAME \".out\"}' a", ["read a", "write a.out"]),
    ("awk '{f = \"p\" NR \".t\"; print > f}' a", ["read a", "write p*.t"]),
    ("awk '{f = \"c\" ++i \".t\"; print > f}' a", ["read a", "write c*.t"]),
    ("awk '{print > sprintf(\"p%02d.txt\", NR)}' a", ["read a", "write p*.txt"]),
    ("awk -v o=x '{print > o}' a", ["read a", "write x"]),
    ("awk -v o=x '{o = $1; print > o}' a", ["read a", "write ?"]),
    ("awk -v o=x '{print > o}' o=y a", ["read a", "write ?"]),
    ("awk '{print > ENVIRON[\"X\"]}' a", ["read a", "write ?"]),
    ("awk '{print length > 5}' a", ["read a", "write 5"]),
    ("awk '(1) /\"/; {print \"x\" > \"o\"} #\"/' a", ["read a", "write o"]),
    ("awk -e '{print > \"o\"' -e '}' a", ["read a", "write o"]),
    ("gawk -i inplace -v inplace::suffix=.b '{print}' a", ["read a", "write a", "write a.b"]),
    ("awk --profile=r '{print}' a", ["write r", "read a"]),
    # programs that start others
    ("awk 'BEGIN {system(\"rm x\")}'", ["delete x"]),
    ("awk 'BEGIN {x = 1system(\"rm x\")}'", ["delete x"]),
    ("awk 'BEGIN {system(\"rm \" \"x\")}'", ["delete x"]),
    ("awk 'BEGIN {c = \"rm x\"; system(c)}'", ["delete x"]),
    ("awk 'BEGIN {system(\"rm \" v)}'", ["execute"]),
    ("awk '{print | \"sort > o\"}' a", ["read a", "write o"]),
    ("awk '{print |& \"cat > o\"}' a", ["read a", "write o"]),
    ("echo ls | awk '{print \"rm x\" | \"sh\"}'", ["execute"]),
    ("awk 'BEGIN {\"rm x\" | getline}'", ["delete x"]),
    ("awk '{\"x \" $1 | getline}' a", ["read a", "execute"]),
    ("awk 'BEGIN {f = \"system\"; @f(\"rm x\")}'", ["execute"]),
    ("awk '@load \"filefuncs\"; {print}' a", ["read a", "execute"]),
    ("awk 'BEGIN {print > \"/inet/tcp/0/h/80\"}'", ["network"]),
    ("awk -f x a", ["read x", "read a", "execute"]),
    ("echo '{print > \"o\"}' | awk -f - a", ["read a", "write o"]),
    ("awk 'BEGIN {getline l < \"f\"}'", ["read f"]),
    ("awk \"{print $X}\" a", ["read a", "unknown"]),
    ("awk '{print \"}' a", ["read a", "unknown"]),
]  # fmt: skip


@pytest.mark.parametrize(("command", "expected"), [*SED, *AWK])
def test_what_a_program_of_sed_or_awk_touches(command: str, expected: list[str]) -> None:
    assert sorted(compact_of(command)) == sorted(expected), command


def test_a_program_without_end_is_not_read() -> None:
    assert compact_of(f"sed '{'p;' * 20_000}' a") == ["unknown", "read a"]
    assert compact_of(f"awk '{'x = 1;' * 5_000}' a") == ["read a", "unknown"]
