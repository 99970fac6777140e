"""What programs that name files print, as a pattern: seen through `xargs`, loops and substitutions."""

from __future__ import annotations

import pytest

from pytest_cbx.effects.found import covering
from tests.unit.effects.help import compact_of

DELETED: list[tuple[str, list[str]]] = [
    ("ls *.txt | xargs rm", ["delete *.txt"]),
    ("ls | xargs rm", ["delete *"]),
    ("ls src/ | xargs -I{} rm src/{}", ["delete src/*"]),
    ("ls -1t *.log | tail -n +6 | xargs rm", ["delete *.log"]),
    ("ls -d b* | xargs rm", ["delete b*"]),
    ("ls -l | xargs rm", ["delete ?", "destroy ?"]),
    ("ls src | xargs rm", ["delete ?", "destroy ?"]),
    ("git ls-files '*.py' | xargs rm", ["delete **/*.py"]),
    ("git ls-files src | xargs rm", ["delete src/**"]),
    ("git ls-files -s src | xargs rm", ["delete ?", "destroy ?"]),
    ("grep -l x *.md | xargs rm", ["delete *.md"]),
    ("grep -rl x src --include='*.c' | xargs rm", ["delete src/**/*.c"]),
    ("rg -l x src | xargs rm", ["delete src/**"]),
    ("grep -o x a | xargs rm", ["delete ?", "destroy ?"]),
    ("find src -name '*.c' | grep -v y | sort -u | head -3 | xargs rm", ["delete src/**/*.c"]),
    ("find src -name '*.c' | cut -c3- | xargs rm", ["delete ?", "destroy ?"]),
    ("find src tests -name '*.c' | xargs rm", ["delete **/*.c"]),
    ("find src/a src/b -name x | xargs rm", ["delete src/**/x"]),
    ("find src -name '*.c' -printf '%f\\n' | xargs rm", ["delete *.c"]),
    ("find src -name '*.c' -ls | xargs rm", ["delete ?", "destroy ?"]),
    ("echo *.txt | xargs rm", ["delete *.txt"]),
    ("printf '%s\\0' *.txt | xargs -0 rm", ["delete *.txt"]),
    ("rm $(ls *.o)", ["delete *.o"]),
    ("for f in $(find src -name '*.c'); do rm $f.o; done", ["delete src/**/*.c.o"]),
    ("find src -name '*.c' | while read -r f; do rm \"${f%.c}.o\"; done", ["delete src/**/*.o"]),
    ("while IFS= read -r -d '' f; do rm \"$f\"; done < <(find src -name x -print0)", ["delete src/**/x"]),
    ("mapfile -t a < <(ls *.c); rm \"${a[@]}\"", ["delete *.c"]),
    ("mapfile -t a < <(ls *.c); for f in \"${a[@]}\"; do rm $f.o; done", ["delete *.c.o"]),
    ("ls *.c | while read -u 3 f; do rm \"$f\"; done 3< x", ["delete ?", "destroy ?"]),
    ("mapfile a < <(ls *.c); rm ${a[0]}x", ["delete ?", "destroy ?"]),
    ("(find src -name x; echo ../y) | xargs rm", ["delete ?", "destroy ?"]),
    ("for i in a b; do ls $i*; done | xargs rm", ["delete ?", "destroy ?"]),
    ("find src -name x | sh", []),
]  # fmt: skip


@pytest.mark.parametrize(("command", "expected"), DELETED)
def test_what_is_deleted_by_the_names_that_are_printed(command: str, expected: list[str]) -> None:
    assert [effect for effect in compact_of(command) if effect.startswith(("delete", "destroy"))] == expected, command


def test_printed_names_are_no_known_text_for_a_shell() -> None:
    assert "execute" in compact_of("find src -name x | sh")
    assert "execute" in compact_of('bash -c "$(ls *.c)"')


@pytest.mark.parametrize(
    "command",
    [
        "git diff $(git merge-base main HEAD)",
        'git log "$(git describe --tags --abbrev=0)..HEAD"',
        "git log --format=%H | while read h; do git show -s $h; done",
        "for b in $(git branch --format='%(refname:short)'); do git log -1 $b; done",
        "git tag | tail -1 | xargs git show",
        "git log origin/$(git rev-parse --abbrev-ref HEAD)",
    ],
)
def test_names_of_revisions_are_no_options(command: str) -> None:
    assert {effect.split()[0] for effect in compact_of(command)} == {"read"}


@pytest.mark.parametrize(
    "command",
    [
        "git diff $(git config x.y)",
        "git diff $(git log -1 --format=%s)",
        "git diff $(git rev-parse -- -x)",
        'git diff $(git rev-parse "$x")',
        "git diff $(git describe --dirty=' --output=x')",
        "git diff $(git log -1 --format=--output=%H)",
        "git diff $(git log -1 -p --format=%H)",
        "git diff $(git branch)",
    ],
)
def test_other_things_that_git_prints_may_be_options(command: str) -> None:
    assert "unknown" in compact_of(command)


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["src/**/*.c", "src/**/*.h"], "src/**"),
        (["src/a/**/x", "src/b/**/x"], "src/**/x"),
        (["a.tar.gz", "b.tar.gz"], "./**/*.tar.gz"),
        (["src/**/x", "src"], "src/**"),
        (["/a/x", "/b/x"], "/**/x"),
        (["a/b/c", "a/b/d"], "a/b/**"),
    ],
)
def test_one_pattern_covers_several(patterns: list[str], expected: str) -> None:
    assert covering(patterns) == expected
