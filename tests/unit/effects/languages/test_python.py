"""Short Python and JavaScript programs: the closed readers, and what they say."""

from __future__ import annotations

import pytest

from pytest_cbx.effects.languages.javascript import javascript_reads
from pytest_cbx.effects.languages.python import python_touches
from pytest_cbx.effects.model import Kind
from pytest_cbx.effects.paths import Context
from tests.unit.effects.help import Tree, compact_of

HARMLESS = """print("hi")
import sys; print(sys.version)
import json,sys; print(json.load(sys.stdin)["a"])
import json; print(json.dumps({"a": 1}, indent=2))
print(sum(x * 2 for x in range(10)))
import os; print(os.getcwd(), os.environ.get("HOME"))
import platform; print(platform.python_version())
import sys; sys.exit(0)
import sys; print(sys.version_info >= (3, 8))
import datetime; print(datetime.datetime.now().isoformat())
from datetime import date; print(date.today())
import importlib.metadata as m; print(m.version("x"))
import hashlib; print(hashlib.sha256(b"x").hexdigest())
import re,sys; [print(l) for l in sys.stdin if re.search("x", l)]
x=1; y=x+2; print(f"{y:>3}")
import sysconfig; print(sysconfig.get_paths()["purelib"])
from urllib.parse import quote; print(quote("a b"))
import ast; print(ast.literal_eval("1"))
assert 1 == 1
pass
""".strip().split("\n")

REFUSED = """import os; os.system("x")
__import__("os").system("x")
exec("x")
eval("x")
import subprocess
import requests
from os import system; system("x")
from os import *
import sys; sys.modules["os"].system("x")
import platform; platform.os.system("x")
import random; random._os.system("x")
import os.path as p; p.os.system("x")
import csv; csv.io.open("x","w")
import json; json.codecs.open("x","w")
x = ().__class__.__bases__
getattr(1, "x")
import os; f = os.system; f("x")
import os; list(map(os.remove, ["x"]))
import os; os.remove(x)
import os; os.remove(*["a"])
import os; os.remove("a", dir_fd=3)
import shutil; shutil.rmtree("x", onerror=print)
import os; (lambda o: o.system("x"))(os)
open(x, "w")
open("x" + "y", "w")
open("x", opener=1)
open("x", "r", **{"opener": 1})
list(map(open, ["x"], ["w"]))
print = 1
import sys; sys.stdout = 1
import sys; sys.path.append("e"); import csv
import sys; p = sys.path; p += ["x"]; import csv
import sys; sys.path[0] = "x"; import csv
from sys import path; path.append("x"); import csv
from pathlib import Path; p = Path("a"); p.replace("b")
from pathlib import Path; Path("a").replace("b")
from pathlib import Path; (Path("a") / "b").mkdir()
import pathlib; pathlib.Path("a").open("w")
import typing; typing.get_type_hints("x")
import timeit; timeit.timeit("x")
def f(): pass
class A: pass
breakpoint()
globals()
1 +
""".strip().split("\n")

ACTING: list[tuple[str, list[tuple[Kind, str, str]]]] = [
    ('print(open("f").read())', [(Kind.READ, "f", "path")]),
    ('open("x", "w").write("y")', [(Kind.WRITE, "x", "path")]),
    ('open("x", mode="ab")', [(Kind.APPEND, "x", "path")]),
    ('with open("x", "r+") as f: f.write("y")', [(Kind.WRITE, "x", "path")]),
    ('import os; os.remove("x"); os.makedirs("d/e", exist_ok=True)',
     [(Kind.DELETE, "x", "path"), (Kind.CREATE, "d/e", "parents"), (Kind.CREATE, "d/e", "path")]),
    ('import os as o; o.rename("a", "b")', [(Kind.DELETE, "a", "tree"), (Kind.WRITE, "b", "tree")]),
    ('import os; print(os.listdir("d"))', [(Kind.READ, "d", "children")]),
    ('import shutil; shutil.rmtree("d")', [(Kind.DESTROY, "d", "tree")]),
    ('import shutil; shutil.copy("s/a", "d/")', [(Kind.READ, "s/a", "path"), (Kind.WRITE, "d/a", "tree")]),
    ('from pathlib import Path; Path("x").write_text("y")', [(Kind.WRITE, "x", "path")]),
    ('import pathlib; pathlib.Path("d").mkdir(parents=True)', [(Kind.CREATE, "d", "parents"), (Kind.CREATE, "d", "path")]),
]  # fmt: skip


