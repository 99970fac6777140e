"""Sub-commands of git whose words mean different things."""

from __future__ import annotations

import pytest

from tests.unit.effects.help import compact_of
from tests.unit.effects.special.test_git import changed, within

GIT = ("write .git/", "state")


def elsewhere(effects: list[str]) -> set[str]:
    """What is changed outside of the repository itself."""
    return {effect for effect in changed(effects) if not effect.startswith(GIT)}


PATCH = """diff --git a/src/a.py b/src/a.py
--- a/src/a.py
+++ b/src/a.py
@@ -1 +1 @@
-1
+2
diff --git a/old.txt b/old.txt
deleted file mode 100644
--- a/old.txt
+++ /dev/null
@@ -1 +0,0 @@
-1
"""


@pytest.mark.parametrize(
    ("command", "effects"),
    [
        ("git checkout -- a.py", {"destroy sources:a.py", "write sources:a.py"}),
        ("git checkout HEAD -- src/foo.py", {"destroy sources:src/foo.py", "write sources:src/foo.py"}),
        ("git checkout .", {"destroy sources:.", "write sources:."}),
        ("git checkout main", {"write sources:."}),
        ("git checkout main a.py", {"destroy sources:a.py", "write sources:a.py"}),
        ("git checkout HEAD~1 a b", {"destroy sources:a", "write sources:a", "destroy sources:b", "write sources:b"}),
        ("git checkout a.py", {"destroy sources:a.py", "write sources:a.py", "write sources:."}),
        ("git checkout -b topic", set()),
        ("git checkout -b topic v1.0", {"write sources:."}),
        ("git checkout --detach", set()),
        ("git checkout -f", {"destroy sources:.", "write sources:."}),
        ("git switch -c topic", set()),
        ("git switch main", {"write sources:."}),
        ("git restore a.py", {"destroy sources:a.py", "write sources:a.py"}),
        ("git restore --staged a.py", set()),
        ("git restore -SW a.py", {"destroy sources:a.py", "write sources:a.py"}),
        ("git reset --hard", {"destroy sources:.", "write sources:."}),
        ("git reset a.py", set()),
        ("git reset --soft HEAD~1", set()),
        ("git mv a b", {"delete a/**", "create b/**"}),
        ("git rm a", {"delete sources:a"}),
        ("git rm --cached a", set()),
        ("git rm -n a", set()),
        ("git clean -fd sub", {"destroy sources:sub"}),
        ("git clean -fdx sub", {"destroy sub/**"}),
        ("git clean -nd", set()),
        ("git stash", {"write sources:."}),
        ("git stash -- a.py", {"write sources:a.py"}),
        ("git stash push a.py", {"write sources:a.py"}),
        ("git stash list", set()),
        ("git stash show -p --output=x", {"write x"}),
        ("git stash frob", {"unknown"}),
        ("git push", {"network"}),
        ("git push -f", {"network", "destroy ?", "execute"}),
        ("git push origin HEAD:$x", {"network"}),
        ('git push origin "$x"', {"network", "unknown"}),
        ("git init .", {"create .git/**"}),
        ("git init", {"create .git/**"}),
        ("git init a/b", {"create a", "create a/b", "create a/b/.git/**"}),
        ("git init --bare a.git", {"create a.git/**"}),
        ("git clone https://a.b/c/d.git", {"network", "create d/**"}),
        ("git clone git@a.b:d.git e", {"network", "create e/**"}),
        ("git clone --bare a.b:c/d", {"network", "create d.git/**"}),
        ("git clone a b", {"create b/**"}),
        ("git clone -c core.pager=x a b", {"execute", "create b/**"}),
        ("git worktree add ../wt", {"create /wt/**"}),
        ("git archive -o x.tar HEAD", {"write x.tar"}),
        ("git bundle create x HEAD", {"write x"}),
        ("git format-patch -o out HEAD~1", {"create out", "create out/*"}),
        (
            "git submodule add https://a.b/c.git lib/c",
            {"network", "create lib", "create lib/c/**", "write .gitmodules"},
        ),
        ("git submodule update lib", {"network", "write sources:lib"}),
        ("git submodule foreach 'touch x'", {"create ?", "metadata ?", "execute"}),
        ("git bisect run touch x", {"create x", "metadata x", "write sources:."}),
        ("git rebase --exec 'touch x' main", {"create x", "metadata x", "write sources:."}),
        ("git checkout-index -a", {"create sources:."}),
        ("git checkout-index -f a", {"destroy a"}),
        ("git checkout-index --prefix=out/ -a", {"create out/**"}),
        ("git mailsplit -oout x", {"create out/*"}),
        ("git config -f x.ini a.b c", {"write x.ini"}),
        ("git config --global a.b c", {"write /home/u/.gitconfig"}),
        ("git config --system a.b c", {"system"}),
        ("git config a.b", set()),
        ("git config --get a.b", set()),
        ("git config get a.b", set()),
        ("git config --get --no-get --unset a.b", set()),
    ],
)
def test_what_is_changed_outside_of_the_repository(command: str, effects: set[str]) -> None:
    assert elsewhere(compact_of(command)) == effects


