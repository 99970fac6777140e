"""The text of git's configuration files, and what its keys are for."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pytest_cbx.effects.languages.gitconfig import category, is_harmless, normalised, runs, settings_of, value_of

TEXT = r"""
; a comment
[core]
	bare = false   # another
	pager = "less # not a comment" -R ; comment
	editor = vim \
 --nofork
[Alias]
	Lg = log --graph
	q = "!f() { echo \"a b\"; }; f"
[remote "Origin.x"]
	url = https://x.y/z.git
	fetch
[branch.main]
	remote = origin
[a "b\"c"] d = e
[core] whitespace = "  kept  "
"""


def test_a_file_is_read() -> None:
    assert settings_of(TEXT) == (
        ("core.bare", "false"),
        ("core.pager", "less # not a comment -R"),
        ("core.editor", "vim  --nofork"),
        ("alias.lg", "log --graph"),
        ("alias.q", '!f() { echo "a b"; }; f'),
        ("remote.Origin.x.url", "https://x.y/z.git"),
        ("remote.Origin.x.fetch", "true"),
        ("branch.main.remote", "origin"),
        ('a.b"c.d', "e"),
        ("core.whitespace", "  kept  "),
    )


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_it_is_read_as_git_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(TEXT)
    said = subprocess.run(
        ["git", "config", "-z", "-f", str(file), "-l"], capture_output=True, text=True, check=True
    ).stdout
    pairs = (item.partition("\n") for item in said.split("\0") if item)
    assert settings_of(TEXT) == tuple((key, value if newline else "true") for key, newline, value in pairs)


@pytest.mark.parametrize("text", ["", "[", "[core", "= x", '[core]\nx = "', '[a "b]', "\\", "no section = 1"])
def test_what_is_no_configuration_is_left_out(text: str) -> None:
    assert all(key and isinstance(value, str) for key, value in settings_of(text))


def test_the_last_value_counts() -> None:
    assert value_of((("a.b", "1"), ("a.b", "2")), "a.b") == "2"
    assert value_of((), "a.b") is None


def test_keys_are_compared_as_git_does() -> None:
    assert normalised("Core.PAGER") == "core.pager"
    assert normalised("Diff.MyDriver.TextConv") == "diff.MyDriver.textconv"


def test_no_key_is_both_harmless_and_a_program() -> None:
    for key in ("core.pager", "alias.x", "filter.a.clean", "gpg.program", "remote.o.vcs"):
        assert category(key) is not None
        assert not is_harmless(key, "./x")
        assert not is_harmless(key, None)


def test_a_pager_that_runs_something_else_is_no_pager() -> None:
    assert runs((("core.pager", "less -R"),), "pager") is None
    assert runs((("core.pager", "less; rm x"),), "pager") == "core.pager"