@pytest.mark.parametrize("text", HARMLESS)
def test_programs_that_touch_nothing(text: str) -> None:
    assert python_touches(text) == [], text


@pytest.mark.parametrize("text", REFUSED)
def test_programs_of_which_not_every_step_is_known(text: str) -> None:
    assert python_touches(text) is None, text


@pytest.mark.parametrize(("text", "expected"), ACTING)
def test_programs_that_name_what_they_touch(text: str, expected: list[tuple[Kind, str, str]]) -> None:
    assert sorted(python_touches(text) or [], key=str) == sorted(expected, key=str)


def test_what_is_no_text_of_reasonable_length_is_not_read() -> None:
    assert python_touches("1;" * 3_000) is None
    assert python_touches("a\0b") is None
    assert python_touches("(" * 3_000) is None


@pytest.mark.parametrize(
    "text", ["console.log(process.version)", "1+1", 'console.log("a", 1)', "console.log(1); process.exit(0)"]
)
def test_javascript_that_prints(text: str) -> None:
    assert javascript_reads(text) == []


@pytest.mark.parametrize(
    "text",
    [
        'require("fs")',
        "x()",
        "console.log(`${x()}`)",
        'console.log("a"); x()',
        '"a"+x()',
        "process.exit(x())",
        "1+" * 900,
    ],
)
def test_javascript_that_may_do_more(text: str) -> None:
    assert javascript_reads(text) is None


COMMANDS: list[tuple[str, list[str]]] = [
    ("python -c 'print(1)'", []),
    ("python3 - <<'E'\nprint(1)\nE", []),
    ("echo 'open(\"x\", \"w\")' | python3", ["write x"]),
    ("python -c 'import os; os.system(1)'", ["execute"]),
    ("python -c \"$X\"", ["execute"]),
    ("PYTHONPATH=. python -c 'import json'", ["execute"]),
    ("PYTHONPATH=. python -c 'print(1)'", ["execute"]),
    ("node -p process.version", []),
    ("node -p \"require('./package.json').version\"", ["read package.json"]),
    ("node -e \"const p = require('./a.json'); console.log(p.b['c'])\"", ["read a.json"]),
    ("node -p \"Object.keys(require('./a.json').b).join('\\n')\"", ["read a.json"]),
    ("node -p \"JSON.parse(require('fs').readFileSync('a', 'utf8')).b\"", ["read a"]),
    ("node -p \"require('os').cpus().length\"", []),
    ("node -p \"require('./a').b\"", ["execute"]),
    ("node -p \"require('./a.json').b()\"", ["execute"]),
    ("node -p \"require('./a.json').b.c.constructor('x')()\"", ["execute"]),
    ("node -e \"const p = require('./a.json'); p.b()\"", ["execute"]),
    ("node -e \"const process = require('./a.json'); process.cwd()\"", ["execute"]),
    ("node -e 'x()'", ["execute"]),
    ("node -r ./x -e 1", ["execute", "read x"]),
]  # fmt: skip


@pytest.mark.parametrize(("command", "expected"), COMMANDS)
def test_what_a_program_on_the_command_line_touches(command: str, expected: list[str]) -> None:
    assert sorted(compact_of(command)) == sorted(expected), command


class WithModules:
    """A work tree in which `json.py` and a directory `csv` lie."""

    def text(self, path: str) -> str | None:
        return "" if path == "/w/json.py" else None

    def executable(self, path: str) -> bool:
        return False

    def directory(self, path: str) -> bool | None:
        return {"/w/json.py": False, "/w/csv": True}.get(path)

    def members(self, path: str) -> tuple[str, ...] | None:
        return None

    def git(self, top: str, words: tuple[str, ...]) -> str | None:
        return None


@pytest.mark.parametrize(("module", "expected"), [("json", ["execute"]), ("csv", ["execute"]), ("re", [])])
def test_a_module_of_the_working_directory_comes_first(module: str, expected: list[str]) -> None:
    context = Context(cwd="/w", workspace="/w", files=WithModules())
    assert compact_of(f"python -c 'import {module}'", context) == expected


@pytest.mark.parametrize("name", ["platform", "json"])
def test_a_module_that_lies_in_the_working_directory_is_not_the_library_s(name: str) -> None:
    module = {"json": "json.tool"}.get(name, name)
    for places in ({}, {f"{name}.py": "x"}, {f"{name}/tool.py": "x"}):
        context = Context(cwd="/w", workspace="/w", files=Tree(places))
        assert ("execute" in compact_of(f"python -m {module}", context)) is bool(places)
