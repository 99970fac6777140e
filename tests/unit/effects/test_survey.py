"""What git would change in the work tree follows from git's own answers; without them all sources may change."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from pytest_cbx.effects.paths import Context
from tests.unit.effects.help import Tree, compact_of, effects_of

ANSWERS = {
    "rev-parse --verify --quiet HEAD^{commit}": "h\n",
    "rev-parse --verify --quiet topic^{commit}": "t\n",
    "rev-parse --verify --quiet origin/far^{commit}": "t\n",
    "rev-parse --verify --quiet @{upstream}^{commit}": "u\n",
    "rev-parse --verify --quiet topic~1^{commit}": "b\n",
    "rev-parse --verify --quiet stash@{0}^{commit}": "s\n",
    "rev-parse --verify --quiet s^1^{commit}": "h\n",
    "merge-base h t": "b\n",
    "merge-base t h": "b\n",
    "merge-base h u": "h\n",
    "merge-base u h": "h\n",
    "diff-tree -r -z --no-renames --name-status h t": "M\0a\0A\0new/x\0D\0old/y\0D\0src/z\0",
    "diff-tree -r -z --no-renames --name-status b t": "M\0a\0",
    "diff-tree -r -z --no-renames --name-status b h": "A\0mine\0",
    "diff-tree -r -z --no-renames --name-status h u": "M\0up\0",
    "diff-tree -r -z --no-renames --name-status h s": "M\0kept\0",
    "ls-tree -r -z --name-only s^3": "loose\0",
    "diff-index h": "M\0local\0A\0staged\0D\0lost\0",
    "diff-index HEAD": "M\0local\0",
    "clean -n -d --": "Would remove junk/\nWould skip repository sub/\nWould remove x.o\n",
    "clean -n -- ": "",
    "ls-files -z -t": "H a\0H src/main\0S lib/x\0",
    "ls-files -z": "a\0src/main\0src/z\0old/y\0",
}


class Answering(Tree):
    """A work tree of which git says what the table says."""

    def __init__(self, answers: Mapping[str, str]) -> None:
        super().__init__({".git/HEAD": "ref: refs/heads/main\n", ".git/config": "", "docs/x": ""})
        self._answers = answers

    def directory(self, path: str) -> bool | None:
        return path == "/w/." or super().directory(path) or (False if self.text(path) is not None else None)

    def git(self, top: str, words: tuple[str, ...]) -> str | None:
        assert top == "/w"
        return self._answers.get(" ".join(words))


def context(answers: Mapping[str, str] = ANSWERS) -> Context:
    return Context(cwd="/w", workspace="/w", home="/home/u", files=Answering(answers))


def work(command: str, answers: Mapping[str, str] = ANSWERS) -> list[str]:
    """What the command changes outside `.git`."""
    found = compact_of(command, context(answers))
    return sorted(one for one in found if not one.startswith("read") and ".git" not in one and " " in one)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("git switch topic", ["create new", "delete old/**", "delete src/z", "write a", "write new/x"]),
        ("git checkout topic", ["create new", "delete old/**", "delete src/z", "write a", "write new/x"]),
        ("git switch far", ["create new", "delete old/**", "delete src/z", "write a", "write new/x"]),
        ("git switch -c fresh", []),
        ("git merge topic", ["write a"]),
        ("git merge", ["write up"]),
        ("git cherry-pick topic", ["write a"]),
        ("git revert topic", ["write a"]),
        ("git rebase", ["write up"]),
        ("git stash", ["write local"]),
        ("git stash -u", ["delete junk/**", "delete x.o", "write local"]),
        ("git stash pop", ["write kept", "write loose"]),
        ("git clean -fd", ["destroy junk/**", "destroy x.o"]),
        ("git clean -nd", []),
        ("git reset --hard", ["delete staged", "destroy local", "destroy lost", "destroy staged", "write local", "write lost"]),
        ("git merge --abort", ["destroy local", "write local"]),
        ("git checkout .", ["destroy local", "destroy lost", "write local", "write lost"]),
        ("git checkout HEAD -- .", ["destroy local", "destroy lost", "write local", "write lost"]),
        ("cd docs; git restore :/", ["destroy local", "destroy lost", "write local", "write lost"]),
        ("git restore -S .", []),
        ("git sparse-checkout set lib", ["create lib", "delete src/main", "write lib/x"]),
        ("git sparse-checkout init", ["delete src/main"]),
    ],
)  # fmt: skip
def test_only_what_git_finds_changes(command: str, expected: list[str]) -> None:
    assert work(command) == expected
    assert effects_of(command, context()).surveyed == bool(expected)


@pytest.mark.parametrize(
    "command",
    [
        "git switch nowhere",
        'git switch "$X"',
        "git merge topic other",
        "git merge -s ours topic",
        "git pull",
        "git rebase --onto topic HEAD",
        "git stash pop 'x y'",
        "touch y; git switch topic",
        "git --git-dir=/elsewhere switch topic",
    ],
)
def test_otherwise_all_sources_may_change(command: str) -> None:
    found = compact_of(command, context())
    assert any(one in found for one in ("write sources:.", "write ?")), found
    assert not effects_of(command, context()).surveyed


def test_what_discards_counts_even_where_nothing_is_seen() -> None:
    clean = {name: answer for name, answer in ANSWERS.items() if not name.startswith("diff-index")}
    assert work("git reset --hard", {**clean, "diff-index h": ""}) == ["destroy sources:."]
    assert work("git clean -f") == ["destroy sources:."]
