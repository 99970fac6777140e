"""Which paths are no sources: compared with what git itself says."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pytest_cbx.engine.ignored import Ignored


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty git repository that heeds nobody's own settings."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    git(tmp_path, "init", "-q")
    return tmp_path


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


def verdicts(root: Path, *paths: str) -> dict[str, bool]:
    ignored = Ignored(root)
    ignored.learn(paths)
    return {path: ignored(path) for path in paths}


def test_rules_for_files_and_folders_that_need_not_exist(repository: Path) -> None:
    (repository / ".gitignore").write_text("*.log\n/out/\ntmp-*\n!keep.log\n")
    assert verdicts(
        repository, "a.log", "deep/b.log", "keep.log", "out", "out/x/y", "sub/out", "tmp-1", "src", "src/a.py", "."
    ) == {
        "a.log": True,
        "deep/b.log": True,
        "keep.log": False,
        "out": True,
        "out/x/y": True,
        "sub/out": False,
        "tmp-1": True,
        "src": False,
        "src/a.py": False,
        ".": False,
    }


def test_a_folder_that_ignores_itself(repository: Path) -> None:
    (repository / "own").mkdir()
    (repository / "own" / ".gitignore").write_text("*\n")
    assert verdicts(repository, "own", "own/x", "other") == {"own": True, "own/x": True, "other": False}


def test_a_tracked_file_is_a_source_whatever_the_rules_say(repository: Path) -> None:
    (repository / "kept.log").touch()
    git(repository, "add", "-f", "kept.log")
    (repository / ".gitignore").write_text("*.log\n")
    assert verdicts(repository, "kept.log", "new.log") == {"kept.log": False, "new.log": True}


def test_what_lies_outside_is_no_source(repository: Path) -> None:
    assert verdicts(repository, "/etc/passwd") == {"/etc/passwd": True}


@pytest.mark.parametrize(
    "name",
    [
        "with space",
        "tab\there",
        "line\nbreak",
        "ünïcode",
        "\udcff\udc80",
        "-n",
        ":(top)x",
        ":!x",
        "!neg",
        "#hash",
        '"q"',
    ],
)
def test_names_with_any_bytes(repository: Path, name: str) -> None:
    (repository / ".gitignore").write_text("/out/\n")
    assert verdicts(repository, f"out/{name}", name) == {f"out/{name}": True, name: False}


@pytest.mark.parametrize("name", [":(top)x", ":!x", ":/x"])
def test_a_colon_in_front_is_part_of_the_name(repository: Path, name: str) -> None:
    (repository / ".gitignore").write_text(":*\n")
    assert verdicts(repository, name, "x") == {name: True, "x": False}


def test_paths_that_git_will_not_judge_do_not_spoil_the_others(repository: Path, tmp_path: Path) -> None:
    (repository / ".gitignore").write_text("out/\n")
    (repository / "link").symlink_to("/tmp")
    inner = repository / "inner"
    inner.mkdir()
    git(inner, "init", "-q")
    git(inner, "-c", "user.name=x", "-c", "user.email=x@y", "commit", "-q", "--allow-empty", "-m", "first")
    git(repository, "add", "inner")
    assert verdicts(repository, "a", "inner/x", "link/x", "link/y", "out/z", "zz/out/a", "link") == {
        "a": False,
        "inner/x": False,
        "link/x": False,
        "link/y": False,
        "out/z": True,
        "zz/out/a": True,
        "link": False,
    }


def test_inside_a_hook_of_another_repository(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository / ".gitignore").write_text("out/\n")
    monkeypatch.setenv("GIT_DIR", "elsewhere/.git")
    assert verdicts(repository, "out/x", "src") == {"out/x": True, "src": False}


def test_without_a_repository_usual_caches_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / ".gitignore").write_text("out/\n")
    assert verdicts(tmp_path, "out/x", "a/node_modules/b", ".mypy_cache/c", "src") == {
        "out/x": False,
        "a/node_modules/b": True,
        ".mypy_cache/c": True,
        "src": False,
    }


def test_without_git_usual_caches_count(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository / ".gitignore").write_text("out/\n")
    monkeypatch.setenv("PATH", str(repository / "empty"))
    assert verdicts(repository, "out/x", "__pycache__/y") == {"out/x": False, "__pycache__/y": True}


@pytest.mark.parametrize("path", ["x" * 5000, "x/" * 3000 + "y", "nul\0inside"])
def test_paths_that_cannot_be(repository: Path, path: str) -> None:
    (repository / ".gitignore").write_text("out/\n")
    assert verdicts(repository, path, "out/z") == {path: False, "out/z": True}


def test_each_path_is_asked_for_once(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ignored = Ignored(repository)
    ignored.learn(["a", "b"])
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("git was asked again"))
    assert not ignored("a")
    assert not ignored("b")
