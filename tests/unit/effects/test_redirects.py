"""What redirects make of a command's input and output, where something runs what comes out."""

from __future__ import annotations

import pytest

from tests.unit.effects.help import compact_of


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("echo 'rm a' > /dev/stdout | sh", ["delete a"]),
        ("echo 'rm a' >&1 | sh", ["delete a"]),
        ("echo 'rm a' 2>&1 | sh", ["delete a"]),
        ("echo 'rm a' >&2 | sh", []),
        ("echo 'rm a' > b | sh", ["write b"]),
        ("{ echo 'rm a' >&2; } 2>&1 | sh", ["execute"]),
        ("{ echo 'rm a' > /dev/stderr; } 2>&1 | sh", ["execute"]),
        ("{ echo 'rm a' >&2; } |& sh", ["execute"]),
        ("f() { echo 'rm a' >&2; }; f 2>&1 | sh", ["execute"]),
        ("exec 2>&1; echo 'rm a' >&2 | sh", ["execute"]),
        ("{ { echo 'rm a' >&3; } >/dev/null; } 3>&1 | sh", ["execute"]),
        ("exec 3>&1; { echo 'rm a' >&3; } >/dev/null | sh", ["execute"]),
        ("f() { echo told >&2; echo a; }; cat $(f)", ["read a"]),
        ("cat b 2>&1; echo c >&2 | sh", ["read b"]),
    ],
)
def test_output_that_another_descriptor_may_lead_back(command: str, expected: list[str]) -> None:
    assert compact_of(command) == expected


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("echo 'rm a' | sh 3<<<ls", ["delete a"]),
        ("echo 'rm a' | sh 3<<E\nls\nE", ["delete a"]),
        ("echo : | sh 0<<< 'rm a'", ["delete a"]),
        ("echo : | { exec <<< 'rm a'; sh; }", ["execute"]),
        ("echo : | { sh <&3; } 3<<< 'rm a'", ["execute"]),
        ("echo : | sh <&0", []),
        ("echo : | sh <> b", ["write b", "execute"]),
    ],
)
def test_input_that_a_redirect_replaces(command: str, expected: list[str]) -> None:
    assert compact_of(command) == expected


@pytest.mark.parametrize("sets", ["set -a", "set -o allexport", "set -ea", "export -f ls"])
def test_a_function_that_other_shells_get(sets: str) -> None:
    assert "delete a" in compact_of(f"ls() {{ rm a; }}; {sets}; bash -c ls")


def test_a_function_that_other_shells_do_not_get() -> None:
    assert "delete a" not in compact_of("ls() { rm a; }; set -e; bash -c ls")
