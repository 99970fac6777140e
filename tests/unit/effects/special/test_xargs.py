"""xargs and parallel: the words of their input, where those are known, and what runs with them."""

from __future__ import annotations

import pytest

from tests.unit.effects.help import compact_of

XARGS: list[tuple[str, list[str]]] = [
    ("echo a | xargs --process-slot-var=PATH cat", ["read a", "unknown"]),
    ("echo a | xargs --process-slot-var=SLOT cat", ["read a"]),
    ("echo a b | xargs rm", ["delete a", "delete b"]),
    ("printf '%s\\0' 'a b' c | xargs -0 rm", ["delete a b", "delete c"]),
    ("echo \"'a b' c\\\\ d\" | xargs rm", ["delete a b", "delete c d"]),
    ("printf 'a b\\nc d\\n' | xargs -n2 cp", ["read a", "write b", "write b/a", "read c", "write d", "write d/c"]),
    ("printf 'a b\\nc d\\n' | xargs -L1 cp", ["read a", "write b", "write b/a", "read c", "write d", "write d/c"]),
    ("printf 'a b\\nc\\n' | xargs -I% touch %.x", ["create a b.x", "metadata a b.x", "create c.x", "metadata c.x"]),
    ("printf '\"a b\" c\\nd\\ e\\n' | xargs -L1 rm", ["delete a b", "delete c", "delete d e"]),
    ("printf 'a b\\0c\\0' | xargs -0 -L1 rm", ["delete a b", "delete c"]),
    ("printf '  a b \\n' | xargs -I% rm %x", ["delete a b x"]),
    ("printf 'a:b' | xargs -d: rm", ["delete a", "delete b"]),
    ("echo a | xargs -i rm {}", ["delete a"]),
    ("echo a | xargs --replace rm {}", ["delete a"]),
    ("echo a | xargs --replace=X rm X", ["delete a"]),
    ("echo a | xargs --max-lines rm", ["delete a"]),
    ("echo a | xargs -l rm", ["delete a"]),
    ("echo a | xargs -e rm", ["delete a"]),
    ("echo a b | xargs -J % cp % dst", ["read a", "read b", "write dst/a", "write dst/b"]),
    ("echo a | xargs -t -P4 -r -x rm", ["delete a"]),
    ("echo a | xargs -tP4 rm", ["delete a"]),
    ("echo a | xargs --process-slot-var=S rm", ["delete a"]),
    ("echo a | xargs sh -c 'rm $1' _", ["delete a"]),
    ("echo a | xargs env X=1 rm", ["delete a"]),
    ("echo 'rm x' | xargs -I{} sh -c '{}'", ["delete x"]),
    ("xargs -a list rm", ["read list", "delete ?", "destroy ?"]),
    ("cat list | xargs rm", ["read list", "delete ?", "destroy ?"]),
    ("xargs < list", ["read list"]),
    ("xargs -I{} rm x{} < list", ["read list", "delete ?"]),
    ("find . -name '*.o' -print0 | xargs -0 rm -f", ["read **", "delete **/*.o"]),
    ("find src -type f | xargs -I{} mv {} {}.bak", ["read src/**", "delete src/**", "write src/**/*.bak", "write src/**/*.bak/**"]),
    ("find . -name '*.c' | xargs -I{} sh -c 'cc {}'", ["read **", "execute"]),
    ("xargs --frob rm", ["unknown", "delete ?", "destroy ?"]),
    ("echo a | xargs ./x", ["read x", "execute"]),
]  # fmt: skip

PARALLEL: list[tuple[str, list[str]]] = [
    ("parallel rm ::: a b", ["delete a", "delete b"]),
    ("parallel rm {} ::: 'a b'", ["delete a b"]),
    ("parallel cp {1} {2} ::: a b ::: c", ["read a", "read b", "write c", "write c/a", "write c/b"]),
    ("parallel cp ::: a ::: b", ["read a", "write b", "write b/a"]),
    ("parallel 'gzip -c {} > {.}.gz' ::: d/a.txt", ["read d/a.txt", "write d/a.gz"]),
    ("parallel 'touch {//}/m {/} {/.}' ::: d/a.txt",
     ["create d/m", "metadata d/m", "create a.txt", "metadata a.txt", "create a", "metadata a"]),
    ("seq 2 | parallel touch f{}", ["create f1", "metadata f1", "create f2", "metadata f2"]),
    ("parallel touch f{#} ::: a", ["create f*", "metadata f*"]),
    ("ls *.txt | parallel mv {} {.}.md",
     ["read *.txt", "read *.txt/*", "delete *.txt", "delete *.txt/**", "write *.md", "write *.md/**"]),
    ("parallel ::: 'rm a' 'cat b'", ["delete a", "read b"]),
    ("parallel < list", ["read list", "execute"]),
    ("parallel --link touch {1}{2} ::: a b ::: 1 2", ["create a1", "metadata a1", "create b2", "metadata b2"]),
    ("parallel touch {1}{2} ::: a b :::+ 1 2", ["create a1", "metadata a1", "create b2", "metadata b2"]),
    ("seq 3 | parallel --pipe 'cat > o{#}'", ["write o*"]),
    ("parallel rm :::: list", ["read list", "delete ?", "destroy ?"]),
    ("parallel -a list rm", ["read list", "delete ?", "destroy ?"]),
    ("parallel -j2 -k --joblog log rm ::: a", ["write log", "delete a"]),
    ("parallel --results out rm ::: a", ["write out/**", "delete a"]),
    ("parallel --wd src rm ::: a", ["delete src/a"]),
    ("parallel --dry-run rm ::: a", []),
    ("parallel --pipe rm x", ["delete x"]),
    ("parallel -q touch 'a b{}' ::: c", ["create a bc", "metadata a bc"]),
    ("parallel 'rm {= $_ = 1 =}' ::: a", ["execute"]),
    ("parallel -I X rm X ::: a", ["execute"]),
    ("parallel -S host rm ::: a", ["network", "execute", "delete a"]),
    ("parallel --compress-program ./z rm ::: a", ["execute", "delete a"]),
    ("cat list | parallel \"echo '{}'\"", ["read list", "execute"]),
    ("parallel \"$X\" ::: a", ["unknown", "execute"]),
]  # fmt: skip


@pytest.mark.parametrize(("command", "expected"), [*XARGS, *PARALLEL])
def test_what_runs_with_the_words_of_an_input(command: str, expected: list[str]) -> None:
    assert sorted(compact_of(command)) == sorted(expected), command


def test_one_item_stands_for_more_than_are_run_one_by_one() -> None:
    names = " ".join(f"n{number}" for number in range(60))
    assert compact_of(f"printf '%s\\n' {names} | xargs -I{{}} touch d/{{}}") == ["create d/*", "metadata d/*"]
