"""Programs that are not there: before the start, and from what a shell said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_cbx.client.tools import missing_tools, tool_not_found
from tests.unit.client.making import make_jobs


def missing(root: Path, text: str, **keys: object) -> list[str]:
    (job,) = make_jobs(root, text, **keys)
    return missing_tools(job, os.environ)


@pytest.mark.parametrize(
    "text",
    [
        "cd src && echo hi && read x",
        "if command -v absent; then absent; fi",
        "test -e x && absent",
        "absent-one || absent-two",
        "true",
    ],
)
def test_what_may_not_be_started_is_not_missed(tmp_path: Path, text: str) -> None:
    assert "absent-two" not in missing(tmp_path, text)
    assert "absent" not in missing(tmp_path, text)


def test_surely_started_programs_are_named_in_order(tmp_path: Path) -> None:
    assert missing(tmp_path, "absent-b --check; absent-a") == ["absent-b", "absent-a"]


def test_what_needs_something_may_get_it_installed(tmp_path: Path) -> None:
    assert missing(tmp_path, "absent", needs=("install",)) == []


def test_the_path_of_the_command_counts(tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "tool").chmod(0o755)
    assert missing(tmp_path, "tool") == ["tool"]
    assert missing(tmp_path, "tool", env={"PATH": str(tmp_path)}) == []


def test_paths_may_be_built_first(tmp_path: Path) -> None:
    assert missing(tmp_path, "./run.sh") == []


@pytest.mark.parametrize(
    ("said", "tool"),
    [
        ("bash: line 1: ruff: command not found\n", "ruff"),
        ("out\nbash: line 3: mypy: command not found\n", "mypy"),
        ("bash: line 1: ./node_modules/.bin/jest: No such file or directory", "./node_modules/.bin/jest"),
        ("sh: 1: eslint: not found\n", "eslint"),
        ("script.sh: line 2: a: command not found\nbash: line 1: b: command not found", "b"),
        ("/usr/bin/env: ‘node’: No such file or directory\n", "node"),
        ("env: 'node': No such file or directory\n", "node"),
        ("cat: x.txt: No such file or directory\nmore", None),
        ("all is well\n", None),
        ("", None),
    ],
)
def test_tool_not_found(said: str, tool: str | None) -> None:
    assert tool_not_found(said) == tool
