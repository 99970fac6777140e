"""git is asked only what changes nothing, and files of which only the times differ have not changed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pytest_cbx.client.files import WorkFiles
from pytest_cbx.client.looking import git_says

pytestmark = pytest.mark.needs("git")


def git(tree: Path, *words: str) -> None:
    setting = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    subprocess.run(["git", *setting, *words], cwd=tree, check=True, capture_output=True)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    tree.mkdir()
    git(tree, "init", "-q", "-b", "main")
    for name in ("same", "text", "gone", "mode"):
        (tree / name).write_text(f"{name}\n")
    (tree / "link").symlink_to("same")
    git(tree, "add", ".")
    git(tree, "commit", "-q", "-m", "x")
    return tree


def test_only_real_differences_count(tree: Path) -> None:
    for name in ("same", "text", "mode"):
        os.utime(tree / name, (1, 1))
    (tree / "text").write_text("other\n")
    (tree / "gone").unlink()
    (tree / "mode").chmod(0o755)
    (tree / "link").unlink()
    (tree / "link").symlink_to("same")
    (tree / "new").write_text("new\n")
    git(tree, "add", "new")
    index = (tree / ".git" / "index").read_bytes()
    answer = WorkFiles(tree).git(str(tree), ("diff-index", "HEAD"))
    assert answer == "D\0gone\0M\0mode\0A\0new\0M\0text\0"
    assert (tree / ".git" / "index").read_bytes() == index


def test_filters_and_monitors_of_the_repository_do_not_run(tree: Path) -> None:
    git(tree, "config", "filter.spy.clean", "touch ran; cat")
    git(tree, "config", "core.fsmonitor", "touch ran; false")
    (tree / ".gitattributes").write_text("* filter=spy\n")
    (tree / "text").write_text("other\n")
    os.utime(tree / "same", (1, 1))
    files = WorkFiles(tree)
    assert files.git(str(tree), ("diff-index", "HEAD")) == "M\0text\0"
    assert files.git(str(tree), ("clean", "-n", "-d", "--")) == "Would remove .gitattributes\n"
    assert not (tree / "ran").exists()


def test_only_looking_commands_below_the_root_are_asked(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="git clean may change"):
        git_says(str(tree), ("clean", "-f"))
    with pytest.raises(ValueError, match="git checkout may change"):
        git_says(str(tree), ("checkout", "x"))
    assert git_says(str(tree), ("rev-parse", "--verify", "nothing")) is None
    assert WorkFiles(tree).git(str(tmp_path), ("ls-files", "-z")) is None
