"""ed and vi as filters: their commands tell what they write."""

from __future__ import annotations

import pytest

from tests.unit.effects.help import compact_of

COMMANDS: list[tuple[str, list[str]]] = [
    ("ed -s a <<< $'1d\\nw\\nq'", ["read a", "write a"]),
    ("ed -s a <<< $',s/x/y/g\\nwq'", ["read a", "write a"]),
    ("ed -s a <<< $'1,3w b\\nq'", ["read a", "write b"]),
    ("ed -s a <<< $'W b'", ["read a", "append b"]),
    ("ed -s a <<< $'r b\\nw'", ["read a", "read b", "write a"]),
    ("ed -s a <<< $'g/x/s//y/\\nw'", ["read a", "write a"]),
    ("ed -s a <<< $'i\\n!rm -rf /\\n.\\nw'", ["read a", "write a"]),
    ("ed -s a <<< '!rm b'", ["read a", "execute"]),
    ("ed -s a <<< 'r !ls'", ["read a", "execute"]),
    ("ed -s a <<< 'w !sh'", ["read a", "execute"]),
    ("ed -s a <<< 'g/x/!ls'", ["read a", "execute"]),
    ("ed -s a <<< $'e b\\nw'", ["read a", "read b", "execute", "write a"]),
    ("ed -s a <<< q", ["read a"]),
    ("ed a", ["read a", "execute", "write a"]),
    ("ed '!cat b' <<< q", ["read b"]),
    ("red a <<< '!ls'", ["read a"]),
    ("vim -es -c '%s/a/b/g' -c wq a b", ["read a", "read b", "write a", "write b"]),
    ("vim -es -c 'g/x/d' -c 'w out' -c 'q!' a", ["read a", "write out"]),
    ("vim -es -c '%s/a/\\=system(\"x\")/' -c wq a", ["read a", "execute", "write a"]),
    ("vim -es -c '%!sort' -c wq a", ["read a", "execute", "write a"]),
    ("vim -es -c 'w !sh' -c q a", ["read a", "execute", "write a"]),
    ("vim -es -c 'set shell=/tmp/x' -c q a", ["read a", "execute", "write a"]),
    ("vim -es -c 'set ts=4 et' -c retab -c wq a", ["read a", "write a"]),
    ("ex -s a <<< $'1d\\nx'", ["read a", "write a"]),
    ("ex -sc '1d|x' a", ["read a", "write a"]),
    ("nvim --headless '+g/x/d' +wq a", ["read a", "write a"]),
    ("vim a", ["read a", "execute"]),
]


@pytest.mark.parametrize(("command", "expected"), COMMANDS, ids=[command for command, _ in COMMANDS])
def test_what_an_editor_does(command: str, expected: list[str]) -> None:
    assert sorted(compact_of(command)) == sorted(expected)
