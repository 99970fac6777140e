"""What program texts plainly name is told beside their being able to do anything."""

from __future__ import annotations

import pytest

from pytest_cbx.effects.languages.hints import LONGEST, MOST, hints, imports_own
from pytest_cbx.effects.paths import Context
from tests.unit.effects.help import Tree, compact_of


def told(language: str, text: str) -> list[str]:
    return [
        f"{kind.value} {path.text}{'/**' if scope == 'tree' else ''}" for kind, path, scope in hints(language, text)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("open('a', 'w').write('x')", ["write a"]),
        ("open('a')", []),
        ("open(mode='a', file='x')", []),
        ("open('a', mode='ab')", ["write a"]),
        ("import os; os.remove('a'); os.makedirs('d/e')", ["delete a", "create d/e", "create d/e"]),
        ("from pathlib import Path; Path('d').mkdir()", ["create d", "create d"]),
        ("out = Path('d') / 'e'; (out / f'{n}.txt').write_text('')", ["write d/e/*.txt"]),
        ("p = os.path.join('a', 'b')\nwith open(p, 'w') as f: pass", ["write a/b"]),
        ("Path('a').rename('b')", ["delete a/**", "write b/**"]),
        ("'a'.replace('b', 'c')", []),
        ("name.replace('b', 'c')", []),
        ("shutil.copy('s/a', 'd')", ["write d", "write d/a"]),
        ("shutil.rmtree('d')", ["delete d/**"]),
        ("Path('x').open('w')", ["write x"]),
        ("open(name, 'w')", []),
        ("def broken(", []),
    ],
)  # fmt: skip
def test_python(text: str, expected: list[str]) -> None:
    assert [found for found in told("python", text) if "__pycache__" not in found] == expected


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("node", "require('fs').writeFileSync('a', x)", ["write a"]),
        ("node", "const OUT = 'dist'; fs.mkdirSync(OUT)", ["create dist", "create dist"]),
        ("node", 'fs.promises.rm("d")', ["delete d/**"]),
        ("node", "fs.writeFileSync(path.join(__dirname, 'a', 'b'), x)", ["write a/b"]),
        ("node", "fs.copyFileSync('a', 'b')", ["write b/**"]),
        ("node", "fs.readFileSync('a')", []),
        ("node", "fs.writeFileSync(`${x}/a`, y)", []),
        ("perl", "open(my $f, '>', 'a'); unlink 'b'; mkdir('c')", ["write a", "delete b", "create c"]),
        ("perl", "open(F, '<', 'a')", []),
        ("ruby", "File.write('a', 1); FileUtils.rm_rf('b')", ["write a", "delete b/**"]),
        ("ruby", "File.open('a', 'w') { }; File.open('b')", ["write a"]),
        ("cobol", "open('a', 'w')", []),
    ],
)
def test_other_languages(language: str, text: str, expected: list[str]) -> None:
    assert told(language, text) == expected


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("import os, json", False),
        ("import app.core", True),
        ("x = 1; from app import y", True),
        ("from . import y", True),
        ("from os.path import join", False),
        ("print('import app')", False),
    ],
)
def test_own_modules_leave_bytecode(text: str, *, own: bool) -> None:
    assert imports_own(text) is own
    assert ("cache ./**/__pycache__/**" in told("python", text)) is own


def test_too_much_is_nothing() -> None:
    assert hints("python", f"open('a', 'w')\n{'#' * LONGEST}") == []
    assert hints("python", "\n".join(f"open('{n}', 'w')" for n in range(MOST + 1))) == []


def test_they_come_beside_the_unknown() -> None:
    files = Tree({"a.py": "import app\nopen('x', 'w')\n", "b.js": "fs.unlinkSync('y')"})
    context = Context(cwd="/w", workspace="/w", files=files)
    assert compact_of("python3 a.py", context) == ["read a.py", "execute", "write x", "cache **/__pycache__/**"]
    assert compact_of("python3 -B a.py", context) == ["read a.py", "execute", "write x"]
    assert compact_of("node b.js", context) == ["read b.js", "execute", "delete y"]
