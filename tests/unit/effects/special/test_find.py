"""find and fd: what their actions touch, as patterns of what may be found."""

from __future__ import annotations

import pytest

from tests.unit.effects.help import compact_of

FIND: list[tuple[str, list[str]]] = [
    # starting points and options before them
    ("find", ["read **"]),
    ("find -L src /opt -type f", ["read src/**", "read /opt/**"]),
    ("find -D tree -O3 src", ["read src/**"]),
    ("find -E -f src -- -name x", ["read src/**"]),
    ("find src -newer x -newermt 2024-01-01", ["read src/**", "read x"]),
    ("find -files0-from list", ["read /**", "read ?", "read list"]),
    # -delete, as narrow as the tests before it
    ("find src -delete", ["read src/**", "destroy src/**"]),
    ("find . -name '*.pyc' -delete", ["read **", "destroy **/*.pyc"]),
    ("find . -delete -name '*.pyc'", ["read **", "destroy **"]),
    ("find . -name '*.o' -o -name '*.a' -delete", ["read **", "destroy **/*.a"]),
    ("find . \\( -name '*.o' -o -name '*.a' \\) -delete", ["read **", "destroy **/*.o", "destroy **/*.a"]),
    ("find . ! -name '*.o' -delete", ["read **", "destroy **"]),
    ("find . -not \\( -name a -delete \\)", ["read **", "destroy **/a"]),
    ("find . -name a , -delete", ["read **", "destroy **"]),
    ("find . -maxdepth 1 -name '*.log' -delete", ["read **", "destroy *.log"]),
    ("find . -mindepth 2 -maxdepth 2 -name x -delete", ["read **", "destroy */x"]),
    ("find src -path '*/t/*' -name '*.o' -delete", ["read src/**", "destroy src/**/t/**/*.o"]),
    ("find . -path './build/*' -delete", ["read **", "destroy build/**"]),
    ("find . -iname 'A.b' -delete", ["read **", "destroy **/?.?"]),
    ("find . -regex '.*\\.\\(c\\|h\\)' -delete", ["read **", "destroy **/*.c", "destroy **/*.h"]),
    ("find build -name build -delete", ["read build/**", "destroy build/**/build", "destroy build"]),
    ("find . -name \"$X\" -delete", ["read **", "destroy **"]),
    # -exec and its like
    ("find . -name '*.o' -exec rm {} +", ["read **", "delete **/*.o"]),
    ("find . -name '*.o' -exec rm -rf {} \\;", ["read **", "destroy **/*.o", "destroy **/*.o/**"]),
    ("find src -type f -exec touch {}.seen \\;", ["read src/**", "create src/**/*.seen", "metadata src/**/*.seen"]),
    ("find src -exec touch {}.seen \\;",
     ["read src/**", "create src/**/*.seen", "metadata src/**/*.seen", "create src.seen", "metadata src.seen"]),
    ("find src -name '*.c' -execdir touch {}.seen ';'", ["read src/**", "create src/**/*.c.seen", "metadata src/**/*.c.seen"]),
    ("find src -name x -execdir touch m ';'", ["read src/**", "create src/**/m", "metadata src/**/m"]),
    ("find src -execdir touch m ';'", ["read src/**", "create src/**/m", "metadata src/**/m", "create m", "metadata m"]),
    ("find src/sub -path '*/sub/*' -name k -delete", ["read src/sub/**", "destroy src/sub/**/k"]),
    ("find . -name x -ok rm {} \\;", ["read **", "delete **/x"]),
    ("find . -name x -okdir rm {} \\;", ["read **", "delete **/x"]),
    ("find . -name x -exec sh -c 'rm \"$1\"' _ {} \\;", ["read **", "delete **/x"]),
    ("find . -name x -exec sh -c 'for f; do rm \"$f\"; done' _ {} +", ["read **", "delete **/x"]),
    ("find . -name '*.c' -exec sh -c 'rm \"${1%.c}.o\"' _ {} \\;", ["read **", "delete **/*.o"]),
    ("find . -exec echo -maxdepth 0 \\; -delete", ["read **", "destroy **"]),
    ("find . -name -maxdepth -delete", ["read **", "destroy **/-maxdepth"]),
    ("find . -exec rm a {} + -exec cat b {} +", ["read **", "delete a", "delete **", "read b"]),
    # files of find's own
    ("find . -fprint a -fprint0 b -fls c -fprintf d '%p'", ["read **", "write a", "write b", "write c", "write d"]),
    # what may be anything
    ("find . \"$X\"", ["unknown", "read **", "read ?"]),
    ("find . -name $X", ["unknown", "read **"]),
    ("find . -frob", ["unknown", "read **"]),
    ("find . -exec \"$X\" {} \\;", ["read **", "unknown"]),
    ("find . -exec \\;", ["read **", "unknown"]),
]  # fmt: skip

FD: list[tuple[str, list[str]]] = [
    ("fd", ["read **"]),
    ("fd -e py . src tests", ["read src/**", "read tests/**"]),
    ("fd -e pyc -X rm", ["read **", "delete **/*.pyc"]),
    ("fd '\\.bak$' -x rm {}", ["read **", "delete **/*.bak"]),
    ("fd '^a' -x rm", ["read **", "delete **/a*"]),
    ("fd -F '*x' -x rm", ["read **", "delete **/*?x*"]),
    ("fd -g '*.c' -x touch {.}.o", ["read **", "create **/*.o", "metadata **/*.o"]),
    ("fd -g 'a.c' src -x touch {//}/m {/.}.o", ["read src/**", "create src/**/m", "metadata src/**/m", "create a.o", "metadata a.o"]),
    ("fd 'a|b' -x rm", ["read **", "delete **"]),
    ("fd -p x.c -x rm", ["read **", "delete **"]),
    ("fd -xrm", ["read **", "delete **"]),
    ("fd --exec=rm", ["read **", "delete **"]),
    ("fd -Hx rm", ["read **", "delete **"]),
    ("fd x -x rm ';' -e y", ["unknown", "read **", "delete **/*x*"]),
    ("fd -d 1 -e c -x rm", ["read **", "delete *.c"]),
    ("fd --search-path src -e c -x rm", ["read src/**", "delete src/**/*.c"]),
    ("fd -C src x", ["read src/**"]),
    ("fd --frob", ["unknown", "read **"]),
]  # fmt: skip


@pytest.mark.parametrize(("command", "expected"), [*FIND, *FD])
def test_what_a_search_touches(command: str, expected: list[str]) -> None:
    assert sorted(compact_of(command)) == sorted(expected), command


def test_more_patterns_than_it_runs_the_command_for_are_covered_by_one() -> None:
    names = " -o ".join(f"-name {letter}.o" for letter in "abcdefgh")
    assert compact_of(f"find src \\( {names} \\) -exec rm {{}} +") == ["read src/**", "delete src/**/*.o"]


def test_more_alternatives_than_it_keeps_are_given_up() -> None:
    names = " -o ".join(f"-name x{number}" for number in range(20))
    assert compact_of(f"find src \\( {names} \\) -delete") == ["read src/**", "destroy src/**"]
