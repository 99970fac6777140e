"""Lines of keys, checked against tomllib and against documents whose lines are known by construction."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cbx.config.positions import KeyPath, positions
from pytest_cbx.errors import InternalError

DOCUMENT = '''\
# [no] = table
title = "a # b"
a.b = 1
"quoted.key" = """
[x]
y = 1
""\\""""""
'lit' = \'\'\'
k = ''2'' \'\'\'\'

[one]       # comment
two = [ # c
  1, "]", [2,
    3], # ,
  { x = 1, y.z = [4] },
]
[one.sub.deep]
k = 1979-05-27 07:32:00
[[list]]
[list.inner]
p = { }
[[list]]
q = [ ]
 [ list . "in\\u006eer" ]
[[list.more]]
r = -1.5e3
[[list.more]]
s = ''
["one" . sub]
t = """"x"""""
'''


def test_document() -> None:
    lines = positions(DOCUMENT).lines
    expected: dict[KeyPath, int] = {
        ("title",): 2,
        ("a",): 3,
        ("a", "b"): 3,
        ("quoted.key",): 4,
        ("lit",): 8,
        ("one",): 11,
        ("one", "two"): 12,
        ("one", "two", 0): 13,
        ("one", "two", 1): 13,
        ("one", "two", 2): 13,
        ("one", "two", 2, 0): 13,
        ("one", "two", 2, 1): 14,
        ("one", "two", 3): 15,
        ("one", "two", 3, "x"): 15,
        ("one", "two", 3, "y"): 15,
        ("one", "two", 3, "y", "z"): 15,
        ("one", "two", 3, "y", "z", 0): 15,
        ("one", "sub"): 29,
        ("one", "sub", "deep"): 17,
        ("one", "sub", "deep", "k"): 18,
        ("list",): 19,
        ("list", 0): 19,
        ("list", 0, "inner"): 20,
        ("list", 0, "inner", "p"): 21,
        ("list", 1): 22,
        ("list", 1, "q"): 23,
        ("list", 1, "inner"): 24,
        ("list", 1, "more"): 25,
        ("list", 1, "more", 0): 25,
        ("list", 1, "more", 0, "r"): 26,
        ("list", 1, "more", 1): 27,
        ("list", 1, "more", 1, "s"): 28,
        ("one", "sub", "t"): 30,
    }
    assert lines == expected
    assert set(paths(tomllib.loads(DOCUMENT))) == set(expected)


def test_line_of_something_that_is_not_there_is_that_of_what_is_around_it() -> None:
    found = positions("\n[a]\nb = 1\n")
    assert found.line(("a", "c", "d")) == 2
    assert found.line(("z",)) == 1
    assert found.line(()) == 1


@pytest.mark.parametrize("text", ["[", "a", "a = ", 'a = "', "a = [1", "a = {b = 1", "= 1", "[[a]", "\x00"])
def test_text_that_is_no_toml_ends_with_an_internal_error(text: str) -> None:
    with pytest.raises(InternalError, match="line 1"):
        positions(text)


def paths(value: Any, path: KeyPath = ()) -> list[KeyPath]:
    """Every way into a parsed document."""
    below: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        below = list(value.items())
    elif isinstance(value, list):
        below = list(enumerate(value))
    return [found for key, inner in below for found in [(*path, key), *paths(inner, (*path, key))]]


# --- documents that know their own lines -----------------------------------------------------------

SCALARS = st.sampled_from(
    [
        *(
            "1",
            "-0x1F".replace("-", ""),
            "1_000.5",
            "inf",
            "true",
            "1979-05-27T07:32:00Z",
            "1979-05-27 07:32:00",
            "07:32:00",
        ),
        *('"]}#,"', "'[x] = \"'", '"\\"\\\\"', "''", '""'),
        *('"""\n[cbx]\nk = 1 # no\n"""', "'''\n'\n''x''''", '"""\\"""\\\n  "" """""', '"""a\n"""', '""""""'),
    ]
)
ODD_KEYS = st.sampled_from(["a.b", "", "[x]", "é", "a b", '"', "\\", "#", "=", "k\n", "'"])
GAPS = st.sampled_from(["", "\n", "# [[x]]\n", "   \n\t\n"])


@dataclass
class Writer:
    """Builds a document and notes on which line each key is written."""

    draw: Any
    text: str = ""
    lines: dict[KeyPath, int] = field(default_factory=dict)
    counter: int = 0

    def here(self) -> int:
        return self.text.count("\n") + 1

    def new_key(self) -> str:
        self.counter += 1
        odd = self.draw(ODD_KEYS) if self.draw(st.integers(0, 4)) == 0 else ""
        return f"{odd}k{self.counter}"

    def spelled(self, key: str) -> str:
        """One of the ways to write a key."""
        ways = [json.dumps(key), json.dumps(key, ensure_ascii=False)]
        if key.isascii() and key.isalnum():
            ways.append(key)
        if "'" not in key and "\n" not in key:
            ways.append(f"'{key}'")
        return str(self.draw(st.sampled_from(ways)))

    def pair(self, path: KeyPath, depth: int, *, end: str) -> None:
        for number in range(self.draw(st.integers(1, 2))):
            if number:
                self.text += self.draw(st.sampled_from([".", " . "]))
            key = self.new_key()
            path = (*path, key)
            self.lines[path] = self.here()
            self.text += self.spelled(key)
        self.text += self.draw(st.sampled_from([" = ", "=", "\t=  "]))
        self.value(path, depth)
        self.text += end

    def value(self, path: KeyPath, depth: int) -> None:
        kind = self.draw(st.integers(0, 5)) if depth else 0
        if kind == 4:
            self.array(path, depth - 1)
        elif kind == 5:
            self.inline(path, depth - 1)
        else:
            self.text += self.draw(SCALARS)

    def array(self, path: KeyPath, depth: int) -> None:
        self.text += "["
        for number in range(self.draw(st.integers(0, 3))):
            self.text += self.draw(GAPS)
            self.lines[(*path, number)] = self.here()
            self.value((*path, number), depth)
            self.text += self.draw(GAPS) + ","
        self.text += self.draw(GAPS) + "]"

    def inline(self, path: KeyPath, depth: int) -> None:
        self.text += "{ "
        for number in range(self.draw(st.integers(0, 2))):
            self.text += ", " if number else ""
            self.pair(path, depth, end="")
        self.text += " }"

    def body(self, path: KeyPath) -> None:
        for _ in range(self.draw(st.integers(0, 3))):
            self.text += self.draw(st.sampled_from(["", "  "]))
            self.pair(path, 2, end=self.draw(st.sampled_from(["\n", " # c = 1\n", "\n\n"])))

    def header(self, keys: list[str], brackets: int) -> None:
        self.text += (
            self.draw(GAPS) + "[" * brackets + ".".join(self.spelled(key) for key in keys) + "]" * brackets + "\n"
        )

    def tables(self) -> None:
        """Tables and lists of tables, one level of tables below each."""
        for _ in range(self.draw(st.integers(0, 3))):
            key = self.new_key()
            listed = self.draw(st.booleans())
            for number in range(self.draw(st.integers(1, 3)) if listed else 1):
                self.header([key], 2 if listed else 1)
                path: KeyPath = (key, number) if listed else (key,)
                self.lines.setdefault((key,), self.here() - 1)
                self.lines[path] = self.here() - 1
                self.body(path)
                if self.draw(st.booleans()):
                    middle, below = self.new_key(), self.new_key()
                    self.header([key, middle, below], 1)
                    self.lines[(*path, middle)] = self.lines[(*path, middle, below)] = self.here() - 1
                    self.body((*path, middle, below))


@given(st.data(), st.sampled_from(["\n", "\r\n"]))
def test_lines_are_those_where_the_keys_were_written(data: st.DataObject, line_end: str) -> None:
    writer = Writer(data.draw)
    writer.body(())
    writer.tables()
    text = writer.text.replace("\n", line_end)
    assert set(paths(tomllib.loads(text))) == set(writer.lines)
    assert positions(text).lines == writer.lines


TOKENS = [
    *(
        "[a]\n",
        "[[a]]\n",
        "[[b]]\n",
        "[a.c]\n",
        "[b.c]\n",
        "[[b.c]]\n",
        "a",
        "b",
        "c",
        ".",
        '"d"',
        "'e'",
        " = ",
        "1",
        '"x"',
        "'y'",
    ),
    *(
        "[",
        "]",
        "{",
        "}",
        ",",
        "\n",
        "\n\n",
        "#z\n",
        '"""',
        "'''",
        '"',
        "'",
        " ",
        "\\",
        "true",
        "\r\n",
        "a = 1\n",
        'b.c = "x"\n',
        "c = [\n1,\n]\n",
    ),
]


@given(st.lists(st.sampled_from(TOKENS), max_size=14).map("".join))
def test_whatever_tomllib_accepts_has_lines_that_hold_the_keys(text: str) -> None:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    found = positions(text).lines
    written = text.replace("\r\n", "\n").split("\n")
    assert set(found) == set(paths(document))
    for path, line in found.items():
        key = path[-1]
        assert isinstance(key, int) or key in written[line - 1]
