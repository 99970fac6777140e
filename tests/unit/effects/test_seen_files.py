"""Texts of the project's own files are followed where they can be seen, and doubted where they may change."""

from __future__ import annotations

import json

import pytest

from pytest_cbx.effects.analysis import analyse
from pytest_cbx.effects.compact import compact
from pytest_cbx.effects.model import Effects
from pytest_cbx.effects.paths import Context
from pytest_cbx.shell.reader import read
from tests.unit.effects.help import Tree

PACKAGE = {
    "scripts": {
        "build": "tsc --outDir lib",
        "prebuild": "rm -rf lib",
        "postbuild": "touch lib/done",
        "clean": "rm -rf lib",
        "loop": "npm run loop",
        "show": "cat",
        "lint": "eslint src",
    }
}

FILES = {
    "a.sh": '#!/usr/bin/env bash\nset -eu\ncd "$(dirname "$0")"\nmkdir out\necho hi > "out/$1.txt"\n',
    "lib.sh": 'D=build\nclean() { rm -rf "$D"; }\nreturn 0\n',
    "plain": "touch plain-ran\n",
    "lamp.sh": 'set -euo pipefail\nlamp="on-$1"\nmkdir "$lamp"\ntrap \'rmdir "$lamp"\' EXIT\nshift\n"$@" x\n',
    "list": "x 'y z'\n",
    "tool": "#!/usr/bin/env python3\nprint()\n",
    "again.sh": "bash again.sh",
    "self.sh": "echo 'touch x' > self.sh",
    "tools/here.sh": 'HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"\necho > "$HERE/stamp"\n',
    "package.json": json.dumps(PACKAGE),
    "web/package.json": json.dumps({"scripts": {"test": "cat ../a.sh", "build": 3}}),
    "broken/package.json": "{",
}


def effects(command: str, **files: str) -> Effects:
    tree = Tree({**FILES, **files})
    return analyse(read(command), Context(cwd="/w", workspace="/w", home="/home/u", files=tree))


def compacts(command: str) -> list[str]:
    return [compact(effect) for effect in effects(command).effects]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("bash a.sh one", ["read a.sh", "create out", "write out/one.txt"]),
        ("./a.sh 'a b'", ["read a.sh", "create out", "write out/a b.txt"]),
        ("sh -e a.sh $X", ["read a.sh", "create out", "write out/**"]),
        ("/w/a.sh one", ["read a.sh", "create out", "write out/one.txt"]),
        ("timeout 5 ./a.sh one", ["read a.sh", "create out", "write out/one.txt"]),
        ("./plain", ["read plain", "create plain-ran", "metadata plain-ran"]),
        ("cd tools && ./here.sh", ["read tools/here.sh", "write stamp"]),
        ("source lib.sh; clean", ["read lib.sh", "destroy build/**"]),
        ("source lib.sh && echo > $D/x", ["read lib.sh", "write build/x"]),
        ("./tool", ["read tool", "execute"]),
        ("bash lamp.sh a cat", ["read lamp.sh", "create on-a", "read x", "delete on-a"]),
        ("(T=a; trap 'rm $T' EXIT); T=b", ["delete a"]),
        ("bash missing.sh", ["read missing.sh", "execute"]),
        ("bash < plain", ["read plain", "create plain-ran", "metadata plain-ran"]),
        ("cat plain | sh", ["read plain", "create plain-ran", "metadata plain-ran"]),
        ("cat missing.sh | sh", ["read missing.sh", "execute"]),
        ("xargs -a list rm", ["read list", "delete x", "delete y z"]),
        ("cat list | xargs -n1 rm", ["read list", "delete x", "delete y z"]),
        ("sort list | xargs rm", ["read list", "delete ?", "destroy ?"]),
        ("bash ../a.sh", ["read /a.sh", "execute"]),
        ("bash again.sh", ["read again.sh", "unknown"]),
        ("bash self.sh", ["read self.sh", "write self.sh", "execute"]),
        ("echo 'rm x' > a.sh; bash a.sh q", ["write a.sh", "read a.sh", "create out", "write out/q.txt", "execute"]),
        ("echo 'rm x' | tee *.sh; bash a.sh q", ["write *.sh", "read a.sh", "create out", "write out/q.txt", "execute"]),
        ("chmod +x a.sh; ./a.sh q", ["metadata a.sh", "read a.sh", "create out", "write out/q.txt"]),
    ],
)  # fmt: skip
def test_scripts_are_followed(command: str, expected: list[str]) -> None:
    assert sorted(set(expected) - set(compacts(command))) == [], compacts(command)
    doing = [compact for compact in compacts(command) if not compact.startswith("read")]
    assert sorted(doing) == sorted(item for item in expected if not item.startswith("read") and item in doing)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("npm run clean", ["read package.json", "destroy lib/**"]),
        ("npm run show -- plain", ["read package.json", "read plain"]),
        ("npm run show", ["read package.json"]),
        ("npm run loop", ["read package.json", "unknown"]),
        ("npm run missing", ["read package.json", "execute"]),
        ("cd web && npm test", ["read web/package.json", "read a.sh"]),
        ("npm --prefix web test", ["read sources:web", "output web/dist/**"]),
        ("cd tools && npm run clean", ["read package.json", "destroy lib/**"]),
        ("cd web && npm run build", ["read web/package.json"]),
        ("cd broken && npm run clean", ["execute"]),
        ("npm start", ["read package.json", "execute"]),
        ("yarn clean", ["read package.json", "destroy lib/**"]),
        ("yarn show plain", ["read package.json", "read plain"]),
        ("pnpm run show plain", ["read package.json", "read plain"]),
        ("yarn eslint src", ["read package.json", "read sources:src"]),
    ],
)
def test_scripts_of_packages_are_followed(command: str, expected: list[str]) -> None:
    assert set(expected) <= set(compacts(command)), compacts(command)


def test_a_script_has_its_pre_and_post() -> None:
    found = compacts("npm run build")
    assert found.index("destroy lib/**") < found.index("output lib/**") < found.index("create lib/done")


def test_without_sight_a_conventional_name_counts_and_the_files_are_named() -> None:
    blind = analyse(read("npm run build"), Context(cwd="/w/web", workspace="/w"))
    assert blind.consulted == ("web/package.json", "package.json")
    assert "output web/dist/**" in [compact(effect) for effect in blind.effects]


@pytest.mark.parametrize("command", ["cat a.sh", "bash -c 'cat a.sh'", "echo ./a.sh", "npm ls"])
def test_what_runs_no_file_consults_none(command: str) -> None:
    assert effects(command).consulted == ()