@pytest.mark.parametrize(
    ("command", "effects"),
    [
        ("git apply x.patch", {"write src/a.py", "delete old.txt"}),
        ("git apply -R x.patch", {"write src/a.py", "write old.txt"}),
        ("git apply --directory=sub x.patch", {"write sub/src/a.py", "delete sub/old.txt"}),
        ("git apply --check x.patch", set()),
        ("git apply --stat x.patch", set()),
        ("git apply --cached x.patch", set()),
        ("git apply --stat --apply x.patch", {"write src/a.py", "delete old.txt"}),
        ("git am x.patch", {"write src/a.py", "delete old.txt"}),
        ("git apply missing.patch", {"write sources:."}),
        ("git apply", {"write sources:."}),
    ],
)
def test_a_patch_that_is_seen_names_its_files(command: str, effects: set[str]) -> None:
    assert elsewhere(within(command, {"x.patch": PATCH, "src/a.py": "1\n", "old.txt": "1\n"})) == effects


@pytest.mark.parametrize(
    ("command", "effects"),
    [
        ("git checkout a.py", {"destroy a.py", "write a.py"}),
        ("git checkout topic", {"write sources:."}),
        ("git checkout Makefile", {"destroy Makefile", "write Makefile"}),
    ],
)
def test_checkout_tells_files_from_branches_that_are_seen(command: str, effects: set[str]) -> None:
    texts = {"a.py": "", "Makefile": "", "topic": "", ".git/refs/heads/topic": "0123\n"}
    assert elsewhere(within(command, texts)) == effects


@pytest.mark.parametrize(
    "command",
    ["git config a.b c", "git config --list --add a.b c", "git config --get --unset a.b", "git config --get --no-get a.b c",
     "git config --unset a.b", "git config --rename-section a b", "git config set a.b c", "git config unset a.b"],
)  # fmt: skip
def test_the_configuration_is_changed(command: str) -> None:
    assert "write .git/config" in compact_of(command)


@pytest.mark.parametrize(
    "command",
    ["git config a.b", "git config -l", "git config --get-all a.b c", "git config list", "git config get a.b"],
)
def test_the_configuration_is_only_read(command: str) -> None:
    assert changed(compact_of(command)) == set()


def test_a_branch_that_is_seen_is_not_made() -> None:
    texts = {".git/packed-refs": "# pack-refs\n0123 refs/heads/topic\n"}
    assert "write .git/config" not in within("git switch topic", texts)
    assert "write .git/config" in within("git switch other", texts)


def test_push_changes_a_remote_that_is_a_directory() -> None:
    config = '[remote "origin"]\n\turl = ../up.git\n'
    assert "write /up.git/**" in within("git push", {".git/config": config})
    assert "destroy /up.git/**" in within("git push --delete origin x", {".git/config": config})
    assert "write /up.git/**" not in within("git push -n", {".git/config": config})


def test_submodules_that_are_seen() -> None:
    modules = '[submodule "a"]\n\tpath = lib/a\n\turl = https://x.y/a\n'
    assert elsewhere(within("git submodule update", {".gitmodules": modules})) == {"network", "write lib/a/**"}


@pytest.mark.parametrize(
    "command",
    ["git add --dry-run --no-dry-run x", "git branch --list --no-list topic", "git rm -n --no-dry-run x", "git mv -n --no-dry-run a b",
     "git push --dry-run --no-dry-run", "git worktree prune --dry-run --no-dry-run", "git fetch --dry-run --no-dry-run"],
)  # fmt: skip
def test_an_option_that_is_taken_back_protects_nothing(command: str) -> None:
    assert any(effect.startswith("write .git") for effect in compact_of(command))


def test_an_option_that_is_taken_back_still_counts_for_the_worse() -> None:
    assert "destroy sources:." in compact_of("git checkout --force --no-force main")
